"""Laws that every model keeps, in one table: model x law; each model is compiled once a law at most."""

import dataclasses
import functools
import gc
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.models.audio_encoder import AudioEncoder
from mu.models.audio_user import AudioUser
from mu.models.factorization import Factorization
from mu.models.gru4rec import GRU4Rec
from mu.models.hstu import HSTU
from mu.models.lightgcn import LightGCN
from mu.models.ratings import RatingModel
from mu.models.sasrec import SASRec
from mu.nn.heads import Head
from mu.nn.history import EARLIER_PLAYS, TIME_DELTAS
from mu.nn.rating_spec import RatingSpec
from mu.training.sharding import make_mesh, put_batch, replicated

B, T, V, U, R = 8, 6, 30, 9, 5
RATE_HZ, SAMPLES = 4000, 1600
HEADS = {"genre": Head(3)}
INPUTS = {
    "time_deltas": True,
    "outcomes": True,
    "earlier_plays": True,
    "event_columns": {"context": 2, "device": 2},
    "hash_size": 20,
    "item_numbers": 2,
    "neighbours": V,
}
SPEC = RatingSpec({"kind": 4, "age": 5}, ("liked", "disliked"), "genre")
ENCODER = {"size": "xs", "n_mels": 32, "sample_rate_hz": RATE_HZ, "outputs": HEADS}


@dataclasses.dataclass(frozen=True)
class Case:
    """A model with inputs.

    Attributes:
      build: rngs -> module.
      batch: random -> arrays [B, ...], and under 'shared' what all examples share.
      outputs: names with a leading axis B.
      hidden: random, batch -> the batch with other values where its mask hides them; None without a mask.
      padded: batch -> the batch with more of what its mask hides; None without a mask.
      visible: batch -> bool [B, T], places of the outputs that count; None for all.
    """

    build: Callable[[nnx.Rngs], Any]
    batch: Callable[[np.random.Generator], dict[str, np.ndarray]]
    outputs: tuple[str, ...]
    hidden: Callable[..., dict[str, np.ndarray]] | None = None
    padded: Callable[..., dict[str, np.ndarray]] | None = None
    visible: Callable[..., np.ndarray] | None = None


def histories(random):
    """One history a row, then empty places; the first row is full."""
    lengths = np.minimum(np.arange(B) + 1, T)[::-1, None]
    filled = np.arange(T) < lengths
    return {
        "items": random.integers(0, V, (B, T)).astype(np.int32),
        "positions": np.where(filled, lengths - 1 - np.arange(T), 0).astype(np.int32),
        "segments": filled.astype(np.int32),
    }


def events(random):
    return histories(random) | {
        "time_deltas": random.integers(0, TIME_DELTAS, (B, T)).astype(np.int32),
        "outcomes": random.integers(0, 3, (B, T)).astype(np.int32),
        "earlier_plays": random.integers(0, EARLIER_PLAYS, (B, T)).astype(np.int32),
        "event_columns": random.integers(0, 3, (B, T, 2)).astype(np.int32),
        "user_features": np.repeat(random.integers(-1, 20, (B, 1, 3)), T, axis=1).astype(np.int32),
    }


def timed(random):
    """Seconds apart, minutes and months."""
    seconds = np.cumsum(np.exp(random.uniform(0, 16, (B, T))), axis=1).astype(np.int32)
    return histories(random) | {"seconds": seconds}


def cloze(random):
    return histories(random) | {"hidden": random.random((B, T)) < 0.4}


