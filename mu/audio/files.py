"""Open audio files: the decoder's stream, its errors, and where a decoder must start to be right at a frame."""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile

from mu.audio import mp3

BLOCK_FRAMES = 1 << 16
# An MP3 frame may use bits of earlier ones: up to 511 bytes back, which are 20 of the smallest frames.
_MP3_WARM_UP_FRAMES = 32 * 1152
_OPUS_WARM_UP_S = 0.5
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


class Stream(soundfile.SoundFile):
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
def open_stream(file: str | os.PathLike[str]) -> Iterator[Stream]:
    """An open file; errors of decoder and system become an `AudioError` that names it."""
    path = os.fspath(file)
    if not os.path.isfile(path):
        raise AudioError(path, "it is a folder" if os.path.isdir(path) else "there is no such file")
    if os.path.getsize(path) == 0:
        raise AudioError(path, "the file is empty")
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(_opened(path))
            stream.true_frames, stream.cut = stream.frames, ""
            if stream.format == "MP3" and (counted := mp3.count_frames(path)):
                if stream.frames < counted.samples:
                    longer: Any = stack.enter_context(mp3.Longer(path))
                    stream = stack.enter_context(Stream(longer))
                stream.true_frames = counted.samples
                stream.cut = "the file ends inside an MP3 frame" if counted.cut else ""
            yield stream
    except soundfile.LibsndfileError as error:
        raise AudioError(path, f"libsndfile: {_words(error)}") from error
    except OSError as error:
        raise AudioError(path, f"it cannot be read ({error.strerror})") from error


def _opened(path: str) -> Stream:
    try:
        return Stream(path)
    except TypeError as error:  # of a name that ends in .raw soundfile wants to be told rate and channels
        raise AudioError(path, f"soundfile: {error}") from error


def part(stream: Stream, path: str, begin: int, end: int | None) -> np.ndarray:
    """float32 [frames, channels]: frames `begin` to `end`, equal to those of decoding from the start."""
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


def _safe_seek(stream: Stream, path: str, frame: int) -> int:
    """A frame at or before `frame`: a decoder that starts there is right at `frame`."""
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


def _words(error: soundfile.LibsndfileError) -> str:
    """The message of libsndfile; it calls an MP3 without a frame a missing file."""
    text = error.error_string.strip().rstrip(".")
    return "no frame of MP3 in it" if text.startswith("File does not exist") else text


def missing_end(stream: Stream) -> str:
    """How the container shows that its end is missing, or ''; libsndfile decodes the rest, and logs it."""
    log = stream.extra_info
    chunk = re.search(r"^ *(data|SSND|Data Size) *: *(\d+) \(should be (\d+)\)", log, re.MULTILINE)
    # Writers that cannot go back leave 0 or the largest size in the header; that promises nothing.
    if chunk and int(chunk[3]) < int(chunk[2]) < 0x7FFFF000:
        return f"the header says {int(chunk[2]):,} bytes of samples, there are {int(chunk[3]):,}"
    if stream.format == "OGG" and re.search("Junk after the last page", log):
        return "the file ends inside an Ogg page"
    return ""
