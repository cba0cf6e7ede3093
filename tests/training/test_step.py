"""The step: what it minimises, how it clips, averages and accumulates; on a model small enough for NumPy."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mu.nn.table import Table
from mu.training.step import make_step
from mu.training.tables import RowOptimizer

V, D, B, L = 12, 3, 8, 10
SPECS = {"items": Table("items", D, 1.0)}
RATE = 0.1
# Plain gradient descent on rows, beside optax.sgd on the rest: what is applied is the gradient itself.
ROW_SGD = RowOptimizer(lambda rows: {}, lambda rows, gradient, slots, step: (rows - RATE * gradient, slots))


def toy_loss(params, rows, batch, key):
    """(w . row - y)^2 of each example."""
    scores = rows["items"][batch["items"]] @ params["w"]
    return jnp.square(scores - batch["y"]), batch["weights"]


def stateless(loss):
    """The loss as the step calls it, of a model that has no running statistics."""
    return lambda params, stats, rows, batch, key: (*loss(params, rows, batch, key), stats, {})


def start(optimizer, sparse, ema=False):
    keys = jax.random.split(jax.random.key(0))
    rows, w = jax.random.normal(keys[0], (V, D)), jax.random.normal(keys[1], (D,))
    params = {"model": {"w": w}, "tables": {} if sparse else {"items": rows}}
    tables = {"items": {"rows": rows}} if sparse else {}
    state = {"params": params, "stats": {}, "opt": optimizer.init(params), "tables": tables, "step": jnp.int32(0)}
    return {**state, "ema": params} if ema else state


def batches(n, sparse, seed=0):
    """Batches of the same examples, their items local to the batch's ids or not."""
    generator = np.random.default_rng(seed)
    for _ in range(n):
        ids = np.sort(generator.choice(V, L - 2, replace=False)).astype(np.int32)
        local = generator.integers(0, len(ids), B).astype(np.int32)
        batch = {
            "items": local if sparse else ids[local],
            "y": generator.normal(size=B).astype(np.float32),
            "weights": generator.choice([0.0, 0.5, 1.0, 2.0], B).astype(np.float32),
        }
        batch["weights"][0] = 1.0
        yield {**batch, "ids": {"items": np.concatenate([ids, [V, V + 1]]).astype(np.int32)}} if sparse else batch


def train(sparse, n=4, optimizer=None, loss=toy_loss, **options):
    """(state, metrics of each step, state after each step) after `n` steps."""
    optimizer = optimizer or optax.sgd(RATE)
    state = start(optimizer, sparse, ema="ema_decay" in options)
    step = jax.jit(make_step(stateless(loss), optimizer, SPECS, ROW_SGD if sparse else None, seed=1, **options))
    found, states = [], [state]
    for batch in batches(n, sparse):
        state, metrics = step(state, batch)
        found.append({name: float(value) for name, value in metrics.items()})
        states.append(state)
    return state, found, states


plain = functools.cache(train)


def rows_of(state):
    tables = state["tables"]
    return np.asarray(tables["items"]["rows"] if tables else state["params"]["tables"]["items"])


def assert_same(first, second, **tolerance):
    np.testing.assert_allclose(rows_of(first), rows_of(second), **tolerance)
    np.testing.assert_allclose(first["params"]["model"]["w"], second["params"]["model"]["w"], **tolerance)


