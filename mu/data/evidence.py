"""Evidence of counts for training a model: at places of the log, without what the listener plays later."""

import dataclasses
import functools
from typing import Protocol, Self

import numpy as np

from mu.data.evidence_features import EvidenceFeatures, log_popularity, mean_log
from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import Interactions
from mu_kernels import SparseRows, transition_evidence


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TrainingEvidence:
    """Evidence at places of the log that was counted; nothing of it comes from what the listener plays later.

    Attributes:
      log: that was counted.
      item_plays: int64 [V], its plays of each item.
      counts: (starts, stops, items, classes, counts) of `mu.baselines.transitions.TransitionCounts`.
      rules: see `EvidenceFeatures`.
      distance_weights: float64 [W].
      history_weights: see `EvidenceFeatures`.
      log_factor: of the rules.
      similar_weight: see `EvidenceFeatures`.
    """

    log: Interactions
    item_plays: np.ndarray
    counts: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
    rules: SparseRows
    distance_weights: np.ndarray
    history_weights: np.ndarray
    log_factor: float
    similar_weight: float

    def at(self, plays: np.ndarray, candidates: np.ndarray, threads: int | None = None) -> dict[str, np.ndarray]:
        """What a batch gets.

        Args:
          plays: int64 [B, T], the latest play of each history, a place of the log that another of the same listener
            follows; -1 for none.
          candidates: int32 [B or 1, T or 1, K], items that the listeners do not play.
          threads: None for all CPUs; the result does not depend on it.

        Returns:
          float32 'target_evidence' and 'target_popularity' [B, T], of the play that follows; 'negative_evidence'
          [B, T, K] and 'negative_popularity', of the candidates' shape.
        """
        evidence = transition_evidence(
            plays,
            candidates,
            self.log.indptr,
            self.log.items,
            self.counts,
            self.rules,
            self.distance_weights,
            self.history_weights,
            log_factor=self.log_factor,
            similar_weight=self.similar_weight,
            threads=threads,
        )
        targets = self.log.items[np.where(plays >= 0, plays + 1, 0)]
        return {
            "target_evidence": evidence.targets,
            "target_popularity": self._popularity(targets, evidence.later_plays),
            "negative_evidence": evidence.candidates,
            "negative_popularity": self._popularity(candidates, 0),
        }

    def _popularity(self, items: np.ndarray, left_out: np.ndarray | int) -> np.ndarray:
        """float32: `log_popularity` of items, so many plays of which are left out."""
        return (np.log(self.item_plays[items] - left_out + 1) - self._mean_log).astype(np.float32)

    @functools.cached_property
    def _mean_log(self) -> float:
        return mean_log(self.item_plays)

    def features(self, inputs: HistoryFeatures) -> EvidenceFeatures:
        """The inputs at inference of a model that has these beside the evidence."""
        return EvidenceFeatures(
            **vars(inputs),
            rules=self.rules,
            history_weights=self.history_weights,
            similar_weight=self.similar_weight,
            popularity=log_popularity(self.item_plays),
        )


class EvidenceModel(Protocol):
    """A counting model whose evidence a trained model learns to use; `mu.baselines.pctm.PCTM` is one."""

    def fit(self, log: Interactions) -> Self:
        """Counts the training log."""
        ...

    def training_evidence(self) -> TrainingEvidence:
        """The evidence at places of that log."""
        ...
