"""Predictions of a target as a page shows them: errors, verdicts, labels, and the styles of points on a map."""

import abc
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from mu.evals.predictions import Predictions
from mu.evals.result import Estimate
from mu.report.clip_tables import Confusion, Scatters

# Classes, tags or numbers listed for one clip.
MOST_LISTED = 4


@dataclasses.dataclass(frozen=True)
class Score:
    """One class, tag or number of a clip.

    Attributes:
      name: of it.
      truth: 'yes' or empty for classes and tags; the true number.
      predicted: a probability or a number.
      share: the probability as the length of a bar; None for numbers.
    """

    name: str
    truth: str
    predicted: str
    share: float | None


@dataclasses.dataclass(frozen=True, eq=False)
class TargetView(abc.ABC):
    """Predictions of a target for n clips, as a page shows them; a subclass for each kind of target.

    Attributes:
      word: what is predicted: 'class', 'tag' or 'number'.
      many: the kind of target, with {} for how many there are of them.
      columns: heads of the table of a clip's scores.
      order: a sentence about the order of clips by their errors.
      badges: of a neighbour with the same label, and of one with another.
      predictions: of the clips.
    """

    word: ClassVar[str]
    many: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    order: ClassVar[str]
    badges: ClassVar[tuple[str, str]] = ("", "")
    predictions: Predictions

    @abc.abstractmethod
    def known_errors(self, scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """float64 [m]: the error of each prediction, where the truth is known.

        Args:
          scores: float64 [m, C].
          truth: [m] or [m, C].
        """

    @abc.abstractmethod
    def verdict(self, row: int) -> tuple[bool | None, str]:
        """(whether the prediction is right, 'Is a, predicted b (0.97)'); None where that is a matter of degree."""

    @abc.abstractmethod
    def label(self, row: int) -> str:
        """The class, the tags, or the numbers of a clip whose truth is known."""

    @abc.abstractmethod
    def listed_places(self, row: int) -> list[int]:
        """What to list: the likeliest classes and the right one, or the tags or numbers that are most wrong."""

    @abc.abstractmethod
    def score(self, row: int, place: int) -> Score:
        """The class, tag or number at a place, of one clip."""

    @abc.abstractmethod
    def styles(self, rows: Sequence[int]) -> tuple[list[int], list[tuple[str, int]]]:
        """(style of the point of each of these clips, legend)."""

    @functools.cached_property
    def errors(self) -> np.ndarray:
        """float64 [n]: the error of each prediction; NaN where the truth is not known."""
        known, scores = self.predictions.known, self.predictions.scores.astype(np.float64)
        errors = np.full(len(scores), np.nan)
        errors[known] = self.known_errors(scores[known], self.predictions.truth[known])
        return errors

    def by_error(self, clips: Sequence[str]) -> list[int]:
        """Rows of the clips whose truth is known, largest error first; ties in the order of their ids."""
        known = np.flatnonzero(self.predictions.known).tolist()
        return sorted(known, key=lambda row: (-self.errors[row], clips[row]))

    def truth_words(self, row: int) -> str:
        """The label of a clip, or that it is not known."""
        return self.label(row) if self.predictions.known[row] else "not known"

    def same_label(self, one: int, other: int) -> bool | None:
        """Whether two clips have the same class, or a tag in common; None where that cannot be said."""
        known = self.predictions.known
        return self.same(one, other) if known[one] and known[other] else None

    def same(self, one: int, other: int) -> bool | None:
        """`same_label` of two clips whose labels are known; None for numbers."""
        del one, other
        return None

    def agreement(self, target: str, rows: Sequence[int], vectors: np.ndarray) -> str:
        """A sentence on how often neighbours are of one class, beside chance; empty where they have no class.

        Args:
          target: its name.
          rows: of the clips that have vectors.
          vectors: float32 [len(rows), D], of unit length.
        """
        del target, rows, vectors
        return ""

    def confusion(self, target: str) -> Confusion | None:
        """Which class is predicted as which; None but for classes."""
        del target
        return None

    def scatters(self, target: str, details: Mapping[str, Mapping[str, Estimate]]) -> Scatters | None:
        """Predicted numbers against true ones; None but for numbers."""
        del target, details
        return None


def probability(predictions: Predictions, row: int, place: int, there: bool) -> Score:
    """The score of a class or tag, which is `there` or not."""
    chance = float(predictions.scores[row, place])
    return Score(predictions.names[place], "yes" if there else "", f"{chance:.3f}", chance)
