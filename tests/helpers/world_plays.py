"""What the tests of the simulated world share: plays with what came before them, and counts against probabilities."""

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.world.world import World


def rows_of(world: World) -> np.ndarray:
    """The listener of each play."""
    return np.repeat(np.arange(len(world.listeners)), np.diff(world.plays.indptr))


def opens_session(world: World) -> np.ndarray:
    """bool [E]: whether each play opens a session."""
    rows = rows_of(world)
    gaps = np.diff(world.plays.times_ms, prepend=0)
    return (np.diff(rows, prepend=-1) != 0) | (gaps >= 30 * 60 * 1000)


def before_each_play(world: World) -> tuple[np.ndarray, Interactions]:
    """Listeners and, for each play, the plays before it (the last 50, which is as far as the law looks)."""
    plays, rows = world.plays, rows_of(world)
    stop = np.arange(len(plays))
    start = np.maximum(plays.indptr[rows], stop - world.settings.repeat_span)
    indptr = np.concatenate([[0], np.cumsum(stop - start)])
    index = np.repeat(start - indptr[:-1], stop - start) + np.arange(indptr[-1])
    items, times = plays.tracks[index], plays.times_ms[index]
    return rows, Interactions(indptr, items, times, np.ones(len(index), np.float32), len(world.catalogue))


def assert_calibrated(happened: np.ndarray, probability: np.ndarray) -> None:
    """Among cells of about equal probability as many events happened as the probabilities say, to 4 sigma."""
    probability = probability.astype(np.float64)
    cell = np.digitize(probability, [0, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 0.6, 0.8, 0.9, 1.01])
    for one in np.unique(cell):
        here = probability[cell == one]
        assert abs(happened[cell == one].sum() - here.sum()) < 4 * np.sqrt((here * (1 - here)).sum()) + 1e-9
