"""Estimates and predictions."""

from typing import NamedTuple

import numpy as np

from mu.evals.clip_metrics import PER_CLASS, confusions
from mu.evals.clip_scores import Said as Predictions

__all__ = ["PER_CLASS", "Estimate", "Predictions", "confusions", "count"]


class Estimate(NamedTuple):
    """A metric with its interval."""

    name: str
    value: float
    low: float
    high: float


def count(predictions: Predictions, place: int) -> int:
    """How many clips are of a class, have a tag, or have a known number."""
    truth = predictions.truth[predictions.known]
    if predictions.kind == "numbers":
        return len(truth)
    return int(np.sum(truth == place if predictions.kind == "class" else truth[:, place] > 0))
