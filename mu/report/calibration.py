"""Predicted probabilities beside the shares that were observed, in groups of equal size."""

import numpy as np

from mu.evals.predictions import Predictions
from mu.report.charts import Axes, Figure, scatter

GROUPS = 10


def calibration(label: str, predictions: Predictions) -> Figure:
    """A chart of the share of ratings with a label in up to ten groups by what was predicted for them.

    Args:
      label: of the ratings.
      predictions: of it, scores and truth [ratings, 1].
    """
    predicted, observed = grouped(predictions.scores[:, 0].astype(np.float64), predictions.truth[:, 0])
    top = max(float(predicted.max()), float(observed.max())) * 1.05 or 1.0
    axes = Axes((0.0, top), (0.0, top), "predicted probability", "share observed")
    pairs = ", ".join(f"{one:.2f}: {other:.2f}" for one, other in zip(predicted, observed, strict=True))
    caption = (
        f"Ratings in {len(predicted)} groups of about equal size by the model's probability; on the dashed line as "
        "many have the label as was predicted."
    )
    chart = scatter(predicted, observed, axes, f"{label}, predicted and observed: {pairs}.")
    return Figure(f"{label}: predicted and observed", chart, caption=caption)


def grouped(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean probability, share of true ones) of each group, ascending; where the truth is known."""
    known = np.isfinite(truth)
    predicted, truth = predicted[known], truth[known].astype(np.float64)
    groups = np.array_split(np.argsort(predicted, kind="stable"), min(GROUPS, len(predicted)))
    return np.array([predicted[one].mean() for one in groups]), np.array([truth[one].mean() for one in groups])
