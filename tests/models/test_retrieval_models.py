"""Sequence models and factorisation: causality, packing, positions, scores; laws of every model are in test_laws.py."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.models.factorization import Factorization
from mu.models.gru4rec import GRU4Rec
from mu.models.hstu import HSTU
from mu.models.sasrec import SASRec

N_USERS, N_ITEMS, T = 6, 30, 8

MODELS = {
    "sasrec": lambda rngs: SASRec(dim=16, layers=2, heads=2, window=T, dropout=0.3, rngs=rngs),
    "sasrec_rotary": lambda rngs: SASRec(dim=16, layers=2, heads=2, window=T, positions="rotary", rngs=rngs),
    "sasrec_ligr": lambda rngs: SASRec(dim=16, layers=1, heads=2, window=T, block="ligr", rngs=rngs),
    "bert4rec": lambda rngs: SASRec(dim=16, layers=2, heads=2, window=T, attention="bidirectional", rngs=rngs),
    "hstu": lambda rngs: HSTU(dim=16, layers=2, heads=2, window=T, temperature=1.0, rngs=rngs),
    "hstu_dot": lambda rngs: HSTU(dim=16, layers=1, heads=2, window=T, temperature=None, rngs=rngs),
    "gru4rec": lambda rngs: GRU4Rec(dim=16, layers=2, rngs=rngs),
    "factorization": lambda rngs: Factorization(dim=16, rngs=rngs),
    "factorization_cosine": lambda rngs: Factorization(dim=16, temperature=0.1, rngs=rngs),
}
SEQUENCE_MODELS = [name for name in MODELS if not name.startswith("factorization")]
CAUSAL_MODELS = [name for name in SEQUENCE_MODELS if name != "bert4rec"]


@functools.cache
def create(name):
    """(jitted model: (rows, batch, key=None) -> queries, rows, the module itself)."""
    model = MODELS[name](nnx.Rngs(0))
    sizes = {"users": N_USERS, "items": N_ITEMS}
    keys = jax.random.split(jax.random.key(1), len(model.tables()))
    rows = {
        table: jax.random.normal(key, (sizes[spec.ids], spec.dim))
        for key, (table, spec) in zip(keys, model.tables().items(), strict=True)
    }
    graph, state = nnx.split(model)
    # Biases start at zero, and would hide what they are added to.
    params = jax.tree.map(lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size).reshape(x.shape)), nnx.to_pure_dict(state))
    apply = jax.jit(lambda rows, batch, key=None: nnx.merge(graph, params)(rows, batch, key)["queries"])
    return apply, rows, model


def some_batch(name, size=3):
    rng = np.random.default_rng(0)
    batch = {
        "users": rng.integers(0, N_USERS, size).astype(np.int32),
        "items": rng.integers(0, N_ITEMS, (size, T)).astype(np.int32),
        "positions": np.tile(np.arange(T, dtype=np.int32), (size, 1)),
        "segments": np.ones((size, T), np.int32),
        "seconds": np.cumsum(rng.integers(1, 10**6, (size, T)), axis=1).astype(np.int32),
    }
    return batch | ({"hidden": rng.random((size, T)) < 0.4} if name == "bert4rec" else {})


@pytest.mark.parametrize("name", CAUSAL_MODELS)
def test_the_future_does_not_change_the_past(name):
    apply, rows, _ = create(name)
    batch = some_batch(name)
    changed = {**batch, "items": batch["items"].copy(), "seconds": batch["seconds"].copy()}
    changed["items"][:, 5:] = (changed["items"][:, 5:] + 7) % N_ITEMS
    changed["seconds"][:, 5:] += 10**7
    before, after = apply(rows, batch), apply(rows, changed)
    np.testing.assert_allclose(before[:, :5], after[:, :5], rtol=1e-5, atol=1e-5)
    assert not np.allclose(before[:, 5:], after[:, 5:], atol=1e-3)


@pytest.mark.parametrize("name", SEQUENCE_MODELS)
def test_packed_histories_do_not_see_each_other(name):
    """Two histories in one row, as [a a a b b b . .], give what each gives alone."""
    apply, rows, _ = create(name)
    first, second = np.array([3, 1, 4], np.int32), np.array([1, 5, 9], np.int32)
    packed = {
        "items": np.array([[*first, *second, 0, 0]], np.int32),
        "positions": np.array([[0, 1, 2, 0, 1, 2, 0, 0]], np.int32),
        "segments": np.array([[1, 1, 1, 2, 2, 2, 0, 0]], np.int32),
        "seconds": np.array([[0, 60, 90_000, 70, 80, 10**8, 0, 0]], np.int32),
    }
    if name == "bert4rec":
        packed["hidden"] = np.array([[False, True, False, False, False, True, False, False]])
    together = apply(rows, packed)[0]
    assert np.isfinite(together).all()
    for start, items in ((0, first), (3, second)):
        alone = {key: array[:, start : start + 3] for key, array in packed.items()}
        alone["segments"] = np.ones((1, 3), np.int32)
        np.testing.assert_array_equal(alone["items"][0], items)
        np.testing.assert_allclose(apply(rows, alone)[0], together[start : start + 3], rtol=1e-4, atol=1e-5)


def test_rotary_queries_depend_on_distances_only():
    """The same history further along gives the same queries when positions are rotated, not when learned."""
    batch = some_batch("sasrec")
    early = {key: array[:, :4] for key, array in batch.items() if array.ndim == 2}
    late = {**early, "positions": early["positions"] + 4}
    for name, same in (("sasrec_rotary", True), ("sasrec", False)):
        apply, rows, _ = create(name)
        assert np.allclose(apply(rows, early), apply(rows, late), atol=1e-4) == same


def test_dropout_needs_a_key_and_follows_it():
    apply, rows, _ = create("sasrec")
    batch = some_batch("sasrec")
    first, again = (apply(rows, batch, jax.random.key(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, apply(rows, batch, jax.random.key(2)))
    assert not np.allclose(first, apply(rows, batch))


HALF = {
    "sasrec": lambda rngs: SASRec(dim=16, layers=2, heads=2, window=T, dtype="bfloat16", rngs=rngs),
    "hstu_dot": lambda rngs: HSTU(dim=16, layers=1, heads=2, window=T, temperature=None, dtype="bfloat16", rngs=rngs),
    "gru4rec": lambda rngs: GRU4Rec(dim=16, layers=2, dtype="bfloat16", rngs=rngs),
}


@pytest.mark.parametrize("name", HALF)
def test_bfloat16_is_near_float32_and_gives_float32(name):
    _, rows, model = create(name)
    batch = some_batch(name)
    half = HALF[name](nnx.Rngs(0))(rows, batch)["queries"]
    assert half.dtype == jnp.float32
    whole = model(rows, batch)["queries"]
    assert 0 < np.abs(half - whole).max() < 0.15


def test_factorization_scores():
    apply, rows, model = create("factorization")
    batch = some_batch("factorization")
    vectors, bias = model.item_vectors(rows)
    scores = apply(rows, batch) @ vectors.T + bias[None]
    expected = [
        [float(rows["users"][u] @ rows["items"][i] + rows["item_bias"][i, 0]) for i in range(N_ITEMS)]
        for u in batch["users"]
    ]
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


def test_cosine_scores_lie_within_one_over_temperature():
    apply, rows, model = create("factorization_cosine")
    vectors, bias = model.item_vectors(rows)
    assert bias is None
    assert np.abs(apply(rows, some_batch("factorization")) @ vectors.T).max() <= 10.0001


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"attention": "sideways"}, "known: causal, bidirectional"),
        ({"dim": 6, "heads": 2, "positions": "rotary"}, "even head size"),
        ({"positions": "sine"}, "known: learned, rotary"),
        ({"block": "mamba"}, "known: transformer, ligr"),
        ({"layers": 0}, "layers=0"),
    ],
)
def test_impossible_sizes_are_refused_by_name(options, words):
    with pytest.raises(ValueError, match=words):
        SASRec(**options, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("model", [SASRec, HSTU])
def test_heads_must_divide_the_size(model):
    with pytest.raises(ValueError, match="dim=10 is not a multiple of heads=3"):
        model(dim=10, heads=3, rngs=nnx.Rngs(0))
