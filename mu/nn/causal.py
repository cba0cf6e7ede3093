"""Convolutions over spectrogram maps [B, F, M, C] that see no later frame, and go on from what they have seen."""

import jax
import jax.numpy as jnp
from flax import nnx

from mu.nn.blocks import Norm
from mu.nn.residual import halved

Past = tuple[jax.Array, ...]
"""The last frames of the input of each convolution, [B, P, M, C] each."""


class CausalConv(nnx.Module):
    """A convolution without bias whose place t sees frames up to s t + s - 1, s its stride over time.

    A chunk of F frames, F a multiple of s, gives F / s; frequency is padded by half the kernel at either end. The
    `size - stride` frames before the chunk are given, and those before the next one returned.

    Args:
      inputs: channels in.
      outputs: channels out.
      size: of the kernel, over time and over frequency.
      stride: over both.
      dtype: of the computation; parameters are float32 (He normal).
      rngs: source of the initial values.
    """

    def __init__(self, inputs: int, outputs: int, size: int, *, stride: int = 1, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.past_frames, self.inputs, self.dtype = size - stride, inputs, dtype
        self.conv = nnx.Conv(
            inputs,
            outputs,
            (size, size),
            strides=stride,
            padding=((0, 0), (size // 2, size // 2)),
            use_bias=False,
            dtype=dtype,
            kernel_init=nnx.initializers.he_normal(),
            kernel_metadata={"axes": (None, None, None, "hidden")},
            rngs=rngs,
        )

    def before(self, batch: int, bands: int) -> jax.Array:
        """[B, P, M, C]: what lies before the first frame, zeros."""
        return jnp.zeros((batch, self.past_frames, bands, self.inputs), self.dtype)

    def __call__(self, x: jax.Array, past: jax.Array) -> tuple[jax.Array, jax.Array]:
        """([B, F, M, C], [B, P, M, C]) -> ([B, F / s, M', C'], the last P frames of both)."""
        x = jnp.concatenate([past, x], axis=1)
        return self.conv(x), x[:, x.shape[1] - self.past_frames :]


class CausalBlock(nnx.Module):
    """Pre-activation residual block, x + W2 relu(norm(W1 relu(norm(x)))), 3 x 3, that sees no later frame.

    The norm is over the channels of one place: a norm over time would wait for the end.

    Args:
      inputs: channels in.
      outputs: channels out; where they differ, x passes through a 1 x 1 convolution.
      halve: means of 2 x 2 places come first.
      dtype: of the computation.
      rngs: source of the initial values.
    """

    def __init__(self, inputs: int, outputs: int, *, halve: bool, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.halve = halve
        self.first_norm = Norm(inputs, dtype=dtype, rngs=rngs)
        self.first = CausalConv(inputs, outputs, 3, dtype=dtype, rngs=rngs)
        self.second_norm = Norm(outputs, dtype=dtype, rngs=rngs)
        self.second = CausalConv(outputs, outputs, 3, dtype=dtype, rngs=rngs)
        self.shortcut = None if inputs == outputs else CausalConv(inputs, outputs, 1, dtype=dtype, rngs=rngs)

    def before(self, batch: int, bands: int) -> Past:
        """What lies before the first frame; `bands` are those that come out."""
        return self.first.before(batch, bands), self.second.before(batch, bands)

    def __call__(self, x: jax.Array, past: Past) -> tuple[jax.Array, Past]:
        """[B, F, M, C] and the past of both convolutions -> the same, halved or not; F is even where it is halved."""
        mixed = jax.nn.relu(self.first_norm(x))
        if self.halve:
            x, mixed = halved(x), halved(mixed)
        mixed, first = self.first(mixed, past[0])
        mixed, second = self.second(jax.nn.relu(self.second_norm(mixed)), past[1])
        if self.shortcut is not None:
            x, _ = self.shortcut(x, x[:, :0])
        return x + mixed, (first, second)
