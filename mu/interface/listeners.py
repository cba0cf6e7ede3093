"""The listeners that are asked for, and what they have played."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from mu.names import nearest


@dataclasses.dataclass(frozen=True, eq=False)
class Listeners:
    """Listeners and their histories.

    Attributes:
      names: ids in the log; None for a history of nobody in it.
      users: int64 [B], rows in the log, -1 for nobody.
      histories: B rows.
    """

    names: Sequence[Any] | None
    users: np.ndarray
    histories: Any


def is_several(user: Any) -> bool:
    """Whether an argument names several listeners: a list, a column of any data frame, an array, a set."""
    return isinstance(user, Collection) and not isinstance(user, str | bytes)


def in_context(
    histories: Any, context: Mapping[str, Any], columns: Sequence[str], vocabularies: Mapping[str, Sequence[str]]
) -> Any:
    """The histories, with other values of event columns at the latest play of each.

    Args:
      histories: a log, or `mu.histories.TrackHistories`.
      context: column -> value.
      columns: that the model is given.
      vocabularies: column -> the values that it has in the log.

    Raises:
      ValueError: `context` is no mapping, the model is given no such column, the log has no such value, or a history
        is empty.
    """
    if not isinstance(context, Mapping):
        raise ValueError(f"context is {context!r}; it must be a mapping of event columns to values")
    known = [name for name in columns if name in vocabularies]
    codes = {name: of_plays.astype(np.int32) for name, of_plays in histories.columns.items()}
    last = histories.indptr[1:] - 1
    if (last < histories.indptr[:-1]).any():
        raise ValueError(f"context={dict(context)!r} is that of the latest play, and there is a listener without plays")
    for name, value in context.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise ValueError(
                f"context names {name!r}{nearest(name, known)}; event columns that the model knows: {there}"
            )
        values = list(vocabularies[name])
        if value not in values:
            raise ValueError(
                f"{name}={value!r}{nearest(str(value), values)}; the plays of the log have "
                f"{', '.join(map(repr, values))}"
            )
        codes.setdefault(name, np.full(len(histories.items), -1, np.int32))[last] = values.index(value)
    return dataclasses.replace(histories, columns=codes)
