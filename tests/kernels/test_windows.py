"""Windows and packing: what is conserved from the histories to the rows, and what is refused."""

import collections
import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu_kernels import cut_windows, fill_windows, one_per_row, pack_windows
from tests.helpers import naive

HISTORIES = st.lists(st.integers(0, 23), max_size=25)
FEW = settings(deadline=None, max_examples=30)


def pointers(lengths):
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def as_lists(packing):
    return [packing.windows[a:b].tolist() for a, b in zip(packing.indptr[:-1], packing.indptr[1:], strict=True)]


@FEW
@given(HISTORIES, st.integers(1, 9))
def test_windows_tile_each_history_from_its_end(lengths, length):
    indptr = pointers(lengths)
    windows = cut_windows(indptr, length)
    listed = list(zip(windows.user, windows.start, windows.length, strict=True))
    assert listed == naive.cut_windows(indptr, length)
    assert np.bincount(windows.user, minlength=len(lengths)).tolist() == [-(-max(m - 1, 0) // length) for m in lengths]


@FEW
@given(st.integers(1, 20).flatmap(lambda T: st.tuples(st.just(T), st.lists(st.integers(1, T), max_size=60))))
def test_packing_is_best_fit_decreasing(example):
    capacity, lengths = example
    assert as_lists(pack_windows(lengths, capacity)) == naive.pack_windows(lengths, capacity)


@FEW
@given(HISTORIES, st.integers(1, 9), st.integers(0, 6), st.booleans())
def test_each_transition_appears_once_in_its_own_segment(lengths, length, spare, packed):
    indptr = pointers(lengths)
    items = np.arange(indptr[-1], dtype=np.int32) + 1  # every event its own id: a transition is known by its input
    windows = cut_windows(indptr, length)
    capacity = length + spare
    packing = pack_windows(windows.length, capacity) if packed else one_per_row(len(windows))
    batch = fill_windows(np.arange(packing.n_rows), packing, windows, items, capacity)
    filled = batch.segments > 0
    owner = np.repeat(np.arange(len(lengths)), lengths)
    expected = sorted(set(items.tolist()) - set(items[indptr[1:] - 1].tolist())) if len(items) else []
    assert sorted(batch.items[filled].tolist()) == expected  # each but the users' last events, once
    np.testing.assert_array_equal(batch.targets[filled], batch.items[filled] + 1)
    np.testing.assert_array_equal(batch.users[filled], owner[batch.items[filled] - 1])
    for name, empty in (("items", 0), ("targets", 0), ("positions", 0), ("users", -1)):
        assert (getattr(batch, name)[~filled] == empty).all()
    for row in range(packing.n_rows):
        segments = batch.segments[row]
        numbers = segments[segments > 0]
        assert (np.diff(numbers) >= 0).all() and (segments[len(numbers) :] == 0).all()
        assert sorted(set(numbers.tolist())) == list(range(1, int(numbers.max()) + 1))
        for segment in set(numbers.tolist()):
            here = segments == segment
            assert len(set(batch.users[row][here].tolist())) == 1
            np.testing.assert_array_equal(batch.positions[row][here], np.arange(here.sum())[::-1])
            np.testing.assert_array_equal(np.diff(batch.items[row][here]), 1)  # consecutive events


def test_large_packing_keeps_capacity_and_every_window():
    lengths = np.random.default_rng(0).integers(1, 51, 20_000)
    packing = pack_windows(lengths, 64)
    assert collections.Counter(packing.windows.tolist()) == collections.Counter(range(len(lengths)))
    sums = np.add.reduceat(lengths[packing.windows], packing.indptr[:-1])
    assert sums.max() <= 64
    assert packing.n_rows <= 11 / 9 * np.ceil(lengths.sum() / 64) + 1  # the bound of best-fit decreasing


def test_filling_does_not_depend_on_threads_or_on_other_rows():
    rng = np.random.default_rng(1)
    indptr = pointers(rng.integers(0, 60, 2000))
    items = rng.integers(0, 1000, indptr[-1]).astype(np.int32)
    windows = cut_windows(indptr, 20)
    packing = pack_windows(windows.length, 24)
    rows = rng.permutation(packing.n_rows)
    one = fill_windows(rows, packing, windows, items, 24, threads=1)
    many = fill_windows(rows, packing, windows, items, 24, threads=5)
    part = fill_windows(rows[100:200], packing, windows, items, 24)
    for field in dataclasses.fields(one):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(many, field.name))
        np.testing.assert_array_equal(getattr(one, field.name)[100:200], getattr(part, field.name))


def test_windows_refuse_what_does_not_fit():
    windows = cut_windows([0, 5, 9], 4)
    packing = pack_windows(windows.length, 8)
    items = np.arange(9, dtype=np.int32)
    with pytest.raises(ValueError, match="length is 0"):
        cut_windows([0, 5], 0)
    with pytest.raises(ValueError, match="indptr falls at user 1"):
        cut_windows([0, 5, 3], 4)
    with pytest.raises(ValueError, match=r"lengths\[1\] is 9; lengths of windows for rows of capacity 8"):
        pack_windows([1, 9], 8)
    with pytest.raises(ValueError, match="row 0 of the packing does not fit a capacity of 6 slots"):
        fill_windows([0], packing, windows, items, 6)
    with pytest.raises(ValueError, match=r"window 1 \(start 5, length 3\) reaches outside the 8 items"):
        fill_windows([0], packing, windows, items[:8], 8)
    with pytest.raises(ValueError, match="names window 2; there are 2"):
        fill_windows([2], one_per_row(3), windows, items, 8)
    with pytest.raises(ValueError, match=r"rows\[0\] is 1"):
        fill_windows([1], packing, windows, items, 8)
