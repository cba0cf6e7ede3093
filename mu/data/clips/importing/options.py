"""The options of `mu import-audio`: declared here once, checked here."""

import dataclasses
from typing import Annotated, Literal

from mu.data.clips.importing import faults
from mu.data.options import check_options, option
from mu.ranges import Bounds, SampleRate, Seconds, Threads

_PLACES = "where things are"
_FAULTS = "faults"
_GROUPS = "what belongs together"
_STORE = "a copy for training"


@dataclasses.dataclass(frozen=True)
class AudioImportOptions:
    """Options of the import of a library; `mu import-audio --help` describes each."""

    workers: Threads | None = option(
        None, "processes (default: one each processor); changes no result", group="how", metavar="N"
    )
    timeout_s: Seconds = option(
        600.0,
        "seconds for one file, then its process is replaced and the file named (default: 600)",
        group="how",
        metavar="S",
    )
    on_error: Literal["skip", "stop"] = option(
        "skip", "stop: end at the first file that would be left out (default: skip)", group="how"
    )

    source: str | None = option(
        None,
        "where the clips of another kind of source are found, package.module:attribute (see docs/extending.md)",
        group=_PLACES,
        metavar="PATH",
    )
    root: str | None = option(
        None, "where the file names of a table start (default: its folder)", group=_PLACES, metavar="DIR"
    )
    file_column: str | None = option(
        None,
        "column of the table that names the files (default: file); of mirdata a track's attribute (audio_path)",
        group=_PLACES,
        metavar="NAME",
    )
    data_dir: str | None = option(None, "folder of TFDS or mirdata", group=_PLACES, metavar="DIR")
    sample_rate_hz: SampleRate | None = option(
        None, "of a TFDS data set that does not say", group=_PLACES, metavar="HZ"
    )

    keep: tuple[str, ...] = option(
        (), "keep clips in spite of these: truncated, silent, duplicate, ...", group=_FAULTS, metavar="FAULT,..."
    )
    drop: tuple[str, ...] = option(
        (), "leave out clips with these too: clipped, dc_offset, ...", group=_FAULTS, metavar="FAULT,..."
    )
    silent_dbfs: Annotated[float, Bounds(-300, 0, below=True)] = option(
        faults.SILENT_DBFS,
        f"no sample above this: silent (default: {faults.SILENT_DBFS:g})",
        group=_FAULTS,
        metavar="DB",
    )

    group: str | None = option(
        None,
        "column whose equal values belong together: folds never cut it, and intervals draw it (default: artist, album, "
        "recording_id, freesound_clip_id or the like, where clips share one; content_hash: each recording alone)",
        group=_GROUPS,
        metavar="COLUMN",
    )

    store: bool = option(False, "write it (always done for TFDS)", group=_STORE)
    store_rate_hz: SampleRate = option(16_000, "its sampling rate (default: 16000)", group=_STORE, metavar="HZ")

    def __post_init__(self) -> None:
        faults.left_out(self.keep, self.drop)
        check_options(self)
