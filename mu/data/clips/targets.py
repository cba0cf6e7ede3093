"""Targets of clips: classes, tags and numbers, read from columns of their table."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import polars as pl

from mu.data.logs.attributes import categorical, column_of, multi_hot


@dataclasses.dataclass(frozen=True, eq=False)
class Target(abc.ABC):
    """A prediction target of clips: `ClassTarget`, `TagTarget` or `NumberTarget`.

    Attributes:
      kind: the word for it in hashes and in the heads of tasks.
      names: of the classes, tags or numbers.
      values: of the n clips, [n] or [n, len(names)].
    """

    kind: ClassVar[str]
    names: tuple[str, ...]
    values: np.ndarray

    @property
    @abc.abstractmethod
    def known(self) -> np.ndarray:
        """bool [n]: whether the clip's class, or all of its tags or numbers, are known."""

    def take(self, rows: np.ndarray) -> Self:
        """The target of the clips at these places, in this order; or of those that a bool [n] marks."""
        return dataclasses.replace(self, values=self.values[rows])


@dataclasses.dataclass(frozen=True, eq=False)
class ClassTarget(Target):
    """One of several classes; values int32 [n], -1 where the class is not known."""

    kind: ClassVar[str] = "class"

    @property
    def known(self) -> np.ndarray:
        """bool [n]: whether the clip's class is known."""
        return np.asarray(self.values >= 0)


@dataclasses.dataclass(frozen=True, eq=False)
class TagTarget(Target):
    """Any of several tags; values float32 [n, len(names)] of 0 and 1, NaN where they are not known."""

    kind: ClassVar[str] = "tags"

    @property
    def known(self) -> np.ndarray:
        """bool [n]: whether the clip's tags are known."""
        return np.asarray(np.isfinite(self.values).all(axis=1))


@dataclasses.dataclass(frozen=True, eq=False)
class NumberTarget(Target):
    """Numbers in their own units; values float32 [n, len(names)], NaN where one is not known."""

    kind: ClassVar[str] = "numbers"

    @property
    def known(self) -> np.ndarray:
        """bool [n]: whether all of the clip's numbers are known."""
        return np.asarray(np.isfinite(self.values).all(axis=1))


def targets_of(
    table: pl.DataFrame, *, classes: Sequence[str] = (), tags: Sequence[str] = (), numbers: Sequence[str] = ()
) -> dict[str, Target]:
    """The targets that the named columns hold.

    Args:
      table: a row a clip.
      classes: columns that hold one of several names; each becomes a target.
      tags: columns that hold lists of names, or names separated by '|'; each becomes a target. The tags of a clip
        without any are not known.
      numbers: columns of numbers; together they become the target 'numbers'.

    Raises:
      ValueError: a column is missing, is named twice, or does not hold what it should; names the column.
    """
    names = [*classes, *tags, *(["numbers"] if numbers else [])]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(
            f"there would be two targets {twice[0]!r}: a column is either of classes or of tags, and 'numbers' is the "
            "target that the columns of numbers make"
        )
    targets: dict[str, Target] = {name: _classes(table, name) for name in classes}
    targets |= {name: _tags(table, name) for name in tags}
    return targets | ({"numbers": _numbers(table, numbers)} if numbers else {})


def _classes(table: pl.DataFrame, name: str) -> ClassTarget:
    codes, names = categorical(table, name)
    if len(names) < 2:
        raise ValueError(f"column {name!r} holds {len(names)} classes; there is nothing to tell apart")
    return ClassTarget(names, codes)


def _tags(table: pl.DataFrame, name: str) -> TagTarget:
    values, names = multi_hot(table, name)
    return TagTarget(names, values)


def _numbers(table: pl.DataFrame, names: Sequence[str]) -> NumberTarget:
    columns = []
    for name in names:
        values = column_of(table, name)
        if values.dtype == pl.String:
            values = _parsed(table, values)
        if values.null_count() == len(values):
            raise ValueError(f"column {name!r} holds no numbers: it is empty")
        if not values.dtype.is_numeric():
            wrong = next(value for value in values if value is not None)
            raise ValueError(f"column {name!r} holds {values.dtype} such as {wrong!r}; numbers are needed")
        columns.append(values.cast(pl.Float32).fill_null(float("nan")).to_numpy())
    return NumberTarget(tuple(names), np.stack(columns, axis=1))


def _parsed(table: pl.DataFrame, texts: pl.Series) -> pl.Series:
    """The numbers that a column of text holds, as CSV tables have them; empty text is null."""
    texts = texts.str.strip_chars()
    texts = texts.set(texts == "", None)
    values = texts.cast(pl.Float64, strict=False)
    wrong = (values.is_null() & texts.is_not_null()).arg_true()
    if len(wrong):
        row = int(wrong[0])
        row_id = f" ({table.columns[0]} {table[row, 0]!r})" if table.columns[0] != texts.name else ""
        raise ValueError(
            f"column {texts.name!r}, row {row}{row_id} holds {texts[row]!r}; numbers are needed "
            f"({len(wrong):,} of {len(texts):,} rows hold none)"
        )
    return values