def audio(random):
    """Clips of different lengths, silent behind their ends.

    Each ends before the last frame of the encoder: the CNN repeats the edge of the batch, silence or not.
    """
    samples = np.linspace(SAMPLES // 3, SAMPLES * 2 // 3, B).astype(np.int32)
    sound = 0.1 * random.standard_normal((B, SAMPLES)).astype(np.float32)
    return {"audio": sound * (np.arange(SAMPLES) < samples[:, None]), "samples": samples}


def listeners(random):
    """R ratings of each clip; the last of them are filling."""
    return {
        "listener_codes": random.integers(0, 4, (B, R, 2)).astype(np.int32),
        "cell_rates": random.standard_normal((B, R, 1 + 3, 2)).astype(np.float32),
    }


def pairs_with_graph(random):
    """Listeners of a graph of plays; each has played some tracks, one none."""
    played = random.random((U, V)) < 0.2
    played[U - 1] = False
    indptr, column_indptr = (np.cumsum([0, *played.sum(axis)]).astype(np.int32) for axis in (1, 0))
    columns, rows = (np.nonzero(matrix)[1].astype(np.int32) for matrix in (played, played.T))
    graph = {"indptr": indptr, "columns": columns, "column_indptr": column_indptr, "rows": rows}
    users = np.append(random.integers(0, U - 1, B - 1), U - 1).astype(np.int32)
    return {"users": users, "shared": {"graph": graph}}


def other_empty_places(random, batch):
    empty = batch["segments"] == 0
    return batch | {
        name: np.where(empty.reshape(*empty.shape, *[1] * (array.ndim - 2)), random.permutation(array), array)
        for name, array in batch.items()
        if name in ("items", "seconds", "hidden", "time_deltas", "outcomes", "earlier_plays", "event_columns")
    }


def more_empty_places(batch):
    """Features of the user are the same at every place."""
    mode = {"user_features": "edge"}
    return {
        name: np.pad(array, ((0, 0), (0, 3), *[(0, 0)] * (array.ndim - 2)), mode=mode.get(name, "constant"))
        for name, array in batch.items()
    }


def noise_behind_the_clip(random, batch):
    """A window away from its end, which is as far as its last frame reaches."""
    behind = np.arange(SAMPLES) >= batch["samples"][:, None] + RATE_HZ // 20
    noise = 0.5 * random.standard_normal(batch["audio"].shape).astype(np.float32)
    return batch | {"audio": np.where(behind, noise, batch["audio"])}


def more_silence(batch):
    return batch | {"audio": np.pad(batch["audio"], ((0, 0), (0, 500)))}


def more_ratings(batch):
    more = {name: np.concatenate([batch[name], batch[name]], axis=1) for name in ("listener_codes", "cell_rates")}
    return batch | more


SEQUENCE: dict[str, Any] = {
    "batch": histories,
    "outputs": ("queries",),
    "hidden": other_empty_places,
    "padded": more_empty_places,
    "visible": lambda batch: batch["segments"] > 0,
}
SOUND: dict[str, Any] = {
    "batch": audio,
    "outputs": ("clip", "genre"),
    "hidden": noise_behind_the_clip,
    "padded": more_silence,
}
MODELS = {
    "sasrec": Case(lambda rngs: SASRec(dim=16, layers=2, heads=2, window=2 * T, rngs=rngs), **SEQUENCE),
    "sasrec_rotary_ligr": Case(
        lambda rngs: SASRec(dim=16, layers=1, heads=2, positions="rotary", block="ligr", rngs=rngs), **SEQUENCE
    ),
    "bert4rec": Case(
        lambda rngs: SASRec(dim=16, layers=2, heads=2, window=2 * T, attention="bidirectional", rngs=rngs),
        **SEQUENCE | {"batch": cloze},
    ),
    "sasrec_interests": Case(
        lambda rngs: SASRec(dim=16, layers=1, heads=2, window=2 * T, interests=3, rngs=rngs),
        **SEQUENCE | {"outputs": ("interests",)},
    ),
    "hstu": Case(lambda rngs: HSTU(dim=16, heads=2, window=2 * T, rngs=rngs), **SEQUENCE | {"batch": timed}),
    "hstu_without_times": Case(
        lambda rngs: HSTU(dim=16, layers=1, heads=2, window=2 * T, temperature=None, rngs=rngs), **SEQUENCE
    ),
    "gru4rec": Case(lambda rngs: GRU4Rec(dim=16, layers=2, rngs=rngs), **SEQUENCE),
    "sasrec_inputs": Case(
        lambda rngs: SASRec(dim=16, layers=1, heads=2, window=2 * T, inputs=INPUTS, rngs=rngs),
        **SEQUENCE | {"batch": events},
    ),
    "hstu_inputs": Case(
        lambda rngs: HSTU(dim=16, layers=1, heads=2, window=2 * T, inputs=INPUTS, rngs=rngs),
        **SEQUENCE | {"batch": lambda random: events(random) | timed(random)},
    ),
    "gru4rec_inputs": Case(lambda rngs: GRU4Rec(dim=16, inputs=INPUTS, rngs=rngs), **SEQUENCE | {"batch": events}),
    "factorization": Case(
        lambda rngs: Factorization(dim=16, rngs=rngs),
        lambda random: {"users": random.integers(0, U, B).astype(np.int32)},
        ("queries",),
    ),
    "factorization_cosine": Case(
        lambda rngs: Factorization(dim=16, temperature=0.1, rngs=rngs),
        lambda random: {"users": random.integers(0, U, B).astype(np.int32)},
        ("queries",),
    ),
    "lightgcn": Case(
        lambda rngs: LightGCN(dim=16, cosine=True, temperature=0.1, rngs=rngs), pairs_with_graph, ("queries",)
    ),
    "encoder_cnn": Case(lambda rngs: AudioEncoder(trunk="cnn", **ENCODER, rngs=rngs), **SOUND),
    "encoder_streaming_cnn": Case(
        lambda rngs: AudioEncoder(trunk="streaming_cnn", normalisation="fixed", **ENCODER, rngs=rngs), **SOUND
    ),
    "encoder_transformer": Case(lambda rngs: AudioEncoder(trunk="transformer", **ENCODER, rngs=rngs), **SOUND),
    "audio_user": Case(
        lambda rngs: AudioUser(
            audio={"size": "xs", "n_mels": 32},
            dim=16,
            heads=2,
            hash_size=20,
            event_columns={"context": 2, "device": 2},
            sample_rate_hz=RATE_HZ,
            outputs={},
            rngs=rngs,
        ),
        **SEQUENCE | {"batch": events},
    ),
    "two_tower": Case(
        lambda rngs: AudioUser(
            audio=None,
            dim=16,
            history="mean",
            hash_size=20,
            event_columns={"context": 2, "device": 2},
            sample_rate_hz=None,
            outputs={},
            rngs=rngs,
        ),
        **SEQUENCE | {"batch": events},
    ),
    "ratings": Case(
        lambda rngs: RatingModel(encoder=AudioEncoder(**ENCODER, rngs=rngs), rating_spec=SPEC, rngs=rngs),
        lambda random: audio(random) | listeners(random),
        ("clip", "logits"),
        noise_behind_the_clip,
        lambda batch: more_silence(more_ratings(batch)),
    ),
    "ratings_of_listeners_alone": Case(
        lambda rngs: RatingModel(rating_spec=SPEC, rngs=rngs), listeners, ("logits",), padded=more_ratings
    ),
}
MASKED = [name for name, case in MODELS.items() if case.hidden]
PADDED = [name for name, case in MODELS.items() if case.padded]
SECOND = ("sasrec_rotary_ligr", "sasrec_interests", "hstu_without_times", "hstu_inputs", "gru4rec_inputs", "two_tower")
"""Models of which another stands in the table with other options: laws that compile programs of their own are held for
them at night."""


def nightly(names):
    """The names, those of `SECOND` marked as slow."""
    return [pytest.param(name, marks=pytest.mark.slow if name in SECOND else ()) for name in names]


@dataclasses.dataclass(frozen=True)
class Built:
    """A model with random parameters (some start at zero, and would hide what they are multiplied with)."""

    apply: Callable[..., dict[str, jax.Array]]
    graph: nnx.GraphDef
    params: Any
    rows: dict[str, jax.Array]
    batch: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]


