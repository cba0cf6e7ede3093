"""Tables of users and tracks beside the log, joined by id."""

import dataclasses
import logging
import os
from collections.abc import Sequence

import numpy as np
import polars as pl

from mu.data.logs.attributes import numeric
from mu.data.logs.id_forms import find_other_forms
from mu.data.logs.importing.bad_rows import RejectedRows, damage_named
from mu.data.logs.importing.columns import USUAL, require_column, shown, usual_column
from mu.data.logs.importing.entities import as_attribute, text_of
from mu.data.logs.importing.formats import EXTENSIONS, LogSource, ReadOptions, load_format
from mu.data.logs.importing.options import NONE
from mu.data.logs.importing.recognition import extension_format
from mu.data.options import OptionError

NEARLY_NONE = 0.01
FEW = 10  # a log of fewer tracks may well have none of the table
logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class EntityTable:
    """A table of tracks or users; of rows with the same id the first.

    Attributes:
      label: of the file.
      ids: String [n], distinct.
      attributes: the other columns, as text; empty text is null.
      lines: int64 [n], where each row is in the file, from 1.
    """

    label: str
    ids: pl.Series
    attributes: pl.DataFrame
    lines: np.ndarray


def find_table(table: str | None, log: LogSource, extension: str) -> LogSource | None:
    """The table of tracks or users: the file `table` (None for 'none'), or the one beside a RecBole log.

    Raises:
      FileNotFoundError: no such file.
      OptionError: a folder, or an unknown extension; --format is that of the log, and no way out here.
    """
    if table == NONE:
        return None
    if table is not None:
        if not os.path.exists(table):
            raise FileNotFoundError(f"no file {table}")
        if os.path.isdir(table):
            raise OptionError(f"{table} is a folder; name the file in it")
        if extension_format(table) is None:
            raise OptionError(
                f"{table}: a table of tracks or users is read by its extension, which must be one of "
                f"{', '.join(EXTENSIONS)}, .gz or not"
            )
        return LogSource(table, str(extension_format(table)))
    if log.format == "recbole":
        stem = log.name.removesuffix(".gz").removesuffix(".inter")
        for path in (stem + extension, stem + extension + ".gz"):
            if os.path.exists(path):
                return LogSource(path, "recbole")
    return None


def read_table(
    source: LogSource, role: str, options: ReadOptions, log_column: str, key: str | None, rejected: RejectedRows
) -> EntityTable:
    """Reads the table of users or tracks.

    Args:
      source: the file.
      role: 'user' or 'track'.
      options: how it is read.
      log_column: the log's column of these ids.
      key: the table's column of ids; None for the same name as in the log, or a usual name.
      rejected: takes bad rows.

    Raises:
      OptionError: no column of ids.
    """
    reader = load_format(source.format)
    with damage_named(source.name):
        names = reader.header(source, options)
        key = _key_column(names, key, role, source, log_column)
        frames, lines = [pl.DataFrame(schema=dict.fromkeys(names, pl.String))], [np.empty(0, np.int64)]
        for batch in reader.batches(source, names, dataclasses.replace(options, one_value=(key,))):
            rejected.add(batch.bad)
            frames.append(batch.frame.select(text_of(column) for column in batch.frame))
            lines.append(batch.lines)
    rows = pl.concat(frames)
    ids = rows[key].alias("id")
    first = (ids.is_first_distinct() & ids.is_not_null()).arg_true()
    return EntityTable(source.name, ids.gather(first), rows.drop(key)[first], np.concatenate(lines)[first.to_numpy()])


