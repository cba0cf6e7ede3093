"""What becomes of bad rows and of damaged files."""

import csv
import zlib
from pathlib import Path

import polars as pl

from mu.data.logs.importing.sources import BadRow, BadRowError


class Rejected:
    """Bad rows: the first one stops the import, or all go to rejected.csv (made at the first of them)."""

    def __init__(self, path: Path, skip: bool):
        self.path, self.skip, self.n = path, skip, 0
        self._file = None

    def __enter__(self) -> "Rejected":
        return self

    def __call__(self, rows: list[BadRow]) -> None:
        if not rows:
            return
        if not self.skip:
            raise BadRowError(rows[0])
        if self._file is None:
            self._file = open(self.path, "w", newline="", encoding="utf-8")  # noqa: SIM115
            csv.writer(self._file).writerow(BadRow._fields)
        csv.writer(self._file).writerows(rows)
        self.n += len(rows)

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()


class readable:
    """Turns what damaged files raise into an error that names the file."""

    def __init__(self, label: str):
        self.label = label

    def __enter__(self) -> None:
        pass

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, EOFError | zlib.error | pl.exceptions.PolarsError) or (
            isinstance(error, OSError) and error.errno is None
        ):
            raise ValueError(f"{self.label} cannot be read, it may be damaged or of another format: {error}") from error
