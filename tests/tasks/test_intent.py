"""Intent beside retrieval: the loss of each head, what is not known, and the logits at inference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.nn.intent import IntentHeads
from mu.nn.normalise import standardised
from mu.tasks.intent import INTENTS, intent_loss
from mu.tasks.retrieval import Retrieval

B, T, D, V = 2, 3, 4, 6
QUERIES = jax.random.normal(jax.random.key(0), (B, T, D))
VECTORS = jax.random.normal(jax.random.key(1), (V, D))
WEIGHTS = {"skip": 0.5, "repeat": 2.0, "completion": 1.0, "recent_repeat": 0.3}
KERNEL = np.asarray(jax.random.normal(jax.random.key(2), (D, 4)))
BATCH = {
    "targets": np.array([[0, 1, 2], [3, 4, 5]], np.int32),
    "weights": np.ones((B, T), np.float32),
    "next_outcomes": np.array([[0, 1, 2], [2, 0, 1]], np.int32),
    "next_earlier_plays": np.array([[0, 3, 0], [1, 0, 0]], np.int32),
    "next_recent_repeats": np.array([[False, False, True], [True, False, False]]),
    "habits": np.random.default_rng(0).standard_normal((B, T, 4)).astype(np.float32),
    "last": np.array([1, -1], np.int32),
}


class Model:
    """Fixed queries, and linear heads of them."""

    def __call__(self, rows, batch, key=None):
        return {"queries": QUERIES}

    def item_vectors(self, rows):
        return VECTORS, None

    def intent_heads(self, queries, habits):
        return standardised(queries) @ KERNEL + 2 * habits


def softplus(x):
    return np.logaddexp(0, x)


def test_the_loss_is_the_cross_entropy_of_what_is_known_beside_that_of_the_track():
    plain = Retrieval(loss="full_softmax", n_items=V).loss(Model(), {}, BATCH, None)[0]
    both, weights = Retrieval(loss="full_softmax", n_items=V, intent=WEIGHTS).loss(Model(), {}, BATCH, None)
    logits = np.asarray(Model().intent_heads(QUERIES, BATCH["habits"]), np.float64)
    expected = np.asarray(plain, np.float64)
    for b, t in np.ndindex(B, T):
        skip, repeat, completion, recent = logits[b, t]
        outcome = BATCH["next_outcomes"][b, t]
        expected[b, t] += 2.0 * softplus(-repeat if BATCH["next_earlier_plays"][b, t] else repeat)
        expected[b, t] += 0.3 * softplus(-recent if BATCH["next_recent_repeats"][b, t] else recent)
        if outcome:
            expected[b, t] += 0.5 * softplus(-skip if outcome == 2 else skip)
            expected[b, t] += softplus(-completion if outcome == 1 else completion)
    np.testing.assert_allclose(both, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(weights, BATCH["weights"])


def test_an_unknown_outcome_moves_no_head():
    unknown = {**BATCH, "next_outcomes": np.zeros((B, T), np.int32)}
    gradient = jax.grad(lambda logits: intent_loss(logits, unknown, {"skip": 1.0, "completion": 1.0}).sum())
    assert not np.asarray(gradient(jnp.ones((B, T, 2)))).any()


def test_logits_are_those_after_the_last_play():
    predicted = Retrieval(loss="full_softmax", n_items=V, intent=WEIGHTS).predict(Model(), {}, BATCH)
    after = Model().intent_heads(QUERIES[0, 1], BATCH["habits"][0, 1])
    np.testing.assert_allclose(predicted["intent"][0], after, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(predicted["query"][1], np.zeros(D))
    np.testing.assert_allclose(predicted["intent"][1], Model().intent_heads(jnp.zeros(D), jnp.zeros(4)), atol=1e-6)
    assert "intent" not in Retrieval(loss="full_softmax", n_items=V).predict(Model(), {}, BATCH)


def test_heads_begin_with_the_habit_of_their_name():
    heads = IntentHeads(D, ("skip", "recent_repeat"), INTENTS, rngs=nnx.Rngs(0))
    np.testing.assert_array_equal(heads(QUERIES, BATCH["habits"]), BATCH["habits"][..., [1, 3]])
    assert not np.asarray(IntentHeads(D, ("skip",), rngs=nnx.Rngs(0))(QUERIES)).any()
    with pytest.raises(ValueError, match=r"the batch has none: set batches.habits=True"):
        heads(QUERIES)


def test_an_unknown_intent_is_refused():
    with pytest.raises(ValueError, match=r"intent names 'mood'; known: completion, skip, repeat, recent_repeat"):
        Retrieval(loss="full_softmax", n_items=V, intent={"mood": 1.0})
