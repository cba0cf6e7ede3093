"""What a simulated world knows: the probability of each track to be the next play, in closed form."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mu.world import slates
from mu.world.contexts import CONTEXTS, context_shares, shifts
from mu.world.listening import FINISH_BIAS, FINISH_SLOPE
from mu.world.settings import SESSION_GAP_MS, START_MS, WEEK_MS, week_of

if TYPE_CHECKING:
    from mu.world.world import World


class Histories(Protocol):
    """Plays of B listeners, oldest first: the arrays of `mu.data.Interactions` that matter here."""

    @property
    def indptr(self) -> np.ndarray: ...

    @property
    def items(self) -> np.ndarray: ...

    @property
    def times(self) -> np.ndarray: ...


def expected(law: Callable[[np.ndarray, int], np.ndarray], shares: np.ndarray) -> np.ndarray:
    """float64 [B, ...]: the mean of a law over contexts; `law(rows, context)` gives those rows in that context.

    Args:
      shares: float64 [B, C], how likely each context is; rows sum to 1.
    """
    total = None
    for context in range(len(CONTEXTS)):
        rows = np.flatnonzero(shares[:, context] > 0)
        if total is None or len(rows):
            values = law(rows, context)
            total = np.zeros((len(shares), *values.shape[1:])) if total is None else total
            values *= shares[rows, context].reshape(-1, *[1] * (values.ndim - 1))
            total[rows] += values
    assert total is not None
    return total


def taste(world: "World", users: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None) -> np.ndarray:
    """float64 [B, D]; see `World.taste`."""
    moved = context_shares(times_ms, contexts) @ shifts(world.settings)
    return world.listeners.taste(users, times_ms) + world.listeners.susceptibility[users, None] * moved


def _in(context: int, users: np.ndarray) -> np.ndarray:
    return np.full(len(users), context)


def _by_taste(world: "World", users: np.ndarray, times_ms: np.ndarray, context: int) -> np.ndarray:
    """float64 [B, V]: softmax over the released catalogue of log weight + taste . vector; rows sum to 1."""
    weeks, place = np.unique(week_of(times_ms, world.settings), return_inverse=True)
    masses = taste(world, users, times_ms, _in(context, users)) @ world.catalogue.vectors.T
    masses -= masses.max(axis=1, keepdims=True)
    np.exp(masses, out=masses)
    masses *= world.charts.weights(world.catalogue, weeks, world.settings)[place]
    masses /= masses.sum(axis=1, keepdims=True)
    return masses


def preference(world: "World", users: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None) -> np.ndarray:
    """float64 [B, V]; see `World.preference`."""
    shares = context_shares(times_ms, contexts)
    return expected(lambda rows, context: _by_taste(world, users[rows], times_ms[rows], context), shares)


def _sigmoid_of_cosine(tastes: np.ndarray, vectors: np.ndarray, bias: float, slope: float) -> np.ndarray:
    """float64 [B, V] for tastes [B, D] and vectors [V, D]."""
    cosine = tastes @ vectors.T
    cosine /= np.maximum(np.linalg.norm(tastes, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)[None, :], 1e-150)
    cosine *= -slope
    cosine -= bias
    np.exp(cosine, out=cosine)
    cosine += 1
    return np.reciprocal(cosine, out=cosine)


def acceptance(world: "World", users: np.ndarray, times_ms: np.ndarray, contexts: np.ndarray | None) -> np.ndarray:
    """float64 [B, V]; see `World.acceptance`."""
    settings, vectors = world.settings, world.catalogue.vectors

    def law(rows: np.ndarray, context: int) -> np.ndarray:
        tastes = taste(world, users[rows], times_ms[rows], _in(context, rows))
        return _sigmoid_of_cosine(tastes, vectors, settings.accept_bias, settings.accept_slope)

    return expected(law, context_shares(times_ms, contexts))


def finish_probability(
    world: "World", users: np.ndarray, times_ms: np.ndarray, tracks: np.ndarray, contexts: np.ndarray | None
) -> np.ndarray:
    """float64 [B]; see `World.finish_probability`."""

    def law(rows: np.ndarray, context: int) -> np.ndarray:
        tastes, vectors = (
            taste(world, users[rows], times_ms[rows], _in(context, rows)),
            world.catalogue.vectors[tracks[rows]],
        )
        norms = np.linalg.norm(tastes, axis=1) * np.linalg.norm(vectors, axis=1)
        cosine = np.einsum("bd,bd->b", tastes, vectors) / np.maximum(norms, 1e-150)
        return 1 / (1 + np.exp(-FINISH_BIAS - FINISH_SLOPE * cosine))

    return expected(law, context_shares(times_ms, contexts))


def exposure_probability(world: "World", users: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
    """float64 [B, V]; see `World.exposure_probability`."""
    weeks, segments = week_of(times_ms, world.settings), world.listeners.segment[users]
    probability = np.empty((len(users), len(world.catalogue)))
    for week in np.unique(weeks):
        rows = np.flatnonzero(weeks == week)
        some, place = np.unique(segments[rows], return_inverse=True)
        arguments = (world.catalogue, world.charts, int(week), some, world.settings, world.seed)
        probability[rows] = slates.exposure_probability(*arguments)[place]
    return probability


def contexts_of_last_plays(world: "World", users: np.ndarray, times_ms: np.ndarray) -> np.ndarray:
    """int64 [B]: the context in which each listener was at a time, that of their latest play; -1 before the first."""
    plays = world.plays
    contexts = np.full(len(users), -1)
    for row, (user, time_ms) in enumerate(zip(users, times_ms, strict=True)):
        begin, end = plays.indptr[user], plays.indptr[user + 1]
        at = begin + np.searchsorted(plays.times_ms[begin:end], time_ms, side="right") - 1
        if at >= begin:
            contexts[row] = plays.contexts[at]
    return contexts


def _repeat_weights(world: "World", history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(tracks, probabilities) of going back 2, 3, ... `repeat_span` plays; tracks may occur twice."""
    lags = np.arange(2, min(world.settings.repeat_span, len(history)) + 1)
    weights = world.settings.repeat_decay ** (lags - 2.0)
    return history[len(history) - lags], weights / weights.sum()


