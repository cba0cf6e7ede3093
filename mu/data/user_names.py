"""Which listener of a log is meant by an id."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from mu.names import unknown_names

LOOKED_AT = 100_000
"""Near ids are looked for among so many."""


def find_users(table: pl.DataFrame, names: Iterable[Any]) -> np.ndarray:
    """int64: the rows of listeners by their ids in the log.

    Args:
      table: of the listeners, with a column `user`.
      names: their ids, as text or as the log has them.

    Raises:
      ValueError: the log has no such listener; names all that are not there, and near ones.
    """
    ids = table.select(pl.col("user").cast(pl.String)).with_row_index("row")
    wanted = pl.DataFrame({"user": [str(name) for name in names]}, schema={"user": pl.String})
    rows = wanted.join(ids, on="user", how="left", maintain_order="left")["row"]
    if rows.null_count():
        unknown, known = wanted["user"].filter(rows.is_null()).unique(maintain_order=True), ids["user"].head(LOOKED_AT)
        raise ValueError(unknown_names("listener", unknown.to_list(), known.to_list()))
    return rows.cast(pl.Int64).to_numpy()
