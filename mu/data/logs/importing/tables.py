"""Tables of users and tracks beside the log, joined by id."""

import dataclasses
import os
from collections.abc import Callable

import numpy as np
import polars as pl

from mu.data.logs.importing.attributes import text_of, tidy
from mu.data.logs.importing.columns import NONE, USUAL, must_have, usual_column
from mu.data.logs.importing.faults import Rejected, readable
from mu.data.logs.importing.readers import reader
from mu.data.logs.importing.sources import Settings, Source, find_sources

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of tracks or users; of rows with one id the first.

    Attributes:
      label: the file.
      ids: String [n], all different.
      attributes: the other columns, as text; empty is null.
      lines: int64 [n]: where each row stands in the file, from 1.
    """

    label: str
    ids: pl.Series
    attributes: pl.DataFrame
    lines: np.ndarray


def find_table(table: str | None, log: Source, extension: str) -> Source | None:
    """The table of tracks or users: the file named (none for 'none'), or RecBole's beside the log."""
    if table == NONE:
        return None
    if table is not None:
        return find_sources([table], None)[0]
    if log.format == "recbole":
        stem = log.name.removesuffix(".gz").removesuffix(".inter")
        for path in (stem + extension, stem + extension + ".gz"):
            if os.path.exists(path):
                return find_sources([path], None)[0]
    return None


def read_table(
    source: Source, role: str, settings: Settings, log_column: str, key: str | None, rejected: Rejected, say: Say
) -> Table:
    """The file `source`.

    Its column of ids is `key`, else the one called like that of the log, else one with a usual name.

    Raises:
      ValueError: no column of ids.
    """
    with readable(source.label):
        names = reader(source).header(source, settings)
        key = _key_column(names, key, role, source, log_column, say)
        frames, lines = [pl.DataFrame(schema=dict.fromkeys(names, pl.String))], [np.empty(0, np.int64)]
        for batch in reader(source).batches(source, names, settings):
            rejected(batch.bad)
            frames.append(batch.frame.select(text_of(column) for column in batch.frame))
            lines.append(batch.lines)
    rows = pl.concat(frames)
    ids = rows[key].alias("id")
    first = (ids.is_first_distinct() & ids.is_not_null()).arg_true()
    return Table(source.label, ids.gather(first), rows.drop(key)[first], np.concatenate(lines)[first.to_numpy()])


def extend(table: pl.DataFrame, role: str, more: Table, n_played: int, title: str | None, say: Say) -> pl.DataFrame:
    """`table` (its ids in column `role`) with the attributes that `more` has for them.

    Attributes that `table` has already are left as they are, but for its rows from `n_played` on, of which the log
    tells nothing.

    Args:
      title: the column of `more` that names tracks; None looks for it, 'none' does without.

    Raises:
      ValueError: no column of the title that was named.
    """
    attributes = more.attributes
    if role == "track" and title != NONE:
        if "title" not in table.columns:
            attributes = _with_title(attributes, title, more.label, say)
        elif n_played < len(table):
            attributes = _with_title(attributes, None, more.label, say)
    wanted = table.select(pl.col(role).cast(pl.String).alias("id"))
    by_id = more.ids.to_frame("id").with_row_index("row")
    row = wanted.join(by_id, on="id", how="left", maintain_order="left")["row"]
    say(f"{more.label}: knows {row.head(n_played).count():,} of {n_played:,} {role}s")
    if both := [name for name in attributes.columns if name in table.columns]:
        say(f"{more.label}: left out, since the log has a column of that name: {', '.join(both)}")
        for name in both if n_played < len(table) else ():
            parts = [table[name].head(n_played).cast(pl.String), attributes[name].gather(row[n_played:])]
            table = table.with_columns(tidy(pl.concat(parts).alias(name)))
        attributes = attributes.drop(both)
    return table.hstack([tidy(column.gather(row)) for column in attributes])


def _key_column(names: list[str], key: str | None, role: str, source: Source, log_column: str, say: Say) -> str:
    if key is not None:
        return must_have(key, names, f"{role}_key", source.label)
    if log_column in names:
        return log_column
    key = next((name for name in names if name.lower() == "id"), None) or usual_column(USUAL[role], names)
    if key is None:
        raise ValueError(
            f"{source.label}: which column is the {role}? Say --{role}_key=NAME; it has: {', '.join(names)}"
        )
    say(f"{source.label}: column {key!r} is taken for the {role} (--{role}_key=NAME to choose)")
    return key


def _with_title(table: pl.DataFrame, flag: str | None, label: str, say: Say) -> pl.DataFrame:
    """The column that names tracks called `title`, if there is one."""
    if flag is not None:
        title = must_have(flag, table.columns, "title", label)
    else:
        title = usual_column(USUAL["title"], table.columns)
        if title is None:
            return table
        if title != "title":
            say(f"{label}: column {title!r} is taken for the title (--title=NAME to choose)")
    return table if title == "title" else table.drop("title", strict=False).rename({title: "title"})