def as_model_sees(batch):
    """As the train step hands it on: what is shared lies beside the others."""
    return {name: array for name, array in batch.items() if name != "shared"} | batch.get("shared", {})


@functools.cache
def built(name):
    case, random = MODELS[name], np.random.default_rng(0)
    graph, state = nnx.split(case.build(nnx.Rngs(0)))
    keys = iter(jax.random.split(jax.random.key(1), 200))
    params = jax.tree.map(
        lambda x: jnp.where(x == 0, 0.1 * jnp.abs(jax.random.normal(next(keys), x.shape)), x), nnx.to_pure_dict(state)
    )
    sizes, rows = {"users": U, "items": V}, {}
    for table, spec in nnx.merge(graph, params).tables().items():
        rows[table] = jnp.asarray(random.standard_normal((sizes[spec.ids], spec.dim)), jnp.float32)
    rows["plays"] = jnp.asarray(random.integers(0, 2, (V, 1)), jnp.float32)
    rows["item_numbers"] = jnp.asarray(random.standard_normal((V, 4)), jnp.float32)
    rows["neighbours"] = jnp.asarray(random.integers(-1, V, (V, 4)), jnp.int32)
    rows["item_features"] = jnp.asarray(random.integers(-1, 20, (V, 3)), jnp.int32)
    apply = jax.jit(lambda params, rows, batch: nnx.merge(graph, params)(rows, as_model_sees(batch)))
    batch = case.batch(random)
    outputs = jax.device_get(apply(params, rows, batch))
    assert all(np.isfinite(outputs[one]).all() and np.ptp(outputs[one]) > 1e-3 for one in case.outputs)
    return Built(apply, graph, params, rows, batch, outputs)


