"""Few-shot accuracy of probes: its mean and its interval."""

import numpy as np
import pytest

from mu.evals.protocols.probes import few_shot_accuracy


def test_few_shot_intervals_are_of_recordings_and_not_of_draws():
    """Every trial tells the same clips right: the draws do not differ at all, the recordings do."""
    right = np.random.default_rng(0).random(4000) < 0.7
    folds = np.arange(4000) % 4
    tested = folds == np.arange(20)[:, None] % 4
    told = np.where(tested, right, -1).astype(np.int8)[None].repeat(2, axis=0)
    one, again = few_shot_accuracy(told, np.arange(4000))
    assert one == again and one[0] == pytest.approx(right.mean(), abs=1e-3)
    assert one[2] - one[1] == pytest.approx(2 * 1.96 * np.sqrt(0.21 / 4000), rel=0.1)
    value, low, high = few_shot_accuracy(told, np.arange(4000) // 4 % 10)[0]
    assert value == one[0] and low < value < high
    few = np.array([[[1, -1, -1, -1]]], np.int8)  # draws without the one clip that was tested
    assert few_shot_accuracy(few, np.arange(4), 50) == [(1.0, pytest.approx(1 / (1 + 1.96**2), abs=1e-4), 1.0)]
