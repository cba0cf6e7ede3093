"""Tables on disk, opened by name: no path is a pattern.

Polars takes `[`, `*` and `?` in a path as a pattern and reads other files that match it, `~` as the home folder and
`s3://` as a store far away. Here a path is what the file system makes of it.
"""

import os
import re
from collections.abc import Sequence

import polars as pl

_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


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


def read_csv(path: str | os.PathLike[str], separator: str = ",") -> pl.DataFrame:
    """The table in the delimited text `path`, all columns as text; null for empty fields.

    Quotes are as in RFC 4180; with tabs as separator they are letters. Names of columns: see `distinct_names`.

    Raises:
      ValueError: it is no such table; names the line and the column of text that is no UTF-8.
    """
    quote = None if separator == "\t" else '"'
    try:
        table = pl.read_csv(_literal(path), glob=False, separator=separator, quote_char=quote, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        place, reason = _first_invalid(path, separator), str(error).partition("\n")[0]
        raise ValueError(place or f"{os.fspath(path)} cannot be read: {reason}") from error
    columns = table.columns
    again = (re.fullmatch(r"(.*)_duplicated_\d+", name) for name in columns)  # polars' own names
    written = [other[1] if other and other[1] in columns else name for name, other in zip(columns, again, strict=True)]
    table.columns = distinct_names(written)
    return table


def distinct_names(written: Sequence[str]) -> list[str]:
    """Names of columns: one that is empty is `column_2` by its place, a repeated one `name_2`, `name_3`, ..."""
    names: dict[str, None] = {}  # in order, and quick to look up: a damaged first line can name a million
    all_written, numbers = set(written), {}
    for place, name in enumerate(written, 1):
        plain, new = name.strip(), name
        if not plain or name in names:
            number = numbers.get(plain, 2) if plain else place
            plain = plain or "column"
            new = f"{plain}_{number}"
            while new in names or (new != name and new in all_written):
                number += 1
                new = f"{plain}_{number}"
            numbers[name.strip()] = number + 1
        names[new] = None
    return list(names)


def _first_invalid(path: str | os.PathLike[str], separator: str) -> str:
    """Where the text stops to be UTF-8, as a message; '' where it does not, or the file is compressed."""
    names: list[str] = []
    with open(path, "rb") as file:
        for line, raw in enumerate(file, 1):
            if line == 1 and raw.startswith(_COMPRESSED):
                return ""
            fields = raw.rstrip(b"\r\n").split(separator.encode())
            names = names or [field.decode(errors="replace") for field in fields]
            for place, field in enumerate(fields):
                try:
                    field.decode()
                except UnicodeDecodeError:
                    name = names[place] if place < len(names) else place + 1
                    value = field[:200].decode(errors="backslashreplace")
                    return f"{os.fspath(path)}, line {line}, column {name}: '{value}' is no UTF-8; convert the file"
    return ""


def _literal(path: str | os.PathLike[str]) -> str:
    # Not `os.path.abspath`: it drops '..' behind a link, which leads to another folder than the system's.
    return os.path.join(os.getcwd(), path)
