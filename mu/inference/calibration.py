"""Logistic recalibration: probabilities that agree with what was observed on held-out examples."""

import numpy as np

STEPS, RIDGE = 50, 1e-3


def logistic_recalibration(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(a, b), so that sigmoid(a logit + b) has the largest likelihood of the labels (Platt 1999).

    1 / a is the temperature; b moves all probabilities to the share that is observed. A ridge of `RIDGE` towards (1, 0)
    keeps both finite where the labels are separated or all alike. Newton's method; a step that would lower the
    likelihood is halved.

    Args:
      logits: float [n].
      labels: bool [n].
    """
    design = np.stack([np.asarray(logits, np.float64), np.ones(len(logits))], axis=1)
    truth, start = np.asarray(labels, np.float64), np.array([1.0, 0.0])

    def loss(theta: np.ndarray) -> float:
        scores = design @ theta
        return float((np.logaddexp(0, scores) - truth * scores).sum() + RIDGE / 2 * ((theta - start) ** 2).sum())

    theta = start.copy()
    for _ in range(STEPS):
        probability = 1 / (1 + np.exp(-np.clip(design @ theta, -500, 500)))
        gradient = design.T @ (probability - truth) + RIDGE * (theta - start)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while loss(theta - step) > loss(theta) and np.abs(step).max() > 1e-12:
            step = step / 2
        theta = theta - step
        if np.abs(step).max() < 1e-9:
            break
    return float(theta[0]), float(theta[1])
