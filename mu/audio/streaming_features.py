"""The features of `mu.audio` as streams, for `streaming.start`, `push` and `finish`: same names, options and frames.

What is not here needs more of the signal than a stream has:

- decibels with `top_db`, and so `descriptors.contrast` but for `linear=True`: their floor is set by the loudest frame.
- tuning, and chroma that estimates it: a histogram of the whole clip. Given a tuning, chroma is a stream.
- CQT, VQT and chroma from them: the lowest filters are 0.5 s long, 1.6 s at 36 bins an octave, and halvings of the rate
  need a memory of their own.
- tempogram, tempo and beats: windows of 8 s about a frame, the mean of all, and a last beat to start from.
- harmonic-percussive separation: the median over time needs 15 frames that are still to come.
- onset times: scaled by the least and the largest of the envelope.

Shapes: `...` leading axes, F frames, K bins, M mels, C coefficients or pitch classes.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio import chroma, descriptors, mel, spectral
from mu.audio.streaming import Stream, framewise, then


def stft(*, center: bool = True, pad_mode: str = "constant", **options) -> Stream:
    """Frames of `spectral.stft`, options as there. complex64 [..., F, K]."""
    return framewise(
        partial(spectral.stft, center=False, **options), *_lengths(options), center=center, pad_mode=pad_mode
    )


def of_magnitudes(
    function: Callable[[jax.Array], jax.Array], *, center: bool = True, pad_mode: str = "constant", **options: Any
) -> Stream:
    """Frames of a descriptor of spectra: `function(spectral.magnitude(spectral.stft(x, ...)))`.

    Args:
      function: float32 [..., F, K] -> [..., F, ...], frame by frame: `descriptors.centroid`, `bandwidth`, `rolloff` and
        `flatness`, say `partial(descriptors.centroid, sample_rate_hz=16_000)`, or several of them stacked.
      options: of `spectral.stft`.
    """

    def feature(x: jax.Array) -> jax.Array:
        return function(spectral.magnitude(spectral.stft(x, center=False, **options)))

    return framewise(feature, *_lengths(options), center, pad_mode)


def chroma_stft(
    sample_rate_hz: float,
    *,
    tuning: float | jax.Array,
    n_chroma: int = 12,
    norm: float | None = math.inf,
    center: bool = True,
    pad_mode: str = "constant",
    **options,
) -> Stream:
    """Frames of `chroma.chroma_stft` of a tuning that is given, other options as there. float32 [..., F, C]."""
    feature = partial(
        chroma.chroma_stft,
        sample_rate_hz=sample_rate_hz,
        tuning=tuning,
        n_chroma=n_chroma,
        norm=norm,
        center=False,
        **options,
    )
    return framewise(feature, *_lengths(options), center, pad_mode)


def mel_spectrogram(sample_rate_hz: float, *, center: bool = True, pad_mode: str = "constant", **options) -> Stream:
    """Frames of `mel.mel_spectrogram`, options as there. float32 [..., F, M]."""
    feature = partial(mel.mel_spectrogram, sample_rate_hz=sample_rate_hz, center=False, **options)
    return framewise(feature, *_lengths(options), center, pad_mode)


def log_mel(sample_rate_hz: float, *, center: bool = True, pad_mode: str = "constant", **options) -> Stream:
    """Frames of `mel.log_mel`, options as there but `top_db`, which a stream cannot know. float32 [..., F, M], dB."""
    feature = partial(mel.log_mel, sample_rate_hz=sample_rate_hz, center=False, **_without_top_db(options))
    return framewise(feature, *_lengths(options), center, pad_mode)


def mfcc(sample_rate_hz: float, *, center: bool = True, pad_mode: str = "constant", **options) -> Stream:
    """Frames of `mel.mfcc` with `top_db=None`, other options as there. float32 [..., F, C]."""
    feature = partial(mel.mfcc, sample_rate_hz=sample_rate_hz, center=False, top_db=None, **_without_top_db(options))
    return framewise(feature, *_lengths(options), center, pad_mode)


def pcen(energy: Stream, sample_rate_hz: float, **options) -> Stream:
    """`mel.pcen` of a stream of energies, say `mel_spectrogram(sample_rate_hz, power=1.0)`; carries its smoother."""

    def step(smooth: jax.Array, energy_frames: jax.Array) -> tuple[jax.Array, jax.Array]:
        frames, smooth = mel.pcen_chunk(
            energy_frames, smooth, sample_rate_hz, hop_samples=energy.hop_samples, **options
        )
        return smooth, frames

    return then(energy, step, lambda shape: np.ones((*shape[:-2], shape[-1]), np.float32))


def onset_strength(decibels: Stream, *, lag: int = 1) -> Stream:
    """`rhythm.onset_strength`, the plain flux, of a stream of `log_mel`; carries `lag` frames and centring's delay.

    The offline function cuts log-mels off 80 dB below the loudest of the clip, which a stream cannot know: the two are
    equal where no frame lies below that, and elsewhere the stream's rises are the larger ones. float32 [..., F].

    Args:
      decibels: centred, as the frames of the offline function are.
    """
    if lag < 1:
        raise ValueError(f"lag={lag} frames must be at least 1")
    if decibels.pad_mode is None:
        raise ValueError("onset strength is of centred frames: give log_mel(..., center=True)")
    delay = decibels.frame_samples // (2 * decibels.hop_samples)

    def step(carry: tuple[jax.Array, jax.Array], frames: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        earlier, late = carry
        context = jnp.concatenate([earlier, frames], axis=-2)
        rise = jnp.maximum(frames - context[..., :-lag, :], jnp.float32(0)).mean(-1)
        envelope = jnp.concatenate([late, rise], axis=-1)
        count = frames.shape[-2]
        return (context[..., count:, :], envelope[..., count:]), envelope[..., :count]

    def initial(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        # Nothing rises above infinity: the first frames, which have none to be compared with, come out as 0.
        earlier = np.full((*shape[:-2], lag, shape[-1]), np.inf, np.float32)
        return earlier, np.zeros((*shape[:-2], delay), np.float32)

    return then(decibels, step, initial)


def rms(
    *, frame_samples: int = 2048, hop_samples: int = 512, center: bool = True, pad_mode: str = "constant"
) -> Stream:
    """Frames of `descriptors.rms`. float32 [..., F]."""
    feature = partial(descriptors.rms, frame_samples=frame_samples, hop_samples=hop_samples, center=False)
    return framewise(feature, frame_samples, hop_samples, center, pad_mode)


def zero_crossing_rate(*, frame_samples: int = 2048, hop_samples: int = 512, center: bool = True) -> Stream:
    """Frames of `descriptors.zero_crossing_rate`. float32 [..., F]."""
    feature = partial(
        descriptors.zero_crossing_rate, frame_samples=frame_samples, hop_samples=hop_samples, center=False
    )
    return framewise(feature, frame_samples, hop_samples, center, "edge")


def _lengths(options: dict[str, Any]) -> tuple[int, int]:
    """Samples of a frame and between frames, by `spectral.stft`'s defaults."""
    n_fft = options.get("n_fft", 2048)
    hop_samples = options.get("hop_samples")
    return n_fft, max((options.get("window_samples") or n_fft) // 4, 1) if hop_samples is None else hop_samples


def _without_top_db(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("top_db") is not None:
        raise ValueError(f"top_db={options['top_db']}: a floor below the clip's loudest frame is not known in a stream")
    return {name: value for name, value in options.items() if name != "top_db"}
