"""What a simulated world knows: the probability of each track to be the next play, in closed form."""

from typing import Protocol

import numpy as np

from mu.world.catalogue import Catalogue, weekly_weights
from mu.world.listeners import Listeners
from mu.world.settings import SESSION_GAP_MS, START_MS, WEEK_MS, Settings, week_of


class Histories(Protocol):
    """Plays of B listeners, oldest first: the arrays of `mu.data.Interactions` that matter here."""

    @property
    def indptr(self) -> np.ndarray: ...

    @property
    def items(self) -> np.ndarray: ...

    @property
    def times(self) -> np.ndarray: ...


def taste_probability(
    catalogue: Catalogue, listeners: Listeners, settings: Settings, users: np.ndarray, times_ms: np.ndarray
) -> np.ndarray:
    """float64 [B, V]: softmax over the released catalogue of log weight + taste . vector; rows sum to 1."""
    weeks, place = np.unique(week_of(times_ms, settings), return_inverse=True)
    weights = weekly_weights(catalogue, weeks, settings)
    logits = listeners.taste(users, times_ms) @ catalogue.vectors.T
    logits -= logits.max(axis=1, keepdims=True)
    masses = np.exp(logits, out=logits)
    masses *= weights[place]
    masses /= masses.sum(axis=1, keepdims=True)
    return masses


def _repeat_weights(history: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """(tracks, probabilities) of going back 2, 3, ... `repeat_span` plays; tracks may occur twice."""
    lags = np.arange(2, min(settings.repeat_span, len(history)) + 1)
    weights = settings.repeat_decay ** (lags - 2.0)
    return history[len(history) - lags], weights / weights.sum()


def _flow_weights(catalogue: Catalogue, track: int, time_ms: int, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """(tracks, probabilities) of what follows `track` for likeness and is out; empty where nothing is."""
    flow = catalogue.flow[track]
    weights = settings.flow_decay ** np.arange(len(flow), dtype=np.float64)
    out = (flow >= 0) & (START_MS + catalogue.release_week[flow].astype(np.int64) * WEEK_MS <= time_ms)
    return flow[out], weights[out] / max(weights[out].sum(), 1e-300)


def next_play_probability(
    catalogue: Catalogue,
    listeners: Listeners,
    settings: Settings,
    users: np.ndarray,
    times_ms: np.ndarray,
    histories: Histories,
    continuing: np.ndarray | None,
) -> np.ndarray:
    """float64 [B, V]; see `World.next_play_probability`."""
    indptr = np.asarray(histories.indptr)
    times_ms = np.asarray(times_ms, dtype=np.int64)
    probability = taste_probability(catalogue, listeners, settings, users, times_ms)
    for row in range(len(users)):
        history = np.asarray(histories.items[indptr[row] : indptr[row + 1]])
        if len(history) == 0:
            continue
        last = int(history[-1])
        if continuing is None:
            inside = float(times_ms[row] - histories.times[indptr[row + 1] - 1] < SESSION_GAP_MS)
        else:
            inside = float(continuing[row])
        album, flow, repeat, _ = listeners.habits[users[row]]
        additions = []
        if catalogue.successor[last] >= 0:
            additions.append((inside * album, catalogue.successor[last : last + 1], np.ones(1)))
        tracks, weights = _flow_weights(catalogue, last, int(times_ms[row]), settings)
        if len(tracks):
            additions.append((inside * flow, tracks, weights))
        if len(history) >= 2:
            additions.append((repeat, *_repeat_weights(history, settings)))
        # What no other law takes is drawn by taste.
        probability[row] *= 1 - sum(share for share, _, _ in additions)
        for share, tracks, weights in additions:
            np.add.at(probability[row], tracks, share * weights)
    return probability
