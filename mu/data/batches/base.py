"""Helpers for batches: ids local to a batch, and an error for users who leave no track as a negative."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mu_kernels import CSR, distinct

Batch = dict[str, Any]


def with_local_ids(batch: Batch, spaces: Mapping[str, tuple[Sequence[str], int]]) -> Batch:
    """Replaces ids by indices into the batch's own distinct ids, kept under `batch['ids']`.

    Args:
      batch: arrays of ids, and others.
      spaces: id space -> (names of the arrays that hold its ids, size of the space).

    Returns:
      The batch; `batch['ids'][space]` is int32 [L], sorted, distinct, and padded to a constant length with ids
      from the size of the space on, which the tables ignore.
    """
    local = dict(batch)
    local["ids"] = {}
    for space, (names, size) in spaces.items():
        unique, indices = distinct(*(batch[name] for name in names), n=size)
        local.update(zip(names, indices, strict=True))
        length = min(size, sum(batch[name].size for name in names))
        padded = np.arange(size - len(unique), size - len(unique) + length, dtype=np.int32)
        padded[: len(unique)] = unique
        local["ids"][space] = padded
    return local


def refuse_saturated(seen: CSR, what: str) -> None:
    """Raises ValueError where a user has played every track, so that there is no negative to draw."""
    full = np.flatnonzero(seen.counts() >= seen.n_columns)
    if len(full):
        raise ValueError(
            f"{what} {full[0]} has played all {seen.n_columns} tracks, so there is no negative to draw "
            f"({len(full)} such): leave such listeners out, or train with a full softmax"
        )
