"""Ranks at a time: the counts of a dense matrix of scores, candidates and ages."""

import numpy as np
import pytest

from mu_kernels import CSR, rank_at_times
from tests.helpers import naive
from tests.helpers.jit import needs_jit

DAY = 24


def dense(queries, vectors, targets, times, available_from, bias, edges, values, newer_than, exclude):
    """(greater, equal) from a score and a verdict for each query and item."""
    greater, equal = np.zeros((2, len(queries)), int)
    for b, query in enumerate(queries):
        ages = times[b] - available_from
        steps = (edges <= ages[:, None]).sum(1)
        scores = (vectors.astype(np.float64) * query.astype(np.float64)).sum(1) + bias + values[steps]
        scores = scores.astype(np.float32)
        candidates = (ages >= 0) & (available_from > newer_than[b])
        candidates[exclude.row(b)] = False
        candidates[targets[b]] = True
        greater[b] = (scores[candidates] > scores[targets[b]]).sum()
        equal[b] = (scores[candidates] == scores[targets[b]]).sum()
    return greater, equal


def task(seed, n_queries, n_items, dim, whole):
    """Whole numbers tie often and add up exactly; others need every bit of the bound."""
    rng = np.random.default_rng(seed)

    def numbers(*shape):
        return (rng.integers(-3, 4, shape) if whole else rng.standard_normal(shape)).astype(np.float32)

    available_from = rng.integers(0, 100 * DAY, n_items)
    times = rng.integers(0, 110 * DAY, n_queries)
    targets = rng.integers(0, n_items, n_queries)
    # Most targets are out; a few are not, and are ranked among what is.
    times = np.where(rng.random(n_queries) < 0.9, np.maximum(times, available_from[targets]), times)
    pairs = rng.integers(0, n_queries, 20 * n_queries), rng.integers(0, n_items, 20 * n_queries)
    return {
        "queries": numbers(n_queries, dim),
        "vectors": numbers(n_items, dim),
        "targets": targets,
        "times": times,
        "available_from": available_from,
        "bias": numbers(n_items),
        "age_edges": np.array([0, 1, 7, 30]) * DAY,
        "age_values": numbers(5),
        "newer_than": np.where(rng.random(n_queries) < 0.5, -1, times - 20 * DAY),
        "exclude": CSR.from_pairs(*pairs, n_queries, n_items),
    }


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("n_queries", "n_items", "dim"), [(1, 1, 1), (30, 60, 4), (3, 300, 33)])
def test_counts_are_those_of_the_slow_twin(n_queries, n_items, dim, whole):
    for seed in range(5):
        options = task(seed, n_queries, n_items, dim, whole)
        if not whole:
            options["vectors"][1::2] = options["vectors"][: n_items - 1 : 2]  # ties
        greater, equal = dense(*options.values())
        for threads in (1, 3):
            ranks = rank_at_times(**options, threads=threads)
            np.testing.assert_array_equal(ranks.greater, greater)
            np.testing.assert_array_equal(ranks.equal, equal)


@needs_jit("a million scores are compared one by one")
def test_several_blocks_and_what_may_be_left_out():
    options = task(0, 520, 2100, 8, whole=True)
    greater, equal = dense(*options.values())
    ranks = rank_at_times(**options)
    assert ranks.greater.tolist() == greater.tolist() and ranks.equal.tolist() == equal.tolist()
    late = np.full(520, 200 * DAY)
    plain = {name: options[name] for name in ("queries", "vectors", "targets", "available_from", "bias")}
    ranks = rank_at_times(**plain, times=late)
    scores = options["queries"] @ options["vectors"].T + options["bias"]
    greater, equal = naive.rank_scores(scores, options["targets"][:, None].tolist(), [[]] * 520)
    assert ranks.greater.tolist() == greater.tolist() and ranks.equal.tolist() == equal.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": [9, 0]}, r"targets\[0\] is 9; items lie in \[0, 3\)"),
        ({"times": [1]}, "times has 1 entries; there are 2 queries and 3 items"),
        ({"available_from": [1, 2]}, "available_from has 2 entries"),
        ({"age_edges": [1, 2]}, "age_edges and age_values go together"),
        ({"age_edges": [2, 2], "age_values": [0.0, 1.0, 2.0]}, r"age_edges\[1\] is not above the edge before it"),
        ({"age_edges": [2], "age_values": [0.0]}, "age_values has 1 entries and age_edges 1; there is one value more"),
        ({"age_edges": [2], "age_values": [0.0, np.inf]}, r"age_values\[1\] is inf"),
        ({"exclude": CSR([0, 0], [], 3)}, "exclude has 1 rows and 3 columns; there are 2 queries and 3 items"),
        ({"queries": np.ones((2, 3), np.float32)}, "queries have 3 features; vectors have 2"),
    ],
)
def test_it_refuses_what_makes_no_sense(change, message):
    options = {
        "queries": np.ones((2, 2), np.float32),
        "vectors": np.ones((3, 2), np.float32),
        "targets": [0, 1],
        "times": [5, 6],
        "available_from": [1, 2, 3],
    }
    with pytest.raises(ValueError, match=message):
        rank_at_times(**(options | change))
