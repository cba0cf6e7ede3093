"""What is read: files and data sets, their format, their bytes; and what a reader yields."""

import contextlib
import dataclasses
import gzip
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

import numpy as np
import polars as pl

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
}
FORMATS = ("csv", "tsv", "parquet", "jsonl", "lists", "recbole", "tfds")
NO_PART = 255
_LONE_SURROGATE = re.compile("[\udc80-\udcff]")


class BadRow(NamedTuple):
    """A row that cannot be imported, and why. `line` is from 1, header included (Parquet, TFDS: rows)."""

    file: str
    line: int
    column: str
    value: str
    reason: str


class BadRowError(ValueError):
    """The import stopped at a bad row (`row`)."""

    def __init__(self, row: BadRow):
        self.row = row
        super().__init__(
            f"{row.file}, line {row.line}, column {row.column}: {row.reason}; the value is {row.value!r}. "
            "Mend the file, or import with --on_error=skip to set such rows aside in rejected.csv"
        )


@dataclasses.dataclass(frozen=True)
class Source:
    """One file (or one split of a TFDS data set).

    Attributes:
      name: a path, or `tfds:NAME`, `tfds:NAME#SPLIT`.
      format: one of `FORMATS`.
      part: 0 train, 1 valid, 2 test; `NO_PART` where the files come without a split.
    """

    name: str
    format: str
    part: int = NO_PART

    @property
    def label(self) -> str:
        return self.name if self.format == "tfds" else os.path.basename(self.name)


@dataclasses.dataclass(frozen=True)
class Settings:
    """How files are read: encoding, names for the columns of files without a header, the folder of TFDS."""

    encoding: str = "utf-8"
    columns: tuple[str, ...] | None = None
    data_dir: str | None = None


@dataclasses.dataclass(frozen=True)
class Batch:
    """Some rows of a source.

    Attributes:
      frame: the columns asked for, under their names in the file; text columns as String, empty or null
        where missing.
      lines: int64 [n]: where each row stands in the source, from 1.
      bad: rows that could not be cut into fields; they are not in `frame`.
      done: share of the source read so far.
    """

    frame: pl.DataFrame
    lines: np.ndarray
    bad: list[BadRow]
    done: float


class Reader(Protocol):
    """A file format."""

    def header(self, source: Source, settings: Settings) -> list[str]:
        """The names of the columns."""
        ...

    def batches(self, source: Source, wanted: Sequence[str], settings: Settings) -> Iterator[Batch]:
        """The columns `wanted`, in batches, in the order of the source."""
        ...


def find_sources(names: Sequence[str], format: str | None, part: int = NO_PART) -> list[Source]:
    """Sources of `names`; the format by `format`, else by extension (`.gz` aside).

    Raises:
      FileNotFoundError: no such file.
      ValueError: unknown format or extension.
    """
    sources = []
    for name in names:
        if name.startswith("tfds:"):
            sources.append(Source(name, "tfds", part))
            continue
        path = Path(name)
        if not path.exists():
            raise FileNotFoundError(f"no file {name}")
        if path.is_dir():
            raise ValueError(f"{name} is a folder; name the files in it (a shell pattern such as {name}/*.csv)")
        chosen = format or EXTENSIONS.get(path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix)
        if chosen is None:
            raise ValueError(f"{name}: no format known for this extension; say --format ({', '.join(FORMATS)})")
        sources.append(Source(name, chosen, part))
    return sources


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[tuple[BinaryIO, Callable[[], float]]]:
    """The bytes of a plain or gz file (by content, not by name), and a function: the share read so far."""
    size = max(os.path.getsize(path), 1)
    with open(path, "rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        if start == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as unzipped:
                stream = io.BufferedReader(cast(io.RawIOBase, unzipped), 1 << 20)
                yield cast(BinaryIO, stream), lambda: raw.tell() / size
        else:
            yield raw, lambda: raw.tell() / size


def read_block(stream: BinaryIO, size: int) -> bytes:
    """About `size` bytes that end at the end of a line (or of the file); empty at the end."""
    block = stream.read(size)
    if block and not block.endswith(b"\n"):
        block += stream.readline()
    return block


def ascii_superset(encoding: str) -> None:
    """Refuses encodings in which lines cannot be found before decoding.

    Raises:
      ValueError: unknown encoding, or one such as UTF-16.
    """
    try:
        plain = "a,\t\n".encode(encoding) == b"a,\t\n"
    except LookupError:
        raise ValueError(f"--encoding={encoding} is not known to Python; try utf-8 or latin-1") from None
    if not plain:
        raise ValueError(f"--encoding={encoding} does not contain ASCII; convert the file to UTF-8 first")


def decode(raw: bytes, encoding: str) -> str:
    """Text of `raw`; bytes that are not valid in `encoding` become lone surrogates (see `is_invalid`)."""
    return raw.decode(encoding, "surrogateescape")


def is_invalid(text: str) -> bool:
    """Whether `decode` met bytes that are not valid."""
    return not text.isascii() and _LONE_SURROGATE.search(text) is not None


def shown(text: str, limit: int = 200) -> str:
    """`text` as it can be printed and written: invalid bytes as \\x.., long values cut."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text if len(text) <= limit else text[:limit] + "..."


def file_digest(path: str | os.PathLike[str], stop: threading.Event) -> str:
    """sha256 of the bytes on disk; given up (with an empty text) once `stop` is set."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while not stop.is_set():
            if not (block := file.read(1 << 22)):
                return digest.hexdigest()
            digest.update(block)
    return ""
