"""The laws of a simulated world in closed form: taste, preference, acceptance, finished plays, exposure."""

import dataclasses
from collections.abc import Callable

import numpy as np

from mu.world import slates
from mu.world.catalogue import Catalogue
from mu.world.charts import Charts
from mu.world.contexts import CONTEXTS, context_shares, shifts
from mu.world.listeners import Listeners
from mu.world.listening import FINISH_BIAS, FINISH_SLOPE
from mu.world.settings import Settings, week_of


def mean_over_contexts(law: Callable[[np.ndarray, int], np.ndarray], shares: np.ndarray) -> np.ndarray:
    """float64 [B, ...]: the mean of a law over contexts.

    Args:
      law: `law(rows, context)` gives the values of those rows in that context.
      shares: float64 [B, C], the probability of each context; rows sum to 1.
    """
    total = None
    for context in range(len(CONTEXTS)):
        rows = np.flatnonzero(shares[:, context] > 0)
        if total is None or len(rows):
            values = law(rows, context)
            total = np.zeros((len(shares), *values.shape[1:])) if total is None else total
            values *= shares[rows, context].reshape(-1, *[1] * (values.ndim - 1))
            total[rows] += values
    assert total is not None
    return total


def in_context(context: int, rows: np.ndarray) -> np.ndarray:
    """int64 [len(rows)]: the same context for each row."""
    return np.full(len(rows), context)


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """Probabilities that a simulated world draws from.

    In every method `users` is int64 [B], rows of the listeners; `times_ms` is int64 [B], unix milliseconds; `contexts`
    is int64 [B] with -1 where a context is not known, or None where none is known. The result for an unknown context
    is the mean over P(context | hour of the day).

    Attributes:
      settings: of the world.
      seed: of the world.
      catalogue: all tracks.
      listeners: all listeners.
      charts: what was played before each week.
    """

    settings: Settings
    seed: int
    catalogue: Catalogue
    listeners: Listeners
    charts: Charts

    def taste(self, users: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None) -> np.ndarray:
        """float64 [B, D]: the taste vector of each listener at each time."""
        shift = context_shares(times_ms, contexts) @ shifts(self.settings)
        return self.listeners.taste(users, times_ms) + self.listeners.susceptibility[users, None] * shift

    def preference(self, users: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None) -> np.ndarray:
        """float64 [B, V]: the probability of each track where a listener chooses by taste; rows sum to 1."""
        shares = context_shares(times_ms, contexts)
        return mean_over_contexts(
            lambda rows, context: self._softmax_of_taste(users[rows], times_ms[rows], context), shares
        )

    def acceptance(self, users: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None) -> np.ndarray:
        """float64 [B, V]: the probability that a listener plays a track at the place of a slate they look at."""
        settings, vectors = self.settings, self.catalogue.vectors

        def law(rows: np.ndarray, context: int) -> np.ndarray:
            tastes = self.taste(users[rows], times_ms[rows], in_context(context, rows))
            return _sigmoid_of_cosine(tastes, vectors, settings.accept_bias, settings.accept_slope)

        return mean_over_contexts(law, context_shares(times_ms, contexts))

    def finish_probability(
        self, users: np.ndarray, times_ms: np.ndarray, tracks: np.ndarray, contexts: np.ndarray | None
    ) -> np.ndarray:
        """float64 [B]: the probability that the play of `tracks`, int64 [B], is finished."""

        def law(rows: np.ndarray, context: int) -> np.ndarray:
            tastes = self.taste(users[rows], times_ms[rows], in_context(context, rows))
            vectors = self.catalogue.vectors[tracks[rows]]
            norms = np.linalg.norm(tastes, axis=1) * np.linalg.norm(vectors, axis=1)
            cosine = np.einsum("bd,bd->b", tastes, vectors) / np.maximum(norms, 1e-150)
            return 1 / (1 + np.exp(-FINISH_BIAS - FINISH_SLOPE * cosine))

        return mean_over_contexts(law, context_shares(times_ms, contexts))

    def exposure_probability(self, users: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
        """float64 [B, V]: the probability of each track to be in the slate of a session that opens then."""
        weeks, segments = week_of(times_ms, self.settings), self.listeners.segment[users]
        probability = np.empty((len(users), len(self.catalogue)))
        for week in np.unique(weeks):
            rows = np.flatnonzero(weeks == week)
            distinct, place = np.unique(segments[rows], return_inverse=True)
            arguments = (self.catalogue, self.charts, int(week), distinct, self.settings, self.seed)
            probability[rows] = slates.exposure_probability(*arguments)[place]
        return probability

    def _softmax_of_taste(self, users: np.ndarray, times_ms: np.ndarray, context: int) -> np.ndarray:
        """float64 [B, V]: softmax over the released catalogue of log weight + taste . vector."""
        weeks, place = np.unique(week_of(times_ms, self.settings), return_inverse=True)
        masses = self.taste(users, times_ms, in_context(context, users)) @ self.catalogue.vectors.T
        masses -= masses.max(axis=1, keepdims=True)
        np.exp(masses, out=masses)
        masses *= self.charts.weights(self.catalogue, weeks, self.settings)[place]
        masses /= masses.sum(axis=1, keepdims=True)
        return masses


def _sigmoid_of_cosine(tastes: np.ndarray, vectors: np.ndarray, bias: float, slope: float) -> np.ndarray:
    """float64 [B, V]: sigmoid(bias + slope * cosine) for tastes [B, D] and vectors [V, D]."""
    cosine = tastes @ vectors.T
    cosine /= np.maximum(np.linalg.norm(tastes, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)[None, :], 1e-150)
    cosine *= -slope
    cosine -= bias
    np.exp(cosine, out=cosine)
    cosine += 1
    return np.reciprocal(cosine, out=cosine)
