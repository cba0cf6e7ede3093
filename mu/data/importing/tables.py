"""Tables of users and tracks beside the log, joined by id."""

import os
from collections.abc import Callable

import polars as pl

from mu.data.importing.attributes import text_of, tidy
from mu.data.importing.columns import NONE, must_have, usual_column
from mu.data.importing.faults import Rejected, readable
from mu.data.importing.options import Options
from mu.data.importing.readers import reader
from mu.data.importing.sources import Settings, Source, find_sources

Say = Callable[[str], None]


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


def extend(
    table: pl.DataFrame,
    role: str,
    source: Source,
    settings: Settings,
    log_column: str,
    options: Options,
    rejected: Rejected,
    say: Say,
) -> pl.DataFrame:
    """`table` (its ids in column `role`) with the attributes that the file `source` has for them.

    Attributes that `table` has already are left as they are. The id column of the file is the one named in
    the options, else the one called like that of the log, else one with a usual name; of rows with one id
    the first counts.

    Raises:
      ValueError: no column of ids, or no column of the title that was named.
    """
    with readable(source.label):
        names = reader(source).header(source, settings)
        key = _key_column(names, getattr(options, f"{role}_key"), role, source, log_column, say)
        frames = []
        for batch in reader(source).batches(source, names, settings):
            rejected(batch.bad)
            frames.append(batch.frame.select(text_of(column) for column in batch.frame))
    more = pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    more = more.filter(pl.col(key).is_not_null()).unique(key, keep="first", maintain_order=True)
    ids, more = more[key].alias("id"), more.drop(key)
    if role == "track" and "title" not in table.columns and options.title != NONE:
        more = _with_title(more, options.title, source, say)
    if both := [name for name in more.columns if name in table.columns]:
        say(f"{source.label}: left out, since the log has a column of that name: {', '.join(both)}")
        more = more.drop(both)
    wanted = table.select(pl.col(role).cast(pl.String).alias("id"))
    say(f"{source.label}: knows {wanted['id'].is_in(ids.implode()).sum():,} of {len(table):,} {role}s")
    row = wanted.join(ids.to_frame().with_row_index("row"), on="id", how="left", maintain_order="left")["row"]
    return table.hstack([tidy(column.gather(row)) for column in more])


def _key_column(names: list[str], key: str | None, role: str, source: Source, log_column: str, say: Say) -> str:
    if key is not None:
        return must_have(key, names, f"{role}_key", source.label)
    if log_column in names:
        return log_column
    key = next((name for name in names if name.lower() == "id"), None) or usual_column(role, names)
    if key is None:
        raise ValueError(
            f"{source.label}: which column is the {role}? Say --{role}_key=NAME; it has: {', '.join(names)}"
        )
    say(f"{source.label}: column {key!r} is taken for the {role} (--{role}_key=NAME to choose)")
    return key


def _with_title(table: pl.DataFrame, flag: str | None, source: Source, say: Say) -> pl.DataFrame:
    """The column that names tracks called `title`, if there is one."""
    if flag is not None:
        title = must_have(flag, table.columns, "title", source.label)
    else:
        title = usual_column("title", table.columns)
        if title is None:
            return table
        if title != "title":
            say(f"{source.label}: column {title!r} is taken for the title (--title=NAME to choose)")
    return table if title == "title" else table.drop("title", strict=False).rename({title: "title"})
