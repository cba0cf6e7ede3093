"""What baselines need of a log, and what the evaluator needs of them."""

from typing import Any, Protocol, Self

import numpy as np

from mu_kernels import CSR


class Log(Protocol):
    """Plays grouped by user, in order of time; `mu.data.logs.interactions.Interactions` is one.

    Attributes:
      indptr: int64 [U+1]; user u's plays are `indptr[u]:indptr[u+1]`.
      items: int32 [E], oldest first.
      n_items: size V of the catalogue.
    """

    @property
    def indptr(self) -> np.ndarray: ...

    @property
    def items(self) -> np.ndarray: ...

    @property
    def n_items(self) -> int: ...

    def seen(self) -> CSR:
        """The set of items of each user."""
        ...

    def counts(self) -> np.ndarray:
        """int64 [V]: plays of each item."""
        ...


class Baseline(Protocol):
    """A recommender without gradients; all it knows of items comes from the log given to `fit`: training."""

    def fit(self, log: Log) -> Self:
        """Learns from the training log; returns itself."""
        ...

    def scores(self, users: np.ndarray, histories: Log) -> np.ndarray:
        """How well each item suits each user, larger is better.

        Args:
          users: int64 [B], ids in the training log.
          histories: B rows: what these users have played so far; may hold more than the training log does.

        Returns:
          float32 [B, V].
        """
        ...


def fitted(value: Any, name: str) -> Any:
    """`value`, unless it is None: then `fit` has not been called."""
    if value is None:
        raise RuntimeError(f"{name} has not been fitted; call fit(log) with the training log first")
    return value
