"""FLAC streams: how many samples there are by their last frame, since the header may say less, more or nothing.

Encoders that write to a pipe leave the number of samples open; libsndfile then takes the file for endless. Each frame
says where it stands in the stream, so the last whole frame says how many samples there are (RFC 9639).
"""

import dataclasses
import functools
import io
import re
from typing import NamedTuple

import numpy as np
import soundfile

from mu.audio.layout import Bytes, Layout, Link, bytes_behind, end_of_id3, end_of_tags

_MAGIC = b"fLaC"
_STREAMINFO_BYTES = 34
_LAST_BLOCK = b"\x80"
_BEGIN = re.compile(_MAGIC + b"[\x00\x80]\x00\x00\x22")  # the block STREAMINFO, 34 bytes, follows
_SYNCS = (b"\xff\xf8", b"\xff\xf9")  # a frame begins so: of blocks of one size, or of several
_WINDOW_BYTES = 1 << 16  # of the end, where the last frames are looked for
_LONGEST_FRAME_HEAD = 16
_LARGEST_FRAME_BYTES = 1 << 22  # 65,535 samples of 8 channels of 32 bits are half of it
_CRC_BYTES = 1 << 13  # a piece of this size at a time


class _Stream(NamedTuple):
    """What the header of a stream says, and where the stream lies."""

    first_frame: int
    end: int
    streaminfo: bytes

    @property
    def block_samples(self) -> int:
        return int.from_bytes(self.streaminfo[2:4], "big")

    @property
    def channels(self) -> int:
        return (self.streaminfo[12] >> 1 & 7) + 1

    @property
    def samples(self) -> int:
        return int.from_bytes(self.streaminfo[13:18], "big") & (1 << 36) - 1

    def header(self, samples: int) -> bytes:
        """A whole header that says so many samples."""
        counted = (int.from_bytes(self.streaminfo[13:18], "big") >> 36 << 36 | samples).to_bytes(5, "big")
        return _MAGIC + _LAST_BLOCK + b"\x00\x00\x22" + self.streaminfo[:13] + counted + bytes(16)


class _Frame(NamedTuple):
    at: int
    first_sample: int
    samples: int


def layout(data: Bytes) -> Layout | None:
    """The streams of a FLAC file; None where it is none, or where none of its frames can be found."""
    start, links, incomplete, more = end_of_id3(data), [], "", 0
    if not _BEGIN.match(data, start):
        return None
    while start >= 0:
        first_frame = _behind_header(data, start)
        next_stream = _BEGIN.search(data, first_frame)  # reads the whole file, once
        following, end = (-1, len(data)) if next_stream is None else (next_stream.start(), next_stream.start())
        streaminfo = data[start + 8 : start + 8 + _STREAMINFO_BYTES]
        link, behind, problem = _link(data, _Stream(first_frame, end, streaminfo))
        if link is None:
            return None
        links.append(link)
        behind = end_of_tags(data, behind)
        if next_stream is None:
            more = 0 if problem else bytes_behind(data, behind)
        elif not problem and data[behind:following].strip(b"\0"):
            problem = f"{following - behind:,} bytes at byte {behind:,} are no frames of FLAC"
        incomplete, start = incomplete or problem, following
    if len(links) == 1 and links[0].as_it_is:
        return Layout(incomplete=incomplete, bytes_behind=more)
    if len(links) > 1:  # to seek in one stream, libsndfile would look at all of the file
        links = [dataclasses.replace(link, as_it_is=False) for link in links]
    return Layout(tuple(links), incomplete, more)


def _behind_header(data: Bytes, start: int) -> int:
    """The byte behind the blocks of a header: kind, with a mark on the last one, and size of each, then its content."""
    at = start + 4
    while len(head := data[at : at + 4]) == 4:
        at += 4 + int.from_bytes(head[1:], "big")
        if head[0] & 0x80:
            break
    return min(at, len(data))


def _link(data: Bytes, stream: _Stream) -> tuple[Link | None, int, str]:
    """The stream, the byte behind its last frame, and how it shows that its end is missing."""
    end = stream.end - 128 if data[stream.end - 128 : stream.end - 125] == b"TAG" else stream.end  # ID3v1
    last = _last_frame(data, stream._replace(end=end))
    if last is None:
        return None, end, ""
    content = data[last.at : min(end, last.at + _LARGEST_FRAME_BYTES)]
    n_bytes = _frame_bytes(content, stream, last.samples)
    whole, end = n_bytes > 0, last.at + n_bytes
    samples = last.first_sample + (last.samples if whole else 0)
    problem = ""
    if samples < stream.samples or not whole:
        said = f"the header says {stream.samples:,} samples, there are {samples:,}"
        problem = said if stream.samples > samples else "the file ends inside a FLAC frame"
    link = Link((stream.header(samples), (stream.first_frame, end)), samples, as_it_is=samples == stream.samples)
    return link, end, problem


