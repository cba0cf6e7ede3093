"""Whether a run still learns: loss, gradient and weights are numbers, or the run stops and says what is kept."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mu.training.checkpoint import Checkpoints


class NotFinite(ValueError):
    """The loss, its gradient or the weights are no longer numbers."""


def check_finite(step: int, metrics: Mapping[str, jax.Array], checkpoints: Checkpoints) -> dict[str, float]:
    """The step's metrics as numbers; NotFinite if they are none."""
    values = {name: float(value) for name, value in jax.device_get(metrics).items()}
    if not values["finite"]:
        raise not_finite(step, f"loss {values['loss']}, gradient norm {values['grad_norm']}", checkpoints)
    return values


def not_finite(step: int, what: str, checkpoints: Checkpoints) -> NotFinite:
    """The error of a step that is no number; it says which checkpoint there is."""
    checkpoints.wait()
    steps = checkpoints.steps()
    kept = f"the checkpoint of step {steps[-1]:,} is kept" if steps else "there is no checkpoint yet"
    return NotFinite(f"step {step:,}: {what}; stopped, {kept}. A lower learning rate or clip_norm may help.")


@jax.jit
def all_finite(state: Any) -> jax.Array:
    """Whether every number of a state is one: a finite gradient times an absurd rate need not be."""
    checks = [jnp.isfinite(x).all() for x in jax.tree.leaves(state) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.stack(checks).all()
