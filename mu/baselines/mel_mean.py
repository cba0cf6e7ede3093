"""Statistics of a log-mel spectrogram: the simplest description of a recording's timbre and level."""

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio.mel import log_mel
from mu.baselines.mfcc import BLOCK_S

N_MELS = 64


def clip_statistics(audio: np.ndarray, rate: int) -> np.ndarray:
    """Mean and standard deviation over time of 64 log-mel bands, in dB, every 10 ms.

    Args:
      audio: float32 [N].
      rate: of the audio, in Hz.

    Returns:
      float64 [128]: 64 means, then 64 deviations.
    """
    hop, n_fft = rate // 100, 1 << (round(0.032 * rate) - 1).bit_length()
    padded = np.pad(audio, (0, -len(audio) % round(BLOCK_S * rate)))
    frames = max(-(-len(audio) // hop), 1)
    bands = np.asarray(_jitted(jnp.asarray(padded), rate, n_fft, hop), np.float64)[:frames]
    return np.concatenate([bands.mean(axis=0), bands.std(axis=0)])


_jitted = jax.jit(
    lambda audio, rate, n_fft, hop: log_mel(
        audio, rate, n_fft=n_fft, hop_samples=hop, n_mels=N_MELS, fmin_hz=20.0, top_db=None
    ),
    static_argnums=(1, 2, 3),
)
