"""Contexts of a session: the probability of each by the hour, and how far each moves a taste."""

import numpy as np

from mu.world.catalogue import AUDIBLE, N_COORDINATES
from mu.world.settings import Settings

CONTEXTS = ("everyday", "morning", "workout", "focus", "party")
"""The contexts of a session; a context is its place here."""

# Weights from midnight to midnight, UTC, one row a context.
_BY_HOUR = np.array(
    [
        [4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 5, 4, 4, 4, 4, 5, 6, 6, 6, 5, 4],
        [0, 0, 0, 0, 1, 4, 8, 9, 7, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 1, 3, 3, 2, 1, 1, 1, 2, 1, 1, 1, 2, 5, 6, 5, 3, 1, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 1, 4, 7, 8, 7, 3, 5, 7, 7, 5, 2, 1, 1, 1, 2, 2, 1],
        [7, 6, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 6, 8, 8],
    ],
    dtype=np.float64,
).T
HOURLY = _BY_HOUR / _BY_HOUR.sum(axis=1, keepdims=True)
"""float64 [24, C]: P(context | hour of the day, UTC, at which the session opens)."""

# Tempo, energy, brightness, acousticness, danceability, valence: contexts move audible coordinates alone.
_AUDIBLE_SHIFTS = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, -0.2, 0.5, 0.4, 0.0, 0.7],
        [0.9, 0.9, 0.0, -0.4, 0.5, 0.0],
        [-0.3, -0.8, -0.3, 0.8, -0.4, 0.0],
        [0.2, 0.5, 0.0, -0.4, 1.0, 0.5],
    ]
)


def shifts(settings: Settings) -> np.ndarray:
    """float64 [C, D]: where each context moves the taste of a listener of susceptibility 1."""
    assert _AUDIBLE_SHIFTS.shape == (len(CONTEXTS), len(AUDIBLE))
    moved = np.zeros((len(CONTEXTS), N_COORDINATES))
    moved[:, : len(AUDIBLE)] = settings.context * _AUDIBLE_SHIFTS
    return moved


def hour_of(times_ms: np.ndarray) -> np.ndarray:
    """int64: the hour of the day, 0 to 23, UTC."""
    return np.asarray(times_ms, dtype=np.int64) // 3_600_000 % 24


def context_shares(times_ms: np.ndarray, contexts: np.ndarray | None) -> np.ndarray:
    """float64 [B, C]: the probability of each context; rows sum to 1.

    Args:
      times_ms: int [B].
      contexts: int [B], the context where it is known, else -1; None where it is known nowhere.
    """
    shares = HOURLY[hour_of(times_ms)]
    if contexts is not None:
        is_known = contexts >= 0
        shares[is_known] = np.eye(len(CONTEXTS))[contexts[is_known]]
    return shares
