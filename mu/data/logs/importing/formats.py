"""Formats of log files: readers by name, and readers of other packages by path."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl

from mu.data.logs.importing.bad_rows import BadRow
from mu.data.options import OptionError
from mu.names import locate, nearest

FORMATS = {
    "csv": "mu.data.logs.importing.delimited:csv_format",
    "tsv": "mu.data.logs.importing.delimited:tsv_format",
    "semicolons": "mu.data.logs.importing.delimited:semicolon_format",
    "parquet": "mu.data.logs.importing.parquet:parquet_format",
    "jsonl": "mu.data.logs.importing.jsonl:jsonl_format",
    "lists": "mu.data.logs.importing.lists:lists_format",
    "recbole": "mu.data.logs.importing.delimited:recbole_format",
    "tfds": "mu.data.logs.importing.tfds_source:tfds_format",
    "spotify": "mu.data.logs.importing.spotify:extended_format",
    "spotify_account": "mu.data.logs.importing.spotify:account_format",
    "lastfm": "mu.data.logs.importing.lastfm:lastfm_format",
    "listenbrainz": "mu.data.logs.importing.listenbrainz:listenbrainz_format",
    "mpd": "mu.data.logs.importing.playlist_slices:slice_format",
    "m3u": "mu.data.logs.importing.playlist_files:m3u_format",
    "xspf": "mu.data.logs.importing.playlist_files:xspf_format",
    "jspf": "mu.data.logs.importing.playlist_files:jspf_format",
}
EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".dat": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".inter": "recbole",
    ".item": "recbole",
    ".user": "recbole",
    ".listens": "jsonl",
    ".m3u": "m3u",
    ".m3u8": "m3u",
    ".xspf": "xspf",
    ".jspf": "jspf",
}
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
NO_PART = 255


@dataclasses.dataclass(frozen=True)
class LogSource:
    """One file, or one split of a TFDS data set.

    Attributes:
      name: a path as it was given, which messages name; `tfds:NAME`, `tfds:NAME#SPLIT`; or ARCHIVE/MEMBER.
      format: a key of `FORMATS`, or the path 'package.module:attribute' of a `LogFormat`.
      part: 0 train, 1 valid, 2 test; `NO_PART` for files without a split.
      archive: path of the zip archive that the file is a member of; '' for a file of its own.
    """

    name: str
    format: str
    part: int = NO_PART
    archive: str = ""

    @property
    def path(self) -> str:
        """The file on disk."""
        return self.archive or self.name

    @property
    def member(self) -> str:
        """The name inside of the archive; '' for a file of its own."""
        return self.name.removeprefix(f"{self.archive}/") if self.archive else ""


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """How files are read.

    Attributes:
      encoding: of text files.
      columns: names of the columns of files without a header; empty for files with one.
      data_dir: folder of TFDS data sets.
      one_value: columns in which a list is a bad row; in others it is text separated by '|'.
    """

    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()
    data_dir: str | None = None
    one_value: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class RowBatch:
    """Some rows of a source.

    Attributes:
      frame: the columns that were asked for, under their names in the file; text columns are String, missing values
        empty or null.
      lines: int64 [n], where each row is in the source, from 1.
      bad: rows that could not be split into fields; they are not in `frame`.
      done: share of the source read so far.
      set_aside: number of rows, by what they are, that are no plays of tracks (podcasts); they are not in `frame`.
    """

    frame: pl.DataFrame
    lines: np.ndarray
    bad: list[BadRow]
    done: float
    set_aside: Mapping[str, int] = dataclasses.field(default_factory=dict)


@runtime_checkable
class LogFormat(Protocol):
    """A format of log files.

    Another package's format is chosen by its path: `--format=package.module:attribute`, where the attribute is an
    object (or a module) with these two functions.
    """

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """The names of the columns."""
        ...

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The columns `wanted`, in batches, in the order of the source."""
        ...


def load_format(name: str) -> LogFormat:
    """The format of this name or path.

    Raises:
      OptionError: no such format, or the object at the path is none.
    """
    if name not in FORMATS and ":" not in name:
        raise OptionError(
            f"format is {name!r}{nearest(name, FORMATS)}; it must be one of {', '.join(FORMATS)}, or the path of "
            "another one, package.module:attribute"
        )
    try:
        reader = locate(FORMATS.get(name, name))
    except ValueError as error:
        raise OptionError(f"--format={error}") from error
    if not isinstance(reader, LogFormat):
        raise OptionError(f"--format={name} is no LogFormat: it needs the functions `header` and `batches`")
    return reader
