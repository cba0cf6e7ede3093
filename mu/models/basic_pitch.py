"""Basic Pitch: notes, onsets and pitch contours of polyphonic music, from 22,050 Hz audio."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from mu.audio.framing import frame, pad_last

SAMPLE_RATE_HZ = 22050
HOP_SAMPLES = 256
TILE_SAMPLES = 2 * SAMPLE_RATE_HZ - HOP_SAMPLES
FRAMES = 172
LOWEST_MIDI = 21
PITCHES = 88
BINS_PER_SEMITONE = 3
CONTOUR_BINS = BINS_PER_SEMITONE * PITCHES
# The constant-Q transform: octaves of 36 bins, the top one first; the lowest bins of the last are left off.
OCTAVE_BINS = 12 * BINS_PER_SEMITONE
OCTAVES = 9
CQT_BINS = 309
CQT_TAPS = 256
FLOOR = 1e-10
# Bins up from a pitch to its harmonics .5, 1, 2, ... 7: round(36 log2(harmonic)).
HARMONIC_BINS = (-36, 0, 36, 57, 72, 84, 93, 101)


@dataclasses.dataclass(frozen=True)
class BasicPitchAudio:
    """What the network takes: tiles of one length at one rate."""

    sample_rate_hz: int = SAMPLE_RATE_HZ
    tile_samples: int = TILE_SAMPLES


class ConstantQ(nnx.Module):
    """Power of a constant-Q transform, an octave at a time (Schörkhuber & Klapuri 2010).

    The top octave's 36 filters are correlated with the audio; the audio is then low-pass filtered and every other
    sample kept, and the same filters give the next octave. The filters are arrays of the published file, zeros
    until they are loaded, and not trained: no gradient reaches them.

    Args:
      rngs: unused; every layer takes it.
    """

    def __init__(self, *, rngs: nnx.Rngs):
        del rngs
        self.real = nnx.Param(jnp.zeros((OCTAVE_BINS, CQT_TAPS), jnp.float32), axes=(None, None))
        self.imaginary = nnx.Param(jnp.zeros((OCTAVE_BINS, CQT_TAPS), jnp.float32), axes=(None, None))
        self.low_pass = nnx.Param(jnp.zeros(CQT_TAPS, jnp.float32), axes=(None,))
        self.scale = nnx.Param(jnp.zeros(CQT_BINS, jnp.float32), axes=(None,))

    def __call__(self, audio: jax.Array) -> jax.Array:
        """float32 [B, N] -> [B, F, 309], lowest bin first; the hop is 256 samples."""
        filters = jax.lax.stop_gradient(jnp.concatenate([self.real[...], self.imaginary[...]]))
        low_pass, scale = jax.lax.stop_gradient((self.low_pass[...], self.scale[...]))
        octaves, hop_samples = [], HOP_SAMPLES
        for octave in range(OCTAVES):
            if octave:
                side = CQT_TAPS // 2 - 1
                audio = frame(pad_last(audio, side, side), CQT_TAPS, 2) @ low_pass
                hop_samples //= 2
            padded = pad_last(audio, CQT_TAPS // 2, CQT_TAPS // 2, "reflect")
            # [B, F, 72]: the real parts, then the imaginary ones.
            parts = jnp.square(frame(padded, CQT_TAPS, hop_samples) @ filters.T)
            octaves.append(parts[..., :OCTAVE_BINS] + parts[..., OCTAVE_BINS:])
        power = jnp.concatenate(octaves[::-1], axis=-1)[..., -CQT_BINS:]
        return power * jnp.square(scale)[None, None]


class BasicPitch(nnx.Module):
    """Notes, their onsets and pitch contours as probabilities a frame and bin (Bittner et al. 2022, arXiv:2203.09893).

    The log power of a constant-Q transform, scaled to [0, 1] within the tile, is stacked with itself shifted to
    harmonics .5, 1, ... 7, so that small filters see a pitch's partials side by side. Contours are read from the stack,
    notes from the contours, onsets from the stack and the notes. Batch norms are folded into the convolutions.

    F = 172 frames of 256 samples; frame f is centred on sample 256 f of the tile. About 17,000 parameters.

    Args:
      rngs: of the initial weights.
    """

    def __init__(self, *, rngs: nnx.Rngs):
        def conv(inputs: int, outputs: int, kernel: tuple[int, int], stride: int = 1) -> nnx.Conv:
            return nnx.Conv(inputs, outputs, kernel, strides=(1, stride), padding="SAME", rngs=rngs)

        self.constant_q = ConstantQ(rngs=rngs)
        self.scale = nnx.Param(jnp.ones(1, jnp.float32), axes=(None,))
        self.shift = nnx.Param(jnp.zeros(1, jnp.float32), axes=(None,))
        harmonics = len(HARMONIC_BINS)
        self.contours_hidden = conv(harmonics, 8, (3, 39))
        self.contours = conv(8, 1, (5, 5))
        self.notes_hidden = conv(1, 32, (7, 7), BINS_PER_SEMITONE)
        self.notes = conv(32, 1, (7, 3))
        self.onsets_hidden = conv(harmonics, 32, (5, 5), BINS_PER_SEMITONE)
        self.onsets = conv(33, 1, (3, 3))

    def tables(self) -> dict[str, Any]:
        """No tables of rows."""
        return {}

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Probabilities of tiles.

        Args:
          rows: unused; there are no tables.
          batch: 'audio' float32 [B, 43844]; 'samples' int32 [B], how many of them are sound, for 'clip'.
          key: unused; nothing is random.

        Returns:
          'notes' float32 [B, F, 88]: whether a pitch sounds, MIDI 21 to 108.
          'onsets' float32 [B, F, 88]: whether it begins.
          'contours' float32 [B, F, 264]: whether it sounds, in thirds of a semitone.
          'frames' float32 [B, F, 440]: the three side by side.
          'clip' float32 [B, 440]: their mean over the frames with sound, at least one.
        """
        del rows, key
        x = harmonic_stack(self.normalised(self.constant_q(batch["audio"])))
        contours = jax.nn.sigmoid(self.contours(jax.nn.relu(self.contours_hidden(x))))
        notes = jax.nn.sigmoid(self.notes(jax.nn.relu(self.notes_hidden(contours))))
        hidden = jnp.concatenate([notes, jax.nn.relu(self.onsets_hidden(x))], axis=-1)
        onsets = jax.nn.sigmoid(self.onsets(hidden))
        outputs = {"notes": notes[..., 0], "onsets": onsets[..., 0], "contours": contours[..., 0]}
        frames = jnp.concatenate(list(outputs.values()), axis=-1)
        sounding = jnp.maximum(-(-batch["samples"] // HOP_SAMPLES), 1)
        mask = jnp.arange(frames.shape[1], dtype=jnp.int32)[None] < sounding[:, None]
        total = jnp.sum(jnp.where(mask[..., None], frames, 0.0), axis=1)
        return {**outputs, "frames": frames, "clip": total / jnp.sum(mask, axis=1, keepdims=True).astype(jnp.float32)}

    def normalised(self, power: jax.Array) -> jax.Array:
        """Decibels from the tile's least value, 0, to its greatest, 1; then scale and shift of the input's batch norm.

        A tile without any difference, as silence, is 0 before the scale.
        """
        decibels = 10.0 * jnp.log10(power + FLOOR)
        above = decibels - jnp.min(decibels, axis=(1, 2), keepdims=True)
        most = jnp.max(above, axis=(1, 2), keepdims=True)
        unit = jnp.where(most > 0.0, above / jnp.where(most > 0.0, most, 1.0), 0.0)
        return unit * self.scale[...][None, None] + self.shift[...][None, None]


def harmonic_stack(x: jax.Array) -> jax.Array:
    """[B, F, 309] -> [B, F, 264, 8]: at bin b of channel h stands bin b + `HARMONIC_BINS[h]`, 0 where there is none."""
    before, after = -min(HARMONIC_BINS), max(0, max(HARMONIC_BINS) + CONTOUR_BINS - x.shape[-1])
    x = pad_last(x, before, after)
    return jnp.stack([x[..., before + bins : before + bins + CONTOUR_BINS] for bins in HARMONIC_BINS], axis=-1)
