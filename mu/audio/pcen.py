"""Per-channel energy normalisation: an automatic gain control for each channel, then compression of its range.

Wang et al. 2017, arXiv:1607.05666; Lostanlen et al. 2019, doi:10.1109/LSP.2018.2878620; `librosa.pcen`, transposed.

Shapes: any leading axes `...`, F frames, M channels (mels).
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio.framing import with_rank

# Frames that the smoother takes in one matrix product; it is sequential from block to block.
_BLOCK_FRAMES = 32


def pcen(energy: jax.Array, sample_rate_hz: float, *, hop_samples: int = 512, **options: Any) -> jax.Array:
    """`pcen_chunk` of whole clips, the smoother starting at 1 as librosa's does. float32 [..., F, M], same out."""
    energy = _energy(energy)
    start = jnp.ones((*energy.shape[:-2], energy.shape[-1]), jnp.float32)
    return pcen_chunk(energy, start, sample_rate_hz, hop_samples=hop_samples, **options)[0]


@functools.partial(
    jax.jit,
    static_argnames=("sample_rate_hz", "hop_samples", "gain", "bias", "power", "time_constant_s", "eps"),
)
def pcen_chunk(
    energy: jax.Array,
    state: jax.Array,
    sample_rate_hz: float,
    *,
    hop_samples: int = 512,
    gain: float = 0.98,
    bias: float = 2.0,
    power: float = 0.5,
    time_constant_s: float = 0.4,
    eps: float = 1e-6,
) -> tuple[jax.Array, jax.Array]:
    """(energy / (eps + M)^gain + bias)^power - bias^power, M_f = (1 - b) M_{f-1} + b energy_f.

    With T = time_constant_s * sample_rate_hz / hop_samples frames, b = (sqrt(1 + 4 T^2) - 1) / (2 T^2). As in librosa,
    power = 0 gives log(1 + energy / (eps + M)^gain) and bias = 0 a plain power.

    Args:
      energy: float32 [..., F, M] >= 0: a mel spectrogram, magnitudes or power. The defaults suit waveforms in the range
        of 32-bit integers; librosa multiplies by 2**31.
      state: float32 [..., M]: M before the first frame.

    Returns:
      float32 [..., F, M], and the state after the last frame, for the chunk that follows.
    """
    for name, value in {"gain": gain, "bias": bias, "power": power}.items():
        if value < 0:
            raise ValueError(f"{name}={value} must not be negative")
    for name, value in {"eps": eps, "time_constant_s": time_constant_s, "hop_samples": hop_samples}.items():
        if value <= 0:
            raise ValueError(f"{name}={value} must be positive")
    energy = _energy(energy)
    frames = time_constant_s * sample_rate_hz / hop_samples
    smooth = _smooth(energy, state, (math.sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2))
    scaled = energy * jnp.exp(-jnp.float32(gain) * jnp.log(smooth + jnp.float32(eps)))
    if power == 0:
        out = jnp.log1p(scaled)
    elif bias == 0:
        positive = scaled > 0
        out = jnp.where(positive, jnp.where(positive, scaled, jnp.ones_like(scaled)) ** jnp.float32(power), 0)
    elif power == 0.5:  # (s + b)^.5 - b^.5 without cancellation, in a third of the time of the general form
        out = scaled / (jnp.sqrt(scaled + jnp.float32(bias)) + jnp.float32(math.sqrt(bias)))
    else:
        out = jnp.float32(bias**power) * jnp.expm1(jnp.float32(power) * jnp.log1p(scaled / jnp.float32(bias)))
    return out, smooth[..., -1, :]


def _smooth(energy: jax.Array, state: jax.Array, coefficient: float) -> jax.Array:
    """M_f = (1 - b) M_{f-1} + b energy_f from M_{-1} = state: within a block a product with powers of 1 - b."""
    *leading, frames, channels = energy.shape
    block = min(_BLOCK_FRAMES, frames)
    blocks = -(-frames // block)
    energy = jnp.pad(energy, [(0, 0)] * len(leading) + [(0, blocks * block - frames), (0, 0)])
    ago = np.arange(block)[:, None] - np.arange(block)
    weights = np.where(ago >= 0, coefficient * (1 - coefficient) ** np.maximum(ago, 0), 0.0)
    fade = jnp.asarray((1 - coefficient) ** np.arange(1, block + 1)[:, None], jnp.float32)
    energy = energy.reshape(*leading, blocks, block, channels)
    inside = jnp.matmul(jnp.asarray(weights, jnp.float32), energy, precision=jax.lax.Precision.HIGHEST)

    def step(state: jax.Array, last: jax.Array) -> tuple[jax.Array, jax.Array]:
        return last + fade[-1, 0] * state, state

    _, before = jax.lax.scan(step, state, jnp.moveaxis(inside[..., -1, :], -2, 0))
    smooth = inside + with_rank(fade, inside.ndim) * jnp.moveaxis(before, 0, -2)[..., None, :]
    return smooth.reshape(*leading, blocks * block, channels)[..., :frames, :]


def _energy(energy: jax.Array) -> jax.Array:
    energy = jnp.asarray(energy)
    if energy.dtype != jnp.float32 or energy.ndim < 2 or energy.shape[-2] == 0:
        raise TypeError(f"energy must be float32 [..., F, M] with F > 0; got {energy.dtype} {energy.shape}")
    return energy
