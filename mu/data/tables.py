"""Tables on disk, opened by name: no path is a pattern.

Polars takes `[`, `*` and `?` in a path as a pattern and reads other files that match it, `~` as the home folder and
`s3://` as a store far away. Here a path is what the file system makes of it.
"""

import os
from typing import Any

import polars as pl


class ColumnError(ValueError):
    """A column cannot be used as it is; whoever reads the file adds its name."""


def read_parquet(path: str | os.PathLike[str]) -> pl.DataFrame:
    """The table in the Parquet file `path`."""
    return pl.read_parquet(_literal(path), glob=False)


def scan_parquet(path: str | os.PathLike[str]) -> pl.LazyFrame:
    """The table in the Parquet file `path`, not read yet."""
    return pl.scan_parquet(_literal(path), glob=False)


def parquet_columns(path: str | os.PathLike[str]) -> list[str]:
    """The names of the columns of the Parquet file `path`."""
    return scan_parquet(path).collect_schema().names()


def read_csv(path: str | os.PathLike[str], **options: Any) -> pl.DataFrame:
    """The table in the delimited text `path`.

    Args:
      path: of the file.
      **options: of `polars.read_csv`.
    """
    return pl.read_csv(_literal(path), glob=False, **options)


def _literal(path: str | os.PathLike[str]) -> str:
    # Not `os.path.abspath`: it drops '..' behind a link, which leads to another folder than the system's.
    return os.path.join(os.getcwd(), path)
