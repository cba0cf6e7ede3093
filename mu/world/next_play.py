"""The probability of each track to be a listener's next play, given their earlier plays, in closed form."""

from typing import Protocol

import numpy as np

from mu.world.contexts import context_shares
from mu.world.plays import Plays
from mu.world.settings import SESSION_GAP_MS, START_MS, WEEK_MS
from mu.world.truth import Truth, in_context, mean_over_contexts


class Histories(Protocol):
    """Plays of B listeners, oldest first: the arrays of `mu.data.logs.interactions.Interactions` that matter here."""

    @property
    def indptr(self) -> np.ndarray: ...

    @property
    def items(self) -> np.ndarray: ...

    @property
    def times(self) -> np.ndarray: ...


def next_play_probability(
    truth: Truth,
    plays: Plays,
    users: np.ndarray,
    times_ms: np.ndarray,
    histories: Histories,
    continuing: np.ndarray | None,
    contexts: np.ndarray | None,
) -> np.ndarray:
    """float64 [B, V]: the probability of each track to be the next play of each listener.

    Args:
      truth: of the world.
      plays: of the world; they say in which context a session that goes on is.
      users: int64 [B].
      times_ms: int64 [B], when the next play starts.
      histories: of these listeners.
      continuing: float [B], the probability that the play goes on with the session of the last one; None: the gap
        between the last play and `times_ms` decides.
      contexts: int64 [B], -1 where a context is not known; None where none is known.
    """
    indptr, items = np.asarray(histories.indptr), np.asarray(histories.items)
    pasts = [items[indptr[row] : indptr[row + 1]] for row in range(len(users))]
    some = np.diff(indptr) > 0
    last_ms = np.full(len(users), np.iinfo(np.int64).min)
    last_ms[some] = np.asarray(histories.times)[indptr[1:][some] - 1]
    if continuing is None:
        continuing = some & (times_ms - np.where(some, last_ms, times_ms) < SESSION_GAP_MS)
    inside = np.where(some, np.asarray(continuing, dtype=np.float64), 0.0)
    running = contexts_of_last_plays(plays, users, last_ms) if contexts is None else contexts
    probability = np.zeros((len(users), len(truth.catalogue)))
    for share, law, law_contexts in ((inside, _continuing_session, running), (1 - inside, _new_session, contexts)):
        rows = np.flatnonzero(share > 0)
        if len(rows):
            of_rows = None if law_contexts is None else law_contexts[rows]
            values = law(truth, users[rows], times_ms[rows], [pasts[row] for row in rows], of_rows)
            values *= share[rows, None]
            probability[rows] += values
    return probability


def contexts_of_last_plays(plays: Plays, users: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
    """int64 [B]: the context of each listener's latest play at a time; -1 before the first."""
    contexts = np.full(len(users), -1)
    for row, (user, time_ms) in enumerate(zip(users, times_ms, strict=True)):
        begin, end = plays.indptr[user], plays.indptr[user + 1]
        at = begin + np.searchsorted(plays.times_ms[begin:end], time_ms, side="right") - 1
        if at >= begin:
            contexts[row] = plays.contexts[at]
    return contexts


def _repeat_weights(truth: Truth, history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(tracks, probabilities) of going back 2, 3, ... `repeat_span` plays; tracks may occur twice."""
    lags = np.arange(2, min(truth.settings.repeat_span, len(history)) + 1)
    weights = truth.settings.repeat_decay ** (lags - 2.0)
    return history[len(history) - lags], weights / weights.sum()


def _flow_weights(truth: Truth, track: int, time_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """(tracks, probabilities) of the released tracks that go well after `track`; empty where there are none."""
    flow = truth.catalogue.flow[track]
    weights = truth.settings.flow_decay ** np.arange(len(flow), dtype=np.float64)
    out = (flow >= 0) & (START_MS + truth.catalogue.release_week[flow].astype(np.int64) * WEEK_MS <= time_ms)
    return flow[out], weights[out] / max(weights[out].sum(), 1e-300)


def _continuing_session(
    truth: Truth, users: np.ndarray, times_ms: np.ndarray, pasts: list[np.ndarray], contexts: np.ndarray | None
) -> np.ndarray:
    """float64 [B, V]: the law of a play that goes on with the session of the last past play."""
    probability = truth.preference(users, times_ms, contexts)
    for row, past in enumerate(pasts):
        last = int(past[-1])
        album, flow, repeat, _ = truth.listeners.habits[users[row]]
        additions = []
        if truth.catalogue.successor[last] >= 0:
            additions.append((album, truth.catalogue.successor[last : last + 1], np.ones(1)))
        tracks, weights = _flow_weights(truth, last, int(times_ms[row]))
        if len(tracks):
            additions.append((flow, tracks, weights))
        if len(past) >= 2:
            additions.append((repeat, *_repeat_weights(truth, past)))
        # The share that no other law takes is drawn by taste.
        probability[row] *= 1 - sum(share for share, _, _ in additions)
        for share, tracks, weights in additions:
            np.add.at(probability[row], tracks, share * weights)
    return probability


def _new_session(
    truth: Truth, users: np.ndarray, times_ms: np.ndarray, pasts: list[np.ndarray], contexts: np.ndarray | None
) -> np.ndarray:
    """float64 [B, V]: the law of a play that opens a session: from the slate, else a repeat, else by taste."""
    exposure = truth.exposure_probability(users, times_ms)
    exposure /= truth.settings.slate_tracks  # the probability of the one place that the listener looks at
    repeat = np.where([len(past) >= 2 for past in pasts], truth.listeners.habits[users, 2], 0.0)

    def law(rows: np.ndarray, context: int) -> np.ndarray:
        arguments = (users[rows], times_ms[rows], in_context(context, rows))
        accepted = truth.acceptance(*arguments)
        accepted *= exposure[rows]
        rest = 1 - accepted.sum(axis=1)
        accepted += (rest * (1 - repeat[rows]))[:, None] * truth.preference(*arguments)
        for place, row in enumerate(rows):
            if repeat[row] > 0:
                tracks, weights = _repeat_weights(truth, pasts[row])
                np.add.at(accepted[place], tracks, rest[place] * repeat[row] * weights)
        return accepted

    return mean_over_contexts(law, context_shares(times_ms, contexts))
