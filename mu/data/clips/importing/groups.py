"""The column of a table of clips whose equal values belong together: an artist, an album, a recording."""

from collections.abc import Sequence

import polars as pl

from mu.data.options import OptionError
from mu.names import nearest

KNOWN = (
    *("artist_id", "artist", "album_id", "album", "release_id"),
    *("recording_id", "recording", "source_recording", "original_recording"),
    *("freesound_clip_id", "freesound_id", "youtube_id", "ytid"),
)
"""Names of columns that say it, the widest first."""


def group_column(clips: pl.DataFrame, wanted: str | None) -> str | None:
    """The column whose equal values belong together; None where each recording stands alone.

    Args:
      clips: the table.
      wanted: by the user; None for the first of `KNOWN` that every clip has a value in, and some share.

    Raises:
      OptionError: there is no such column, or a clip has no value in it.
    """
    if wanted is not None:
        check_group(wanted, clips.columns)
        if without := clips[wanted].null_count():
            first = clips.filter(pl.col(wanted).is_null())["clip"][0]
            raise OptionError(f"--group={wanted}: {without:,} clips have no {wanted}, {first!r} among them: fill it in")
        return wanted
    for name in KNOWN:
        if name in clips.columns and not clips[name].null_count() and 1 < clips[name].n_unique() < len(clips):
            return name
    return None


def check_group(wanted: str, columns: Sequence[str]) -> None:
    """Raises OptionError where the clips have no column `wanted`; names the nearest one."""
    if wanted not in columns:
        raise OptionError(f"--group={wanted}: the clips have no such column{nearest(wanted, columns)}")
