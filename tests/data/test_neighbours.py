"""Neighbours of tracks: a slow count of pairs, and what they do not depend on."""

import numpy as np
import pytest

from mu.data.neighbours import REACH, played_near
from tests.helpers.small_logs import log_of

RANDOM = np.random.default_rng(0)
HISTORIES = [RANDOM.integers(0, 30, RANDOM.integers(0, 25)) for _ in range(40)]


def slow(histories, n_items, k):
    near = np.zeros((n_items, n_items))
    for plays in histories:
        for at, first in enumerate(plays):
            for distance, other in enumerate(plays[at + 1 : at + 1 + REACH], 1):
                near[first, other] += 1 / distance
                near[other, first] += 1 / distance
    np.fill_diagonal(near, 0)
    strength = near / np.sqrt(np.maximum(near.sum(axis=0), 1e-30))
    found = np.full((n_items, k), -1)
    for item, row in enumerate(strength):
        best = [other for other in np.argsort(-row.round(12), kind="stable") if row[other] > 0][:k]
        found[item, : len(best)] = best
    return found


@pytest.mark.parametrize("k", [1, 4, 40])
def test_neighbours_are_those_of_a_slow_count(k):
    found = played_near(log_of(HISTORIES, 33), k)
    assert found.dtype == np.int32 and found.shape == (33, k)
    np.testing.assert_array_equal(found, slow(HISTORIES, 33, k))
    assert (found[30:] == -1).all()  # tracks that nobody plays


def test_plays_of_other_listeners_and_far_ones_are_not_near():
    found = played_near(log_of([[0, *range(2, 2 + REACH), 1], [1]], 10), 9)
    assert 1 not in found[0] and set(found[0][found[0] >= 0]) == set(range(2, 2 + REACH))
