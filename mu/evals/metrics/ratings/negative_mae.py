"""Mean absolute error of predicted ratings, negative so that larger is better: -mean |p - r|."""

import numpy as np


def negative_mae(absolute: np.ndarray, ratings: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [S]: of all ratings of the users under each weighting.

    Args:
      absolute: float64 [n], the sum of the absolute errors of each user.
      ratings: [n], how many ratings each has.
      weights: float64 [S, n].
    """
    return -(weights @ absolute) / (weights @ ratings)
