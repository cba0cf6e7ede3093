"""Losses against their equations in plain NumPy, finite differences, and what sampling must keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.special import log_expit, logsumexp

from mu import losses

KEYS = jax.random.split(jax.random.key(0), 4)
POSITIVE = jax.random.normal(KEYS[0], (5, 3))
NEGATIVES = jax.random.normal(KEYS[1], (5, 3, 7))
LOG_Q = -jax.random.uniform(KEYS[2], (5, 3, 7), minval=1.0, maxval=4.0)

# Each loss beside the same equation, written once more for one example in float64.
TWINS = {
    "sampled_softmax": (
        lambda p, n: losses.sampled_softmax(p, n, LOG_Q),
        lambda p, n, q: logsumexp([p, *(n - q - np.log(len(n)))]) - p,
    ),
    "sampled_softmax_uncorrected": (losses.sampled_softmax, lambda p, n, q: logsumexp([p, *n]) - p),
    "bpr": (losses.bpr, lambda p, n, q: -log_expit(p - n).mean()),
    "bce": (losses.bce, lambda p, n, q: -log_expit(p) - log_expit(-n).sum()),
    "gbce": (
        lambda p, n: losses.gbce(p, n, n_items=50, calibration=0.6),
        lambda p, n, q: -(7 / 49 * (0.6 * (1 - 49 / 7) + 49 / 7)) * log_expit(p) - log_expit(-n).sum(),
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_equals_its_slow_twin(name):
    loss, twin = TWINS[name]
    p, n, q = (np.asarray(x, np.float64) for x in (POSITIVE, NEGATIVES, LOG_Q))
    expected = [[twin(p[b, t], n[b, t], q[b, t]) for t in range(3)] for b in range(5)]
    np.testing.assert_allclose(jax.jit(loss)(POSITIVE, NEGATIVES), expected, rtol=1e-5)


@pytest.mark.parametrize("name", TWINS)
def test_gradient_by_finite_differences(name):
    check_grads(TWINS[name][0], (POSITIVE, NEGATIVES), order=1, modes=("rev",), rtol=2e-2, atol=2e-2)


def test_gbce_without_calibration_is_bce():
    plain = losses.gbce(POSITIVE, NEGATIVES, n_items=50, calibration=0.0)
    np.testing.assert_allclose(plain, losses.bce(POSITIVE, NEGATIVES), rtol=1e-6)


def full_twin(queries, items, targets, bias):
    logits = queries.astype(np.float64) @ items.T.astype(np.float64) + bias
    return logsumexp(logits, axis=-1) - logits[np.arange(len(targets)), targets]


@pytest.mark.parametrize(
    ("chunk", "most_logits"), [*((chunk, 1) for chunk in (1, 4, 7, 13, 100, None)), (None, 78), (None, 77)]
)
def test_full_softmax_in_chunks_equals_the_whole(chunk, most_logits, monkeypatch):
    monkeypatch.setattr(losses, "MOST_LOGITS", most_logits)  # there are 78
    monkeypatch.setattr(losses, "CHUNK", 4)
    queries, items = jax.random.normal(KEYS[0], (6, 8)), jax.random.normal(KEYS[1], (13, 8))
    bias, targets = jax.random.normal(KEYS[2], (13,)), jnp.array([0, 12, 5, 5, 3, 7])
    found = losses.full_softmax(queries, items, targets, bias, chunk)
    expected = full_twin(*(np.asarray(x) for x in (queries, items, targets, bias)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)

    def total(queries, items, bias):
        return losses.full_softmax(queries, items, targets, bias, chunk).sum()

    def whole(queries, items, bias):
        logits = queries @ items.T + bias[None]
        return (jax.nn.logsumexp(logits, -1) - jnp.take_along_axis(logits, targets[:, None], 1)[:, 0]).sum()

    for ours, direct in zip(
        jax.grad(total, (0, 1, 2))(queries, items, bias),
        jax.grad(whole, (0, 1, 2))(queries, items, bias),
        strict=True,
    ):
        np.testing.assert_allclose(ours, direct, rtol=1e-4, atol=1e-5)


def test_full_softmax_never_holds_all_logits(monkeypatch):
    """2,048 x 54,542 logits would be 447 MB; forward and backward stay below a quarter of that."""
    monkeypatch.setattr(losses, "CHUNK", 2048)
    shapes = (jax.ShapeDtypeStruct((2048, 32), jnp.float32), jax.ShapeDtypeStruct((54_542, 32), jnp.float32))
    targets = jnp.zeros(2048, jnp.int32)
    loss = jax.jit(jax.value_and_grad(lambda q, v: losses.full_softmax(q, v, targets).sum(), (0, 1)))
    memory = loss.lower(*shapes).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 2048 * 54_542 * 4 / 4


def uniform_draws(n_draws, n_items, target, key):
    """Uniform over all items but the target, with exact log-probability."""
    ids = jax.random.randint(key, (n_draws,), 0, n_items - 1)
    return jnp.where(ids >= target, ids + 1, ids), -jnp.log(jnp.float32(n_items - 1))


def test_log_q_makes_the_partition_sum_unbiased():
    """E[e^p + 1/K sum e^n / q] is the full softmax's sum; with the sign of log q turned it is far off."""
    logits = jax.random.normal(KEYS[0], (40,))
    target, n_negatives, repeats = 3, 8, 20_000
    ids, log_q = uniform_draws(n_negatives * repeats, 40, target, KEYS[1])
    negatives = logits[ids].reshape(repeats, n_negatives)
    log_q = jnp.full(negatives.shape, log_q)
    positive = jnp.full((repeats,), logits[target])

    def sums(log_q):
        return np.exp(np.asarray(losses.sampled_softmax(positive, negatives, log_q) + positive, np.float64))

    found, exact = sums(log_q), float(jnp.exp(logits).sum())
    error = found.std() / np.sqrt(repeats)
    assert abs(found.mean() - exact) < 4 * error
    assert abs(sums(-log_q).mean() - exact) > 100 * error
