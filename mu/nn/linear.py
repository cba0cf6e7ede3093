"""The one dense layer of mu: flax's, with logical axis names on its kernel."""

import jax.numpy as jnp
from flax import nnx


def linear(
    inputs: int,
    outputs: int,
    axes: tuple[str | None, str | None],
    *,
    use_bias: bool = True,
    dtype: jnp.dtype,
    rngs: nnx.Rngs,
) -> nnx.Linear:
    """A dense layer `x @ kernel + bias`; float32 parameters, computed in `dtype`.

    Args:
      inputs: size of the last axis of x.
      outputs: size of the last axis of the result.
      axes: logical names of the kernel's two axes; `mu.training.sharding` maps them to the mesh.
      use_bias: adds a bias, whose axis has the name of the kernel's second.
      dtype: of the computation.
      rngs: source of the initial values (LeCun normal).
    """
    return nnx.Linear(
        inputs,
        outputs,
        use_bias=use_bias,
        dtype=dtype,
        kernel_metadata={"axes": axes},
        bias_metadata={"axes": axes[1:]},
        rngs=rngs,
    )
