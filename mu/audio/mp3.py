"""MP3 streams that do not say how long they are.

Most encoders write a first frame ("Xing" or "Info") with the number of frames. Without it libsndfile goes by the size
of the file and of its first frame: a stream of variable bit rate that begins loud is cut off long before its end, one
that begins softly seems longer than it is. Here the frames are counted (2 us each, 40 a second of sound).
"""

import dataclasses
import io
import mmap
import os

# By MPEG version: kbit/s by index 1 to 14, Hz by index, bytes a kbit/s-second and samples of a Layer III frame.
_MPEG_1 = ((32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320), (44100, 48000, 32000), 144_000, 1152)
_MPEG_2 = ((8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160), (22050, 24000, 16000), 72_000, 576)
_MPEG_2_5 = (_MPEG_2[0], (11025, 12000, 8000), 72_000, 576)
_VERSIONS = {0b11: _MPEG_1, 0b10: _MPEG_2, 0b00: _MPEG_2_5}
_LAYER_3 = 0b01
# Of the 32 bits of a frame's header these are the same all through a stream: sync, version, layer, sampling rate.
_CONSTANT_BITS = 0xFFFE0C00
_LARGEST_OVER_SMALLEST = 32  # of the frames of a stream; 20 in MPEG 2


@dataclasses.dataclass(frozen=True)
class Frames:
    """The frames of an MP3 stream, counted.

    Attributes:
      samples: a channel, in whole frames.
      cut: whether the file ends inside a frame.
    """

    samples: int
    cut: bool


def count_frames(path: str) -> Frames | None:
    """The frames of an MP3 file that does not say its length; None where it does, or is no Layer III stream."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size < 4:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = _find_frame(data, _end_of_tag(data), None)
            if start is None or _says_length(data, start):
                return None
            return _walk(data, start)


def _walk(data: mmap.mmap, start: int) -> Frames:
    position, samples = start, 0
    word = _word(data, start)
    kind, frame_samples = word & _CONSTANT_BITS, _VERSIONS[word >> 19 & 3][3]
    while True:
        size = _frame_bytes(data, position, kind)
        if size == 0:  # tags behind the music, or damage
            next_frame = _find_frame(data, position, kind)
            if next_frame is None:
                return Frames(samples, False)
            position = next_frame
        elif position + size > len(data):
            return Frames(samples, True)
        else:
            samples, position = samples + frame_samples, position + size


def _frame_bytes(data: mmap.mmap, at: int, kind: int | None) -> int:
    """Size of the frame whose header is at `at`; 0 where there is none (or none of this stream's kind)."""
    word = _word(data, at)
    version = _VERSIONS.get(word >> 19 & 3)
    if word >> 21 != 0x7FF or version is None or word >> 17 & 3 != _LAYER_3:
        return 0
    rate, speed = word >> 10 & 3, word >> 12 & 15
    if rate == 3 or speed in (0, 15) or (kind is not None and word & _CONSTANT_BITS != kind):
        return 0
    kbits, rates, unit, _ = version
    return kbits[speed - 1] * unit // rates[rate] + (word >> 9 & 1)


def _find_frame(data: mmap.mmap, start: int, kind: int | None) -> int | None:
    """The first frame at or behind `start` that another follows, or that ends the file."""
    at = data.find(b"\xff", start)
    while at >= 0:
        size = _frame_bytes(data, at, kind)
        if size:
            after = at + size
            if after == len(data) or _frame_bytes(data, after, _word(data, at) & _CONSTANT_BITS):
                return at
        at = data.find(b"\xff", at + 1)
    return None


def _word(data: mmap.mmap, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big") if at + 4 <= len(data) else 0


def _end_of_tag(data: mmap.mmap) -> int:
    """Behind the ID3v2 tag: 7 bits of its size in each of 4 bytes."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    a, b, c, d = data[6:10]
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _side_bytes(word: int) -> int:
    """Bytes between a frame's header and where "Xing" or "Info" would stand."""
    mono = word >> 6 & 3 == 3
    if word >> 19 & 3 == 0b11:
        return 17 if mono else 32
    return 9 if mono else 17


def _says_length(data: mmap.mmap, start: int) -> bool:
    word = _word(data, start)
    for at in (start + 4 + _side_bytes(word), start + 6 + _side_bytes(word)):  # behind a checksum, where there is one
        if data[at : at + 4] in (b"Xing", b"Info"):
            return bool(_word(data, at + 4) & 1) and _word(data, at + 8) > 0
    return False


class Longer(io.RawIOBase):
    """A file object that claims to be much longer than it is: libsndfile then guesses too long an MP3.

    It ends where it ends, but the last 128 bytes can be read (as zeros) where libsndfile looks for a tag.
    """

    def __init__(self, path: str):
        self._file, self._at = open(path, "rb"), 0  # noqa: SIM115
        self._size = _LARGEST_OVER_SMALLEST * max(os.fstat(self._file.fileno()).st_size, 128)

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As of any raw file."""
        self._file.seek(self._at)
        part = self._file.read(len(buffer))
        if self._at >= self._size - 128:
            part = bytes(min(len(buffer), self._size - self._at))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any raw file."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """As of any raw file."""
        return self._at

    def close(self) -> None:
        """Closes the file too."""
        self._file.close()
        super().close()
