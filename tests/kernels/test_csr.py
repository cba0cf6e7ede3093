"""CSR, and the ids of a batch: laws against sets and `np.unique`, and what is refused."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu_kernels import CSR, distinct
from tests.helpers import naive
from tests.helpers.jit import needs_jit

N_ROWS, N_COLUMNS = 5, 7
PAIRS = st.lists(st.tuples(st.integers(0, N_ROWS - 1), st.integers(0, N_COLUMNS - 1)), max_size=40)
FEW = settings(deadline=None, max_examples=30)


def from_pairs(pairs):
    rows, columns = np.array(pairs, np.int64).reshape(-1, 2).T
    return CSR.from_pairs(rows, columns, N_ROWS, N_COLUMNS)


def as_lists(csr):
    return [csr.row(row).tolist() for row in range(csr.n_rows)]


@FEW
@given(PAIRS, PAIRS, st.lists(st.integers(0, N_ROWS - 1), max_size=8))
def test_csr_is_a_table_of_sets(pairs, others, rows):
    mine, theirs = from_pairs(pairs), from_pairs(others)
    sets = naive.csr_rows(*np.array(pairs, int).reshape(-1, 2).T, N_ROWS)
    assert as_lists(mine) == sets
    assert mine.counts().tolist() == [len(row) for row in sets]
    assert as_lists(mine.take(rows)) == [sets[row] for row in rows]
    assert as_lists(mine.union(theirs)) == as_lists(from_pairs(pairs + others))
    assert as_lists(mine.union(theirs)) == as_lists(theirs.union(mine))
    everywhere = mine.contains(np.arange(N_ROWS)[:, None], np.arange(N_COLUMNS))
    assert everywhere.tolist() == [[column in row for column in range(N_COLUMNS)] for row in sets]


def test_csr_keeps_arrays_in_place_and_survives_pickling(tmp_path):
    np.save(tmp_path / "indices.npy", np.array([1, 4, 0], np.int32))
    mapped = np.load(tmp_path / "indices.npy", mmap_mode="r")
    csr = CSR(np.array([0, 2, 2, 3], np.int64), mapped, 5)
    assert np.shares_memory(csr.indices, mapped)
    assert as_lists(pickle.loads(pickle.dumps(csr))) == as_lists(csr) == [[1, 4], [], [0]]
    assert not pickle.loads(pickle.dumps(csr)).indices.flags.writeable


@pytest.mark.parametrize(
    ("indptr", "indices", "message"),
    [
        ([0, 2], [3, 3], "row 0 is not strictly ascending: 3 follows 3"),
        ([0, 1, 3], [3, 3, 1], "row 1 is not strictly ascending: 1 follows 3"),
        ([0, 1, 2], [3, 5], "row 1 holds column 5"),
        ([0, 1], [-1], "row 0 holds column -1"),
        ([0, 2, 1, 2], [0, 1], "indptr falls from 2 to 1 at row 1"),
        ([0, 1], [0, 1], "indptr runs from 0 to 1"),
        ([], [], "indptr is empty"),
        ([[0, 1]], [0], "indptr has shape"),
        ([0, 1], np.array([2**40]), "indices holds 1099511627776"),
    ],
)
def test_csr_refuses_malformed_arrays(indptr, indices, message):
    with pytest.raises(ValueError, match=message):
        CSR(indptr, indices, 5)


def test_csr_refuses_wrong_arguments():
    with pytest.raises(TypeError, match="columns is of type float64"):
        CSR.from_pairs([0], [1.0], 2, 2)
    with pytest.raises(ValueError, match=r"rows\[1\] is 2; rows lie in \[0, 2\)"):
        CSR.from_pairs([0, 2], [1, 1], 2, 2)
    with pytest.raises(ValueError, match="rows has 2 entries and columns 1"):
        CSR.from_pairs([0, 1], [1], 2, 2)
    with pytest.raises(ValueError, match="union of a CSR"):
        CSR([0, 0], [], 2).union(CSR([0, 0], [], 3))
    with pytest.raises(IndexError, match="row -1"):
        CSR([0, 0], [], 2).row(-1)


@FEW
@given(st.lists(st.integers(0, 199), max_size=60), st.lists(st.integers(0, 199), max_size=60))
def test_distinct_is_unique_with_inverse(first, second):
    second = np.array(second, np.int64).reshape(-1, 1)
    unique, (local, local_second) = distinct(np.array(first, np.int32), second, n=200)
    expected, inverse = np.unique(np.concatenate([np.array(first, int), second[:, 0]]), return_inverse=True)
    assert unique.dtype == local.dtype == np.int32 and local_second.shape == second.shape
    np.testing.assert_array_equal(unique, expected)
    np.testing.assert_array_equal(np.concatenate([local, local_second[:, 0]]), inverse)


@needs_jit("2**31 ids are marked one by one")
def test_distinct_at_the_ends_of_words_and_of_the_id_space():
    ids = np.array([63, 64, 127, 128, 0, 2**31 - 2])
    unique, (local,) = distinct(ids, n=2**31 - 1)
    assert unique.tolist() == sorted(ids) and unique[local].tolist() == ids.tolist()


def test_distinct_refuses_ids_outside():
    with pytest.raises(ValueError, match=r"id_arrays\[1\]\[1, 0\] is 9; ids lie in \[0, 9\)"):
        distinct([1, 2], [[3, 4], [9, 1]], n=9)
    with pytest.raises(TypeError, match=r"id_arrays\[0\] is of type float32"):
        distinct(np.ones(2, np.float32), n=9)
