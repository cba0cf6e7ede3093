"""Predictions of classes as a page shows them."""

from collections.abc import Sequence

import numpy as np

from mu.report.clip_tables import Confusion, confusion
from mu.report.neighbours import nearest
from mu.report.point_map import STYLES
from mu.report.target_view import MOST_LISTED, Score, TargetView, probability

# The neighbours that the share of equal labels is counted over.
COUNTED_NEIGHBOURS = 5


class ClassView(TargetView):
    """Predictions of classes; `TargetView` says what each method is."""

    word = "class"
    many = "one of {} classes"
    columns = ("class", "true", "", "predicted")
    order = "Those most confidently wrong come first."
    badges = ("same", "other")

    def known_errors(self, scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """The highest probability of a wrong class less that of the right one: above 0 where that is wrong."""
        rows, others = np.arange(len(scores)), scores.copy()
        others[rows, truth] = -np.inf
        return others.max(axis=1) - scores[rows, truth]

    def verdict(self, row: int) -> tuple[bool | None, str]:
        scores, names = self.predictions.scores[row], self.predictions.names
        likeliest = int(scores.argmax())
        words = f"Is {self.truth_words(row)}, predicted {names[likeliest]} ({scores[likeliest]:.2f})."
        return bool(likeliest == self.predictions.truth[row]), words

    def label(self, row: int) -> str:
        return self.predictions.names[int(self.predictions.truth[row])]

    def listed_places(self, row: int) -> list[int]:
        scores, right = self.predictions.scores[row].astype(np.float64), int(self.predictions.truth[row])
        likely = np.argsort(-scores, kind="stable")[:MOST_LISTED].tolist()
        return likely if right in likely else [*likely[:-1], right]

    def score(self, row: int, place: int) -> Score:
        return probability(self.predictions, row, place, there=place == self.predictions.truth[row])

    def styles(self, rows: Sequence[int]) -> tuple[list[int], list[tuple[str, int]]]:
        """Where there are more classes than styles, the most frequent have one."""
        names, codes = self.predictions.names, self.predictions.truth[rows]
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        order = np.argsort(-counts, kind="stable") if len(names) > STYLES else np.arange(len(names))
        style = {int(code): place for place, code in enumerate(order[:STYLES])}
        entries = [(f"{names[code]} ({counts[code]:,})", at) for code, at in style.items() if counts[code]]
        if any(int(code) not in style for code in codes):
            entries.append(("others, or not known", -1))
        return [style.get(int(code), -1) for code in codes], entries

    def same(self, one: int, other: int) -> bool | None:
        return bool(self.predictions.truth[one] == self.predictions.truth[other])

    def agreement(self, target: str, rows: Sequence[int], vectors: np.ndarray) -> str:
        truth = self.predictions.truth[rows]
        if not (truth >= 0).all():
            return ""
        places, _ = nearest(vectors, COUNTED_NEIGHBOURS)
        same = float((truth[places] == truth[:, None]).mean())
        counts = np.bincount(truth)
        chance = float((counts * (counts - 1)).sum() / (len(truth) * (len(truth) - 1)))
        return f"Of all clips' {places.shape[1]} nearest {same:.0%} have the same {target} ({chance:.0%} by chance)."

    def confusion(self, target: str) -> Confusion | None:
        return confusion(self.predictions, target)
