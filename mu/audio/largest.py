"""The largest of the last axes, with a gradient that is always finite."""

import functools

import jax
import jax.numpy as jnp


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def largest(x: jax.Array, n_axes: int = 1) -> jax.Array:
    """max over the last `n_axes` axes, which stay as 1; of equal ones the first takes the whole gradient.

    The gradient of `jnp.max` goes to whatever equals the maximum. Compiled, the values that it compares may have been
    computed again and otherwise rounded (a fused multiply-add, another vector width): then none is equal, and the share
    of each is 0 / 0.

    Args:
      x: float32 [...]. n_axes: how many of its last axes are reduced.

    Returns:
      float32, the shape of x with those axes 1.
    """
    return x.max(tuple(range(x.ndim - n_axes, x.ndim)), keepdims=True)


@largest.defjvp
def _largest_jvp(n_axes: int, primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    (x,), (dx,) = primals, tangents
    out = largest(x, n_axes)
    flat = (*x.shape[: x.ndim - n_axes], -1)
    first = jnp.argmax(x.reshape(flat), axis=-1, keepdims=True)
    return out, jnp.take_along_axis(dx.reshape(flat), first, axis=-1).reshape(out.shape)
