"""Predictions of tags as a page shows them."""

from collections.abc import Sequence

import numpy as np

from mu.report.target_view import MOST_LISTED, Score, TargetView, probability


class TagView(TargetView):
    """Predictions of tags; `TargetView` says what each method is."""

    word = "tag"
    many = "any of {} tags"
    columns = ("tag", "true", "", "predicted")
    order = "Those with the largest cross-entropy come first."
    badges = ("shares a tag", "no tag shared")

    def known_errors(self, scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """The mean binary cross-entropy over the tags."""
        return _cross_entropy(scores, truth.astype(np.float64)).mean(axis=1)

    def verdict(self, row: int) -> tuple[bool | None, str]:
        return None, f"Mean cross-entropy over tags {self.errors[row]:.2f}."

    def label(self, row: int) -> str:
        pairs = zip(self.predictions.names, self.predictions.truth[row], strict=True)
        return ", ".join(name for name, there in pairs if there > 0) or "no tag"

    def listed_places(self, row: int) -> list[int]:
        scores, truth = self.predictions.scores[row], self.predictions.truth[row]
        error = _cross_entropy(scores.astype(np.float64), truth.astype(np.float64))
        return np.argsort(-error, kind="stable")[:MOST_LISTED].tolist()

    def score(self, row: int, place: int) -> Score:
        return probability(self.predictions, row, place, there=bool(self.predictions.truth[row, place] > 0))

    def styles(self, rows: Sequence[int]) -> tuple[list[int], list[tuple[str, int]]]:
        """All points are alike."""
        return [0] * len(rows), []

    def same(self, one: int, other: int) -> bool | None:
        truth = self.predictions.truth
        return bool(((truth[one] > 0) & (truth[other] > 0)).any())


def _cross_entropy(chance: np.ndarray, truth: np.ndarray) -> np.ndarray:
    chance = np.clip(chance, 1e-7, 1 - 1e-7)
    return -(truth * np.log(chance) + (1 - truth) * np.log(1 - chance))
