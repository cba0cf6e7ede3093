"""Optimizers whose rate follows the length of the run."""

import jax
import jax.numpy as jnp
import optax

from mu.ranges import NonNegative, Positive, Rate


def adamw_cosine(
    *, learning_rate: Positive, weight_decay: NonNegative = 0.0, warmup_share: Rate = 0.05, total_steps: int
) -> optax.GradientTransformation:
    """AdamW (Loshchilov & Hutter 2019); the rate rises linearly to `learning_rate`, then falls to 0 as a half cosine.

    Only what is called 'kernel' decays: biases, scales and embeddings do not.

    Args:
      learning_rate: the highest.
      weight_decay: share of a weight taken away at each step, times the rate.
      warmup_share: of the steps, in which the rate rises.
      total_steps: of the run, which gives them.

    Raises:
      ValueError: the share is none.
    """
    if not 0 <= warmup_share < 1:
        raise ValueError(f"warmup_share={warmup_share}; it must lie in [0, 1)")
    # Of a rate of 1: the schedule of optax branches on its peak, and the rate may be an argument of a compiled step.
    share = optax.warmup_cosine_decay_schedule(0.0, 1.0, int(warmup_share * total_steps), total_steps)

    def rate(step: jax.typing.ArrayLike) -> jax.Array:
        return learning_rate * jnp.asarray(share(step))

    def decays(params: optax.Params) -> optax.Params:
        return jax.tree.map_with_path(lambda path, _: getattr(path[-1], "key", None) == "kernel", params)

    return optax.adamw(rate, weight_decay=weight_decay, mask=decays)
