"""Layers of sequence models against their equations, written once more in NumPy, a place at a time."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mu.models.gru4rec import GRULayer
from mu.models.hstu import TIME_BINS, HSTUBlock, time_bins
from mu.nn.attention import packed_causal_mask
from mu.nn.blocks import LiGRBlock
from mu.nn.normalise import standardised, unit

D, HEADS, T = 8, 2, 6
F32 = jnp.dtype("float32")
SEGMENTS = np.array([[1, 1, 1, 1, 2, 2]], np.int32)
SECONDS = np.array([[0, 30, 4_000, 90_000_000, 5, 700]], np.int32)
X = np.asarray(jax.random.normal(jax.random.key(0), (1, T, D)))


def with_values(layer):
    """The layer with other values than its initial ones, some of which are zero; and those as float64 by name."""
    graph, state = nnx.split(layer)
    keys = iter(jax.random.split(jax.random.key(1), 100))
    values = jax.tree.map(lambda x: 0.5 * jax.random.normal(next(keys), x.shape), nnx.to_pure_dict(state))
    return nnx.merge(graph, values), jax.tree.map(lambda x: np.asarray(x, np.float64), values)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def norm(x, epsilon=1e-6):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)


def dense(values, x):
    return x @ values["kernel"] + values.get("bias", 0)


def test_an_hstu_block_equals_its_equations():
    block, values = with_values(HSTUBlock(D, HEADS, T, rate=0.0, dtype=F32, rngs=nnx.Rngs(0)))
    mask = packed_causal_mask(jnp.asarray(SEGMENTS))
    x = X[0].astype(np.float64)
    u, v, q, k = (silu(dense(values[name], norm(x))) for name in ("gate", "value", "query", "key"))
    for bins in (time_bins(jnp.asarray(SECONDS)), None):
        mixed = np.zeros((T, D))
        for t in range(T):
            for s in range(t + 1):
                if SEGMENTS[0, s] != SEGMENTS[0, t]:
                    continue
                bias = values["position_bias"][t - s]
                if bins is not None:
                    apart = max(SECONDS[0, t] - SECONDS[0, s], 1)
                    bias = bias + values["time_bias"][int(np.log(apart) / 0.301)]
                for head in np.split(np.arange(D), HEADS):
                    mixed[t, head] += silu(q[t, head] @ k[s, head] + bias) / T * v[s, head]
        expected = x + dense(values["out"], norm(mixed) * u)
        np.testing.assert_allclose(block(X, mask, bins, None)[0], expected, rtol=1e-4, atol=1e-4)


def test_bins_of_time_reach_as_far_as_seconds_do():
    longest = np.array([[0, 1, 2, np.iinfo(np.int32).max]], np.int32)
    bins = np.asarray(time_bins(jnp.asarray(longest)))[0]
    assert bins[3].tolist() == [TIME_BINS - 1] * 3 + [0] and bins[:3, :3].tolist() == [[0, 0, 0], [0, 0, 0], [2, 0, 0]]


def test_a_gated_recurrent_layer_equals_its_equations():
    """Its state is 0 at the start of each history."""
    layer, values = with_values(GRULayer(D, rate=0.0, dtype=F32, rngs=nnx.Rngs(0)))
    starts = np.array([[True, False, False, False, True, False]])
    expected, h = [], np.zeros(D)
    for t in range(T):
        h = np.zeros(D) if starts[0, t] else h
        of_x = np.split(dense(values["inputs"], X[0, t].astype(np.float64)), 3)
        of_h = np.split(dense(values["state"], h), 3)
        r, z = sigmoid(of_x[0] + of_h[0]), sigmoid(of_x[1] + of_h[1])
        h = (1 - z) * h + z * np.tanh(of_x[2] + r * of_h[2])
        expected.append(h)
    np.testing.assert_allclose(layer(X, starts, None)[0], expected, rtol=1e-5, atol=1e-5)


def test_a_ligr_block_equals_its_equations():
    """x + sigmoid(W x) attention(norm(x)), then x + sigmoid(W x) swiglu(norm(x))."""
    block, values = with_values(LiGRBlock(D, HEADS, rotary=False, rate=0.0, dtype=F32, rngs=nnx.Rngs(0)))
    mask = packed_causal_mask(jnp.asarray(SEGMENTS))
    x = X[0].astype(np.float64)

    def normed(part, x):
        return norm(x) * values[part]["layer"]["scale"] + values[part]["layer"]["bias"]

    attention = values["attention"]
    q, k, v = (dense(attention[name], normed("attention_norm", x)) for name in ("query", "key", "value"))
    mixed = np.zeros((T, D))
    for t in range(T):
        seen = [s for s in range(t + 1) if SEGMENTS[0, s] == SEGMENTS[0, t]]
        for head in np.split(np.arange(D), HEADS):
            scores = np.exp(q[t, head] @ k[seen][:, head].T / np.sqrt(D / HEADS))
            mixed[t, head] = scores / scores.sum() @ v[seen][:, head]
    x = x + dense(attention["out"], mixed) * sigmoid(dense(values["attention_gate"], x))
    h = normed("mlp_norm", x)
    mixed = dense(values["down"], silu(dense(values["gate"], h)) * dense(values["up"], h))
    assert values["up"]["kernel"].shape == (D, 4 * D) and "bias" not in values["up"]
    expected = x + mixed * sigmoid(dense(values["mlp_gate"], x))
    positions = np.zeros((1, T), np.int32)
    np.testing.assert_allclose(block(X, mask, positions, None)[0], expected, rtol=1e-4, atol=1e-4)


def test_normalised_vectors():
    np.testing.assert_allclose(standardised(X), norm(X.astype(np.float64)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(unit(X), axis=-1), 1.0, rtol=1e-5)
    assert not np.asarray(unit(0 * X)).any() and np.isfinite(jax.grad(lambda x: unit(x).sum())(0 * X)).all()
