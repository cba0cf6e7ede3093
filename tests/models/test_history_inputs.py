"""What models of histories read beside track ids: every part counts, for inputs and for candidates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.models.gru4rec import GRU4Rec
from mu.models.hstu import HSTU
from mu.models.sasrec import SASRec
from mu.tasks.retrieval import Retrieval

T, V, ARTISTS = 5, 12, 4
INPUTS = {
    "time_deltas": True,
    "outcomes": True,
    "earlier_plays": True,
    "event_columns": {"device": 3, "mood": 2},
    "hash_size": ARTISTS,
    "item_numbers": 1,
    "neighbours": V,
}
MODELS = {
    "sasrec": lambda rngs, **options: SASRec(dim=8, layers=1, heads=2, window=T, dropout=0.0, **options, rngs=rngs),
    "hstu": lambda rngs, **options: HSTU(dim=8, layers=1, heads=2, window=T, dropout=0.0, **options, rngs=rngs),
    "gru4rec": lambda rngs, **options: GRU4Rec(dim=8, dropout=0.0, **options, rngs=rngs),
}
RANDOM = np.random.default_rng(0)
BATCH = {
    "items": RANDOM.integers(0, V - 1, (3, T)).astype(np.int32),
    "positions": np.tile(np.arange(T, dtype=np.int32)[::-1], (3, 1)),
    "segments": np.ones((3, T), np.int32),
    "time_deltas": RANDOM.integers(0, 5, (3, T)).astype(np.int32),
    "outcomes": RANDOM.integers(0, 3, (3, T)).astype(np.int32),
    "earlier_plays": RANDOM.integers(0, 3, (3, T)).astype(np.int32),
    "event_columns": RANDOM.integers(0, 3, (3, T, 2)).astype(np.int32),
}
UNSEEN = V - 1
COLUMNS = ("device", "mood")


@functools.cache
def made(name):
    """(model with parameters away from zero, its rows; track 11 is not played in training)."""
    graph, state = nnx.split(MODELS[name](nnx.Rngs(0), inputs=INPUTS))
    params = jax.tree.map(lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size).reshape(x.shape)), nnx.to_pure_dict(state))
    rows = {
        "items": 0.3 * jax.random.normal(jax.random.key(0), (V, 8)),
        "item_bias": 0.1 * jnp.ones((V, 1)),
        "plays": jnp.asarray(np.arange(V) != UNSEEN, jnp.float32)[:, None],
        "item_features": jnp.asarray(np.arange(V) % ARTISTS, jnp.int32)[:, None],
        "item_numbers": jnp.asarray(np.stack([np.arange(V) / V, np.zeros(V)], axis=1), jnp.float32),
        "neighbours": jnp.asarray([[(v + 1) % (V - 1), -1] for v in range(V - 1)] + [[-1, -1]], jnp.int32),
    }
    return nnx.merge(graph, params), rows


@functools.cache
def jitted(name):
    graph, state = nnx.split(made(name)[0])
    return jax.jit(lambda rows, batch: nnx.merge(graph, state)(rows, batch))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("told", ["time_deltas", "outcomes", "earlier_plays", "device", "mood"])
def test_what_a_play_says_changes_the_queries_from_there_on(name, told):
    apply, rows = jitted(name), made(name)[1]
    other = {key: array.copy() for key, array in BATCH.items()}
    changed = other[told] if told in BATCH else other["event_columns"][..., COLUMNS.index(told)]
    changed[:, 2] = (changed[:, 2] + 1) % 3
    before, after = (np.asarray(apply(rows, batch)["queries"]) for batch in (BATCH, other))
    np.testing.assert_allclose(before[:, :2], after[:, :2], rtol=1e-5, atol=1e-5)
    assert (np.abs(before[:, 2:] - after[:, 2:]).max(axis=-1) > 1e-4).all()


@pytest.mark.parametrize("name", MODELS)
def test_without_inputs_a_model_is_what_it_was(name):
    """No parameter more, the same initial values, and the same queries."""
    plain, empty = (nnx.split(MODELS[name](nnx.Rngs(0), **options))[1] for options in ({}, {"inputs": {}}))
    first, second = nnx.to_pure_dict(plain), nnx.to_pure_dict(empty)
    jax.tree.map(np.testing.assert_array_equal, first, second)
    assert "inputs" not in first
    more = nnx.to_pure_dict(nnx.split(MODELS[name](nnx.Rngs(0), inputs=INPUTS))[1])
    jax.tree.map(np.testing.assert_array_equal, first, {key: more[key] for key in first})


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("loss", ["full_softmax", "sampled_softmax"])
def test_tracks_of_one_artist_move_together(name, loss):
    """A step away from the loss of one target moves the tracks of its artist as one, and is nothing to other artists
    but for being their negative."""
    model, rows = made(name)
    rows = {**rows, "neighbours": jnp.full((V, 2), -1)}
    graph, state = nnx.split(model)
    batch = BATCH | {
        "targets": np.full((3, T), 2, np.int32),
        "weights": np.ones((3, T), np.float32),
        "negatives": np.full((3, T, 1), 5, np.int32),
        "log_q": np.zeros((3, T, 1), np.float32),
    }
    task = Retrieval(loss=loss, n_items=V)
    gradient = jax.jit(jax.grad(lambda state: task.loss(nnx.merge(graph, state), rows, batch, None)[0].mean()))(state)
    stepped = nnx.merge(graph, jax.tree.map(lambda x, g: x - 0.1 * g, state, gradient))
    if name == "hstu":  # unit vectors
        moved = stepped.inputs.tracks(rows) - model.inputs.tracks(rows)
    else:
        moved = stepped.item_vectors(rows)[0] - model.item_vectors(rows)[0]
    first, second = (one.inputs.scale * one.inputs.from_numbers(rows["item_numbers"]) for one in (model, stepped))
    by_artist = np.asarray(moved - (second - first))
    for track in range(V):
        np.testing.assert_allclose(by_artist[track], by_artist[track % ARTISTS], atol=1e-6)
    assert np.abs(by_artist[2]).max() > 1e-5


@pytest.mark.parametrize("name", MODELS)
def test_a_track_that_training_does_not_play_scores_by_its_features(name):
    """Whatever stands in its row: as the sum of its artist and its number does."""
    model, rows = made(name)
    assert np.asarray(rows["plays"])[UNSEEN] == 0
    noise = {**rows, "items": rows["items"].at[UNSEEN].add(7.0), "item_bias": rows["item_bias"].at[UNSEEN].add(7.0)}
    vectors, bias = model.item_vectors(rows)
    np.testing.assert_array_equal(model.item_vectors(noise)[0], vectors)
    if bias is not None:
        assert bias[UNSEEN] == 0 and (bias[:UNSEEN] != 0).all()
        np.testing.assert_array_equal(model.item_vectors(noise)[1], bias)
    features = model.inputs.track_features.vectors[UNSEEN % ARTISTS]
    features = features + model.inputs.scale * model.inputs.from_numbers(rows["item_numbers"][UNSEEN])
    np.testing.assert_allclose(model.inputs.tracks(rows)[UNSEEN], features, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_the_second_vector_of_a_track_is_a_part_of_those_it_is_a_neighbour_of(name):
    model, rows = made(name)
    graph, state = nnx.split(model)
    pure = nnx.to_pure_dict(state)
    pure["inputs"]["of_neighbours"]["vectors"] = pure["inputs"]["of_neighbours"]["vectors"].at[3].add(1.0)
    moved = nnx.merge(graph, pure).inputs.tracks(rows) - model.inputs.tracks(rows)
    expected = np.zeros((V, 8), np.float32)
    expected[2] = 1.0  # the one track whose neighbour is 3; itself keeps its vector
    np.testing.assert_allclose(moved, expected, atol=1e-6)
