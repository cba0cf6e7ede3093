"""The loader: endless batches in an order that can be taken up again at any place."""

from typing import Any, Protocol

import grain
import numpy as np


class Examples(Protocol):
    """Training examples by number."""

    @property
    def n_examples(self) -> int: ...
    @property
    def batch_size(self) -> int: ...

    def batch(self, examples: np.ndarray, step: int) -> dict[str, Any]:
        """The arrays of these examples (int64 [B]); `step` counts the random draws."""
        ...


def loader(batches: Examples, seed: int, prefetch: int = 4) -> grain.DatasetIterator:
    """Endless batches, each epoch in a new order; the state of the iterator is its place.

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
