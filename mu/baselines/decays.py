"""How much a count weighs by its distance, and a play of a history by its age: the shapes that counting models know."""

from typing import Literal

import numpy as np

from mu.ranges import Count

CountsShape = Literal["inverse", "power", "logarithmic", "exponential", "uniform"]
"""Of distances d = 1, 2, ...: 1 / d, d^-decay, 1 / log10(d + 1.7), decay^(d - 1), 1."""
HistoryShape = Literal["inverse", "quadratic", "exponential", "tail", "uniform"]
"""Of plays j = 1, 2, ..., the newest first: 1 / j, 1 / j^2, decay^(j - 1), see `tail_weights`, 1."""


def distance_weights(shape: CountsShape, distances: int, decay: float) -> np.ndarray:
    """float64 [W]: the weight of each distance 1, ..., W (Ludewig & Jannach 2018; Petrov et al. 2026).

    Args:
      shape: see `CountsShape`.
      distances: W.
      decay: the exponent of 'power', the factor of 'exponential'; others do not read it.
    """
    distance = np.arange(1, distances + 1, dtype=np.float64)
    if shape == "inverse":
        return 1 / distance
    if shape == "power":
        return distance**-decay
    if shape == "logarithmic":
        return 1 / np.log10(distance + 1.7)
    if shape == "exponential":
        return decay ** (distance - 1)
    return np.ones(distances)


def history_weights(shape: HistoryShape, plays: int, decay: float, head: Count, head_mass: float) -> np.ndarray:
    """float64 [n]: the weight of each play of a history of n plays, the newest first.

    Args:
      shape: see `HistoryShape`.
      plays: n.
      decay: the factor of 'exponential' and of the head of 'tail'; others do not read it.
      head: see `tail_weights`.
      head_mass: see `tail_weights`.
    """
    age = np.arange(1, plays + 1, dtype=np.float64)
    if shape == "inverse":
        return 1 / age
    if shape == "quadratic":
        return 1 / age**2
    if shape == "exponential":
        return decay ** (age - 1)
    if shape == "tail":
        return tail_weights(plays, decay, head, head_mass)
    return np.ones(plays)


def tail_weights(plays: int, decay: float, head: int, head_mass: float) -> np.ndarray:
    """float64 [n], of sum 1: the newest `head` plays share `head_mass` by decay^(j - 1), older ones the rest alike.

    A history without older plays gives the head everything.
    """
    newest = decay ** np.arange(min(head, plays), dtype=np.float64)
    newest /= newest.sum()
    if plays <= head:
        return newest
    return np.concatenate([head_mass * newest, np.full(plays - head, (1 - head_mass) / (plays - head))])