def join_table(table: pl.DataFrame, role: str, more: EntityTable, n_played: int, title: str | None) -> pl.DataFrame:
    """`table` (its ids in column `role`) with the attributes of `more`.

    Attributes that `table` has already stay, except in its rows from `n_played` on, which have no plays and so no
    attributes from the log.

    Args:
      title: the column of `more` with titles of tracks; None searches for a usual name, 'none' takes none.

    Raises:
      OptionError: `more` has no column `title`.
      ValueError: hardly any id is in `more`.
    """
    attributes = more.attributes
    if role == "track" and title != NONE:
        if "title" not in table.columns:
            attributes = _with_title(attributes, title, more.label)
        elif n_played < len(table):
            attributes = _with_title(attributes, None, more.label)
    wanted = table.select(pl.col(role).cast(pl.String).alias("id"))
    by_id = more.ids.to_frame("id").with_row_index("row")
    row = wanted.join(by_id, on="id", how="left", maintain_order="left")["row"]
    played = row.head(n_played)
    logger.info("%s: has %s of %s %ss", more.label, f"{played.count():,}", f"{n_played:,}", role)
    if played.null_count():
        _check_forms(wanted["id"].head(n_played).filter(played.is_null()), role, more, n_played)
    if both := [name for name in attributes.columns if name in table.columns]:
        logger.info("%s: left out, since the log has a column of that name: %s", more.label, ", ".join(both))
        for name in both if n_played < len(table) else ():
            parts = [table[name].head(n_played).cast(pl.String), attributes[name].gather(row[n_played:])]
            table = table.with_columns(as_attribute(pl.concat(parts).alias(name)))
        attributes = attributes.drop(both)
    return table.hstack([as_attribute(column.gather(row)) for column in attributes])


def with_numbers(table: pl.DataFrame, features: Sequence[str]) -> pl.DataFrame:
    """The table of tracks with these columns as Float64, null where a number is missing.

    Raises:
      OptionError: a column is neither in the log nor in the track table.
      ValueError: a value is no finite number; names the track.
    """
    for name in features:
        require_column(name, table.columns, "track_features", "the table of tracks")
        table = table.with_columns(pl.Series(name, numeric(table, name)).fill_nan(None))
    return table


def _check_forms(missing: pl.Series, role: str, table: EntityTable, n_played: int) -> None:
    """Warns of ids that the table writes otherwise.

    Args:
      missing: the ids of the log that are not in the table.
      role: 'user' or 'track'.
      table: of these.
      n_played: the number of ids of the log.

    Raises:
      ValueError: hardly any id of the log is in the table.
    """
    others = find_other_forms(missing, table.ids)
    n_in_table = n_played - len(missing)
    if not others and (n_in_table or not len(table.ids)):
        return
    reason = others or (
        f"the log has ids such as {missing[0]!r}, the table such as {table.ids[0]!r}: is --{role}_key right?"
    )
    message = f"{table.label}: has {n_in_table:,} of the {n_played:,} {role}s of the log; {reason}"
    if n_in_table < NEARLY_NONE * n_played and (others or n_played >= FEW):
        raise ValueError(f"{message}. Without --{role}_table the log is imported alone")
    logger.warning(message)


def _key_column(names: list[str], key: str | None, role: str, source: LogSource, log_column: str) -> str:
    if key is not None:
        return require_column(key, names, f"{role}_key", source.name)
    if log_column in names:
        return log_column
    key = next((name for name in names if name.lower() == "id"), None) or usual_column(USUAL[role], names)
    if key is None:
        raise OptionError(f"{source.name}: which column is the {role}? Add --{role}_key=NAME; it has: {shown(names)}")
    logger.info("%s: %s_key=%s (guessed from the header; --%s_key=NAME chooses)", source.name, role, key, role)
    return key


def _with_title(table: pl.DataFrame, name: str | None, label: str) -> pl.DataFrame:
    """The table with its column of titles called `title`, if there is one."""
    if name is not None:
        title = require_column(name, table.columns, "title", label)
    else:
        title = usual_column(USUAL["title"], table.columns)
        if title is None:
            return table
        if title != "title":
            logger.info("%s: title=%s (guessed from the header; --title=NAME chooses)", label, title)
    return table if title == "title" else table.drop("title", strict=False).rename({title: "title"})
