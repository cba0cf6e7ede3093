"""Open audio files: the decoder's stream, its errors, and where a decoder must start to be right at a frame."""

import contextlib
import functools
import mmap
import os
import re
import stat
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile

from mu.audio import chunks, flac, mp3, ogg
from mu.audio.layout import Bytes, Layout, Link, View

BLOCK_FRAMES = 1 << 16
# An MP3 frame may use bits of earlier ones: up to 511 bytes back, which are 20 of the smallest frames.
_MP3_WARM_UP_FRAMES = 32 * 1152
_OPUS_WARM_UP_S = 0.5
_OGG_TAIL_BYTES = 2 * 65307  # the two last pages, at their largest
# No codec packs more samples of a channel into a byte: FLAC's largest block of silence has 65,535 in 12 bytes. A header
# that says more is wrong, and the samples are counted.
_MOST_FRAMES_A_BYTE = 1 << 13
# Below lie no recordings of sound, above no converters; a header that says so is damaged.
_RATES_HZ = (100, 20_000_000)
# Crops of a library are read in random order, and to look at a file takes longer than to read a crop; 1 KB each.
_REMEMBERED = 1 << 15
_SMALL_BYTES = 1 << 16  # to map a file takes longer than to read so much
_NO_MP3 = (b"RIFF", b"RIFX", b"FORM", b"fLaC", b"OggS", b"caff")
_KINDS = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe, not a file"),
    (stat.S_ISSOCK, "it is a socket, not a file"),
    (stat.S_ISCHR, "it is a device, not a file"),
    (stat.S_ISBLK, "it is a device, not a file"),
)


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


class _Decoder(soundfile.SoundFile):
    """libsndfile's own stream, read forwards.

    soundfile seeks after every read to where the file is anyway, if it says that it can be sought. Decoders of MP3,
    Vorbis and Opus start anew then, with errors at the seams of the blocks.
    """

    def seekable(self) -> bool:
        return False


