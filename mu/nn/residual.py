"""Residual convolution blocks over spectrogram maps [B, F, M, C]: time, frequency, channels."""

import jax
import jax.numpy as jnp
from flax import nnx


def conv(
    inputs: int, outputs: int, size: tuple[int, int], *, stride: int = 1, dtype: jnp.dtype, rngs: nnx.Rngs
) -> nnx.Conv:
    """A convolution without bias, float32 parameters (He normal), computed in `dtype`.

    Padded by half its size at either end, whatever the length ('SAME' would shift with it): ceil(length / stride)
    places.
    """
    return nnx.Conv(
        inputs,
        outputs,
        size,
        strides=stride,
        padding=tuple((side // 2, side // 2) for side in size),  # a tuple: the graph of a model must have a hash
        use_bias=False,
        dtype=dtype,
        kernel_init=nnx.initializers.he_normal(),
        kernel_metadata={"axes": (None, None, None, "hidden")},
        rngs=rngs,
    )


class InstanceNorm(nnx.Module):
    """Each channel of each clip to mean 0 and deviation 1 over time and frequency, then scaled and shifted.

    Ulyanov et al. 2016 (arXiv:1607.08022). Knows no other clip: a clip alone gives what it gives in a batch, and no
    running statistics are kept. Frames outside the mask neither count nor pass.
    """

    def __init__(self, channels: int, *, dtype: jnp.dtype, rngs: nnx.Rngs):
        del rngs
        self.scale = nnx.Param(jnp.ones(channels, jnp.float32), axes=("hidden",))
        self.shift = nnx.Param(jnp.zeros(channels, jnp.float32), axes=("hidden",))
        self.dtype = dtype

    def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
        """[B, F, M, C], bool [B, F] -> [B, F, M, C]."""
        inside = mask[:, :, None, None].astype(jnp.float32)
        x = x.astype(jnp.float32)
        count = x.shape[2] * jnp.sum(inside, axis=1, keepdims=True)
        mean = jnp.sum(x * inside, axis=(1, 2), keepdims=True) / count
        variance = jnp.sum(jnp.square(x - mean) * inside, axis=(1, 2), keepdims=True) / count
        scale, shift = (value[...][None, None, None] for value in (self.scale, self.shift))
        normal = (x - mean) * jax.lax.rsqrt(variance + 1e-5) * scale + shift
        return (normal * inside).astype(self.dtype)


def halved(x: jax.Array) -> jax.Array:
    """Means of 2 x 2 places in time and frequency: [B, F, M, C] -> [B, ceil(F / 2), ceil(M / 2), C], edges repeated."""
    batch, frames, bands, channels = x.shape
    x = jnp.pad(x, ((0, 0), (0, frames % 2), (0, bands % 2), (0, 0)), mode="edge")
    return x.reshape(batch, -(-frames // 2), 2, -(-bands // 2), 2, channels).mean(axis=(2, 4))


def halved_mask(mask: jax.Array) -> jax.Array:
    """bool [B, F] -> [B, ceil(F / 2)]: a frame is kept where either of the two was."""
    padded = jnp.pad(mask, ((0, 0), (0, mask.shape[1] % 2)))
    return padded.reshape(len(mask), -1, 2).any(axis=2)


class ResidualBlock(nnx.Module):
    """Pre-activation residual block (He et al. 2016, arXiv:1603.05027): x + W2 relu(norm(W1 relu(norm(x)))), 3 x 3.

    Args:
      inputs: channels in.
      outputs: channels out; where they differ, x passes through a 1 x 1 convolution.
      halve: halves time and frequency first.
    """

    def __init__(self, inputs: int, outputs: int, *, halve: bool, dtype: jnp.dtype, rngs: nnx.Rngs):
        self.halve = halve
        self.first_norm = InstanceNorm(inputs, dtype=dtype, rngs=rngs)
        self.first = conv(inputs, outputs, (3, 3), dtype=dtype, rngs=rngs)
        self.second_norm = InstanceNorm(outputs, dtype=dtype, rngs=rngs)
        self.second = conv(outputs, outputs, (3, 3), dtype=dtype, rngs=rngs)
        self.shortcut = None if inputs == outputs else conv(inputs, outputs, (1, 1), dtype=dtype, rngs=rngs)

    def __call__(self, x: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """[B, F, M, C], bool [B, F] -> the same, halved or not."""
        mixed = jax.nn.relu(self.first_norm(x, mask))
        if self.halve:
            x, mixed, mask = halved(x), halved(mixed), halved_mask(mask)
        mixed = jax.nn.relu(self.second_norm(self.first(mixed), mask))
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return shortcut + self.second(mixed), mask
