"""Pitch without labels: a spectrum that is moved by so many bins has its pitch moved by as many."""

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio.framing import frame, pad_last
from mu.ranges import Between, Count
from mu.tasks.audio_views import flat_crops

SAMPLE_RATE_HZ = 16_000
LOUD = 1e-4
"""A frame counts whose mean square is at least so much of the loudest frame's: 40 dB below."""
NOISE_DB = (-60.0, -20.0)
HUBER = 0.1
TONES = tuple(range(48, 85, 3))
"""MIDI pitches of the tones that give the absolute pitch."""
PARTIALS = 10


class PitchModel(Protocol):
    """A network from bins of log frequency to pitches; `mu.models.pesto.Pesto` is one."""

    @property
    def window_samples(self) -> int: ...
    @property
    def hop_samples(self) -> int: ...
    @property
    def pad_mode(self) -> str: ...
    @property
    def edge_bins(self) -> int: ...
    @property
    def bins_per_semitone(self) -> int: ...
    def log_power(self, frames: jax.Array, /) -> jax.Array: ...
    def activations(self, x: jax.Array, /) -> jax.Array: ...
    def pitch_of(self, activations: jax.Array, /) -> jax.Array: ...
    def __call__(self, rows: Any, batch: Mapping[str, jax.Array], /) -> dict[str, jax.Array]: ...


