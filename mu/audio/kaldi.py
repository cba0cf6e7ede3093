"""Log-mel energies as Kaldi computes them (`compute-fbank-feats`, `torchaudio.compliance.kaldi.fbank`), in JAX.

They differ from `mu.audio.mel` before the spectrum: each frame loses its own mean and is pre-emphasised by itself.
Shapes: any leading axes `...`, N samples, F frames, M mels.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio.framing import frame, waveform

WINDOW_S, HOP_S = 0.025, 0.010
PRE_EMPHASIS = 0.97
FMIN_HZ = 20.0
# The least energy told apart: the spacing of float32 at 1.
LEAST = float(np.finfo(np.float32).eps)


def frame_samples(sample_rate_hz: int) -> tuple[int, int]:
    """(samples of a frame of 25 ms, samples of a hop of 10 ms)."""
    return int(WINDOW_S * sample_rate_hz), int(HOP_S * sample_rate_hz)


@functools.partial(jax.jit, static_argnums=(1, 2))
def log_mel(x: jax.Array, sample_rate_hz: int, n_mels: int) -> jax.Array:
    """Natural logarithms of mel energies of whole frames under a symmetric Hann window, without dither.

    Args:
      x: float32 [..., N].
      sample_rate_hz: of x.
      n_mels: M.

    Returns:
      float32 [..., F, M].
    """
    window_samples, hop_samples = frame_samples(sample_rate_hz)
    n_fft = 1 << (window_samples - 1).bit_length()
    frames = frame(waveform(x), window_samples, hop_samples)
    frames = frames - jnp.mean(frames, axis=-1, keepdims=True)
    before = jnp.concatenate([frames[..., :1], frames[..., :-1]], axis=-1)
    window = np.hanning(window_samples).astype(np.float32).reshape((1,) * (frames.ndim - 1) + (-1,))
    spectrum = jnp.fft.rfft((frames - jnp.float32(PRE_EMPHASIS) * before) * window, n_fft)
    power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    weights = jnp.asarray(mel_weights(sample_rate_hz, n_fft, n_mels))
    energy = jnp.matmul(power, weights, precision=jax.lax.Precision.HIGHEST)
    return jnp.log(jnp.maximum(energy, jnp.float32(LEAST)))


@functools.lru_cache(maxsize=16)
def mel_weights(sample_rate_hz: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Triangles that are straight on the mel scale 1127 ln(1 + hz / 700), of height 1, from 20 Hz to half the rate.

    Returns:
      float32 [n_fft // 2 + 1, M], NumPy.
    """

    def mel(hz: np.ndarray | float) -> np.ndarray:
        return 1127.0 * np.log1p(np.asarray(hz, np.float64) / 700.0)

    corners = np.linspace(mel(FMIN_HZ), mel(sample_rate_hz / 2), n_mels + 2)
    bins = mel(np.arange(n_fft // 2 + 1) * (sample_rate_hz / n_fft))[:, None]
    rising = (bins - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - bins) / np.diff(corners)[1:]
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
