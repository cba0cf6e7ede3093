"""What batches have in common: a loader that can be put back to any place, and ids local to a batch."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import grain
import numpy as np

from mu.data.logs.interactions import Interactions
from mu_kernels import CSR, distinct

Batch = dict[str, Any]


class Batches(Protocol):
    """Training examples by number, and inputs for listeners at inference."""

    @property
    def n_examples(self) -> int: ...
    @property
    def batch_size(self) -> int: ...

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """The arrays of these examples (int64 [B]); `step` counts the random draws."""
        ...

    def inputs(self, users: np.ndarray, histories: Interactions) -> Batch:
        """What the model needs to know of these listeners, in ids of the whole tables."""
        ...


def loader(batches: Batches, seed: int, prefetch: int = 4) -> grain.DatasetIterator:
    """Endless batches, each epoch in a new order; the state of the iterator says where it is.

    A worker thread fills batches ahead of the step; the kernels release the interpreter's lock. Batch number
    `step` is a function of (seed, step) alone.

    Args:
      batches: what is cut into batches.
      seed: of the order.
      prefetch: batches ahead.
    """
    if batches.n_examples < batches.batch_size:
        raise ValueError(
            f"the training data make {batches.n_examples} examples, fewer than one batch of "
            f"{batches.batch_size}: set a smaller batch"
        )
    dataset = (
        grain.MapDataset.range(batches.n_examples)
        .shuffle(seed=seed)
        .repeat(2**53 // batches.n_examples)  # without an end grain cannot count batches of one
        .batch(batches.batch_size)
        .map_with_index(lambda step, examples: batches.batch(np.asarray(examples, np.int64), int(step)))
    )
    return iter(dataset.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=prefetch)))


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
    """Raises ValueError where nothing is left to draw negatives from, before a run begins instead of in its midst."""
    full = np.flatnonzero(seen.counts() >= seen.n_columns)
    if len(full):
        raise ValueError(
            f"{what} {full[0]} has played all {seen.n_columns} tracks, so there is no negative to draw "
            f"({len(full)} such): leave such listeners out, or train with a full softmax"
        )
