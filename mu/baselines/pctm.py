"""PCTM: smoothed log odds of what followed the plays of the history."""

import dataclasses
from typing import Annotated, Self

import numpy as np

from mu.baselines.decays import CountsShape, HistoryShape
from mu.baselines.transitions import TransitionCounts
from mu.baselines.windowed import WindowedCounts
from mu.data.evidence import TrainingEvidence
from mu.data.logs.interactions import Interactions
from mu.ranges import Between, Count, NonNegative, Positive

LONGEST = 1000
"""The weights of histories of all lengths up to this are a table of so many numbers, squared."""


@dataclasses.dataclass(kw_only=True, eq=False)
class PCTM(WindowedCounts):
    """Scores an item by the smoothed log probabilities that it follows the plays of the history, tilted by popularity.

        S(a) = sum over plays h_j, j = 1, 2, ..., the newest first, of w_j log(1 + C[h_j, a] V / tau)
               + lambda log((f_a + 1) / (F + V))
        C[b, a] = sum over d = 1, ..., W of g(d) N_d(b -> a)

    The first term is log P(a | h_j) = log((C[h_j, a] + tau / V) / (C[h_j, .] + tau)) less what is the same for all a:
    counts smoothed by tau plays that follow at random. The weights w_j of a history sum to 1. V are the items of
    training, f_a the plays of a, F those of all.

    Petrov et al., RecSys 2026 (spotify-research/sequential-capacity-probes). The defaults are theirs for Beauty:
    g(d) = d^-.5 of 10 distances, w_j in proportion to .6^(j - 1) over the newest 50 plays. For the other options
    see `WindowedCounts`.

    Args:
      tau: how many random plays after each item smooth its counts.
      popularity_weight: lambda; below 0 popular items lose.
      attributes: columns of the table of tracks whose words say which items are alike (`mu.baselines.attributes`), such
        as ('artist', 'tags'); their cosine with each play of the history is added to the logarithm, for items of
        training. () for none.
      attribute_weight: what that cosine is multiplied with; chosen on validation.
      attribute_neighbours: only so many items most like a play get evidence of it; None for all that share a word.
    """

    counts: CountsShape = "power"
    history: HistoryShape = "exponential"
    tau: Positive = 11_250.0
    popularity_weight: Annotated[float, Between(-1000, 1000)] = -0.04
    attributes: tuple[str, ...] = ()
    attribute_weight: NonNegative = 0.6
    attribute_neighbours: Count | None = 100

    def check_data(self, train: Interactions) -> None:
        """See `CountingModel.check_data`; the columns of attributes have words."""
        super().check_data(train)
        if self.attributes:
            from mu.baselines.attributes import words_of  # scikit-learn takes a second to import

            for column in self.attributes:
                words_of(train.tracks, column)

    def _learn(self, log: Interactions, counts: TransitionCounts, like: Self | None = None) -> Self:
        self._similar, self._similar_weight = None, self.attribute_weight
        neighbours = self.attributes, self.attribute_neighbours
        if like is not None and neighbours == (like.attributes, like.attribute_neighbours):
            self._similar = like._similar
        elif self.attributes:
            from mu.baselines.attributes import attribute_neighbours  # scikit-learn takes a second to import

            self._similar = attribute_neighbours(log.tracks, *neighbours)
        return super()._learn(log, counts)

    def training_evidence(self) -> TrainingEvidence:
        """The first term of S at places of the training log, for models that learn from the same log.

        Raises:
          ValueError: an option makes rules of more than the counts of a pair, or of pairs in classes other than plays.
        """
        wanted = {"distance": "plays", "successors": None, "idf": False}
        if wrong := [name for name, value in wanted.items() if getattr(self, name) != value]:
            raise ValueError(
                f"{wrong[0]}={getattr(self, wrong[0])!r}: evidence leaves a listener's later plays out of counts of "
                f"pairs by plays between them; set {wrong[0]}={wanted[wrong[0]]!r}"
            )
        length = self.history_length
        if length is None or length > LONGEST:
            raise ValueError(f"history_length={length}: of evidence at most {LONGEST} plays speak; set a number")
        counts = self._fitted
        weights = np.zeros((length, length))
        for plays in range(1, length + 1):
            weights[plays - 1, :plays] = self._history_weights(plays)
        return TrainingEvidence(
            log=counts.log,
            item_plays=counts.plays,
            counts=(counts.starts, counts.stops, counts.items, counts.classes, counts.counts),
            rules=self.sparse_rows,
            distance_weights=self._distance_weights,
            history_weights=weights,
            log_factor=self._log_factor(int((counts.plays > 0).sum())),
            similar_weight=self._similar_weight if self._similar is not None else 0.0,
        )

    def _history_weights(self, plays: int) -> np.ndarray:
        weights = super()._history_weights(plays)
        return weights / max(weights.sum(), 1e-300)

    def _log_factor(self, n_items: int) -> float:
        return max(n_items, 1) / self.tau

    def _popularity_term(self, plays: np.ndarray) -> np.ndarray:
        return self.popularity_weight * np.log((plays + 1) / (plays.sum() + len(plays)))
