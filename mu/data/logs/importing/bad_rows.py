"""Bad rows of log files, and errors of damaged files."""

import contextlib
import csv
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
import zstandard

from mu.data.tables import ColumnError

DAMAGE = (
    EOFError,
    lzma.LZMAError,
    pl.exceptions.PolarsError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    zstandard.ZstdError,
)
FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""First characters of what spreadsheets compute, or skip to find it."""


class BadRow(NamedTuple):
    """A row that cannot be imported.

    Attributes:
      file: the path of the file as it was given.
      line: from 1, header included; in Parquet and TFDS the number of the row.
      column: name of the column, or '(line)'.
      value: the text of the field or line, see `mu.data.logs.importing.text_files.printable`.
      reason: what is wrong with it.
    """

    file: str
    line: int
    column: str
    value: str
    reason: str


class BadRowError(ValueError):
    """The import stopped at a bad row.

    Attributes:
      row: the bad row.
    """

    def __init__(self, row: BadRow):
        self.row = row
        super().__init__(
            f"{row.file}, line {row.line}, column {row.column}: {row.reason}; the value is {row.value!r}. "
            "Correct the file, or import with --on_error=skip to write such rows to rejected.csv"
        )


class RejectedRows:
    """Collects bad rows: the first one stops the import, or all of them are written to rejected.csv.

    Attributes:
      n: number of rows written.
    """

    def __init__(self, path: Path, skip: bool):
        self.n = 0
        self._path, self._skip = path, skip
        self._file = None

    def __enter__(self) -> "RejectedRows":
        return self

    def add(self, rows: list[BadRow]) -> None:
        """Takes bad rows in the order of the file.

        Raises:
          BadRowError: bad rows are not skipped.
        """
        if not rows:
            return
        if not self._skip:
            raise BadRowError(rows[0])
        if self._file is None:
            self._file = open(self._path, "w", newline="", encoding="utf-8")  # noqa: SIM115
            csv.writer(self._file).writerow(BadRow._fields)
        csv.writer(self._file).writerows([[spreadsheet_cell(field) for field in row] for row in rows])
        self.n += len(rows)

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()


def spreadsheet_cell(value: object) -> object:
    """A cell of a CSV file that a spreadsheet shows as it is: what it would take for a formula gets an apostrophe.

    Numbers stay, with their signs.
    """
    if not isinstance(value, str) or not value.startswith(FORMULAS):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


@contextlib.contextmanager
def damage_named(label: str) -> Iterator[None]:
    """Turns the exceptions of damaged files and unfit columns into a ValueError that names the file `label`."""
    try:
        yield
    except ColumnError as error:
        raise ValueError(f"{label}: {error}") from error
    except (*DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{label} cannot be read, it may be damaged or of another format: {error}") from error
