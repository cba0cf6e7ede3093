"""Counts of transitions against a slow twin, their values, and what is refused."""

import collections

import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from mu_kernels import count_transitions, transitions, weigh_transitions
from tests.helpers.jit import needs_jit

FEW = settings(deadline=None, max_examples=40)


def naive_counts(histories, places, edges, max_between=None):
    """(source, item, class) -> count, by all pairs of all users."""
    counts = collections.Counter()
    for history, place in zip(histories, places, strict=True):
        for i in range(len(history)):
            for j in range(i + 1, len(history)):
                classes = [c for c, edge in enumerate(edges) if edge >= place[j] - place[i]]
                if classes and (max_between is None or j - i - 1 <= max_between):
                    counts[history[i], history[j], classes[0]] += 1
    return counts


def as_dict(counted):
    sources = np.repeat(np.arange(len(counted.indptr) - 1), np.diff(counted.indptr)).tolist()
    keys = zip(sources, counted.items.tolist(), counted.classes.tolist(), strict=True)
    return dict(zip(keys, counted.counts.tolist(), strict=True))


def flat(lists):
    return np.cumsum([0, *map(len, lists)]), np.array([x for one in lists for x in one], np.int64)


@FEW
@given(data=st.data())
def test_counts_equal_their_twin(data):
    n_items = data.draw(st.integers(1, 5))
    histories = data.draw(st.lists(st.lists(st.integers(0, n_items - 1), max_size=9), max_size=5))
    by_place = data.draw(st.booleans())
    steps = [data.draw(st.lists(st.integers(0, 3), min_size=len(one), max_size=len(one))) for one in histories]
    places = [list(range(len(step))) if by_place else np.cumsum(step).tolist() for step in steps]
    edges = sorted(data.draw(st.sets(st.integers(0, 8), min_size=1, max_size=4)))
    max_between = data.draw(st.sampled_from([None, 0, 2]))
    indptr, items = flat(histories)
    coordinates = None if by_place else flat(places)[1]
    counted = count_transitions(indptr, items, n_items, edges, coordinates, max_between, threads=2)
    expected = naive_counts(histories, places, edges, max_between)
    assert as_dict(counted) == dict(expected)
    keys = list(as_dict(counted))
    assert keys == sorted(keys)  # by source, item and class


@needs_jit("a hundred thousand pairs one by one")
def test_counts_are_those_of_sparse_products_at_any_number_of_threads():
    rng = np.random.default_rng(0)
    n_users, length, n_items = 500, 30, 40
    items = (n_items * rng.random(n_users * length) ** 3).astype(np.int32)  # few popular ones
    indptr = np.arange(n_users + 1) * length
    one, three = (count_transitions(indptr, items, n_items, [1, 2, 3], threads=threads) for threads in (1, 3))
    for name in ("indptr", "items", "classes", "counts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(three, name))
    table = items.reshape(n_users, length)
    for distance in (1, 2, 3):
        pairs = table[:, :-distance].ravel(), table[:, distance:].ravel()
        expected = sparse.coo_array((np.ones(len(pairs[0])), pairs), (n_items, n_items)).toarray()
        mine = one.classes == distance - 1
        sources = np.repeat(np.arange(n_items), np.diff(one.indptr))[mine]
        found = sparse.coo_array((one.counts[mine], (sources, one.items[mine])), (n_items, n_items)).toarray()
        np.testing.assert_array_equal(found, expected)


def test_a_count_never_wraps(monkeypatch):
    monkeypatch.setattr(transitions, "MOST_COUNT", 3)
    assert as_dict(count_transitions([0, 4], [0, 0, 0, 0], 1, [1])) == {(0, 0, 0): 3}
    with pytest.raises(OverflowError, match=r"item 1 follows item 0 at a distance of up to 2 more than 3 times"):
        count_transitions([0, 2, 4, 6, 8], [0, 1] * 4, 2, [2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 2], [0, 5], 2, [1]), r"items\[1\] is 5; items lie in \[0, 2\)"),
        (([0, 3], [0, 1], 2, [1]), "indptr must rise from 0 to len"),
        (([0, 2, 1, 2], [0, 1], 2, [1]), "indptr must rise from 0 to len"),
        (([0, 2], [0, 1], 2, []), "edges has 0 entries; there must be 1 to 256"),
        (([0, 2], [0, 1], 2, np.arange(257)), "edges has 257 entries"),
        (([0, 2], [0, 1], 2, [2, 2]), r"edges is \[2, 2\]; it must ascend"),
        (([0, 2], [0, 1], 2, [-1, 2]), r"edges is \[-1, 2\]; it must ascend from 0"),
        (([0, 2], [0, 1], 2, [1], [3, 2]), "coordinates fall from 3 to 2 at play 1 of user 0"),
        (([0, 2], [0, 1], 2, [1], [3]), "coordinates has 1 entries and items 2"),
        (([0, 2], [0, 1], 2, [1], None, -1), "max_between is -1"),
        (([0, 2], [0, 1], -2, [1]), "n_items is -2"),
    ],
)
def test_malformed_plays_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        count_transitions(*arguments)


def weighed(counted, weights, **options):
    """[V, V] of the values, and how many each row has."""
    n_items = len(counted.indptr) - 1
    out = counted.indptr[:-1].copy(), np.zeros(len(counted), np.int32), np.zeros(len(counted))
    arrays = (counted.indptr[:-1], counted.indptr[1:], counted.items, counted.classes, counted.counts)
    weigh_transitions(*arrays, weights, out, **options)
    dense = np.zeros((n_items, n_items))
    for row in range(n_items):
        where = slice(counted.indptr[row], out[0][row])
        assert (np.diff(out[1][where]) > 0).all()
        dense[row, out[1][where]] = out[2][where]
    return dense, out[0] - counted.indptr[:-1]


def test_values_are_weighted_sums_scaled_and_cut():
    rng = np.random.default_rng(1)
    indptr, items = np.arange(41) * 6, rng.integers(0, 7, 240)
    counted, weights = count_transitions(indptr, items, 7, [1, 2, 3]), np.array([1, 0.5, 0.25])
    sums = np.zeros((7, 7))
    for (source, item, distance_class), count in as_dict(counted).items():
        sums[source, item] += weights[distance_class] * count
    np.testing.assert_allclose(weighed(counted, weights)[0], sums)
    scale = np.arange(1.0, 8.0)
    logs, _ = weighed(counted, weights, log_factor=0.3, scale=scale)
    np.testing.assert_allclose(logs, np.log1p(0.3 * sums) * scale[:, None])
    cut, lengths = weighed(counted, weights, strongest=3)
    order = np.argsort(-sums, axis=1, kind="stable")  # of equal ones the lower id first
    expected = np.where(np.argsort(order, axis=1) < 3, sums, 0)
    np.testing.assert_allclose(cut, expected)
    assert (lengths == np.minimum((sums > 0).sum(axis=1), 3)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [np.nan]}, r"weights\[0\] is nan"),
        ({"weights": []}, r"classes\[0\] is 0; classes with a weight lie in \[0, 0\)"),
        ({"scale": [1.0]}, "scale has 1 entries; there are 2 rows"),
        ({"log_factor": 0.0}, "log_factor is 0.0"),
        ({"strongest": 0}, "strongest is 0"),
        ({"rows": [2]}, r"rows\[0\] is 2"),
    ],
)
def test_weights_that_mean_nothing_are_refused(options, message):
    counted = count_transitions([0, 2], [0, 1], 2, [1])
    with pytest.raises(ValueError, match=message):
        weighed(counted, **{"weights": [1.0], **options})
