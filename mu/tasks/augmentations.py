"""Augmentations of waveforms and spectrograms in training; each is off until it has a range."""

from typing import Annotated

import jax
import jax.numpy as jnp

from mu.audio import augment, augment_filters, augment_spectrogram
from mu.audio.interpolation import change_speed
from mu.ranges import Between, Bounds, Ordered, Share

Range = tuple[float, float]
Decibels = Annotated[Range, Ordered(Between(-200, 200))]
Ratios = Annotated[Range, Ordered(Between(0.01, 100))]
# Made-up rooms a step.
ROOMS = 8


class Augmentations:
    """Waveforms first, then spectrograms, in the order of the arguments; see `mu.audio.augment` and its neighbours.

    Every example draws its own values from the key; what is given as None or 0 is not applied.

    Args:
      speed: range of rates at which the waveform is played: tempo and pitch together.
      shift_s: the waveform is turned round in time by up to so many seconds.
      equalize_db: range of the gains of three random bands.
      reverb_t60_s: range of reverberation times of synthetic rooms, half of the examples.
      noise_snr_db: range of signal-to-noise ratios, coloured noise.
      gain_db: range of level changes.
      polarity: half of the waveforms are turned over.
      frequency_shift: the mel axis is moved by up to so many bins, either way.
      frequency_warp: range of factors by which the mel axis is stretched.
      time_masks: number of masks along time.
      time_mask_share: largest width of one, as a share of the axis.
      frequency_masks: number of masks along frequency.
      frequency_mask_share: largest width of one, as a share of the axis.
    """

    def __init__(
        self,
        *,
        speed: Ratios | None = None,
        shift_s: Annotated[float, Between(0, 86_400)] = 0.0,
        equalize_db: Decibels | None = None,
        reverb_t60_s: Annotated[Range, Ordered(Bounds(0, 60, above=True))] | None = None,
        noise_snr_db: Decibels | None = None,
        gain_db: Decibels | None = None,
        polarity: bool = False,
        frequency_shift: Annotated[float, Between(0, 4_096)] = 0.0,
        frequency_warp: Ratios | None = None,
        time_masks: Annotated[int, Between(0, 1_000)] = 0,
        time_mask_share: Share = 0.15,
        frequency_masks: Annotated[int, Between(0, 1_000)] = 0,
        frequency_mask_share: Share = 0.2,
    ):
        self.speed, self.shift_s, self.equalize_db, self.reverb_t60_s = speed, shift_s, equalize_db, reverb_t60_s
        self.noise_snr_db, self.gain_db, self.polarity = noise_snr_db, gain_db, polarity
        self.frequency_shift, self.frequency_warp = frequency_shift, frequency_warp
        self.time_masks, self.time_mask_share = time_masks, time_mask_share
        self.frequency_masks, self.frequency_mask_share = frequency_masks, frequency_mask_share

    def waveform(
        self, key: jax.Array, audio: jax.Array, samples: jax.Array, sample_rate_hz: int
    ) -> tuple[jax.Array, jax.Array]:
        """float32 [B, N] and int32 [B], how many of the N are the clip's -> both afterwards.

        Clips stay where they are counted: turned round within their own length, and longer or shorter at another
        speed. A room's echo beyond a clip's end is not counted.
        """
        keys = jax.random.split(key, 7)
        if self.speed:
            audio, samples = _at_random_speed(keys[0], audio, samples, self.speed)
        if self.shift_s:
            audio = _turned_round(keys[1], audio, samples, round(self.shift_s * sample_rate_hz))
        if self.equalize_db:
            audio = augment_filters.equalize(keys[2], audio, sample_rate_hz, gain_db=self.equalize_db)
        if self.reverb_t60_s:
            room_key, reverb_key = jax.random.split(keys[3])
            rooms = augment_filters.decaying_responses(room_key, ROOMS, sample_rate_hz, t60_s=self.reverb_t60_s)
            audio = augment_filters.reverb(reverb_key, audio, rooms, p=0.5)
        if self.noise_snr_db:
            audio = augment.add_noise(keys[4], audio, snr_db=self.noise_snr_db, exponent=(0.0, 2.0))
        if self.gain_db:
            audio = augment.gain(keys[5], audio, gain_db=self.gain_db)
        if self.polarity:
            audio = augment.polarity(keys[6], audio)
        return audio, samples

    def spectrogram(self, key: jax.Array, spectrogram: jax.Array) -> jax.Array:
        """Normalised float32 [B, F, M] -> [B, F, M]; masks fill with 0, the mean."""
        keys = jax.random.split(key, 4)
        length, n_mels = spectrogram.shape[-2:]
        if self.frequency_shift:
            limits = (-self.frequency_shift, self.frequency_shift)
            spectrogram = augment_spectrogram.frequency_shift(keys[0], spectrogram, bins=limits)
        if self.frequency_warp:
            spectrogram = augment_spectrogram.frequency_warp(keys[1], spectrogram, factor=self.frequency_warp)
        if self.time_masks:
            widest = int(self.time_mask_share * length)
            spectrogram = augment_spectrogram.time_masks(
                keys[2], spectrogram, count=self.time_masks, max_frames=widest, fill=0.0
            )
        if self.frequency_masks:
            widest = int(self.frequency_mask_share * n_mels)
            spectrogram = augment_spectrogram.frequency_masks(
                keys[3], spectrogram, count=self.frequency_masks, max_bins=widest, fill=0.0
            )
        return spectrogram


def _at_random_speed(key: jax.Array, audio: jax.Array, samples: jax.Array, rate: Range) -> tuple[jax.Array, jax.Array]:
    """Waveforms at random speeds, and their new lengths; see `mu.audio.augment_time.speed`."""
    rates = augment.between(augment.uniform(key, (len(audio),)), rate, "speed", logarithmic=True)
    length = audio.shape[-1]
    # Half the taps of clean sound, at half the time: nothing is learnt from what aliases so far down.
    played = change_speed(audio, rates, length_samples=length, zero_crossings=4)
    return played, jnp.minimum(jnp.ceil(samples.astype(jnp.float32) / rates).astype(samples.dtype), length)


def _turned_round(key: jax.Array, audio: jax.Array, samples: jax.Array, max_samples: int) -> jax.Array:
    """Each clip moved by up to `max_samples` either way; what leaves it at one end enters at the other."""
    later = jax.random.randint(key, (len(audio), 1), -max_samples, max_samples + 1, jnp.int32)
    places = jnp.arange(audio.shape[-1], dtype=jnp.int32)[None]
    own = jnp.maximum(samples, 1)[:, None]
    source = jnp.where(places < own, (places - later) % own, places)
    return jnp.take_along_axis(audio, source, axis=-1)
