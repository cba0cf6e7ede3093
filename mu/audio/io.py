"""Decoding and resampling: files to float32 waveforms.

soundfile (libsndfile) decodes WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF and what else it knows, whatever the file is
called; soxr resamples. Waveforms are float32 in [-1, 1] (lossy formats may overshoot), mono [N] or [channels, N].

A part of a file is sought, not decoded from the beginning, and equals the same part of the whole: bit for bit in WAV,
FLAC and Ogg Vorbis, to 1e-6 in MP3. Opus cannot promise it, since its decoder needs no fixed time to forget where it
began: of 400 parts of 16 recordings 22 differed by more than 1e-5, the worst by 3e-3. A part read twice is the same
twice, in every format.
"""

import contextlib
import dataclasses
import math
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile
import soxr

from mu.audio import mp3

LIBRARIES = {"libsndfile": soundfile.__libsndfile_version__, "soxr": soxr.__version__}  # what results depend on
BLOCK_FRAMES = 1 << 16
RESAMPLER = "HQ"  # soxr's quality: 20 bits, pass band up to 91 % of the lower rate's half
# Samples of the lower rate that are read to each side of a part that is resampled. What lies beyond 128 changes nothing
# above 1e-5, at any ratio (measured).
_REACH = 256
# An MP3 frame may use bits of earlier ones: up to 511 bytes back, which are 20 of the smallest frames.
_MP3_WARM_UP_FRAMES = 32 * 1152
_OPUS_WARM_UP_S = 0.5
_LAST_STEPS_FRAMES = 1 << 10
_OGG_TAIL_BYTES = 2 * 65307  # the two last pages, at their largest


class AudioError(ValueError):
    """A file that cannot be decoded.

    Attributes:
      file: its path.
      reason: what is wrong with it.
    """

    def __init__(self, file: str, reason: str):
        super().__init__(file, reason)
        self.file, self.reason = file, reason

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says of itself, before anything is decoded.

    Attributes:
      container, codec: libsndfile's names, such as 'WAV' and 'PCM_16', 'OGG' and 'OPUS'.
      sample_rate_hz, channels: as stored.
      frames: samples a channel; a damaged file may hold fewer.
      incomplete: how the container shows that its end is missing, or ''.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    frames: int
    incomplete: str

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate_hz


def probe(file: str | os.PathLike[str]) -> Header:
    """The header of a file.

    Raises:
      AudioError: there is no such file, or nothing that can be decoded in it.
    """
    with _open(file) as stream:
        incomplete = stream.cut or _missing_end(stream)
        return Header(stream.format, stream.subtype, stream.samplerate, stream.channels, stream.true_frames, incomplete)


