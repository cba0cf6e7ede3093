"""A table of files: one column names them, the others are attributes."""

import os
from pathlib import Path

import polars as pl

from mu.data import tables
from mu.data.clips.importing.source import MISSING, AudioSource, files_source
from mu.names import nearest

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_PARQUET = (".parquet", ".pq")


def find(name: str, root: str | None = None, file_column: str = "file") -> AudioSource:
    """The files that a table names, in `file_column`, from the folder `root` (default: the table's).

    Raises:
      FileNotFoundError: no such table, no such root.
      ValueError: no such column, or what `files_source` refuses, or none of the files is there.
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
    files = table[file_column].to_list()
    source = files_source(table.drop(file_column), files, root=root, name=name, identity=identity)
    if len(source.clips) == 0:
        raise ValueError(f"{name} names no file")
    if (source.clips["size"] == MISSING).all():
        first = source.clips["clip"][0]
        raise ValueError(f"none of the files in {name} lies below {root} (the first is {first!r}); say --root=DIR")
    return source


def _read(name: str) -> pl.DataFrame:
    """The table; blanks around the names of its columns are no part of them."""
    extension = Path(name).suffix.lower()
    try:
        if extension in _PARQUET:
            table = tables.read_parquet(name)
        elif extension in _SEPARATORS:
            # Text stays as it was written: the ids 0001 and 1 are two, and so are the labels 1e2 and 100.
            table = tables.read_csv(name, separator=_SEPARATORS[extension])
        else:
            raise ValueError(f"{name}: a table ends in {', '.join((*_SEPARATORS, *_PARQUET))}")
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    names: dict[str, str] = {}
    for column in table.columns:
        if (other := names.setdefault(column.strip(), column)) != column:
            raise ValueError(f"{name} has columns {other!r} and {column!r}, which differ by blanks only; rename one")
    return table.rename(str.strip)
