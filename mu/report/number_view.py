"""Predictions of numbers as a page shows them."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.result import Estimate
from mu.report.clip_tables import Scatters, scatters
from mu.report.target_view import MOST_LISTED, Score, TargetView


class NumberView(TargetView):
    """Predictions of numbers; `TargetView` says what each method is."""

    word = "number"
    many = "{} predicted"
    columns = ("number", "true", "predicted")
    order = "Those with the largest error come first, each number counted in standard deviations of the truth."

    def known_errors(self, scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """The root mean square of the numbers' errors, each in standard deviations of the truth."""
        truth = truth.astype(np.float64)
        deviation = np.maximum(truth.std(axis=0), 1e-9) if len(truth) else 1.0
        return np.sqrt((((scores - truth) / deviation) ** 2).mean(axis=1))

    def verdict(self, row: int) -> tuple[bool | None, str]:
        return None, f"Off by {self.errors[row]:.1f} standard deviations of the truth (root mean square)."

    def label(self, row: int) -> str:
        pairs = zip(self.predictions.names, self.predictions.truth[row], strict=True)
        numbers = [f"{name} {value:.3g}" for name, value in pairs]
        return ", ".join(numbers[:MOST_LISTED]) + (", …" if len(numbers) > MOST_LISTED else "")

    def listed_places(self, row: int) -> list[int]:
        scores, truth = self.predictions.scores[row], self.predictions.truth[row]
        deviation = np.maximum(self.predictions.truth[self.predictions.known].std(axis=0), 1e-9)
        error = np.abs(scores.astype(np.float64) - truth.astype(np.float64)) / deviation
        return np.argsort(-error, kind="stable")[:MOST_LISTED].tolist()

    def score(self, row: int, place: int) -> Score:
        name, predicted = self.predictions.names[place], float(self.predictions.scores[row, place])
        return Score(name, f"{self.predictions.truth[row, place]:.3g}", f"{predicted:.3g}", None)

    def styles(self, rows: Sequence[int]) -> tuple[list[int], list[tuple[str, int]]]:
        """Fifths of the first number; clips whose number is not known have a style of their own."""
        values, name = self.predictions.truth[rows, 0].astype(np.float64), self.predictions.names[0]
        is_known = np.isfinite(values)
        if not is_known.any():
            return [-1] * len(values), [("not known", -1)]
        edges = np.nanquantile(values, [0.2, 0.4, 0.6, 0.8])
        bounds = [np.nanmin(values), *edges, np.nanmax(values)]
        names = [f"{name} {low:.3g} to {high:.3g}" for low, high in itertools.pairwise(bounds)]
        entries = [(label, style) for style, label in enumerate(names)]
        if not is_known.all():
            entries.append(("not known", -1))
        return np.where(is_known, np.searchsorted(edges, values), -1).tolist(), entries

    def scatters(self, target: str, details: Mapping[str, Mapping[str, Estimate]]) -> Scatters | None:
        return scatters(self.predictions, details[f"{target}/pearson"])
