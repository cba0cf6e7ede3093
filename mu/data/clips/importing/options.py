"""What to make of a library: the flags of `mu import-audio`, checked."""

import dataclasses

from mu.data.clips.importing import faults


@dataclasses.dataclass(frozen=True)
class Options:
    """What to make of a library; the flags of `mu import-audio`.

    Attributes:
      root: where the file names of a table start; its own folder without.
      file_column: the column of a table that names the files ('file'); of mirdata the track's attribute ('audio_path').
      data_dir: where TFDS or mirdata keep their data sets.
      sample_rate_hz: of a TFDS data set that does not say.
      keep, drop: faults that shall not cost a clip its place, or shall (see `faults`).
      silent_dbfs: a clip with no sample above this level is silent.
      on_error: 'skip' leaves bad clips out; 'stop' ends at the first.
      workers: processes; None for one each processor. Changes no result.
      store: whether to write a copy ready for training too (always for TFDS).
      store_rate_hz: its sampling rate.
    """

    root: str | None = None
    file_column: str | None = None
    data_dir: str | None = None
    sample_rate_hz: int | None = None
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    silent_dbfs: float = faults.SILENT_DBFS
    on_error: str = "skip"
    workers: int | None = None
    store: bool = False
    store_rate_hz: int = 16_000

    def __post_init__(self) -> None:
        faults.left_out(self.keep, self.drop)
        if self.on_error not in ("skip", "stop"):
            raise ValueError(f"on_error is {self.on_error!r}; it must be 'skip' or 'stop'")
        if not self.silent_dbfs < 0:
            raise ValueError(f"silent_dbfs is {self.silent_dbfs}; it must be below 0, the full scale")
        for name in ("workers", "store_rate_hz", "sample_rate_hz"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be 1 or more")
