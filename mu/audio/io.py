"""Decoding and resampling: files to float32 waveforms.

soundfile (libsndfile) decodes WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF and what else it knows, whatever the file is
called; soxr resamples. Waveforms are float32 in [-1, 1] (lossy formats may overshoot), mono [N] or [channels, N].

A part of a file is sought, not decoded from the beginning, and equals the same part of the whole: bit for bit in WAV,
FLAC and Ogg Vorbis, to 1e-6 in MP3. Opus cannot promise it, since its decoder needs no fixed time to forget where it
began: of 400 parts of 16 recordings 22 differed by more than 1e-5, the worst by 3e-3. A part read twice is the same
twice, in every format.
"""

import dataclasses
import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile
import soxr

from mu.audio.files import BLOCK_FRAMES, AudioError, open_stream, part

LIBRARIES = {"libsndfile": soundfile.__libsndfile_version__, "soxr": soxr.__version__}  # what results depend on
RESAMPLER = "HQ"  # soxr's quality: 20 bits, pass band up to 91 % of the lower rate's half
# Samples of the lower rate that are read to each side of a part that is resampled. What lies beyond 128 changes nothing
# above 1e-5, at any ratio (measured).
_REACH = 256
_LAST_STEPS_FRAMES = 1 << 10
_FEW_CHANNELS = 8  # of more, blocks have fewer frames: memory is that of so many


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says of itself: format, rate, channels and length, before anything is decoded.

    Attributes:
      container: libsndfile's name, such as 'WAV' or 'OGG'.
      codec: libsndfile's name, such as 'PCM_16' or 'OPUS'.
      sample_rate_hz: as stored.
      channels: as stored.
      frames: samples a channel, of all streams that lie in the file one after another; counted where the header does
        not say it or is wrong. A file that is damaged in the middle may hold fewer.
      incomplete: how the file shows that a part of it is missing or damaged, or ''.
      bytes_behind: behind the sound, that are no tags of a known kind and are not read; samples, where the header of
        a writer that was killed says too few.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    frames: int
    incomplete: str
    bytes_behind: int

    @property
    def duration_s(self) -> float:
        """The length of the file."""
        return self.frames / self.sample_rate_hz


def probe(file: str | os.PathLike[str]) -> Header:
    """The header of a file.

    Raises:
      AudioError: there is no such file, or nothing that can be decoded in it.
    """
    with open_stream(file) as stream:
        format_and_rate = stream.format, stream.subtype, stream.samplerate, stream.channels
        return Header(*format_and_rate, stream.true_frames, stream.incomplete, stream.bytes_behind)


