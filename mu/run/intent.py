"""The probabilities of intents of a run, recalibrated on its validation part."""

from typing import cast

import numpy as np

from mu.data.logs.splits import Split
from mu.evals.protocols.intent import held_out_plays
from mu.inference.calibration import logistic_recalibration
from mu.inference.intent import IntentRecommender

MOST_PLAYS = 20
"""Validation plays of a listener that the calibration is fitted to."""


def calibrated_intent(split: object, recommender: IntentRecommender) -> dict[str, tuple[float, float]]:
    """Intent -> (slope, intercept) of its logits, fitted to the validation plays whose intent is known.

    Args:
      split: of a log.
      recommender: whose logits are taken as they are.
    """
    plays = held_out_plays(cast(Split, split), "valid", MOST_PLAYS)
    if not len(plays):
        return {}
    logits = np.concatenate([recommender.intent_logits(users, histories) for users, histories in plays.blocks()])
    fitted = {}
    for place, name in enumerate(recommender.intents):
        known = np.isfinite(plays.labels[name])
        if known.any():
            fitted[name] = logistic_recalibration(logits[known, place], plays.labels[name][known] > 0)
    return fitted