def read(
    file: str | os.PathLike[str],
    *,
    sample_rate_hz: int | None = None,
    mono: bool = True,
    start_s: float = 0.0,
    duration_s: float | None = None,
) -> tuple[np.ndarray, int]:
    """Decodes a file, or a part of it, at its own rate or another.

    The part are the samples `round(start_s * rate)` to `round((start_s + duration_s) * rate)` of the whole at the rate
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
    with _open(file) as stream:
        rate = stream.samplerate
        target = _checked_rate(sample_rate_hz, rate)
        first = round(start_s * target)
        last = None if duration_s is None else round((start_s + duration_s) * target)
        begin, end = (first, last) if target == rate else _reach(first, last, rate, target)
        x = _part(stream, os.fspath(file), begin, end)
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
      file, sample_rate_hz, mono: as of `read`.
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
    """How many samples `resample` makes of so many, whole numbers or arrays of them: floor(N to / from + 1/2)."""
    return (2 * samples * to_hz + from_hz) // (2 * from_hz)


class _Stream(soundfile.SoundFile):
    """An open file that is read forwards.

    soundfile seeks after every read to where the file is anyway, if it says that it can be sought. Decoders of MP3,
    Vorbis and Opus start anew then, with errors at the seams of the blocks.
    """

    true_frames: int  # `frames` may be a guess, too large, in an MP3 that does not say its length
    cut: str  # how an MP3 shows that its end is missing

    def seekable(self) -> bool:
        return False

    def next(self, frames: int) -> np.ndarray:
        """float32 [n, channels], n = `frames` unless the file ends."""
        return self.read(frames, dtype="float32", always_2d=True)


@contextlib.contextmanager
def _open(file: str | os.PathLike[str]) -> Iterator[_Stream]:
    """The file; what goes wrong with it becomes an error that names it."""
    path = os.fspath(file)
    if not os.path.isfile(path):
        raise AudioError(path, "it is a folder" if os.path.isdir(path) else "there is no such file")
    if os.path.getsize(path) == 0:
        raise AudioError(path, "the file is empty")
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(_stream(path))
            stream.true_frames, stream.cut = stream.frames, ""
            if stream.format == "MP3" and (counted := mp3.count_frames(path)):
                if stream.frames < counted.samples:
                    longer: Any = stack.enter_context(mp3.Longer(path))
                    stream = stack.enter_context(_Stream(longer))
                stream.true_frames = counted.samples
                stream.cut = "the file ends inside an MP3 frame" if counted.cut else ""
            yield stream
    except soundfile.LibsndfileError as error:
        raise AudioError(path, f"libsndfile: {_told(error)}") from error
    except OSError as error:
        raise AudioError(path, f"it cannot be read ({error.strerror})") from error


def _stream(path: str) -> _Stream:
    try:
        return _Stream(path)
    except TypeError as error:  # of a name that ends in .raw soundfile wants to be told rate and channels
        raise AudioError(path, f"soundfile: {error}") from error


def _stored_blocks(
    file: str | os.PathLike[str], frames: int | None, block_frames: int
) -> Iterator[tuple[np.ndarray, bool]]:
    """float32 [n, channels] and whether that was the last one, empty or not."""
    done = 0
    try:
        with _open(file) as stream:
            left, ended = stream.true_frames if frames is None else frames, False
            while not ended:
                x = stream.next(min(left, block_frames))
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


def _told(error: soundfile.LibsndfileError) -> str:
    """What libsndfile says; its words for MP3 without a frame are those for a missing file."""
    text = error.error_string.strip().rstrip(".")
    return "no frame of MP3 in it" if text.startswith("File does not exist") else text


def _missing_end(stream: _Stream) -> str:
    """How the container shows that its end is missing; libsndfile goes on with what is there, and logs it."""
    log = stream.extra_info
    chunk = re.search(r"^ *(data|SSND|Data Size) *: *(\d+) \(should be (\d+)\)", log, re.MULTILINE)
    # Writers that cannot go back leave 0 or the largest size in the header; that promises nothing.
    if chunk and int(chunk[3]) < int(chunk[2]) < 0x7FFFF000:
        return f"the header says {int(chunk[2]):,} bytes of samples, there are {int(chunk[3]):,}"
    if stream.format == "OGG" and re.search("Junk after the last page", log):
        return "the file ends inside an Ogg page"
    return ""


def _part(stream: _Stream, path: str, begin: int, end: int | None) -> np.ndarray:
    """float32 [frames, channels]: the frames `begin` to `end`, as decoding from the start would give them."""
    at = _safe_seek(stream, path, min(begin, max(stream.true_frames - 1, 0)))
    if at:
        stream.seek(at)
    while at < begin:
        skipped = len(stream.next(min(begin - at, BLOCK_FRAMES)))
        if skipped == 0:
            break
        at += skipped
    wanted = (stream.true_frames if end is None else min(end, stream.true_frames)) - begin
    return stream.next(max(wanted, 0))


def _safe_seek(stream: _Stream, path: str, frame: int) -> int:
    """A frame at or before `frame` from which the decoder is right when it gets there."""
    if stream.format == "MP3":
        return max(frame - _MP3_WARM_UP_FRAMES, 0)
    if stream.subtype == "OPUS":
        return max(frame - round(_OPUS_WARM_UP_S * stream.samplerate), 0)
    if stream.format == "OGG":
        # libsndfile 1.2 is off by what is trimmed at the end when it seeks into the last page.
        return min(frame, max(_last_page(path, stream.true_frames) - 1, 0))
    return frame


def _last_page(path: str, frames: int) -> int:
    """The frame at which the last page of an Ogg file begins; 0 where that cannot be seen."""
    with open(path, "rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - _OGG_TAIL_BYTES, 0))
        tail = file.read()
    positions = []  # what each page says: samples up to its end, -1 where none ends in it
    for match in re.finditer(rb"OggS\0", tail):
        position = int.from_bytes(tail[match.start() + 6 : match.start() + 14], "little", signed=True)
        if position >= 0:
            positions.append(position)
    if len(positions) < 2:
        return 0
    return max(frames - (positions[-1] - positions[-2]), 0)


def _reach(first: int, last: int | None, rate: int, target: int) -> tuple[int, int | None]:
    """The frames of the file that samples `first` to `last` at the rate `target` depend on.

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
