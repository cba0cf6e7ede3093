"""Hard negatives: the best of the sampler's own draws, never an excluded item."""

import importlib

import numpy as np
import pytest

from mu_kernels import CSR, NegativeMixture, NegativeSampler, hard_negatives
from tests.helpers.jit import JIT_OFF

N_ITEMS, N_USERS, DIM = 50, 6, 19
RANDOM = np.random.default_rng(0)
SEEN = CSR.from_pairs(RANDOM.integers(0, N_USERS - 1, 90), RANDOM.integers(0, N_ITEMS, 90), N_USERS, N_ITEMS)
VECTORS = RANDOM.normal(size=(N_ITEMS, DIM)).astype(np.float32)
VECTORS[30:] = VECTORS[:20]  # ties
FEWER = 20 if JIT_OFF else 1
USERS = np.append(np.arange(N_USERS).repeat(60 // FEWER), -1)
QUERIES = RANDOM.normal(size=(len(USERS), DIM)).astype(np.float32)


def best_of(draw, n, candidates):
    """The hardest by slot, ties by lower id, from all the draws at once."""
    ids = draw.ids.reshape(len(draw.ids), n, candidates)
    scores = np.einsum("bd,bncd->bnc", QUERIES[: len(ids)].astype(float), VECTORS[ids].astype(float))
    order = np.lexsort((ids, -scores.round(4)), axis=-1)[..., :1]
    return np.take_along_axis(ids, order, -1)[..., 0], np.take_along_axis(scores, order, -1)[..., 0]


@pytest.mark.parametrize("kind", ["uniform", "dated", "mixture"])
def test_the_hardest_of_the_draws_is_returned(kind, monkeypatch):
    options, n, m = {"seed": 3, "step": 2, "first_row": 5}, 4, 7
    if kind == "uniform":
        sampler = NegativeSampler(SEEN, N_ITEMS)
    elif kind == "dated":
        sampler = NegativeSampler(SEEN, N_ITEMS, weights=np.arange(N_ITEMS), available_from=np.arange(N_ITEMS))
        options["times"] = (np.arange(len(USERS)) % 40 + 9).tolist()
    else:
        sampler = NegativeMixture(SEEN, N_ITEMS, {"uniform": 0.5, "in_batch": 0.5})
        options["batch_items"] = np.arange(0, N_ITEMS, 3)
    hard = hard_negatives(sampler, USERS, n, m, QUERIES, VECTORS, **options)
    ids, scores = best_of(sampler.sample(USERS, n * m, **options), n, m)
    np.testing.assert_array_equal(hard.ids[:-1], ids[:-1])
    np.testing.assert_allclose(hard.scores[:-1], scores[:-1], rtol=0, atol=1e-4)
    assert hard.count.tolist() == [n] * (len(USERS) - 1) + [0]
    assert not hard.ids[-1].any() and not hard.scores[-1].any()
    assert not SEEN.contains(USERS[:-1, None], hard.ids[:-1]).any()
    monkeypatch.setattr(
        importlib.import_module("mu_kernels.hard_negatives"), "BLOCK_DRAWS", 100
    )  # three rows at a time
    for threads in (1, 3):
        again = hard_negatives(sampler, USERS, n, m, QUERIES, VECTORS, threads=threads, **options)
        np.testing.assert_array_equal(hard.ids, again.ids)
        np.testing.assert_array_equal(hard.scores, again.scores)
        np.testing.assert_array_equal(hard.count, again.count)


def test_one_candidate_is_the_draw_itself_and_more_slots_extend_the_row():
    sampler = NegativeSampler(SEEN, N_ITEMS)
    one = hard_negatives(sampler, USERS, 9, 1, QUERIES, VECTORS)
    np.testing.assert_array_equal(one.ids, sampler.sample(USERS, 9).ids)
    few, more = (hard_negatives(sampler, USERS, n, 5, QUERIES, VECTORS).ids for n in (3, 8))
    np.testing.assert_array_equal(few, more[:, :3])
    assert hard_negatives(sampler, USERS, 0, 5, QUERIES, VECTORS).ids.shape == (len(USERS), 0)


def test_bad_scores_and_shapes_are_named():
    sampler = NegativeSampler(SEEN, N_ITEMS)

    def call(queries=QUERIES, vectors=VECTORS, candidates=3, users=USERS, sampler=sampler):
        return hard_negatives(sampler, users, 2, candidates, queries, vectors)

    spoiled = VECTORS.copy()
    spoiled[17, 3] = np.nan
    with pytest.raises(ValueError, match=r"the score of item 17 in row \d+ is nan: .* vectors\[17\] holds NaN"):
        call(vectors=spoiled)
    queries = QUERIES.copy()
    queries[4] = np.inf
    with pytest.raises(ValueError, match=r"in row 4 is .*: queries\[4\]"):
        call(queries=queries)
    with pytest.raises(ValueError, match=r"vectors has shape \(49, 19\); it must be \(50, 19\)"):
        call(vectors=VECTORS[1:])
    with pytest.raises(ValueError, match=r"queries has shape \(3, 19\); it must be"):
        call(queries=QUERIES[:3])
    with pytest.raises(ValueError, match="candidates is 0"):
        call(candidates=0)
    full = NegativeSampler(CSR([0, 0, 2], [0, 1], 2), 2)
    with pytest.raises(ValueError, match=r"user 1 \(users\[2\]\) has nothing left"):
        call(sampler=full, users=np.array([0, 0, 1]), queries=QUERIES[:3], vectors=VECTORS[:2])