class Stream:
    """An open file that is read forwards: one stream, or several of one rate and number of channels as one.

    Attributes:
      format: libsndfile's name of the container, such as 'WAV' or 'OGG'.
      subtype: libsndfile's name of the codec, such as 'PCM_16' or 'OPUS'.
      samplerate: in Hz.
      channels: of all streams.
      true_frames: samples a channel.
      incomplete: how the file shows that a part of it is missing or damaged, or ''.
      bytes_behind: see `mu.audio.layout.Layout`.
    """

    def __init__(self, path: str, layout: Layout):
        self._path, self._links = path, layout.links
        self._view: View | None = None
        self._decoder: _Decoder | None = None
        self._ends: list[int] = []  # of each stream, in frames of the whole
        try:
            for number in range(len(self._links)):
                decoder = self._open(number)
                if number == 0:
                    self.format, self.subtype = decoder.format, decoder.subtype
                    self.samplerate, self.channels = decoder.samplerate, decoder.channels
                    self._check_rate()
                elif (decoder.samplerate, decoder.channels) != (self.samplerate, self.channels):
                    raise AudioError(
                        path,
                        f"{len(self._links)} streams lie in it one behind the other, and number {number + 1} has "
                        f"{decoder.channels} channels at {decoder.samplerate} Hz, the first {self.channels} at "
                        f"{self.samplerate} Hz: split the file",
                    )
                self._ends.append((self._ends[-1] if number else 0) + self._frames(number, decoder))
            self.true_frames = self._ends[-1]
            self.incomplete = layout.incomplete or missing_end(self._opened())
            self.bytes_behind = layout.bytes_behind
            if len(self._links) > 1:
                self._open(0)
            self._number, self._at = 0, 0
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        if self._decoder is not None:
            self._decoder.close()
        if self._view is not None:
            self._view.close()
        self._decoder = self._view = None

    def next(self, frames: int) -> np.ndarray:
        """float32 [n, channels], n = `frames` unless the file ends."""
        parts = []
        while True:
            left = min(frames, self._ends[self._number] - self._at)
            x = self._opened().read(max(left, 0), dtype="float32", always_2d=True)
            self._at += len(x)
            parts.append(x)
            frames -= len(x)
            if len(x) < left or frames <= 0 or self._number + 1 == len(self._ends):
                break
            self._number += 1
            self._open(self._number)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def seek_before(self, frame: int) -> int:
        """Goes to a frame at or before `frame`, from which a decoder is right at `frame`; returns it."""
        number = next((n for n, end in enumerate(self._ends) if frame < end), len(self._ends) - 1)
        begin = self._ends[number - 1] if number else 0
        if number != self._number:
            self._number = number
            self._open(number)
        inside = self._safe_seek(frame - begin)
        if inside or self._at != begin:
            self._opened().seek(inside)
        self._at = begin + inside
        return self._at

    def _safe_seek(self, frame: int) -> int:
        if self.format == "MP3":
            return max(frame - _MP3_WARM_UP_FRAMES, 0)
        if self.subtype == "OPUS":
            return max(frame - round(_OPUS_WARM_UP_S * self.samplerate), 0)
        if self.format == "OGG":
            # libsndfile 1.2 is off by what is trimmed at the end when it seeks into the last page.
            frames = self._ends[self._number] - (self._ends[self._number - 1] if self._number else 0)
            with contextlib.closing(self._bytes(self._links[self._number])) as file:
                return min(frame, max(_last_page(file, frames) - 1, 0))
        return frame

    def _opened(self) -> _Decoder:
        if self._decoder is None:
            raise ValueError(f"{self._path} has been closed")
        return self._decoder

    def _bytes(self, link: Link) -> "BinaryIO | View":
        return open(self._path, "rb") if link.pieces is None else View(self._path, link.pieces)

    def _open(self, number: int) -> _Decoder:
        self.close()
        link = self._links[number]
        if link.pieces is None or link.as_it_is:
            try:
                self._decoder = _opened(self._path)
            except soundfile.LibsndfileError:
                if link.pieces is None:
                    raise
            if self._decoder is not None and (link.frames is None or self._decoder.frames >= link.frames):
                return self._decoder
            self.close()
        if link.pieces is None:
            raise AudioError(self._path, "libsndfile finds fewer samples than its frames say")
        self._view = View(self._path, link.pieces)
        view: Any = self._view  # soundfile takes any file object; its types say less
        self._decoder = _Decoder(view)
        return self._decoder

    def _frames(self, number: int, decoder: _Decoder) -> int:
        link = self._links[number]
        if link.frames is not None:
            return link.frames
        if decoder.frames <= _MOST_FRAMES_A_BYTE * os.path.getsize(self._path):
            return decoder.frames
        counted = 0
        while n := len(decoder.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            counted += n
        self._open(number)
        return counted

    def _check_rate(self) -> None:
        if not _RATES_HZ[0] <= self.samplerate <= _RATES_HZ[1]:
            raise AudioError(self._path, f"the header says {self.samplerate} Hz, which is no sampling rate of sound")


def check_regular(path: str) -> os.stat_result:
    """The status of a file; AudioError for what is none, which to open might wait for ever, or do something."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        where = f" (a link to {os.readlink(path)})" if os.path.islink(path) else ""
        raise AudioError(path, f"there is no such file{where}") from None
    if not stat.S_ISREG(status.st_mode):
        reason = next((words for is_kind, words in _KINDS if is_kind(status.st_mode)), "it is no file")
        raise AudioError(path, reason)
    return status


@contextlib.contextmanager
def open_stream(file: str | os.PathLike[str]) -> Iterator[Stream]:
    """An open file; errors of decoder and system become an `AudioError` that names it."""
    path = os.fspath(file)
    try:
        status = check_regular(path)
        if status.st_size == 0:
            raise AudioError(path, "the file is empty")
        layout = _layout(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        with contextlib.closing(Stream(path, layout)) as stream:
            yield stream
    except soundfile.LibsndfileError as error:
        raise AudioError(path, f"libsndfile: {_words(error)}") from error
    except OSError as error:
        raise AudioError(path, f"it cannot be read ({error.strerror})") from error


@functools.lru_cache(maxsize=_REMEMBERED)
def _layout(path: str, *_: int) -> Layout:
    """The streams of a file; `_`: by what a change of it shows, since parts of one file are often read in turn."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size <= _SMALL_BYTES:
            return _find_layout(file.read())
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _find_layout(data)


def _find_layout(data: Bytes) -> Layout:
    for find in (chunks.layout, ogg.layout, flac.layout):
        if layout := find(data):
            return layout
    # Anything may lie in front of MP3. What others know is not searched for it.
    return (None if data[:4] in _NO_MP3 else mp3.layout(data)) or Layout()


def _opened(path: str) -> _Decoder:
    try:
        return _Decoder(path)
    except TypeError as error:  # of a name that ends in .raw soundfile wants to be told rate and channels
        raise AudioError(path, f"soundfile: {error}") from error


def part(stream: Stream, begin: int, end: int | None) -> np.ndarray:
    """float32 [frames, channels]: frames `begin` to `end`, equal to those of decoding from the start."""
    at = stream.seek_before(min(begin, max(stream.true_frames - 1, 0)))
    while at < begin:
        skipped = len(stream.next(min(begin - at, BLOCK_FRAMES)))
        if skipped == 0:
            break
        at += skipped
    wanted = (stream.true_frames if end is None else min(end, stream.true_frames)) - begin
    return stream.next(max(wanted, 0))


def _last_page(file: "BinaryIO | View", frames: int) -> int:
    """The frame at which the last page of an Ogg stream begins; 0 where that cannot be seen."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - _OGG_TAIL_BYTES, 0))
    tail = file.read(_OGG_TAIL_BYTES) or b""
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


def missing_end(decoder: soundfile.SoundFile) -> str:
    """How AIFF and AU show that their end is missing, or ''; libsndfile decodes the rest, and logs it."""
    chunk = re.search(r"^ *(SSND|Data Size) *: *(\d+) \(should be (\d+)\)", decoder.extra_info, re.MULTILINE)
    # Writers that cannot go back leave 0 or the largest size in the header; that promises nothing.
    if chunk and int(chunk[3]) < int(chunk[2]) < 0x7FFFF000:
        return f"the header says {int(chunk[2]):,} bytes of samples, there are {int(chunk[3]):,}"
    return ""
