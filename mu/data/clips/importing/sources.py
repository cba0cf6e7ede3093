"""What is imported: a folder, a table of files, a TFDS data set, a mirdata data set; each becomes a list of clips."""

import dataclasses
from pathlib import Path
from typing import Any

import polars as pl

from mu.data.clips.importing.faults import Fault
from mu.data.clips.importing.scan import Reader

MISSING = -1  # as a size: the file is not there


@dataclasses.dataclass(frozen=True)
class Source:
    """A list of clips and how to read them.

    Attributes:
      identity: the same for the same source only, wherever the command runs.
      root: the folder that file names start from, as it was given; None where there are no files.
      clips: see `clip_table`.
      attributes: clip, and what the source says of it; None where the records say it themselves (`Facts.attributes`).
      unnamed: what cannot be a clip.
      ignored: files that are not audio, counted by extension.
      reader: for the worker processes.
    """

    identity: str
    root: str | None
    clips: pl.DataFrame
    attributes: pl.DataFrame | None
    unnamed: list[tuple[str, Fault]]
    ignored: dict[str, int]
    reader: Reader

    def missing(self) -> list[str]:
        """Clips whose file is not there."""
        return self.clips.filter(pl.col("size") == MISSING)["clip"].to_list()


def clip_table(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    """clip (the id), size in bytes (`MISSING` where there is no such file), mtime_ns; in order of ids."""
    schema = {"clip": pl.String, "size": pl.Int64, "mtime_ns": pl.Int64}
    return pl.DataFrame(sorted(rows), schema=schema, orient="row")


def open_source(name: str, **options: Any) -> Source:
    """Finds the clips of a folder, a table (.csv, .tsv, .parquet), `tfds:NAME[#SPLIT]` or `mirdata:NAME`.

    Args:
      name: the source.
      **options: those that are not None must be ones that the source takes: `root` and `file_column` of a table,
        `data_dir` and `sample_rate_hz` of TFDS, `data_dir` and `file_column` of mirdata.

    Raises:
      FileNotFoundError, ValueError: nothing there, or options that make no sense; says what to do.
    """
    from mu.data.clips.importing import folder_source, mirdata_source, table_source, tfds_source

    if name.startswith("tfds:"):
        kind, find, takes = "TFDS data set", tfds_source.find, ("data_dir", "sample_rate_hz")
    elif name.startswith("mirdata:"):
        kind, find, takes = "mirdata data set", mirdata_source.find, ("data_dir", "file_column")
    elif Path(name).is_dir():
        kind, find, takes = "folder", folder_source.find, ()
    else:
        kind, find, takes = "table", table_source.find, ("root", "file_column")
    given = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in takes:
            raise ValueError(f"--{option} means nothing for {name}, a {kind}")
    return find(name, **given)