def test_the_loss_is_the_weighted_mean_and_the_norm_is_its_gradients():
    """Against NumPy, fractional weights included; one step of descent moves along that gradient."""
    _, metrics, states = plain(sparse=True)
    for batch, found, before, after in zip(batches(4, sparse=False), metrics, states[:-1], states[1:], strict=True):
        rows, w = rows_of(before).astype(np.float64), np.asarray(before["params"]["model"]["w"], np.float64)
        weights = batch["weights"] / batch["weights"].sum()
        error = rows[batch["items"]] @ w - batch["y"]
        slope = 2 * weights * error
        of_w, of_rows = slope @ rows[batch["items"]], np.zeros_like(rows)
        np.add.at(of_rows, batch["items"], slope[:, None] * w)
        assert found["loss"] == pytest.approx(weights @ error**2, rel=1e-5)
        assert found["weight"] == pytest.approx(batch["weights"].sum())
        assert found["grad_norm"] == pytest.approx(np.sqrt((of_w**2).sum() + (of_rows**2).sum()), rel=1e-5)
        np.testing.assert_allclose(rows_of(after), rows - RATE * of_rows, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(after["params"]["model"]["w"], w - RATE * of_w, rtol=1e-4, atol=1e-6)


def test_weights_count_by_their_ratio_only():
    """Also where they sum to less than one."""

    def scaled(params, rows, batch, key):
        values, weights = toy_loss(params, rows, batch, key)
        return values, weights / 1000.0

    whole, small = plain(sparse=True), train(sparse=True, loss=scaled)
    assert_same(whole[0], small[0], rtol=1e-4)
    np.testing.assert_allclose([m["loss"] for m in whole[1]], [m["loss"] for m in small[1]], rtol=1e-5)


def test_a_batch_without_weight_moves_nothing():
    def nothing(params, rows, batch, key):
        values, weights = toy_loss(params, rows, batch, key)
        return values, 0.0 * weights

    state, metrics, states = train(sparse=True, loss=nothing)
    assert_same(state, states[0], rtol=0)
    assert all(m["loss"] == 0 and m["grad_norm"] == 0 and m["finite"] for m in metrics)


@pytest.mark.parametrize("clip_norm", [0.05, 1e9])
def test_clipping_counts_sparse_rows_as_optax_counts_dense_ones(clip_norm):
    twin = optax.chain(optax.clip_by_global_norm(clip_norm), optax.sgd(RATE))
    expected, _, _ = train(sparse=False, optimizer=twin)
    for sparse in (True, False):
        state, metrics, _ = train(sparse=sparse, clip_norm=clip_norm)
        assert_same(state, expected, rtol=1e-5, atol=1e-7)
        assert all(m["grad_norm"] > 0.1 for m in metrics)  # said before clipping
        unclipped, _, _ = plain(sparse=sparse)
        moved = np.abs(rows_of(state) - rows_of(unclipped)).max()
        assert moved > 0.01 if clip_norm < 1 else moved == 0


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize("parts", [2, 8])
def test_accumulated_microbatches_equal_the_batch(sparse, parts):
    """Though their weights differ: the mean is over the whole batch."""
    whole, metrics, _ = plain(sparse=sparse)
    state, found, _ = train(sparse=sparse, microbatches=parts)
    assert_same(state, whole, rtol=1e-5, atol=1e-6)
    for name in ("loss", "grad_norm", "weight"):
        np.testing.assert_allclose([m[name] for m in found], [m[name] for m in metrics], rtol=1e-5)


@pytest.mark.parametrize("sparse", [True, False])
def test_rows_that_the_data_give_are_there_in_every_microbatch(sparse):
    """And stay as they were: nothing computes them anew."""
    given = jax.random.normal(jax.random.key(2), (V, 1))
    specs = SPECS | {"given": Table("items", 1, 0.0, learnt=False)}

    def loss(params, rows, batch, key):
        scores = rows["items"][batch["items"]] @ params["w"] + rows["given"][batch["items"], 0]
        return jnp.square(scores - batch["y"]), batch["weights"]

    states = []
    for parts in (1, 4):
        optimizer, state = optax.sgd(RATE), start(optax.sgd(RATE), sparse) | {"buffers": {"given": given}}
        step = make_step(stateless(loss), optimizer, specs, ROW_SGD if sparse else None, seed=1, microbatches=parts)
        for batch in batches(3, sparse):
            state, _ = jax.jit(step)(state, batch)
        np.testing.assert_array_equal(state["buffers"]["given"], given)
        states.append(state)
    assert_same(*states, rtol=1e-5, atol=1e-6)
    assert np.abs(rows_of(states[0]) - rows_of(plain(sparse=sparse)[0])).max() > 0.01


def test_the_moving_average_is_one_that_forgets_its_start():
    """a_n = d_n a_{n-1} + (1 - d_n) p_n, d_n = min(decay, n / (9 + n)), over weights and dense tables alike."""
    decay, n = 0.3, 7
    state, _, states = train(sparse=False, n=n, ema_decay=decay)
    for pick in (lambda p: p["model"]["w"], lambda p: p["tables"]["items"]):
        history = [np.asarray(pick(one["params"]), np.float64) for one in states]
        expected = history[0]
        for k in range(1, n + 1):
            kept = min(decay, k / (9 + k))
            expected = kept * expected + (1 - kept) * history[k]
        np.testing.assert_allclose(pick(state["ema"]), expected, rtol=1e-5)
    same, _, _ = plain(sparse=False, n=n)
    assert_same(state, same, rtol=0)  # watching does not change what is learnt


def test_running_statistics_move_once_a_step():
    """r <- .9 r + .1 mean(y)."""

    def loss(params, stats, rows, batch, key):
        values, weights = toy_loss(params, rows, batch, key)
        return values, weights, {"mean": 0.9 * stats["mean"] + 0.1 * jnp.mean(batch["y"])}, {}

    optimizer = optax.sgd(RATE)
    state = {**start(optimizer, sparse=False), "stats": {"mean": jnp.float32(1.0)}}
    step = jax.jit(make_step(loss, optimizer, SPECS, None, seed=1))
    expected = 1.0
    for batch in batches(3, sparse=False):
        state, _ = step(state, batch)
        expected = 0.9 * expected + 0.1 * batch["y"].mean()
    np.testing.assert_allclose(state["stats"]["mean"], expected, rtol=1e-5)


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf])
def test_what_is_not_finite_is_said(value):
    def broken(params, rows, batch, key):
        values, weights = toy_loss(params, rows, batch, key)
        return values.at[3].add(value), weights.at[3].set(1.0)

    _, metrics, _ = train(sparse=True, n=1, loss=broken)
    assert not metrics[0]["finite"]
    assert plain(sparse=True)[1][0]["finite"]


