"""Sparse tables: only what a batch names moves, and it moves as the slow twins say."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mu.nn.table import Table
from mu.training.tables import create, gather, lazy_adam, row_adagrad, scatter
from tests.helpers import naive

V, D, L = 30, 4, 8
RATE = 0.1
OPTIMIZERS = {
    "row_adagrad": (
        row_adagrad(RATE, epsilon=1e-3),
        lambda rows, batches: naive.row_adagrad(rows, batches, RATE, 1e-3),
    ),
    "lazy_adam": (
        lazy_adam(RATE, b1=0.8, b2=0.95, epsilon=1e-3),
        lambda rows, batches: naive.lazy_adam(rows, batches, RATE, 0.8, 0.95, 1e-3),
    ),
}


def sparse_batches(n_batches, seed=0):
    """[(ids int32 [L] as the loader pads them, gradients [L, D], how many ids are real)]."""
    generator = np.random.default_rng(seed)
    for _ in range(n_batches):
        real = int(generator.integers(0, L + 1))
        ids = np.arange(V - real, V - real + L, dtype=np.int32)
        ids[:real] = np.sort(generator.choice(V, real, replace=False))
        yield ids, generator.normal(size=(L, D)).astype(np.float32), real


def make_update(optimizer):
    @jax.jit
    def update(table, ids, gradient, step):
        found = gather(table, ids)
        slots = {name: array for name, array in found.items() if name != "rows"}
        rows, slots = optimizer.update(found["rows"], gradient, slots, step)
        return scatter(table, ids, {"rows": rows, **slots})

    return update


def start(optimizer, n_rows=V):
    rows = jax.random.normal(jax.random.key(0), (n_rows, D))
    return {"rows": rows, **optimizer.init(rows)}


def test_gather_and_scatter_equal_indexing():
    generator = np.random.default_rng(0)
    table = {"rows": generator.normal(size=(V, D)).astype(np.float32), "slot": np.arange(V, dtype=np.float32)}
    ids = np.array([0, 3, 4, V - 1, V, V + 1], np.int32)
    found = gather({name: jnp.asarray(array) for name, array in table.items()}, ids)
    values = {"rows": np.full((6, D), 7.0, np.float32), "slot": np.arange(6, dtype=np.float32)}
    put = scatter({name: jnp.asarray(array) for name, array in table.items()}, ids, values)
    for name, array in table.items():
        np.testing.assert_array_equal(found[name][:4], array[ids[:4]])
        assert (np.asarray(found[name][4:]) == 0).all()  # past the end
        expected = array.copy()
        expected[ids[:4]] = values[name][:4]
        np.testing.assert_array_equal(put[name], expected)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_sequence_of_sparse_batches_equals_the_slow_twin(name):
    optimizer, twin = OPTIMIZERS[name]
    update, table = make_update(optimizer), start(optimizer)
    initial, said = np.asarray(table["rows"]), []
    for step, (ids, gradient, real) in enumerate(sparse_batches(20)):
        table = update(table, ids, gradient, jnp.int32(step))
        said.append(list(zip(ids[:real].tolist(), gradient[:real].astype(np.float64), strict=True)))
    np.testing.assert_allclose(table["rows"], twin(initial, said), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_that_a_batch_does_not_name_stay_bit_for_bit(name):
    """Neither the row nor its slots, and ids past the end touch nothing at all."""
    optimizer, _ = OPTIMIZERS[name]
    update, table = make_update(optimizer), start(optimizer)
    for step, (ids, gradient, real) in enumerate(sparse_batches(6, seed=1)):
        before = jax.tree.map(np.asarray, table)
        table = update(table, ids, gradient, jnp.int32(step))
        others = np.setdiff1d(np.arange(V), ids[:real])
        for slot, array in table.items():
            np.testing.assert_array_equal(np.asarray(array)[others], before[slot][others])
        assert (np.asarray(table["rows"])[ids[:real]] != before["rows"][ids[:real]]).all()


def test_lazy_adam_on_all_rows_is_adam(standard_dtypes):
    optimizer, dense = lazy_adam(RATE), optax.adam(RATE)
    update, table = make_update(optimizer), start(optimizer)
    rows = table["rows"]
    state, dense_update = dense.init(rows), jax.jit(dense.update)
    for step in range(8):
        gradient = jax.random.normal(jax.random.key(step + 1), (V, D))
        table = update(table, np.arange(V, dtype=np.int32), gradient, jnp.int32(step))
        updates, state = dense_update(gradient, state)
        rows = optax.apply_updates(rows, updates)
    np.testing.assert_allclose(table["rows"], rows, rtol=1e-5, atol=1e-6)


def test_the_first_update_of_a_row_has_the_size_of_the_rate_however_late():
    optimizer = lazy_adam(RATE)
    update, table = make_update(optimizer), start(optimizer)
    early, late = np.arange(4, dtype=np.int32), np.arange(4, 8, dtype=np.int32)
    for step in range(50):
        table = update(table, early, jnp.ones((4, D)), jnp.int32(step))
    before = np.asarray(table["rows"])
    after = np.asarray(update(table, late, jnp.full((4, D), -3.0), jnp.int32(50))["rows"])
    np.testing.assert_allclose((after - before)[late], RATE, rtol=1e-4)


@pytest.mark.parametrize("make", [row_adagrad, lazy_adam])
def test_the_rate_may_follow_the_step(make):
    """A schedule that is zero moves nothing, one that is constant is the constant."""
    scheduled, constant = make(lambda step: jnp.where(step < 2, 0.0, RATE)), make(RATE)
    ids, ones = np.arange(V, dtype=np.int32), jnp.ones((V, D))
    table = start(scheduled)
    still = make_update(scheduled)(table, ids, ones, jnp.int32(1))
    np.testing.assert_array_equal(still["rows"], table["rows"])
    moved = make_update(scheduled)(table, ids, ones, jnp.int32(2))
    np.testing.assert_array_equal(moved["rows"], make_update(constant)(table, ids, ones, jnp.int32(0))["rows"])


def test_new_rows_have_the_scale_of_the_table():
    rows = create(Table("items", 50, 0.3), 2000, jax.random.key(0))
    assert rows.shape == (2000, 50) and rows.dtype == jnp.float32
    assert float(rows.std()) == pytest.approx(0.3, rel=0.02)
    assert not create(Table("items", 1, 0.0), 5, jax.random.key(0)).any()
