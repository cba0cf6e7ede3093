"""Offsets of played tracks: scores and loss against the equations, in a loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.data.features import HistoryFeatures
from mu.inference.repeats import RepeatRecommender
from mu.models.gru4rec import GRU4Rec
from mu.nn.repeats import RepeatOffset
from mu.tasks.repeats import RepeatRetrieval
from tests.helpers.small_logs import log_of

V, D, T = 7, 4, 5
TASK = RepeatRetrieval(n_items=V)


def made():
    """(model with a pointer, its rows), all values away from zero."""
    model = GRU4Rec(dim=D, dropout=0.0, rngs=nnx.Rngs(0))
    for name, part in TASK.parts(model, nnx.Rngs(1)).items():
        setattr(model, name, part)
    graph, state = nnx.split(model)
    params = jax.tree.map(lambda x: x + 0.3 * jnp.cos(jnp.arange(x.size).reshape(x.shape)), nnx.to_pure_dict(state))
    random = np.random.default_rng(0)
    rows = {"items": random.normal(size=(V, D)), "item_bias": random.normal(size=(V, 1))}
    return graph, params, {name: jnp.asarray(value, jnp.float32) for name, value in rows.items()}


GRAPH, PARAMS, ROWS = made()
HISTORIES = log_of([[1, 2, 1, 3], [], [6, 6, 6, 6, 6, 0, 5]], V)


def scores_of(history, times):
    """float64 [V]: the equations, in a loop."""
    model = nnx.merge(GRAPH, PARAMS)
    n = len(history)
    batch = {"items": jnp.asarray([history], jnp.int32), "segments": jnp.ones((1, n), jnp.int32)}
    query = np.asarray(model(ROWS, batch)["queries"][0, -1], np.float64)
    scores = np.asarray(ROWS["items"], np.float64) @ query + np.asarray(ROWS["item_bias"], np.float64)[:, 0]
    offset = model.repeat_offset
    plays_ago, seconds_ago = (np.asarray(value[...], np.float64) for value in (offset.plays_ago, offset.seconds_ago))
    kernel, constant = (np.asarray(value[...], np.float64) for value in (offset.out.kernel, offset.out.bias))
    said = (query - query.mean()) / np.sqrt(query.var() + 1e-6) @ kernel[:, 0] + constant[0]
    weights = np.zeros(V)
    for place, item in enumerate(history):
        between = seconds_ago[int(np.log2(1 + times[-1] // 1000 - times[place] // 1000))]
        weights[item] += np.exp(said + plays_ago[int(np.log2(1 + n - 1 - place))] + between)
    return scores + np.log(np.where(weights > 0, weights, 1.0))


def test_scores_are_the_equations():
    """Of the window alone: what was played before it has no offset."""
    recommender = RepeatRecommender(
        graph=GRAPH, task=TASK, features=HistoryFeatures(window=T), params=PARAMS, rows=ROWS
    )
    scores = recommender.scores(np.arange(3), HISTORIES)
    for user in (0, 2):
        plays = slice(HISTORIES.indptr[user], HISTORIES.indptr[user + 1])
        history, times = HISTORIES.items[plays][-T:], HISTORIES.times[plays][-T:]
        np.testing.assert_allclose(scores[user], scores_of(history, times), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(scores[1], ROWS["item_bias"][:, 0])  # without plays


def test_the_loss_is_that_of_the_softmax_over_all_scores():
    """With every other track as a negative the estimate is the sum; a target may repeat a play or be new."""
    model = nnx.merge(GRAPH, PARAMS)
    for history, target in (([1, 2, 1, 3], 1), ([1, 2, 1, 3], 3), ([1, 2, 1, 3], 5)):
        n = len(history)
        others = [v for v in range(V) if v not in history and v != target]
        batch = {
            "items": np.array([history], np.int32),
            "targets": np.full((1, n), target, np.int32),
            "segments": np.ones((1, n), np.int32),
            "seconds": np.zeros((1, n), np.int32),
            "weights": np.ones((1, n), np.float32),
            "negatives": np.array([[others]], np.int32),
            "log_q": np.full((1, 1, len(others)), -np.log(len(others)), np.float32),
        }
        loss = TASK.loss(model, ROWS, batch, None)[0][0, -1]
        scores = scores_of(history, np.zeros(n, np.int64))
        assert float(loss) == pytest.approx(np.log(np.exp(scores).sum()) - scores[target], abs=1e-4)


def test_histories_of_a_row_have_their_own_plays_alone_and_empty_places_are_finite():
    """The second history of a row has the loss that it has alone."""
    model = nnx.merge(GRAPH, PARAMS)
    batch = {
        "items": np.array([[1, 2, 2, 4, 0]], np.int32),
        "segments": np.array([[1, 1, 2, 2, 0]], np.int32),
        "targets": np.array([[2, 5, 4, 2, 0]], np.int32),
        "weights": np.ones((1, T), np.float32),
        "negatives": np.full((1, T, 1), 6, np.int32),
        "log_q": np.zeros((1, T, 1), np.float32),
    }
    together, _ = TASK.loss(model, ROWS, batch, None)
    alone, _ = TASK.loss(model, ROWS, {name: array[:, 2:4] for name, array in batch.items()}, None)
    np.testing.assert_allclose(together[:, 2:4], alone, rtol=1e-4, atol=1e-4)
    values, gradient = jax.value_and_grad(
        lambda params: TASK.loss(nnx.merge(GRAPH, params), ROWS, batch, None)[0].sum()
    )(PARAMS)
    assert np.isfinite(values) and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_a_single_play_adds_nothing_at_the_start():
    offset = RepeatOffset(D, rngs=nnx.Rngs(0))
    assert not np.asarray(offset(jnp.ones((2, 3, D)), jnp.zeros((2, 3), jnp.int32))).any()
