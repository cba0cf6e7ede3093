"""Evidence of counts for training a model: at places of the log, without what the listener plays later."""

import dataclasses
import functools
from typing import Protocol, Self

import numpy as np

from mu.data.evidence_features import EvidenceFeatures, log_popularity, mean_log
from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import Interactions
from mu_kernels import SparseRows, later_plays, transition_evidence


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

    def at(
        self,
        plays: np.ndarray,
        targets: np.ndarray,
        candidates: np.ndarray,
        *,
        played_later: bool = False,
        threads: int | None = None,
    ) -> dict[str, np.ndarray]:
        """What a batch gets.

        Args:
          plays: int64 [B, T], the latest play of each history, a place of the log; -1 for none.
          targets: int32 [B, T], what is played after it.
          candidates: int32 [B or 1, T or 1, K], other items.
          played_later: whether listeners may play candidates after these plays; else the popularity of a candidate is
            the same for all places.
          threads: None for all CPUs; the result does not depend on it.

        Returns:
          float32 'target_evidence' and 'target_popularity' [B, T]; of the candidates 'negative_evidence' [B, T, K] and
          'negative_popularity', of their shape, or [B, T, K] where they may be played later.
        """
        evidence = transition_evidence(
            plays,
            targets,
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
        return {
            "target_evidence": evidence.targets,
            "target_popularity": self._popularity(plays, targets[..., None], threads)[..., 0],
            "negative_evidence": evidence.candidates,
            "negative_popularity": self._popularity(plays, candidates, threads)
            if played_later
            else self._log_popularity[self.item_plays[candidates]],
        }

    def _popularity(self, plays: np.ndarray, items: np.ndarray, threads: int | None) -> np.ndarray:
        """float32 [B, T, K]: `log_popularity` of items without what the listener plays later."""
        left_out = later_plays(plays, items, self.log.indptr, self.log.items, len(self.item_plays), threads=threads)
        return self._log_popularity[self.item_plays[items] - left_out]

    @functools.cached_property
    def _log_popularity(self) -> np.ndarray:
        """float32 [F + 1]: `log_popularity` of 0, 1, ..., F plays; a batch looks up a million of them."""
        return log_popularity(np.arange(self.item_plays.max(initial=0) + 1), mean_log(self.item_plays))

    def features(self, inputs: HistoryFeatures) -> EvidenceFeatures:
        """The inputs at inference of a model that has these beside the evidence."""
        return EvidenceFeatures(
            **vars(inputs),
            rules=self.rules,
            history_weights=self.history_weights,
            similar_weight=self.similar_weight,
            popularity=self._log_popularity[self.item_plays],
        )


class EvidenceModel(Protocol):
    """A counting model whose evidence a trained model learns to use; `mu.baselines.pctm.PCTM` is one."""

    def fit(self, log: Interactions) -> Self:
        """Counts the training log."""
        ...

    def training_evidence(self) -> TrainingEvidence:
        """The evidence at places of that log."""
        ...
