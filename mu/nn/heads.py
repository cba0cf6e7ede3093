"""Heads: small networks from an encoder's frames or clip vector to one output of a task."""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.linear import linear


@dataclasses.dataclass(frozen=True)
class Head:
    """One output that a task requires of a model.

    Attributes:
      size: numbers of the output; 'log_mel' for the numbers of the spectrogram that one frame of the encoder covers,
        'frame' for those of such a frame.
      of: the input, 'clip' (one vector a clip) or 'frames' (one a frame).
      hidden: size of a hidden layer with GELU; None for a linear map.
    """

    size: int | Literal["log_mel", "frame"]
    of: Literal["clip", "frames"] = "clip"
    hidden: int | None = None


@dataclasses.dataclass(frozen=True)
class TextHead:
    """An output that a task requires of words instead of sound (`mu.nn.text.TextTower`).

    Attributes:
      size: numbers of the output.
      hidden: size of the hidden layer.
      hash_size: places that n-grams are hashed to.
      dim: numbers of an n-gram's vector.
    """

    size: int
    hidden: int
    hash_size: int
    dim: int


class HeadLayers(nnx.Module):
    """A linear map, or two with GELU between; [..., D] -> [..., size], float32.

    Args:
      dim: D.
      size: numbers of the output.
      hidden: size of the layer between; None for a single linear map.
      dtype: of the computation.
      rngs: source of the initial values.
    """

    def __init__(self, dim: int, size: int, hidden: int | None, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        width = hidden or dim
        self.up = None if hidden is None else linear(dim, hidden, ("embed", "hidden"), dtype=dtype, rngs=rngs)
        self.out = linear(width, size, ("hidden" if hidden else "embed", None), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.up is not None:
            x = jax.nn.gelu(self.up(x))
        return self.out(x).astype(jnp.float32)
