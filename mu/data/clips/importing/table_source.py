"""A table of files: one column names them, the others are attributes."""

import os
import posixpath
from pathlib import Path
from typing import Any

import polars as pl

from mu.data.clips.importing.faults import Fault
from mu.data.clips.importing.scan import Files
from mu.data.clips.importing.sources import MISSING, Source, clip_table
from mu.names import nearest

# Columns of the table of clips that no attribute may hide.
OWN_COLUMNS = ("clip", "file", "content_hash", "duration_s", "sample_rate_hz", "channels", "peak", "loudness_lufs")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")


def find(name: str, root: str | None = None, file_column: str = "file") -> Source:
    """The files that a table names, in `file_column`, from the folder `root` (default: the table's).

    Raises:
      FileNotFoundError: no such table, no such root.
      ValueError: no such column, or what `from_table` refuses, or none of the files is there.
    """
    if not Path(name).is_file():
        raise FileNotFoundError(f"there is no folder or table {name}")
    if root is not None and not Path(root).is_dir():
        raise FileNotFoundError(f"--root={root}: there is no such folder")
    table = _read(name)
    if file_column not in table.columns:
        raise ValueError(
            f"{name} has no column {file_column!r}{nearest(file_column, table.columns)}; "
            f"say --file_column=NAME; it has: {', '.join(table.columns)}"
        )
    root = root or os.path.dirname(name) or "."
    identity = f"table {Path(name).resolve()}, files below {os.path.abspath(root)}"
    source = from_table(table.drop(file_column), table[file_column].to_list(), root, name, identity)
    if len(source.clips) == 0:
        raise ValueError(f"{name} names no file")
    if (source.clips["size"] == MISSING).all():
        first = source.clips["clip"][0]
        raise ValueError(f"none of the files in {name} lies below {root} (the first is {first!r}); say --root=DIR")
    return source


def from_table(attributes: pl.DataFrame, files: list[Any], root: str, name: str, identity: str) -> Source:
    """The source whose row i is `files[i]` with `attributes[i]`; `name` stands in messages.

    Raises:
      ValueError: two rows name one file, a file lies outside the root, an attribute has a name that is taken.
    """
    if clash := [column for column in attributes.columns if column in OWN_COLUMNS]:
        raise ValueError(f"{name} has a column {clash[0]!r}, and so has the table of clips; rename it in {name}")
    rows: dict[str, int] = {}
    unnamed = []
    for row, file in enumerate(files):
        if file is None or not str(file).strip():
            unnamed.append((f"row {row + 1} of {os.path.basename(name)}", Fault("missing", "it names no file")))
            continue
        clip = _relative(str(file), root, f"row {row + 1} of {name}")
        if clip in rows:
            raise ValueError(f"rows {rows[clip] + 1} and {row + 1} of {name} both name {clip}; leave one of them out")
        rows[clip] = row
    told = attributes[list(rows.values())].insert_column(0, pl.Series("clip", list(rows), pl.String))
    clips = clip_table([(clip, *_size_and_mtime(os.path.join(root, clip))) for clip in rows])
    return Source(identity, root, clips, told, unnamed, {}, Files(os.path.abspath(root)))


def _read(name: str) -> pl.DataFrame:
    """The table; blanks around the names of its columns are no part of them."""
    extension = Path(name).suffix.lower()
    try:
        if extension in _PARQUET:
            table = pl.read_parquet(name)
        elif extension in _SEPARATORS:
            # Types are those that fit every row: a label that looks like a number at first is no error further down.
            table = pl.read_csv(name, separator=_SEPARATORS[extension], infer_schema_length=None)
        else:
            raise ValueError(f"{name}: a table ends in {', '.join((*_SEPARATORS, *_PARQUET))}")
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    names: dict[str, str] = {}
    for column in table.columns:
        if (other := names.setdefault(column.strip(), column)) != column:
            raise ValueError(f"{name} has columns {other!r} and {column!r}, which differ by blanks only; rename one")
    return table.rename(str.strip)


def _relative(file: str, root: str, where: str) -> str:
    """The path from `root`, with forward slashes."""
    path = os.path.relpath(file, root) if os.path.isabs(file) else file
    path = posixpath.normpath(path.replace(os.sep, "/"))
    if path.startswith("../"):
        raise ValueError(
            f"{where} names {file}, which is not below {root}; say --root=DIR, a folder that holds all files"
        )
    return path


def _size_and_mtime(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return MISSING, 0
    return status.st_size, status.st_mtime_ns
