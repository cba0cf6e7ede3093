"""The largest value and the one place its gradient goes to. That it is finite where the compiler computes the values
twice is a law of the features: `test_laws[decibels]` failed for `jnp.max`."""

import jax
import numpy as np
import pytest

from mu.audio.largest import largest


@pytest.mark.parametrize("n_axes", [1, 2])
def test_is_the_maximum_and_its_gradient_that_of_the_first(n_axes):
    x = np.random.default_rng(0).integers(0, 4, (3, 5, 7)).astype(np.float32)  # with ties
    flat = x.reshape(*x.shape[: 3 - n_axes], -1)
    np.testing.assert_array_equal(largest(x, n_axes), flat.max(-1).reshape(*x.shape[: 3 - n_axes], *[1] * n_axes))
    expected = np.zeros_like(flat)
    np.put_along_axis(expected, flat.argmax(-1)[..., None], 1.0, axis=-1)
    gradient = jax.jit(jax.grad(lambda x: largest(x, n_axes).sum()))
    np.testing.assert_array_equal(gradient(x), expected.reshape(x.shape))
    np.testing.assert_array_equal(jax.vmap(gradient)(x), expected.reshape(x.shape))
