"""MusiCNN's spectrogram: log10(10,000 mel + 1) of tiles of three seconds."""

import dataclasses

import jax
import jax.numpy as jnp

from mu.audio.mel import mel_spectrogram

N_FFT, HOP_SAMPLES, COMPRESSION = 512, 256, 10_000.0


@dataclasses.dataclass(frozen=True)
class MusiCNNFrontEnd:
    """Waveforms to spectrograms of F frames, 32 ms each 16 ms, on mels as librosa computes them.

    The reference cuts the spectrogram of a whole recording into F frames, then the next F. Tiles of F hops give the
    same, but for the first frame of a tile: half of its window lies before the tile, and is silent here.

    Attributes:
      sample_rate_hz: of the waveforms.
      n_mels: M.
      frames: F.
    """

    sample_rate_hz: int
    n_mels: int
    frames: int

    @property
    def tile_samples(self) -> int:
        """N: F hops."""
        return self.frames * HOP_SAMPLES

    def __call__(self, audio: jax.Array, samples: jax.Array) -> jax.Array:
        """The spectrograms. Those of shorter sounds are repeated until the tile is full, as in the training.

        Args:
          audio: float32 [B, N].
          samples: int32 [B], how many of the N are sound; at least one frame counts as sound.

        Returns:
          float32 [B, F, M].
        """
        inside = jnp.arange(audio.shape[1], dtype=jnp.int32)[None] < samples[:, None]
        mel = mel_spectrogram(
            jnp.where(inside, audio, 0.0),
            self.sample_rate_hz,
            n_fft=N_FFT,
            hop_samples=HOP_SAMPLES,
            n_mels=self.n_mels,
        )
        sounding = jnp.clip(samples // HOP_SAMPLES + 1, 1, self.frames)
        places = jnp.arange(self.frames, dtype=jnp.int32)[None] % sounding[:, None]
        return jnp.log10(jnp.float32(COMPRESSION) * jnp.take_along_axis(mel, places[..., None], axis=1) + 1.0)
