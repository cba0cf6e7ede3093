"""Logistic recalibration: probabilities that agree with what was observed on held-out examples."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

RIDGE = 1e-3


def logistic_recalibration(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """(a, b), so that sigmoid(a logit + b) has the largest likelihood of the labels (Platt 1999).

    1 / a is the temperature; b moves all probabilities to the share that is observed. A ridge of `RIDGE` towards (1, 0)
    keeps both finite where the labels are separated or all alike.

    Args:
      logits: float [n], n at least 1.
      labels: bool [n].
    """
    design = np.stack([np.asarray(logits, np.float64), np.ones(len(logits))], axis=1)
    truth, start, n = np.asarray(labels, np.float64), np.array([1.0, 0.0]), len(logits)

    def loss(theta: np.ndarray) -> float:
        scores, moved = design @ theta, theta - start
        return ((np.logaddexp(0, scores) - truth * scores).sum() + RIDGE / 2 * moved @ moved) / n

    def slope(theta: np.ndarray) -> np.ndarray:
        return (design.T @ (expit(design @ theta) - truth) + RIDGE * (theta - start)) / n

    def curvature(theta: np.ndarray) -> np.ndarray:
        probability = expit(design @ theta)
        return ((design * (probability * (1 - probability))[:, None]).T @ design + RIDGE * np.eye(2)) / n

    found = minimize(loss, start, jac=slope, hess=curvature, method="trust-exact", options={"gtol": 1e-10})
    return float(found.x[0]), float(found.x[1])
