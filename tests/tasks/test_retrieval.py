"""Retrieval: the losses that a config names get the scores, the catalogue and the calibration that they need."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu import losses
from mu.data.batches.histories import HistoryBatches
from mu.nn.evidence import EvidenceOffset
from mu.tasks.retrieval import Retrieval
from tests.helpers.small_logs import log_of

B, T, K, V, D = 2, 3, 5, 40, 4
KEYS = jax.random.split(jax.random.key(0), 4)
ROWS = {"items": jax.random.normal(KEYS[0], (V, D)), "bias": jax.random.normal(KEYS[1], (V,))}
QUERIES = jax.random.normal(KEYS[2], (B, T, D))


class Fixed:
    """A model whose queries are given."""

    def __call__(self, rows, batch, key=None):
        self.key = key
        return {"queries": QUERIES}

    def item_vectors(self, rows):
        return rows["items"], rows["bias"]


@pytest.mark.parametrize("per", ["position", "row"])
@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_gbce_knows_the_catalogue_and_its_calibration(per, calibration):
    random = np.random.default_rng(0)
    negatives = random.integers(0, V, (B, T if per == "position" else 1, K)).astype(np.int32)
    batch = {
        "targets": random.integers(0, V, (B, T)).astype(np.int32),
        "weights": np.ones((B, T), np.float32),
        "negatives": negatives,
        "log_q": np.full(negatives.shape, -np.log(V), np.float32),
    }
    task = Retrieval(loss="gbce", n_items=V, calibration=calibration)
    values, _ = task.loss(Fixed(), ROWS, batch, None)
    scores = jnp.einsum("btd,vd->btv", QUERIES, ROWS["items"]) + ROWS["bias"][None, None]
    positive = np.take_along_axis(np.asarray(scores), batch["targets"][..., None], 2)[..., 0]
    negative = np.take_along_axis(np.asarray(scores), np.broadcast_to(negatives, (B, T, K)), 2)
    expected = losses.gbce(positive, negative, n_items=V, calibration=calibration)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)


SHAPES = {"position": (B, T, K), "row": (B, 1, K), "batch": (K,)}


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr", "bce", "gbce"])
@pytest.mark.parametrize("per", SHAPES)
def test_shared_negatives_are_those_of_each_query(per, loss):
    """The three shapes of negatives say the same as the same negatives given to each query."""
    random = np.random.default_rng(0)
    negatives = random.integers(0, V, SHAPES[per]).astype(np.int32)
    batch = {"targets": random.integers(0, V, (B, T)).astype(np.int32), "weights": np.ones((B, T), np.float32)}
    task = Retrieval(loss=loss, n_items=V)

    def values(negatives):
        drawn = {"negatives": negatives, "log_q": np.full(negatives.shape, -np.log(V), np.float32)}
        return task.loss(Fixed(), ROWS, batch | drawn, None)[0]

    np.testing.assert_allclose(values(negatives), values(np.broadcast_to(negatives, (B, T, K)).copy()), rtol=1e-5)


def test_a_draw_that_is_no_candidate_counts_nothing():
    """The loss is that of the candidates alone, each counted as one of K; without any it is 0 and has no gradient."""
    negatives, candidates = np.arange(K, dtype=np.int32), np.zeros((B, T, K), bool)
    candidates[0, :, :2] = True
    batch = {
        "targets": np.full((B, T), 30, np.int32),
        "weights": np.ones((B, T), np.float32),
        "negatives": negatives,
        "log_q": np.full(K, -np.log(V), np.float32),
        "candidates": candidates,
    }
    task = Retrieval(loss="sampled_softmax", n_items=V)
    values, gradient = jax.value_and_grad(lambda rows: task.loss(Fixed(), rows, batch, None)[0].sum())(ROWS)
    scores = np.asarray(jnp.einsum("btd,vd->btv", QUERIES, ROWS["items"]) + ROWS["bias"][None, None], np.float64)[0]
    total = V / K * np.exp(scores[:, :2]).sum(1)
    np.testing.assert_allclose(values, np.log1p(total / np.exp(scores[:, 30])).sum(), rtol=1e-5)
    assert np.isfinite(gradient["items"]).all() and (np.flatnonzero(gradient["bias"]) == [0, 1, 30]).all()


@pytest.mark.parametrize("popular", [0.0, 0.4])
def test_shared_draws_estimate_the_sum_over_what_the_listener_has_not_played(popular):
    """Over many draws the mean of e^loss e^s - e^s is the sum of e^s over these items: log q is right, sign and all."""
    n_users = 5  # each plays the tracks of a residue class, so that a track says whose play it is
    # Tracks below 10 are played three times as often as others.
    log = log_of([[*range(user, V, n_users), user, user + 5, user, user + 5] for user in range(n_users)], V)
    per_batch = {"negatives_per": "batch", "popular_negatives": popular}
    batches = HistoryBatches(log, window=T, rows=B, negatives=K, sparse=False, seed=3, **per_batch)
    task = Retrieval(loss="sampled_softmax", n_items=V)
    scores = np.asarray(jnp.einsum("btd,vd->btv", QUERIES, ROWS["items"]) + ROWS["bias"][None, None], np.float64)
    examples = np.arange(B)
    targets = batches.batch(examples, 0)["targets"]
    own = np.take_along_axis(scores, targets[..., None], 2)[..., 0]
    values = jax.jit(lambda batch: task.loss(Fixed(), ROWS, batch, None)[0])

    def total(step):
        batch = batches.batch(examples, step)
        return np.expm1(np.asarray(values({**batch, **batch["shared"]}), np.float64)) * np.exp(own)

    totals = np.stack([total(step) for step in range(1500)])
    unplayed = np.arange(V) % n_users != targets[..., None] % n_users
    expected, error = (np.exp(scores) * unplayed).sum(2), totals.std(0) / np.sqrt(len(totals))
    filled = batches.batch(examples, 0)["weights"] > 0
    assert (np.abs(totals.mean(0) - expected) < 4.5 * error)[filled].all() and (error < 0.1 * expected)[filled].all()


@pytest.mark.parametrize("per", SHAPES)
def test_evidence_is_added_to_scores(per):
    """As if the bias of each query's items were the offset; not with dropout 1, and not with weights 0."""
    random = np.random.default_rng(0)
    negatives = random.integers(0, V, SHAPES[per]).astype(np.int32)
    batch = {
        "targets": random.integers(0, V, (B, T)).astype(np.int32),
        "weights": np.ones((B, T), np.float32),
        "negatives": negatives,
        "log_q": np.full(negatives.shape, -np.log(V), np.float32),
    }
    counts = {
        "target_evidence": np.maximum(random.normal(size=(B, T)), 0).astype(np.float32),
        "target_popularity": random.normal(size=(B, T)).astype(np.float32),
        "negative_evidence": np.maximum(random.normal(size=(B, T, K)), 0).astype(np.float32),
        "negative_popularity": random.normal(size=negatives.shape).astype(np.float32),
    }
    model, task = Fixed(), Retrieval(loss="sampled_softmax", n_items=V)
    model.evidence_offset = EvidenceOffset()
    alpha, beta, gamma, delta = 2.9, 3.5, 0.11, 0.73

    def offset(evidence, popularity):
        return np.where(evidence > 0, alpha * evidence + beta + gamma * popularity, delta * popularity)

    own = offset(counts["target_evidence"], counts["target_popularity"])
    others = offset(counts["negative_evidence"], counts["negative_popularity"])
    scores = np.asarray(jnp.einsum("btd,vd->btv", QUERIES, ROWS["items"]) + ROWS["bias"][None, None])
    positive = np.take_along_axis(scores, batch["targets"][..., None], 2)[..., 0] + own
    negative = np.take_along_axis(scores, np.broadcast_to(negatives, (B, T, K)), 2) + others
    expected = losses.sampled_softmax(positive, negative, np.full((1, 1, K), -np.log(V), np.float32))
    both = batch | counts
    values = task.loss(model, ROWS, both, None)[0]
    np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)

    without = task.loss(Fixed(), ROWS, batch, None)[0]
    key = jax.random.key(3)
    dropped = Retrieval(loss="sampled_softmax", n_items=V, evidence_dropout=0.5).loss(model, ROWS, both, key)[0]
    with_it, without_it = np.isclose(dropped, values, rtol=1e-5), np.isclose(dropped, without, rtol=1e-5)
    assert (with_it ^ without_it).all() and with_it.any() and without_it.any()
    # The model has a key of its own, from which it cannot split that of the draws; without evidence it has the step's.
    own_key, model_key = jax.random.split(key)
    assert model.key == model_key
    np.testing.assert_array_equal(with_it, jax.random.bernoulli(own_key, 0.5, (B, T)))
    task.loss(model, ROWS, batch, key)
    assert model.key == key
    model.evidence_offset.weights[...] = jnp.zeros(4)
    np.testing.assert_array_equal(task.loss(model, ROWS, both, None)[0], without)


def test_a_full_softmax_takes_no_evidence():
    batch = {"targets": np.zeros((B, T), np.int32), "weights": np.ones((B, T)), "target_evidence": np.zeros((B, T))}
    with pytest.raises(ValueError, match=r"batches.evidence goes with a sampled loss"):
        Retrieval(loss="full_softmax", n_items=V).loss(Fixed(), ROWS, batch, None)
