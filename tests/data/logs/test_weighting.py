"""What weights mean: the functions, what they make of a log, and what is refused."""

import numpy as np
import pytest

from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import counted, example_weights, pair_weights, track_totals


def halves(weights):
    return weights / 2


def lowered(weights):
    return weights - 2


def first(weights):
    return weights[:1]


def weighted_log(rows, n_items):
    """A log of rows of (track, weight), in order of time."""
    plays = [play for row in rows for play in row]
    indptr = np.append(0, np.cumsum([len(row) for row in rows])).astype(np.int64)
    items, weights = (np.array([play[place] for play in plays]) for place in (0, 1))
    return Interactions(
        indptr, items.astype(np.int32), np.arange(len(plays)), weights.astype(np.float32), n_items, card={}
    )


LOG = weighted_log([[(0, 1.0), (2, 3.0), (0, 4.0)], [], [(2, 3.3)]], 4)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", [1, 1, 1]),
        ("linear", [0, 1, 3.5]),
        ("log", np.log([1, 2, 4.5])),
        ("exponential", [0, 1, 2**3.5 - 1]),
        (">=1", [0, 1, 1]),
        (f"{__name__}:halves", [0, 0.5, 1.75]),
    ],
)
def test_functions(name, expected):
    np.testing.assert_allclose(counted(np.array([0, 1, 3.5], np.float32), name), expected, rtol=1e-12)


def test_a_threshold_is_compared_as_weights_are_stored():
    assert counted(np.array([3.3, 3.2], np.float32), ">=3.3").tolist() == [1, 0]


def test_plays_of_one_pair_are_summed_before_the_function():
    seen, values = pair_weights(LOG, "log")
    assert seen.row(0).tolist() == [0, 2] and seen.row(2).tolist() == [2]
    np.testing.assert_allclose(values, np.log1p([5, 3, np.float32(3.3)]))
    np.testing.assert_allclose(track_totals(LOG, "linear"), [5, 0, 3 + np.float32(3.3), 0])
    assert track_totals(LOG, "none").tolist() == [1, 0, 2, 0]


def test_examples_count_1_in_the_mean_of_those_that_count():
    weights = example_weights(LOG, ">=3.3", np.array([False, True, True, True]))
    assert weights.dtype == np.float32 and weights.tolist() == [0, 0, 1, 1]
    linear = example_weights(LOG, "linear")
    assert linear.mean() == pytest.approx(1) and linear[2] / linear[0] == pytest.approx(4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("liner", r"'liner' are not known \(did you mean 'linear'\?\)"),
        (">=four", "behind '>=' stands a number"),
        ("no.such:thing", "there is no module 'no'"),
        (f"{__name__}:lowered", "makes -1.0 of the weight 1.0; what counts must be finite and not negative"),
        (f"{__name__}:first", r"gave \(1,\) for \(4,\) weights"),
        (">=100", "none of 4 plays counts more than 0"),
    ],
)
def test_refused(name, message):
    with pytest.raises(ValueError, match=message):
        example_weights(LOG, name)


def test_a_gain_beyond_all_numbers_is_refused():
    with pytest.raises(ValueError, match=r"makes inf of the weight 2000\.0.*such as 'log'"):
        counted(np.array([2000.0], np.float32), "exponential")
