"""Front ends of published audio encoders: log-mel spectrograms of a fixed length, by each model's own definition."""

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from mu.audio import kaldi
from mu.audio.mel import mel_spectrogram

Kind = Literal["kaldi", "log_compressed"]
# Of 'log_compressed', at its one rate of 16 kHz.
N_FFT, HOP_SAMPLES, COMPRESSION = 512, 256, 10_000.0


@dataclasses.dataclass(frozen=True)
class PretrainedFrontEnd:
    """Waveforms to spectrograms of F frames with the mean 0 and the spread 1/2 of the model's training set.

    Attributes:
      kind: 'kaldi' (AST: `mu.audio.kaldi`) or 'log_compressed' (MAEST: log10(1 + 10,000 mel), 32 ms frames each 16 ms).
      sample_rate_hz: of the waveforms.
      n_mels: M.
      frames: F.
      mean: of the training set's spectrograms.
      deviation: of the same.
    """

    kind: Kind
    sample_rate_hz: int
    n_mels: int
    frames: int
    mean: float
    deviation: float

    @property
    def tile_samples(self) -> int:
        """N: the samples that F frames reach over."""
        if self.kind == "kaldi":
            window_samples, hop_samples = kaldi.frame_samples(self.sample_rate_hz)
            return (self.frames - 1) * hop_samples + window_samples
        return (self.frames - 1) * HOP_SAMPLES

    def __call__(self, audio: jax.Array, samples: jax.Array) -> jax.Array:
        """The spectrograms. Frames beyond the sound are 0 before the mean is subtracted, as in the models' training.

        Args:
          audio: float32 [B, N].
          samples: int32 [B], how many of the N are sound; the rest is silence. At least one frame counts as sound.

        Returns:
          float32 [B, F, M].
        """
        if self.kind == "kaldi":
            window_samples, hop_samples = kaldi.frame_samples(self.sample_rate_hz)
            spectrogram = kaldi.log_mel(audio, self.sample_rate_hz, self.n_mels)
            sounding = (samples - window_samples) // hop_samples + 1
        else:
            mel = mel_spectrogram(audio, self.sample_rate_hz, n_fft=N_FFT, hop_samples=HOP_SAMPLES, n_mels=self.n_mels)
            spectrogram = jnp.log10(1.0 + jnp.float32(COMPRESSION) * mel)
            sounding = samples // HOP_SAMPLES + 1
        inside = jnp.arange(self.frames, dtype=jnp.int32)[None] < jnp.maximum(sounding, 1)[:, None]
        spectrogram = jnp.where(inside[..., None], spectrogram, 0.0)
        return (spectrogram - jnp.float32(self.mean)) / jnp.float32(2 * self.deviation)