def test_a_gradient_that_is_not_finite_is_said_where_the_loss_is():
    def steep(params, rows, batch, key):
        values, weights = toy_loss(params, rows, batch, key)
        return values + jnp.sqrt(0.0 * params["w"].sum()), weights  # d sqrt(x) / dx at 0

    _, metrics, _ = train(sparse=True, n=1, loss=steep)
    assert np.isfinite(metrics[0]["loss"]) and not metrics[0]["finite"]


def test_the_key_is_a_function_of_seed_and_step():
    """So a run that is taken up again draws what it would have drawn."""

    def random(params, rows, batch, key):
        return jax.random.normal(key, batch["y"].shape), jnp.ones_like(batch["weights"])

    losses = [m["loss"] for m in train(sparse=True, loss=random)[1]]
    assert len(set(losses)) == len(losses)
    optimizer = optax.sgd(RATE)
    state = {**start(optimizer, sparse=True), "step": jnp.int32(2)}
    for seed, same in ((1, True), (2, False)):
        step = jax.jit(make_step(stateless(random), optimizer, SPECS, ROW_SGD, seed=seed))
        _, metrics = step(state, next(batches(1, sparse=True)))
        assert (float(metrics["loss"]) == losses[2]) == same


def test_several_tables_may_share_an_id_space():
    """Rows and biases of items move together, in tables of their own."""
    specs = {**SPECS, "bias": dataclasses.replace(SPECS["items"], dim=1)}

    def loss(params, rows, batch, key):
        values, weights = toy_loss(params, rows, batch, key)
        return values + rows["bias"][batch["items"], 0], weights

    optimizer = optax.sgd(RATE)
    state = start(optimizer, sparse=True)
    state["tables"]["bias"] = {"rows": jnp.zeros((V, 1))}
    batch = next(batches(1, sparse=True))
    after, _ = jax.jit(make_step(stateless(loss), optimizer, specs, ROW_SGD, seed=1))(state, batch)
    expected = np.zeros(V)
    np.add.at(expected, batch["ids"]["items"][batch["items"]], -RATE * batch["weights"] / batch["weights"].sum())
    np.testing.assert_allclose(after["tables"]["bias"]["rows"][:, 0], expected, rtol=1e-5, atol=1e-8)