def _flow_weights(world: "World", track: int, time_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """(tracks, probabilities) of what goes well after `track` and is out; empty where nothing is."""
    flow = world.catalogue.flow[track]
    weights = world.settings.flow_decay ** np.arange(len(flow), dtype=np.float64)
    out = (flow >= 0) & (START_MS + world.catalogue.release_week[flow].astype(np.int64) * WEEK_MS <= time_ms)
    return flow[out], weights[out] / max(weights[out].sum(), 1e-300)


def _going_on(
    world: "World", users: np.ndarray, times_ms: np.ndarray, pasts: list[np.ndarray], contexts: np.ndarray | None
) -> np.ndarray:
    """float64 [B, V]: the law of a play that goes on with the session of the last of the past plays."""
    probability = preference(world, users, times_ms, contexts)
    for row, past in enumerate(pasts):
        last = int(past[-1])
        album, flow, repeat, _ = world.listeners.habits[users[row]]
        additions = []
        if world.catalogue.successor[last] >= 0:
            additions.append((album, world.catalogue.successor[last : last + 1], np.ones(1)))
        tracks, weights = _flow_weights(world, last, int(times_ms[row]))
        if len(tracks):
            additions.append((flow, tracks, weights))
        if len(past) >= 2:
            additions.append((repeat, *_repeat_weights(world, past)))
        # What no other law takes is drawn by taste.
        probability[row] *= 1 - sum(share for share, _, _ in additions)
        for share, tracks, weights in additions:
            np.add.at(probability[row], tracks, share * weights)
    return probability


def _opening(
    world: "World", users: np.ndarray, times_ms: np.ndarray, pasts: list[np.ndarray], contexts: np.ndarray | None
) -> np.ndarray:
    """float64 [B, V]: the law of a play that opens a session: from the slate, else a repeat, else by taste."""
    shown = exposure_probability(world, users, times_ms)
    shown /= world.settings.slate_tracks  # that it is shown in the very place that is looked at
    repeat = np.where([len(past) >= 2 for past in pasts], world.listeners.habits[users, 2], 0.0)

    def law(rows: np.ndarray, context: int) -> np.ndarray:
        arguments = (world, users[rows], times_ms[rows], _in(context, rows))
        accepted = acceptance(*arguments)
        accepted *= shown[rows]
        rest = 1 - accepted.sum(axis=1)
        accepted += (rest * (1 - repeat[rows]))[:, None] * preference(*arguments)
        for place, row in enumerate(rows):
            if repeat[row] > 0:
                tracks, weights = _repeat_weights(world, pasts[row])
                np.add.at(accepted[place], tracks, rest[place] * repeat[row] * weights)
        return accepted

    return expected(law, context_shares(times_ms, contexts))


def next_play_probability(
    world: "World",
    users: np.ndarray,
    times_ms: np.ndarray,
    histories: Histories,
    continuing: np.ndarray | None,
    contexts: np.ndarray | None,
) -> np.ndarray:
    """float64 [B, V]; see `World.next_play_probability`."""
    indptr, items = np.asarray(histories.indptr), np.asarray(histories.items)
    pasts = [items[indptr[row] : indptr[row + 1]] for row in range(len(users))]
    some = np.diff(indptr) > 0
    last_ms = np.full(len(users), np.iinfo(np.int64).min)
    last_ms[some] = np.asarray(histories.times)[indptr[1:][some] - 1]
    if continuing is None:
        continuing = some & (times_ms - np.where(some, last_ms, times_ms) < SESSION_GAP_MS)
    inside = np.where(some, np.asarray(continuing, dtype=np.float64), 0.0)
    running = contexts_of_last_plays(world, users, last_ms) if contexts is None else contexts
    probability = np.zeros((len(users), len(world.catalogue)))
    for share, law, known in ((inside, _going_on, running), (1 - inside, _opening, contexts)):
        rows = np.flatnonzero(share > 0)
        if len(rows):
            values = law(
                world, users[rows], times_ms[rows], [pasts[row] for row in rows], None if known is None else known[rows]
            )
            values *= share[rows, None]
            probability[rows] += values
    return probability
