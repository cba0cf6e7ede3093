"""Front end of audio encoders: log-mel spectrograms, brought to one scale."""

import dataclasses
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp

from mu.audio import streaming_features
from mu.audio.largest import largest
from mu.audio.mel import log_mel
from mu.audio.streaming import Stream, then

Normalisation = Literal["clip", "band", "none", "fixed"]
# Decibels that become one; spectrograms then have a spread of about one.
SCALE_DB = 15.0
# Where recordings lie on the scale of full scale 0 dB, when their levels are left as they are.
MIDDLE_DB = -30.0


@dataclasses.dataclass(frozen=True)
class FrontEnd:
    """Waveforms to log-mel spectrograms.

    Attributes:
      sample_rate_hz: of the waveforms.
      window_s: length of a frame; the Fourier transform takes the next power of two.
      hop_s: from frame to frame.
      n_mels: M.
      fmin_hz: the lowest frequency of the mel filters.
      fmax_hz: the highest; None is half the rate.
      range_db: the floor, in dB below the loudest place of the clip ('fixed': below full scale). Without it a model
        learns to tell recording chains by their noise.
      normalisation: 'clip' subtracts each clip's mean level; 'band' subtracts each band's mean over time, and with it
        the colour of the recording chain and the level; 'none' leaves the level as it is; 'fixed' does, too, and its
        floor is `range_db` below full scale, so that no frame depends on a later one.
      attend_padding: the silence that fills short clips up counts as part of them. Without it, 'band' removes what
        identifies a word of one vowel: its bands differ from each other, not from moment to moment.
    """

    sample_rate_hz: int
    window_s: float
    hop_s: float
    n_mels: int
    fmin_hz: float
    fmax_hz: float | None
    range_db: float
    normalisation: Normalisation
    attend_padding: bool

    def __post_init__(self) -> None:
        if self.normalisation not in get_args(Normalisation):
            raise ValueError(f"normalisation={self.normalisation!r}; known: {', '.join(get_args(Normalisation))}")
        if self.hop_samples < 1 or self.window_samples < self.hop_samples:
            raise ValueError(
                f"window_s={self.window_s} and hop_s={self.hop_s} at {self.sample_rate_hz} Hz: a window must be at "
                "least a hop, and a hop at least a sample"
            )

    @property
    def window_samples(self) -> int:
        return round(self.window_s * self.sample_rate_hz)

    @property
    def hop_samples(self) -> int:
        return round(self.hop_s * self.sample_rate_hz)

    @property
    def n_fft(self) -> int:
        """Samples of the Fourier transform: a frame looks at half as many before and after its middle."""
        return 1 << (self.window_samples - 1).bit_length()

    @property
    def _log_mel(self) -> dict[str, Any]:
        return {
            "n_fft": self.n_fft,
            "window_samples": self.window_samples,
            "hop_samples": self.hop_samples,
            "n_mels": self.n_mels,
            "fmin_hz": self.fmin_hz,
            "fmax_hz": self.fmax_hz,
        }

    def stream(self) -> Stream:
        """The frames of `normalised`, of sound that is still coming: float32 [..., F, M].

        Raises:
          ValueError: the normalisation is not 'fixed', or padding is attended to.
        """
        if self.normalisation != "fixed" or self.attend_padding:
            raise ValueError(
                f"normalisation={self.normalisation!r} with attend_padding={self.attend_padding} waits for the end of "
                "the clip: train with normalisation='fixed' and without attend_padding"
            )

        def scaled(nothing: tuple[()], frames: jax.Array) -> tuple[tuple[()], jax.Array]:
            return nothing, (jnp.maximum(frames, -self.range_db) - MIDDLE_DB) / SCALE_DB

        return then(streaming_features.log_mel(self.sample_rate_hz, **self._log_mel), scaled, lambda shape: ())

    def spectrogram(self, audio: jax.Array, samples: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Log-mel spectrograms in dB, at most `range_db` below their loudest place, and the mask of the clip's frames.

        Args:
          audio: float32 [B, N].
          samples: int32 [B], how many of the N are the clip's; the rest is padding.

        Returns:
          (float32 [B, F, M], bool [B, F]), F = ceil(N / hop).
        """
        spectrogram = log_mel(audio, self.sample_rate_hz, **self._log_mel)
        frames = -(-audio.shape[-1] // self.hop_samples)  # the last frame of centred ones is half beyond the end
        lengths = -(-samples // self.hop_samples)
        if self.attend_padding:
            lengths = jnp.full_like(lengths, frames)
        mask = jnp.arange(frames, dtype=jnp.int32)[None] < jnp.maximum(lengths, 1)[:, None]
        spectrogram = spectrogram[:, :frames]
        if self.normalisation == "fixed":
            return jnp.maximum(spectrogram, -self.range_db), mask
        loudest = largest(jnp.where(mask[..., None], spectrogram, -jnp.inf), 2)
        return jnp.maximum(spectrogram, loudest - self.range_db), mask

    def normalised(self, spectrogram: jax.Array, mask: jax.Array) -> jax.Array:
        """[B, F, M] in dB -> the same shape, around 0 with a spread of about 1, and 0 outside the mask."""
        inside = mask[..., None].astype(spectrogram.dtype)
        count = jnp.sum(inside, axis=1, keepdims=True)
        if self.normalisation in ("none", "fixed"):
            level = jnp.asarray(MIDDLE_DB, spectrogram.dtype)
        else:
            level = jnp.sum(spectrogram * inside, axis=1, keepdims=True) / count
            if self.normalisation == "clip":
                level = jnp.mean(level, axis=-1, keepdims=True)
        return (spectrogram - level) * inside / SCALE_DB
