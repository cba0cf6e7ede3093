"""ItemIndex: the exact answer whatever is asked of it, by every instruction path, while it changes, from disk."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu_kernels import CSR, ItemIndex, _index_file
from tests.helpers import naive
from tests.helpers.jit import JIT_OFF, needs_jit

FEW = settings(deadline=None, max_examples=40)
ROOT = Path(__file__).resolve().parents[2]


def to_csr(lists, n_columns):
    rows = np.repeat(np.arange(len(lists)), [len(items) for items in lists])
    return CSR.from_pairs(rows, np.array([i for items in lists for i in items], int), len(lists), n_columns)


def assert_answers(hits, expected):
    """`expected`: (ids, scores) a query."""
    for row, (ids, scores) in enumerate(expected):
        assert hits.count[row] == len(ids)
        assert hits.ids[row, : len(ids)].tolist() == list(ids)
        np.testing.assert_array_equal(hits.scores[row, : len(ids)], scores)
        assert (hits.ids[row, len(ids) :] == -1).all() and np.isneginf(hits.scores[row, len(ids) :]).all()


@st.composite
def problems(draw):
    """Vectors of every kind that codes find hard, queries, and all that may be asked of them."""
    n_items, dim = draw(st.integers(1, 90)), draw(st.integers(1, 70))
    n_queries = draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["normal", "integers", "outlier", "shifted", "zeros", "tiny", "huge", "equal"]))
    vectors, queries = rng.standard_normal((n_items, dim)), rng.standard_normal((n_queries, dim))
    if kind == "integers":
        vectors, queries = np.rint(vectors), np.rint(queries)
    elif kind == "outlier":
        vectors[:, 0] *= 1000
    elif kind == "shifted":
        vectors += 100
    elif kind == "zeros":
        vectors[::2], queries[0] = 0, 0
    elif kind == "tiny":
        vectors, queries = vectors * 1e-30, queries * 1e-12
    elif kind == "huge":
        vectors, queries = vectors * 1e15, queries * 1e15
    elif kind == "equal":
        vectors[:] = vectors[0]
    bias = rng.standard_normal(n_items) * np.abs(vectors).max() if draw(st.booleans()) else None
    sets = st.sets(st.integers(0, n_items - 1))
    lists = [[sorted(draw(sets)) for _ in range(n_queries)] if draw(st.booleans()) else None for _ in range(2)]
    allow = rng.random(n_items) < 0.5 if draw(st.booleans()) else None
    groups = rng.integers(-3, 4, n_items) if draw(st.booleans()) else None
    return vectors.astype(np.float32), queries.astype(np.float32), bias, *lists, allow, groups


@FEW
@given(problems(), st.integers(1, 100))
def test_top_k_equals_its_slow_twin(problem, k):
    vectors, queries, bias, exclude, candidates, allow, groups = problem
    n_items = len(vectors)
    expected = naive.index_top_k(vectors, queries, k, bias, exclude, candidates, allow, groups, 2)
    hits = ItemIndex(vectors, bias, groups).top_k(
        queries,
        k,
        exclude=None if exclude is None else to_csr(exclude, n_items),
        candidates=None if candidates is None else to_csr(candidates, n_items),
        allow=allow,
        max_per_group=None if groups is None else 2,
    )
    assert_answers(hits, expected)


def clustered(rng, n_items, dim):
    """Like trained embeddings: clusters, norms that vary, a common direction."""
    centres = rng.standard_normal((20, dim))
    vectors = centres[rng.integers(0, 20, n_items)] + 0.5 * rng.standard_normal((n_items, dim)) + 0.5
    return (vectors * rng.lognormal(0, 0.3, (n_items, 1))).astype(np.float32)


LARGE = [(70_000, 24, 10), (30_000, 100, 2000), (20_000, 128, 1)]
SOME = [(70_000, 24, 10, 1), (30_000, 100, 2000, 3), (20_000, 128, 1, 40)]  # the others take longest


@needs_jit("70,000 items are scanned one by one")
@pytest.mark.parametrize(
    ("n_items", "dim", "k", "n_queries"),
    [
        pytest.param(*large, n_queries, marks=() if (*large, n_queries) in SOME else pytest.mark.slow)
        for large in LARGE
        for n_queries in (1, 3, 40)
    ],
)
def test_samples_and_scans_find_the_exact_answer(n_items, dim, k, n_queries):
    """Large enough for samples, guesses and several parts; sorted by cluster, which samples see badly."""
    rng = np.random.default_rng(n_items + n_queries)
    vectors = clustered(rng, n_items, dim)
    vectors = vectors[np.argsort(vectors @ rng.standard_normal(dim))]
    queries = vectors[rng.integers(0, n_items, n_queries)] + 0.1
    groups = rng.integers(0, n_items // 3, n_items)
    exclude = [np.sort(rng.choice(n_items, n_items // 2, replace=False)) for _ in range(n_queries)]
    index = ItemIndex(vectors, groups=groups)
    for out, group_limit in ((None, None), (exclude, None), (exclude, 1)):
        expected = naive.index_top_k(vectors, queries, k, None, out, None, None, groups if group_limit else None, 1)
        for threads in (1, 3):
            rows = None if out is None else to_csr(out, n_items)
            assert_answers(index.top_k(queries, k, rows, max_per_group=group_limit, threads=threads), expected)


@needs_jit("40,000 items are scanned one by one")
def test_filters_of_any_selectivity_keep_recall_at_one():
    rng = np.random.default_rng(5)
    vectors, queries = clustered(rng, 40_000, 32), clustered(rng, 6, 32)
    index = ItemIndex(vectors)
    for one_in in (2, 50, 1000, 10_000):
        allow = np.zeros(40_000, bool)
        allow[rng.choice(40_000, 40_000 // one_in, replace=False)] = True
        expected = naive.index_top_k(vectors, queries, 20, None, None, None, allow, None, 0)
        assert_answers(index.top_k(queries, 20, allow=allow), expected)
        lists = to_csr([np.flatnonzero(allow)] * 6, 40_000)
        assert_answers(index.top_k(queries, 20, candidates=lists), expected)


def test_codes_that_say_nothing_still_give_the_exact_answer():
    """One dimension dwarfs those that decide: every item may belong in the answer as far as codes know."""
    rng = np.random.default_rng(0)
    n_items = 300 if JIT_OFF else 12_000
    vectors = rng.standard_normal((n_items, 8)).astype(np.float32)
    vectors[:, 0] = rng.choice([-1e4, 1e4], n_items)
    queries = rng.standard_normal((2, 8)).astype(np.float32)
    queries[:, 0] = 0
    expected = naive.index_top_k(vectors, queries, 5, None, None, None, None, None, 0)
    assert_answers(ItemIndex(vectors).top_k(queries, 5), expected)


@pytest.mark.filterwarnings("ignore:(overflow|invalid):RuntimeWarning")  # NumPy's, where the JIT is off
@pytest.mark.parametrize("kind", ["far bias", "denormal", "cancelling", "zero queries"])
def test_numbers_at_the_ends_of_float32(kind):
    """Bounds that overflow or underflow, and sums that cancel, decide nothing."""
    rng = np.random.default_rng(8)
    n_items, bias = 300 if JIT_OFF else 20_480, None
    vectors, queries = rng.standard_normal((n_items, 4)), rng.standard_normal((6, 4))
    if kind == "far bias":
        queries, bias = queries * 1e-25, -1e20 * (1 + rng.random(n_items))
    elif kind == "denormal":
        vectors, queries = (rng.random((n_items, 1)) + 0.1) * 1e-28, np.full((6, 1), 3e-17)
    elif kind == "cancelling":
        common = np.full(40, 1e14)
        vectors = np.hstack([np.tile(common, (n_items, 1)), 1e-2 * rng.standard_normal((n_items, 8))])
        vectors[::16, 40:] *= 3  # what samples see is better than the rest
        signs = np.repeat(rng.standard_normal((6, 20)), 2, axis=1) * np.tile([1, -1], 20)
        queries = np.hstack([signs, rng.standard_normal((6, 8))])
    else:
        queries[:] = 0
    vectors, queries = vectors.astype(np.float32), queries.astype(np.float32)
    index = ItemIndex(vectors, bias)
    every = to_csr([np.arange(n_items)] * 6, n_items)
    expected, hits = index.top_k(queries, 10, candidates=every), index.top_k(queries, 10)
    np.testing.assert_array_equal(hits.ids, expected.ids)
    np.testing.assert_array_equal(hits.scores, expected.scores)
    place = 7
    ranks = index.rank_of(queries, CSR(np.arange(7), hits.ids[:, place], n_items))
    own, all_scores = hits.scores[:, place], index.top_k(queries, n_items).scores
    assert ranks.greater.tolist() == (all_scores > own[:, None]).sum(1).tolist()
    assert ranks.equal.tolist() == (all_scores == own[:, None]).sum(1).tolist()


def test_an_index_of_nothing_grows():
    index = ItemIndex(np.zeros((0, 3)))
    assert index.top_k(np.ones((2, 3)), 4).count.tolist() == [0, 0]
    index.add([[1.0, 0, 0], [2.0, 0, 0]])
    assert index.top_k(np.ones((1, 3)), np.uint8(4)).ids.tolist() == [[1, 0, -1, -1]]
    assert index.top_k(np.ones((0, 3)), 4).ids.shape == (0, 4)
    index.remove([0, 1])
    assert index.top_k(np.ones((1, 3)), 4).count.tolist() == [0]


def test_groups_that_cannot_fill_the_answer():
    rng = np.random.default_rng(9)
    n_items = 400 if JIT_OFF else 30_000
    vectors, groups = rng.standard_normal((n_items, 8)).astype(np.float32), rng.integers(0, 7, n_items)
    queries = rng.standard_normal((2, 8)).astype(np.float32)
    hits = ItemIndex(vectors, groups=groups).top_k(queries, 30, max_per_group=2)
    assert hits.count.tolist() == [14, 14]
    assert_answers(hits, naive.index_top_k(vectors, queries, 30, None, None, None, None, groups, 2))


def test_add_update_and_remove_are_seen_by_the_next_query():
    """A random walk of changes: after each the index answers as one built anew, and so do ranks."""
    rng = np.random.default_rng(1)
    vectors, bias, groups = rng.standard_normal((30, 9)).astype(np.float32), rng.standard_normal(30), np.arange(30) % 4
    original = vectors.copy()
    index = ItemIndex(vectors, bias, groups)
    mine, my_bias, my_groups, present = vectors.copy(), bias.copy(), groups.copy(), np.ones(30, bool)
    queries = rng.standard_normal((3, 9)).astype(np.float32)
    for turn in range(12):
        if turn % 3 == 0:
            new = rng.standard_normal((400 * (turn == 6) + 5, 9)).astype(np.float32)
            new_bias, new_groups = rng.standard_normal(len(new)), rng.integers(0, 9, len(new))
            ids = index.add(new, new_bias, new_groups)
            assert ids.tolist() == list(range(len(mine), len(mine) + len(new)))
            mine, my_bias = np.concatenate([mine, new]), np.concatenate([my_bias, new_bias])
            my_groups, present = np.concatenate([my_groups, new_groups]), np.append(present, np.ones(len(new), bool))
        elif turn % 3 == 1:
            ids = rng.choice(np.flatnonzero(present), 7, replace=False)
            index.remove(ids)
            present[ids] = False
        else:
            ids = rng.choice(len(mine), 6, replace=False)
            mine[ids] = rng.standard_normal((6, 9))
            index.update(ids, mine[ids])
            present[ids] = True
        expected = naive.index_top_k(mine, queries, 25, my_bias, None, None, present, my_groups, 5)
        assert_answers(index.top_k(queries, 25, max_per_group=5), expected)
        all_hits = index.top_k(queries, len(mine))
        places = rng.integers(0, all_hits.count.min(), 3)
        ranks = index.rank_of(queries, CSR(np.arange(4), all_hits.ids[np.arange(3), places], len(mine)))
        assert ranks.greater.tolist() == places.tolist() and (ranks.equal == 1).all()
    np.testing.assert_array_equal(vectors, original)  # the caller's array is the caller's
    assert index.n_items == len(mine)


def test_vectors_of_bfloat16_are_floating_point_numbers():
    """NumPy does not count the types of JAX among its own."""
    rng = np.random.default_rng(3)
    vectors, queries = (rng.standard_normal((n, 8)).astype(ml_dtypes.bfloat16) for n in (60, 4))
    found = ItemIndex(vectors, vectors[:, 0]).top_k(queries, 5)
    whole = ItemIndex(vectors.astype(np.float32), vectors[:, 0].astype(np.float32))
    expected = whole.top_k(queries.astype(np.float32), 5)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.scores, expected.scores)
    with pytest.raises(TypeError, match="is of type int4; it must hold floating-point numbers"):
        ItemIndex(vectors.astype(ml_dtypes.int4))


def test_a_saved_index_answers_the_same(tmp_path):
    rng = np.random.default_rng(2)
    index = ItemIndex(rng.standard_normal((500, 12)), rng.standard_normal(500), rng.integers(0, 20, 500))
    index.remove([3, 4])
    queries = rng.standard_normal((5, 12))
    expected = index.top_k(queries, 20, max_per_group=2)
    path = tmp_path / "tracks.index"
    index.save(path)
    before = path.read_bytes()
    for found in (ItemIndex.load(path), ItemIndex.load(path, mmap=True), pickle.loads(pickle.dumps(index))):
        hits = found.top_k(queries, 20, max_per_group=2)
        np.testing.assert_array_equal(hits.ids, expected.ids)
        np.testing.assert_array_equal(hits.scores, expected.scores)
        found.update([3], 100 * rng.standard_normal((1, 12)))
        assert found.add(rng.standard_normal((1, 12)), [0.0], [1]).tolist() == [500]
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["tracks.index"]


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "tracks.index"
    ItemIndex(np.ones((50, 4))).save(path)
    good = path.read_bytes()
    cases = {
        "it was cut short or grew": good[:-1],
        "is not a saved ItemIndex": b"PK" + good[2:],
        "format version 7; this mu_kernels reads 1": good[:8] + b"\x07" + good[9:],
        "its header does not have the checksum": good[:30] + b"?" + good[31:],
    }
    for message, content in cases.items():
        path.write_bytes(content)
        for mmap in (False, True):
            with pytest.raises(ValueError, match=message):
                ItemIndex.load(path, mmap=mmap)
    path.write_bytes(good[:4100] + bytes([good[4100] ^ 1]) + good[4101:])
    with pytest.raises(ValueError, match="'vectors' does not have the checksum"):
        ItemIndex.load(path)
    with pytest.raises(FileNotFoundError):
        ItemIndex.load(tmp_path / "none.index")


LIES = {
    "n_items is": lambda n, a: n.update(n_items=-1),
    "n_items is 1": lambda n, a: n.update(n_items=10**12),
    "n_items is 2.5": lambda n, a: n.update(n_items=2.5),
    "present has 64 entries; there are 1025": lambda n, a: n.update(n_items=1025),
    "'vectors' is float32 of shape": lambda n, a: n.update(n_items=49),
    "it has the numbers": lambda n, a: n.update(more=1),
    "largest_norm is None": lambda n, a: n.update(largest_norm=None),
    "largest_norm is nan": lambda n, a: n.update(largest_norm=float("nan")),
    "largest_norm is 1e": lambda n, a: n.update(largest_norm=1e30),
    "'groups' is int64 of shape": lambda n, a: a.update(groups=a["groups"][:3]),
    "'item_bias' is float64": lambda n, a: a.update(item_bias=a["item_bias"].astype(np.float64)),
    "'high' is uint32 of shape": lambda n, a: a.update(high=a["high"][:-1]),
    "'low' is uint32 of shape": lambda n, a: a.update(low=a["low"][:, :8]),
    "'bounds' is float32 of shape": lambda n, a: a.update(bounds=a["bounds"][:, :2]),
    "vectors has shape": lambda n, a: a.update(vectors=a["vectors"][0]),
    "'extra' is": lambda n, a: a.update(extra=np.zeros(1)),
    "it has no 'mean'": lambda n, a: a.pop("mean"),
    "'mean' holds numbers": lambda n, a: a.update(mean=np.full(4, np.nan)),
    "'mean' holds numbers that": lambda n, a: a.update(mean=np.full(4, 1e300)),
    "'scale' holds numbers": lambda n, a: a.update(scale=a["scale"] * -1),
    "'bounds' holds numbers": lambda n, a: a.update(bounds=a["bounds"] + np.float32(np.inf)),
    "'bias' holds numbers": lambda n, a: a.update(bias=a["bias"] + np.float32(np.nan)),
    "'item_bias' holds numbers": lambda n, a: a.update(item_bias=a["item_bias"] + np.float32(np.inf)),
    "'present' names items beyond the 50": lambda n, a: a.update(present=a["present"] | 0x8000),
}


@pytest.mark.parametrize("message", LIES)
def test_arrays_that_do_not_go_together_are_refused_before_a_kernel_reads_them(tmp_path, message):
    """Each with checksums that are right, mapped or not."""
    path = tmp_path / "tracks.index"
    ItemIndex(np.arange(200.0).reshape(50, 4), np.arange(50.0), np.arange(50)).save(path)
    numbers, arrays = _index_file.load(path, False, ())
    LIES[message](numbers, arrays)
    _index_file.save(path, numbers, arrays)
    for mmap in (False, True):
        with pytest.raises(ValueError, match=rf"tracks.index is damaged: {message}.*; save the index anew"):
            ItemIndex.load(path, mmap=mmap)


@pytest.mark.parametrize(
    "entry",
    [
        {"offset": 1 << 40},
        {"offset": -4096},
        {"offset": 100},
        {"shape": [1 << 40]},
        {"shape": [-5, 4]},
        {"dtype": "|O"},
    ],
)
def test_a_header_that_points_outside_of_the_file_is_refused(tmp_path, entry):
    path = tmp_path / "tracks.index"
    ItemIndex(np.ones((50, 4))).save(path)
    content = path.read_bytes()
    _, version, length, _ = _index_file.PREFIX.unpack(content[: _index_file.PREFIX.size])
    header = json.loads(content[_index_file.PREFIX.size : _index_file.PREFIX.size + length])
    header["arrays"]["mean"] |= entry
    text = json.dumps(header).encode()
    prefix = _index_file.PREFIX.pack(_index_file.MAGIC, version, len(text), zlib.crc32(text))
    path.write_bytes(prefix + text + content[_index_file.PREFIX.size + len(text) :])
    for mmap in (False, True):
        with pytest.raises(ValueError, match=r"tracks.index is damaged: its header describes no arrays"):
            ItemIndex.load(path, mmap=mmap)


# Without the JIT, NumPy warns of the numbers that damage makes.
@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")
def test_mapped_arrays_of_one_number_an_item_are_checked_and_damage_of_the_others_ends(tmp_path):
    rng = np.random.default_rng(4)
    path = tmp_path / "tracks.index"
    ItemIndex(rng.standard_normal((300, 8)), rng.standard_normal(300), rng.integers(0, 9, 300)).save(path)
    good, queries = path.read_bytes(), rng.standard_normal((40, 8))
    numbers, arrays = _index_file.load(path, False, ())
    header = json.loads(good[_index_file.PREFIX.size :].split(b"\0")[0].rpartition(b"}")[0] + b"}")
    for name, entry in header["arrays"].items():
        place = entry["offset"] + arrays[name].nbytes // 2
        path.write_bytes(good[:place] + bytes([good[place] ^ 64]) + good[place + 1 :])
        if name not in ("vectors", "high", "low"):
            with pytest.raises(ValueError, match=f"tracks.index is damaged: '{name}' does not have the checksum"):
                ItemIndex.load(path, mmap=True)
    for name in ("vectors", "high", "low"):
        broken = {**arrays, name: np.full_like(arrays[name], np.nan if name == "vectors" else 0xDEADBEEF)}
        _index_file.save(path, numbers, broken)
        index = ItemIndex.load(path, mmap=True)
        for some in (queries[:1], queries):
            for options in ({}, {"max_per_group": 2}, {"exact": False}):
                ids = index.top_k(some, 10, **options).ids
                assert ((ids >= -1) & (ids < 300)).all()


def test_a_save_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "tracks.index"
    index = ItemIndex(np.ones((50, 4)))
    index.save(path)
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        index.save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@needs_jit("30,000 items are scanned one by one")
def test_the_approximate_mode_says_its_recall():
    rng = np.random.default_rng(3)
    vectors, queries = clustered(rng, 30_000, 64), clustered(rng, 200, 64)
    index = ItemIndex(vectors)
    exact, hits = index.top_k(queries, 50), index.top_k(queries, 50, exact=False)
    assert exact.recall is None
    found = np.mean([np.isin(a, b).mean() for a, b in zip(exact.ids, hits.ids, strict=True)])
    assert hits.recall is not None and 0.99 < hits.recall <= 1 and found > 0.99
    checked = np.mean([np.isin(exact.ids[row], hits.ids[row]).mean() for row in range(0, 200, 64)])
    assert hits.recall == pytest.approx(checked)


@needs_jit("Python's lock lets one thread work at a time")
def test_many_threads_query_while_one_changes():
    """Each answer is that of the catalogue before or after a change, never of one in between."""
    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((5000, 16)).astype(np.float32)
    queries = rng.standard_normal((4, 16)).astype(np.float32)
    index = ItemIndex(vectors)
    first = index.top_k(queries, 10).ids
    best = first[:, 0]
    without = index.top_k(queries, 10, allow=np.isin(np.arange(5000), best, invert=True)).ids
    stop = threading.Event()

    def ask(_):
        answers = []
        while not stop.is_set() or not answers:
            answers.append(index.top_k(queries, 10, threads=1).ids)
        return answers

    with ThreadPoolExecutor(32) as pool:
        running = [pool.submit(ask, number) for number in range(32)]
        for _ in range(10):
            index.remove(np.unique(best))
            index.update(np.unique(best), vectors[np.unique(best)])
        stop.set()
        for answers in (thread.result() for thread in running):
            for ids in answers:
                assert (ids == first).all() or (ids == without).all()


def _ask_from_a_process(index, queries, queue):
    queue.put(index.top_k(queries, 5).ids)


@needs_jit("what workers share is compiled code")
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning", "ignore:.*fork.*:RuntimeWarning")
def test_forked_and_spawned_workers_answer_the_same(method):
    rng = np.random.default_rng(6)
    index, queries = ItemIndex(rng.standard_normal((3000, 8))), rng.standard_normal((40, 8))
    expected = index.top_k(queries, 5, threads=2).ids
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    worker = context.Process(target=_ask_from_a_process, args=(index, queries, queue))
    worker.start()
    try:
        np.testing.assert_array_equal(queue.get(timeout=120), expected)
    finally:
        worker.join(10)


# What is asked of each path: all kernels of scores, while an answer is what it was under changes of the index.
COMPILED = "slow_twin or codes_that or add_update"
PATHS = {
    "without VNNI": (
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx,+avx2,+fma,+bmi,+bmi2,+popcnt,+sse4.2"},
        COMPILED,
    ),
    "without vectors": ({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, COMPILED),
    "without compiled code": ({"NUMBA_DISABLE_JIT": "1"}, "nothing_grows or groups_that_cannot"),
}


@needs_jit("this is one of the paths, and the test would start itself")
@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=() if path == "without compiled code" else pytest.mark.slow) for path in PATHS]
)
def test_portable_paths(path):
    """Tests that need no size, in a process that compiles for another CPU or not at all (all: `make test-jit-off`)."""
    variables, chosen = PATHS[path]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen, __file__]
    python_path = os.pathsep.join([str(ROOT), str(ROOT / "kernels")])
    environment = os.environ | variables | {"PYTHONPATH": python_path}
    environment.pop("PYTEST_XDIST_WORKER", None)
    run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    code = "import mu_kernels; print(mu_kernels.instructions())"
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "portable"


def test_it_refuses_what_makes_no_sense():
    index = ItemIndex(np.ones((6, 3)), groups=[0, 1, 1, 2, 2, 2])
    queries = np.ones((2, 3))
    bad = {
        r"allow is int64 of shape \(6,\); it must be bool \[6\]": {"allow": np.ones(6, int)},
        "candidates has 1 rows and 6 columns; there are 2 queries and 6 items": {"candidates": CSR([0, 0], [], 6)},
        "max_per_group is 0": {"max_per_group": 0},
        "threads is 0": {"threads": 0},
    }
    for message, arguments in bad.items():
        with pytest.raises(ValueError, match=message):
            index.top_k(queries, 2, **arguments)
    with pytest.raises(ValueError, match="max_per_group needs groups"):
        ItemIndex(np.ones((6, 3))).top_k(queries, 2, max_per_group=1)
    with pytest.raises(ValueError, match="groups has 2 entries; there are 6 vectors"):
        ItemIndex(np.ones((6, 3)), groups=[1, 2])
    with pytest.raises(ValueError, match="groups is missing; the index was made with it"):
        index.add(np.ones((1, 3)))
    with pytest.raises(ValueError, match="bias was given; the index was made without"):
        index.update([0], np.ones((1, 3)), bias=[1.0])
    with pytest.raises(ValueError, match=r"ids\[1\] is 6; ids lie in \[0, 6\)"):
        index.remove([0, 6])
    with pytest.raises(ValueError, match="ids names item 2 more than once"):
        index.remove([2, 1, 2])
    index.remove([1])
    with pytest.raises(ValueError, match="item 1 was removed already"):
        index.remove([0, 1])
    with pytest.raises(ValueError, match="targets names item 1 in row 1; it was removed"):
        index.rank_of(queries, CSR([0, 1, 2], [0, 1], 6))
    with pytest.raises(ValueError, match=r"vectors has shape \(2, 0\)"):
        ItemIndex(np.ones((2, 0)))


@pytest.mark.slow
def test_long_random_differential():
    """Sizes, kinds and filters at random for two minutes' worth of problems."""
    rng = np.random.default_rng(7)
    for number in range(60):
        n_items, dim, n_queries = int(rng.integers(1, 60_000)), int(rng.integers(1, 200)), int(rng.integers(1, 70))
        vectors = clustered(rng, n_items, dim) if number % 2 else rng.standard_normal((n_items, dim)).astype(np.float32)
        queries = rng.standard_normal((n_queries, dim)).astype(np.float32)
        bias = rng.standard_normal(n_items).astype(np.float32) if number % 3 else None
        allow = rng.random(n_items) < 10 ** rng.uniform(-3, 0) if number % 5 == 0 else None
        k = int(rng.integers(1, min(n_items, 10_000) + 5))
        expected = naive.index_top_k(vectors, queries, k, bias, None, None, allow, None, 0)
        assert_answers(ItemIndex(vectors, bias).top_k(queries, k, allow=allow), expected)