def assert_alike(name, outputs, expected, visible=None):
    """Up to rounding, at the visible places of `expected`."""
    for one in MODELS[name].outputs:
        ours = np.asarray(outputs[one])[tuple(slice(size) for size in expected[one].shape)]
        some = slice(None) if visible is None else visible
        np.testing.assert_allclose(ours[some], expected[one][some], rtol=2e-4, atol=2e-4, err_msg=one)


def visible(name, batch):
    case = MODELS[name]
    return None if case.visible is None else case.visible(batch)


@pytest.mark.parametrize("name", MODELS)
def test_abstract_initialisation_allocates_nothing_and_has_the_real_shapes(name):
    real = built(name)
    gc.collect()  # garbage of other tests would be missed below
    before = len(jax.live_arrays())
    graph, state = nnx.split(nnx.eval_shape(lambda: MODELS[name].build(nnx.Rngs(0))))
    leaves = jax.tree.leaves(nnx.to_pure_dict(state))
    assert all(isinstance(leaf, jax.ShapeDtypeStruct) for leaf in leaves) and len(jax.live_arrays()) == before
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), nnx.to_pure_dict(state))
    assert shapes == jax.tree.map(lambda x: (x.shape, x.dtype), real.params)
    assert hash(graph) == hash(real.graph)


@pytest.mark.parametrize("name", nightly(MODELS))
def test_jit_equals_eager(name):
    model = built(name)
    eager = nnx.merge(model.graph, model.params)(model.rows, as_model_sees(model.batch))
    assert set(eager) == set(model.outputs)
    assert_alike(name, eager, model.outputs)


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_equals_its_examples_alone(name):
    """An example among copies of itself, which needs no program of another shape."""
    model = built(name)
    for b in (0, B - 1):
        copies = {
            key: array if key == "shared" else np.repeat(array[b : b + 1], B, axis=0)
            for key, array in model.batch.items()
        }
        outputs = model.apply(model.params, model.rows, copies)
        expected = {one: np.repeat(model.outputs[one][b : b + 1], B, axis=0) for one in MODELS[name].outputs}
        assert_alike(name, outputs, expected, visible(name, copies))


@pytest.mark.parametrize("name", MASKED)
def test_what_the_mask_hides_changes_nothing(name):
    model = built(name)
    other = MODELS[name].hidden(np.random.default_rng(1), model.batch)
    assert any((other[key] != array).any() for key, array in model.batch.items())
    assert_alike(name, model.apply(model.params, model.rows, other), model.outputs, visible(name, model.batch))


@pytest.mark.parametrize("name", nightly(PADDED))
def test_padding_changes_nothing(name):
    model = built(name)
    outputs = model.apply(model.params, model.rows, MODELS[name].padded(model.batch))
    assert_alike(name, outputs, model.outputs, visible(name, model.batch))


@pytest.mark.parametrize("name", nightly(MODELS))
def test_eight_devices_compute_what_one_does(name):
    model, mesh = built(name), make_mesh(data=8, model=1)
    params, rows = jax.device_put((model.params, model.rows), replicated(mesh))
    outputs = model.apply(params, rows, put_batch(model.batch, mesh))
    assert_alike(name, outputs, model.outputs, visible(name, model.batch))


@pytest.mark.parametrize("name", MODELS)
def test_all_is_float32_where_x64_is_switched_on(name):
    """The parameters, and the outputs in training, dropout and all; nothing is computed to see that."""
    ours = built(name)
    batch = as_model_sees(ours.batch)
    with jax.enable_x64(True):
        state = jax.eval_shape(lambda: nnx.to_pure_dict(nnx.split(MODELS[name].build(nnx.Rngs(0)))[1]))
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (ours.params, ours.rows, batch))
        key = jax.eval_shape(lambda: jax.random.key(0))
        outputs = jax.eval_shape(lambda parts, key: nnx.merge(ours.graph, parts[0])(*parts[1:], key), shapes, key)
    wide = {jnp.dtype(jnp.float64), jnp.dtype(jnp.complex128)}
    assert not wide & {leaf.dtype for leaf in jax.tree.leaves((state, outputs)) if hasattr(leaf, "dtype")}


def test_a_seed_gives_the_same_model_where_x64_is_switched_on():
    ours = nnx.to_pure_dict(nnx.split(MODELS["sasrec"].build(nnx.Rngs(3)))[1])
    with jax.enable_x64(True):
        theirs = nnx.to_pure_dict(nnx.split(MODELS["sasrec"].build(nnx.Rngs(3)))[1])
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
