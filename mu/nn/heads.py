"""Heads: from an encoder's frames or clip vector to what a task wants of it."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.linear import linear


@dataclasses.dataclass(frozen=True)
class Head:
    """What a task asks a model for under one name.

    Attributes:
      size: numbers; 'log_mel' for those of the spectrogram that one frame of the encoder stands for.
      of: 'clip', one vector a clip, or 'frames', one a frame.
      hidden: size of a hidden layer with GELU; None for a linear map.
    """

    size: int | Literal["log_mel"]
    of: Literal["clip", "frames"] = "clip"
    hidden: int | None = None


@dataclasses.dataclass(frozen=True)
class Asked:
    """What a task asks a model of listeners.

    Attributes:
      columns: what is known of a listener, name -> how many codes it has; 0 is 'not known'.
      told: names of what is to be told, each by yes or no.
      taste: the encoder's head of classes of which listeners have tastes; None for none.
    """

    columns: Mapping[str, int]
    told: tuple[str, ...]
    taste: str | None = None


class MLP(nnx.Module):
    """A linear map, or two with GELU between; [..., D] -> [..., size], float32."""

    def __init__(self, dim: int, size: int, hidden: int | None, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        width = hidden or dim
        self.up = None if hidden is None else linear(dim, hidden, ("embed", "hidden"), dtype=dtype, rngs=rngs)
        self.out = linear(width, size, ("hidden" if hidden else "embed", None), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.up is not None:
            x = jax.nn.gelu(self.up(x))
        return self.out(x).astype(jnp.float32)
