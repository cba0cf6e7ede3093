"""What the kernels behind BPR and SparseEASE refuse; tests/baselines holds them against their equations."""

import numpy as np
import pytest

from mu_kernels import CSR
from mu_kernels.neighbour_regression import regress_on_neighbours
from mu_kernels.pairwise_sgd import descend

ROWS = CSR.from_pairs([0, 1, 1, 2], [1, 0, 2, 1], 3, 3)


def test_gram_matrices_and_neighbours_must_fit():
    with pytest.raises(ValueError, match=r"values are \(2,\); there are 4 entries"):
        regress_on_neighbours(ROWS, np.ones(2), ROWS, 1.0)
    with pytest.raises(ValueError, match="the Gram matrix has 3 rows; it and the neighbours must have as many rows"):
        regress_on_neighbours(ROWS, np.ones(4), CSR.from_pairs([0], [1], 2, 3), 1.0)


def test_a_singular_system_names_its_item():
    gram = CSR.from_pairs(np.repeat(np.arange(3), 3), np.tile(np.arange(3), 3), 3, 3)
    neighbours = CSR.from_pairs([2, 2], [0, 1], 3, 3)
    with pytest.raises(ValueError, match="l2=1e-20 is too small for float32: the system of item 2 is singular"):
        regress_on_neighbours(gram, np.ones(9), neighbours, 1e-20)


@pytest.mark.parametrize("wrong", ["weights", "users", "items", "bias"])
def test_factors_of_another_shape_or_type_are_refused(wrong):
    arrays = {"weights": np.ones(4), "users": np.ones((3, 2)), "items": np.ones((3, 2)), "bias": np.ones(3)}
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    options = {"loss": "bpr", "learning_rate": 0.1, "l2": 0.0, "tries": 1, "seed": 0, "epoch": 0}
    assert descend(ROWS, *arrays.values(), **options) == 4
    arrays[wrong] = arrays[wrong].astype(np.float64)
    with pytest.raises(ValueError, match=f"{wrong} is float64 .*; it must be float32"):
        descend(ROWS, *arrays.values(), **options)