def _last_frame(data: Bytes, stream: _Stream) -> _Frame | None:
    """The last frame of a stream that begins where the one before ends: other places only look like a frame."""
    window, sync = _WINDOW_BYTES, data[stream.first_frame : stream.first_frame + 2]
    if sync not in _SYNCS:
        return None
    while True:
        start = max(stream.first_frame, stream.end - window)
        # Where frames seem to end, in samples. The first frame need not begin with sample 0: it follows from nothing.
        ends: set[int] = set()
        last = None
        at = start - 1
        while (at := data.find(sync, at + 1, stream.end)) >= 0:
            frame = _frame(data[at : at + _LONGEST_FRAME_HEAD], at, stream)
            if frame is not None:
                if frame.first_sample in ends or (at == stream.first_frame and frame.first_sample == 0):
                    last = frame
                ends.add(frame.first_sample + frame.samples)
        if last is not None or start == stream.first_frame:
            return last
        window *= 8


def _frame(head: bytes, at: int, stream: _Stream) -> _Frame | None:
    """The frame whose header this is; None where it is none of this stream's."""
    if len(head) < 6 or head[3] & 1:
        return None
    size_code, rate_code, layout_code = head[2] >> 4, head[2] & 15, head[3] >> 4
    channels = layout_code + 1 if layout_code < 8 else 2
    if size_code == 0 or rate_code == 15 or layout_code > 10 or channels != stream.channels:
        return None
    longer = max(8 - (head[4] ^ 0xFF).bit_length(), 1) if head[4] & 0x80 else 1  # bytes of the number, as of UTF-8
    number = head[4] & 0x7F if longer == 1 else head[4] & (0x7F >> longer)
    for one in head[5 : 4 + longer]:
        number = number << 6 | one & 0x3F
    place = 4 + longer
    size_bytes, rate_bytes = {6: 1, 7: 2}.get(size_code, 0), {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    end = place + size_bytes + rate_bytes
    if end >= len(head) or _crc_8(head[:end]) != head[end]:
        return None
    if size_bytes:
        samples = int.from_bytes(head[place : place + size_bytes], "big") + 1
    else:
        samples = 192 if size_code == 1 else 576 << size_code - 2 if size_code < 6 else 256 << size_code - 8
    # Blocks of one size are numbered; others say their first sample.
    return _Frame(at, number if head[1] & 1 else number * stream.block_samples, samples)


def _frame_bytes(content: bytes, stream: _Stream, samples: int) -> int:
    """The bytes of the frame that `content` begins with; 0 where its end is missing."""
    if _crc_16(content) == 0:
        return len(content)
    if not _can_be_decoded(content, stream, samples):
        return 0
    # Something follows it: it ends where its check sum does, as one place in 65,536 seems to.
    powers, crc = _crc_16_table(), 0
    for at, one in enumerate(content):
        crc = (crc << 8 & 0xFFFF) ^ powers[crc >> 8 ^ one]
        if crc == 0 and _can_be_decoded(content[: at + 1], stream, samples):
            return at + 1
    return len(content)


def _can_be_decoded(content: bytes, stream: _Stream, samples: int) -> bool:
    """Whether a frame is whole, whatever follows it."""
    try:
        with soundfile.SoundFile(io.BytesIO(stream.header(samples) + content)) as file:
            return len(file.read(samples)) == samples
    except soundfile.LibsndfileError:
        return False


def _crc_8(content: bytes) -> int:
    """The check sum of a frame's header: x^8 + x^2 + x + 1."""
    table, crc = _crc_8_table(), 0
    for one in content:
        crc = table[crc ^ one]
    return crc


@functools.cache
def _crc_8_table() -> list[int]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = (crc << 1 ^ 0x107) if crc & 0x80 else crc << 1
        table.append(crc)
    return table


def _crc_16(content: bytes) -> int:
    """The remainder by x^16 + x^15 + x^2 + 1: 0 of a whole frame, whose last two bytes make it so."""
    powers, crc = _powers(), 0
    for start in range(0, len(content), _CRC_BYTES):
        bits = np.unpackbits(np.frombuffer(crc.to_bytes(2, "big") + content[start : start + _CRC_BYTES], np.uint8))
        crc = int(np.bitwise_xor.reduce(powers[len(powers) - len(bits) :] * bits))
    return crc


@functools.cache
def _crc_16_table() -> list[int]:
    return [_crc_16(bytes([one, 0, 0])) for one in range(256)]


@functools.cache
def _powers() -> np.ndarray:
    """uint16: the remainders of x^(n-1), ..., x, 1."""
    powers = np.ones(1, np.uint16)
    n = 8 * (_CRC_BYTES + 2)
    while len(powers) < n:
        # The remainders of x^L times those so far: bit by bit of these.
        step, times = int(powers[-1]), np.zeros_like(powers)
        for bit in range(16):
            step = (step << 1 ^ 0x18005) if step & 0x8000 else step << 1
            times ^= (powers >> bit & 1) * np.uint16(step)
        powers = np.concatenate([powers, times])
    return powers[n - 1 :: -1].copy()
