"""Kernels inside jit equal plain JAX: values, gradients, under vmap, scan and a mesh; wrong input has a name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from mu_kernels import xla

KEYS = jax.random.split(jax.random.key(0), 3)
QUERIES = jax.random.normal(KEYS[0], (16, 5))
VECTORS = jax.random.normal(KEYS[1], (9, 5))
IDS = jax.random.randint(KEYS[2], (16, 4), 0, 9)


def plain(queries, vectors, ids):
    return jnp.einsum("nd,nkd->nk", queries, vectors[ids])


def value_and_gradients(function, queries, vectors, ids):
    def total(queries, vectors):
        return jnp.sum(jnp.sin(function(queries, vectors, ids)))

    return jax.value_and_grad(total, (0, 1))(queries, vectors)


def assert_close(found, expected):
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_this_jaxlib_is_one_the_kernels_know():
    assert xla.api_version() in xla.KNOWN_API_VERSIONS


def test_gathered_dot_and_its_gradients_equal_plain_jax():
    found = jax.jit(lambda *a: value_and_gradients(xla.gathered_dot, *a))(QUERIES, VECTORS, IDS)
    assert_close(found, value_and_gradients(plain, QUERIES, VECTORS, IDS))


def test_the_same_bits_every_time():
    call = jax.jit(lambda *a: value_and_gradients(xla.gathered_dot, *a))
    first, again = call(QUERIES, VECTORS, IDS), call(QUERIES, VECTORS, IDS)
    jax.tree.map(np.testing.assert_array_equal, first, again)


def test_under_vmap_and_scan():
    queries = jnp.stack([QUERIES, 2 * QUERIES])
    mapped = jax.jit(jax.vmap(xla.gathered_dot, (0, None, None)))(queries, VECTORS, IDS)
    _, scanned = jax.lax.scan(lambda carry, q: (carry, xla.gathered_dot(q, VECTORS, IDS)), 0, queries)
    expected = jnp.stack([plain(q, VECTORS, IDS) for q in queries])
    assert_close(mapped, expected)
    assert_close(scanned, expected)


def test_queries_split_over_devices():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    queries, ids = jax.device_put((QUERIES, IDS), rows)
    vectors = jax.device_put(VECTORS, NamedSharding(mesh, PartitionSpec()))
    found = jax.jit(lambda *a: value_and_gradients(xla.gathered_dot, *a))(queries, vectors, ids)
    assert_close(found, value_and_gradients(plain, QUERIES, VECTORS, IDS))


def test_an_unknown_ffi_version_is_reported_and_plain_jax_takes_over(monkeypatch):
    monkeypatch.setattr(xla, "api_version", lambda: (9, 9))
    xla._register.cache_clear()
    try:
        with pytest.warns(UserWarning, match=r"jaxlib has \(9, 9\)"):
            found = xla.gathered_dot(QUERIES, VECTORS, IDS)
        assert_close(found, plain(QUERIES, VECTORS, IDS))
    finally:
        xla._register.cache_clear()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"queries": QUERIES.astype(jnp.bfloat16)}, "queries is bfloat16"),
        ({"vectors": VECTORS[0]}, "vectors is float32 of 1 axes"),
        ({"ids": IDS.astype(jnp.float32)}, "ids is float32"),
    ],
)
def test_wrong_types_are_refused_by_name(change, words):
    with pytest.raises(TypeError, match=words):
        xla.gathered_dot(**{"queries": QUERIES, "vectors": VECTORS, "ids": IDS, **change})