class PitchRecordings(Protocol):
    """Clips whose pitch may be known; `mu.data.clips.clips.Clips` is one."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def targets(self) -> Mapping[str, Any]: ...


class PitchShift:
    """Equivariance to transposition as the only teacher (PESTO: Riou et al. 2023, arXiv:2309.02265).

    Of a frame x, p = f(x) are probabilities of pitches in bins of log frequency; q = f(x with noise); r = f(x moved by
    k bins), k uniform. With s_k p the probabilities moved by as many bins, H cross-entropy, a = 2^(1/bins an octave)
    and phi(p) = sum_i p_i a^i, the loss of a frame is

        H(p, q) + H(s_k p, r) + huber(phi(r) / phi(p) - a^-k)

    and that of a crop the mean over the drawn frames that sound. Labels are not used. What is learnt is pitch but for a
    constant, which is that of synthetic tones of known pitch: `predict` gives absolute pitches.

    Args:
      data: the training clips, at 16 kHz; with one number, in semitones, where predictions are to be measured.
      frames: drawn of each crop, at each step.
      max_shift: the largest |k|.

    Attributes:
      offers: nothing: the model needs no more.
      requires: names that the model must return.
      compares_examples: the loss of an example does not depend on the others of its batch.
      needs_all_items: no step needs the rows of a whole catalogue.
    """

    requires = frozenset({"activations", "clip"})
    compares_examples = False
    needs_all_items = False

    def __init__(self, *, data: PitchRecordings, frames: Count = 8, max_shift: Annotated[int, Between(1, 16)] = 12):
        if data.sample_rate_hz != SAMPLE_RATE_HZ:
            raise ValueError(
                f"the clips are at {data.sample_rate_hz} Hz, and the bins of the network at {SAMPLE_RATE_HZ}: set "
                f"data.sample_rate_hz={SAMPLE_RATE_HZ}"
            )
        if names := [name for name, target in data.targets.items() if name != "numbers" or len(target.names) != 1]:
            raise ValueError(
                f"the clips have the target {names[0]!r}, and pitch without labels is one number, in semitones: set "
                "data.numbers to its column alone, and no classes and tags"
            )
        self._frames, self._max_shift = frames, max_shift
        self.offers: Mapping[str, Any] = {}

    def loss(
        self, model: PitchModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B C], weights [B C]) of every crop; one in which nothing sounds weighs nothing."""
        del rows
        crops = batch["audio"].shape[1]
        frames, loud = self._drawn(model, *flat_crops(batch), jax.random.fold_in(key, 0))
        x = model.log_power(frames)
        limit, edge = min(self._max_shift, model.edge_bins), model.edge_bins
        shift = jax.random.randint(jax.random.fold_in(key, 1), x.shape[:2], -limit, limit + 1)
        width = x.shape[-1] - 2 * edge
        bins = jnp.arange(width, dtype=jnp.int32)[None, None]
        plain = x[..., edge : edge + width]
        moved = jnp.take_along_axis(x, edge + bins + shift[..., None], axis=-1)
        p, q, r = (model.activations(view) for view in (plain, _noisy(plain, jax.random.fold_in(key, 2)), moved))
        error = frame_losses(p, q, r, shift, 12 * model.bins_per_semitone)
        counted = jnp.sum(loud, axis=1)
        losses = jnp.sum(error * loud, axis=1) / jnp.maximum(counted, 1.0)
        return losses, jnp.repeat(batch["weights"], crops) * (counted > 0).astype(jnp.float32)

    def predict(
        self, model: PitchModel, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """The pitch of pieces of audio, 'audio' [B, 1, N] and 'samples' [B, 1].

        Returns:
          'clip' [B, D]; 'numbers' float32 [B, 1], MIDI pitch of the frames' probabilities, each by its loudness.
        """
        audio, samples = batch["audio"][:, 0], batch["samples"][:, 0]
        outputs = model(rows, {"audio": audio, "samples": samples})
        side = model.window_samples // 2
        frames = frame(pad_last(audio, side, side, model.pad_mode), model.window_samples, model.hop_samples)
        power = jnp.mean(jnp.square(frames), axis=-1) + 1e-12
        weights = (power / jnp.sum(power, axis=1, keepdims=True))[..., None]
        pitch = model.pitch_of(jnp.sum(outputs["activations"] * weights, axis=1))
        return {"clip": outputs["clip"], "numbers": (pitch + self._offset(model))[:, None]}

    def _drawn(
        self, model: PitchModel, audio: jax.Array, samples: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(frames float32 [B, n, W] at random places of each crop, float32 [B, n]: 1 for those that sound)."""
        window = model.window_samples
        audio = jnp.pad(audio, ((0, 0), (0, max(window - audio.shape[1], 0))))
        last = jnp.maximum(samples - window, 0).astype(jnp.float32)[:, None]
        places = jax.random.uniform(key, (len(audio), self._frames), jnp.float32)
        starts = jnp.floor(places * (last + 1.0)).astype(jnp.int32)
        cut = jax.vmap(jax.vmap(jax.lax.dynamic_slice, (None, 0, None)), (0, 0, None))
        frames = cut(audio, starts[..., None], (window,))
        power = jnp.mean(jnp.square(frames), axis=-1)
        loudest = jnp.max(power, axis=1, keepdims=True)
        return frames, ((power >= LOUD * loudest) & (loudest > 1e-10)).astype(jnp.float32)

    def _offset(self, model: PitchModel) -> jax.Array:
        """Semitones by which the pitches of synthetic tones lie above what the network says, their median."""
        x = model.log_power(jnp.asarray(_tones(model.window_samples)))
        said = model.pitch_of(model.activations(x[..., model.edge_bins : -model.edge_bins]))
        return jnp.median(jnp.asarray(TONES, jnp.float32) - said)


def frame_losses(p: jax.Array, q: jax.Array, r: jax.Array, shift: jax.Array, bins_per_octave: int) -> jax.Array:
    """float32 [...]: the loss of frames, see `PitchShift`.

    Args:
      p: float32 [..., D], probabilities of the frame.
      q: of the frame with noise.
      r: of the frame whose bins from k on stand for those from 0 on.
      shift: k, int32 [...].
      bins_per_octave: of the D pitches.
    """
    bins = jnp.arange(p.shape[-1], dtype=jnp.int32)
    at = (bins.reshape((1,) * shift.ndim + (-1,)) + shift[..., None]) % p.shape[-1]
    moved = jnp.take_along_axis(p, at, axis=-1)
    # Powers of two over the octaves would let the highest bins decide in float32: centred they stay within range.
    powers = jnp.exp2((bins - p.shape[-1] // 2).astype(jnp.float32) / bins_per_octave)
    ratio = (r @ powers) / (p @ powers)
    wanted = jnp.exp2(-shift.astype(jnp.float32) / bins_per_octave)
    return _cross_entropy(p, q) + _cross_entropy(moved, r) + _huber(ratio - wanted)


def _cross_entropy(p: jax.Array, q: jax.Array) -> jax.Array:
    return -jnp.sum(p * jnp.log(q + 1e-8), axis=-1)


def _huber(error: jax.Array) -> jax.Array:
    """error^2 / 2 up to `HUBER`, and a line beyond."""
    size = jnp.abs(error)
    return jnp.where(size <= HUBER, jnp.square(error) / 2, HUBER * (size - HUBER / 2))


def _noisy(log_power: jax.Array, key: jax.Array) -> jax.Array:
    """Power of white noise added, -60 to -20 dB of the frame's greatest: exponential, as that of Gaussian noise is."""
    level_key, draw_key = jax.random.split(key)
    level = jax.random.uniform(level_key, log_power.shape[:-1], jnp.float32, NOISE_DB[0], NOISE_DB[1])[..., None]
    noise = jax.random.exponential(draw_key, log_power.shape, jnp.float32)
    greatest = jnp.max(log_power, axis=-1, keepdims=True)
    return jnp.logaddexp(log_power, greatest + level * (np.log(10.0) / 10.0) + jnp.log(noise + 1e-12))


def _tones(window_samples: int) -> np.ndarray:
    """float32 [n, W]: tones of `TONES`, partials falling off as 1 / h up to half the rate."""
    time = np.arange(window_samples) / SAMPLE_RATE_HZ
    tones = []
    for pitch in TONES:
        hertz = 440.0 * 2.0 ** ((pitch - 69) / 12) * np.arange(1, PARTIALS + 1)
        loud = np.where(hertz < 0.45 * SAMPLE_RATE_HZ, 0.2 / np.arange(1, PARTIALS + 1), 0.0)
        tones.append(loud @ np.sin(2 * np.pi * hertz[:, None] * time))
    return np.array(tones, np.float32)
