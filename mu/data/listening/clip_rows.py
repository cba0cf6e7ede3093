"""Which clip of an audio import is the recording of which track of a log."""

import logging

import numpy as np
import polars as pl

from mu.data.clips.clips import Clips
from mu.data.logs.id_forms import find_other_forms
from mu.data.logs.interactions import Interactions

logger = logging.getLogger(__name__)


def clip_rows(clips: Clips, log: Interactions, column: str) -> np.ndarray:
    """int64 [V]: the clip of each of the log's tracks, -1 for none.

    Raises:
      ValueError: the clips have no such column, two are of one track, or none is of any; or there are no clips.
    """
    if column not in clips.table.columns:
        raise ValueError(
            f"the clips have no column {column!r} that says which track each is; they have "
            f"{', '.join(clips.table.columns)}: name it as data.clip_column"
        )
    if not len(clips):
        raise ValueError("the import of the audio holds no clips: for a catalogue with no audio, set data.clips=None")
    names = clips.table[column].cast(str).to_list()
    places: dict[str, int] = {}
    for row, name in enumerate(names):
        if name is None:
            continue
        if name in places:
            pair = clips.table["file"][places[name]], clips.table["file"][row]
            raise ValueError(f"two clips are of track {name!r}: {pair[0]} and {pair[1]}")
        places[name] = row
    tracks = log.tracks["track"].cast(pl.String)
    rows = np.array([places.get(track, -1) for track in tracks.to_list()], np.int64)
    others = find_other_forms(tracks.filter(pl.Series(rows < 0)), pl.Series(list(places), dtype=pl.String))
    if not (rows >= 0).any():
        raise ValueError(
            f"none of the {len(clips):,} clips is of a track of the log: column {column!r} has {names[0]!r}, the log "
            f"{tracks[0]!r}" + (f"; {others}" if others else "")
        )
    if others:
        logger.warning("the clips lack %s tracks of the log; %s", f"{np.count_nonzero(rows < 0):,}", others)
    return rows