def read(
    file: str | os.PathLike[str],
    *,
    sample_rate_hz: int | None = None,
    mono: bool = True,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> tuple[np.ndarray, int]:
    """Decodes a file, or a part of it, at its own rate or another.

    The part is the samples `round(start_s * rate)` to `round((start_s + duration_s) * rate)` of the whole at the rate
    asked for; a resampled part equals that part of the resampled whole to 1e-5.

    Args:
      file: a path.
      sample_rate_hz: to resample to; None keeps the file's.
      mono: the mean of the channels.
      start_s: where the part begins.
      duration_s: its length; None for all that follows. Less is returned where the file ends before.

    Returns:
      float32 [N], or [channels, N] unless `mono`; and its sampling rate in Hz.

    Raises:
      AudioError: the file cannot be decoded, or ends before `start_s`.
      ValueError: a time or rate that makes no sense.
    """
    if not 0 <= start_s < math.inf:
        raise ValueError(f"start_s is {start_s}; it must be 0 or more, and finite")
    if duration_s is not None and not 0 < duration_s < math.inf:
        raise ValueError(f"duration_s is {duration_s}; it must be more than 0 and finite, or None for all")
    with open_stream(file) as stream:
        rate = stream.samplerate
        target = _checked_rate(sample_rate_hz, rate)
        first = round(start_s * target)
        last = None if duration_s is None else round((start_s + duration_s) * target)
        begin, end = (first, last) if target == rate else _reach(first, last, rate, target)
        x = part(stream, begin, end)
        if first > 0 and (begin + len(x)) * target <= first * rate:
            length = (begin + len(x)) / rate
            raise AudioError(os.fspath(file), f"start_s is {start_s}, and the file ends at {length:.3f} s or before")
        x = x.mean(axis=1, dtype=np.float32) if mono else x
        if target != rate:
            x = soxr.resample(x, rate, target, quality=RESAMPLER)
            skip = first - begin * target // rate
            x = x[skip : None if last is None else skip + last - first]
        return (x if mono else np.ascontiguousarray(x.T)), target


def blocks(
    file: str | os.PathLike[str],
    *,
    sample_rate_hz: int | None = None,
    mono: bool = True,
    frames: int | None = None,
    block_frames: int = BLOCK_FRAMES,
) -> Iterator[np.ndarray]:
    """Decodes a file of any length in little memory: `np.concatenate(..., axis=-1)` of the blocks equals `read`.

    Args:
      file: a path.
      sample_rate_hz: see `read`.
      mono: see `read`.
      frames: stop after so many samples of the file (of its own rate); None goes to the end.
      block_frames: samples of the file that are decoded at a time.

    Yields:
      float32 [n], or [channels, n] unless `mono`; n varies.

    Raises:
      AudioError: where the decoder stops; the blocks before are good.
    """
    header = probe(file) if sample_rate_hz is not None else None
    resampler = None
    if header and (rate := header.sample_rate_hz) != (target := _checked_rate(sample_rate_hz, rate)):
        channels = 1 if mono else header.channels
        resampler = soxr.ResampleStream(rate, target, channels, dtype="float32", quality=RESAMPLER)
    for x, ended in _stored_blocks(file, frames, block_frames):
        x = x.mean(axis=1, dtype=np.float32, keepdims=True) if mono else x
        if resampler is not None:
            x = resampler.resample_chunk(x, last=ended)
        if len(x):
            yield x[:, 0] if mono else x.T


def resample(x: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """float32 [N] or [channels, N] at another rate: `floor(N * to_hz / from_hz + 1/2)` samples (soxr, quality HQ)."""
    _checked_rate(to_hz, _checked_rate(from_hz, to_hz))
    x = np.asarray(x, np.float32)
    return x if from_hz == to_hz else np.ascontiguousarray(soxr.resample(x.T, from_hz, to_hz, quality=RESAMPLER).T)


def resampled_samples(samples: Any, from_hz: Any, to_hz: int) -> Any:
    """The number of samples that `resample` makes of so many: floor(N to / from + 1/2). Numbers or arrays."""
    return (2 * samples * to_hz + from_hz) // (2 * from_hz)


def _stored_blocks(
    file: str | os.PathLike[str], frames: int | None, block_frames: int
) -> Iterator[tuple[np.ndarray, bool]]:
    """Blocks float32 [n, channels], each with whether it is the last; the last may be empty."""
    done = 0
    try:
        with open_stream(file) as stream:
            left, ended = stream.true_frames if frames is None else frames, False
            step = max(block_frames * _FEW_CHANNELS // max(stream.channels, _FEW_CHANNELS), 1)
            while not ended:
                x = stream.next(min(left, step))
                done, left = done + len(x), left - len(x)
                ended = left <= 0 or len(x) == 0
                yield x, ended
    except AudioError:
        if block_frames <= _LAST_STEPS_FRAMES:
            raise
        # What was decoded of the block in which the decoder stopped is lost: small steps lead up to that place.
        for x, ended in _stored_blocks(file, frames, _LAST_STEPS_FRAMES):
            if done < len(x):
                yield x[max(done, 0) :], ended
            done -= len(x)


def _reach(first: int, last: int | None, rate: int, target: int) -> tuple[int, int | None]:
    """The frames of the file on which samples `first` to `last` at the rate `target` depend.

    The first falls on a sample of both rates, so that the phase of the resampler is that of the whole.
    """
    period = rate // math.gcd(rate, target)
    margin = _REACH * max(1, math.ceil(rate / target))
    begin = max(first * rate // target - margin, 0) // period * period
    return begin, None if last is None else -(-last * rate // target) + margin


def _checked_rate(asked: int | None, own: int) -> int:
    if asked is None:
        return own
    if asked != int(asked) or asked < 1:
        raise ValueError(f"sample_rate_hz is {asked}; it must be a whole number of Hz")
    return int(asked)
