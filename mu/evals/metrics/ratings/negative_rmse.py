"""Root mean squared error of predicted ratings, negative so that larger is better: -sqrt(mean (p - r)^2)."""

import numpy as np


def negative_rmse(squared: np.ndarray, ratings: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [S]: of all ratings of the users under each weighting.

    Args:
      squared: float64 [n], the sum of the squared errors of each user.
      ratings: [n], how many ratings each has.
      weights: float64 [S, n].
    """
    return -np.sqrt((weights @ squared) / (weights @ ratings))
