"""WAV, RF64, W64, CAF and AU files whose header was never finished: their sizes are 0, the largest, or too large.

A writer that is killed, or that writes to a pipe, cannot go back to fill in how much it has written. libsndfile takes
some of these files for empty and refuses others, and of some says nothing of what is missing. Here the samples are
found, and the sizes in the header mended.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from mu.audio.layout import Bytes, Layout, Link, Piece, bytes_behind

_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # behind the four letters of a chunk
_MOST_CHUNKS = 10_000
_OPEN_32, _OPEN_64 = 0x7FFFF000, 0x7FFF_FFFF_FFFF_0000  # sizes from here on promise nothing
_LARGEST_32 = (1 << 32) - 1


class _Chunk(NamedTuple):
    name: bytes
    size_at: int  # where its size is written
    start: int  # of its content
    size: int  # of its content, as written


def layout(data: Bytes) -> Layout | None:
    """The samples of such a file; None where its format is another."""
    head = data[:12]
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return _wave(data, ">" if head[:4] == b"RIFX" else "<")
    if data[:16] == _W64_RIFF:
        return _w64(data)
    if head[:4] == b"caff":
        return _caf(data)
    if head[:4] in (b".snd", b"dns."):
        return _au(data, ">" if head[:4] == b".snd" else "<")
    return None


def _wave(data: Bytes, order: str) -> Layout | None:
    frame_bytes, sizes_64 = 1, None
    for chunk in _riff_chunks(data, order, 12):
        if chunk.name == b"fmt " and chunk.size >= 16:
            frame_bytes = max(_number(data[chunk.start + 12 : chunk.start + 14], order), 1)
        elif chunk.name == b"ds64" and chunk.size >= 24:
            sizes_64 = chunk
        elif chunk.name == b"data":
            rest, size, is_64 = len(data) - chunk.start, chunk.size, False
            if sizes_64 is not None and size == _LARGEST_32:
                size, is_64 = _number(data[sizes_64.start + 8 : sizes_64.start + 16], "<"), True
            unknown = size >= (_OPEN_64 if is_64 else _OPEN_32) or (size == 0 and _is_open(data, order, chunk.start))
            if unknown and rest and (size == 0 or is_64):
                if is_64 and sizes_64 is not None:
                    at, mended = sizes_64.start + 8, struct.pack("<Q", rest)
                else:
                    at, mended = chunk.size_at, struct.pack(order + "I", min(rest, _LARGEST_32))
                return _mended(data, (at, mended), (4, b"\xff" * 4))
            if unknown:
                return Layout()
            end = chunk.start + size + size % 2
            behind = bytes_behind(data, end) if end < len(data) and _is_open(data, order, end) else 0
            return Layout(incomplete=_missing(size, rest, frame_bytes), bytes_behind=behind)
    return None


def _riff_chunks(data: Bytes, order: str, at: int) -> Iterator[_Chunk]:
    for _ in range(_MOST_CHUNKS):
        head = data[at : at + 8]
        if len(head) < 8:
            return
        size = _number(head[4:], order)
        yield _Chunk(head[:4], at + 4, at + 8, size)
        at += 8 + size + size % 2


def _is_open(data: Bytes, order: str, start: int) -> bool:
    """Whether what follows a size of 0 is samples: chunks have names, and the last one ends with the file."""
    at = start
    for chunk in _riff_chunks(data, order, start):
        if not (chunk.name.isascii() and chunk.name.decode().isprintable()):
            return True
        at = chunk.start + chunk.size + chunk.size % 2
        if at >= len(data):
            break
    return at < len(data) or at > len(data) + 1


def _w64(data: Bytes) -> Layout | None:
    at, frame_bytes = 40, 1
    for _ in range(_MOST_CHUNKS):
        head = data[at : at + 24]
        if len(head) < 24 or head[4:16] != _W64_GUID:
            return None
        size = _number(head[16:], "<")  # with its own 24 bytes
        if head[:4] == b"fmt ":
            frame_bytes = max(_number(data[at + 36 : at + 38], "<"), 1)
        if head[:4] == b"data":
            unknown = size <= 24 or size >= _OPEN_64
            return Layout(incomplete="" if unknown else _missing(size - 24, len(data) - at - 24, frame_bytes))
        at += max(-(-size // 8) * 8, 24)
    return None


def _caf(data: Bytes) -> Layout | None:
    at, frame_bytes = 8, 1
    for _ in range(_MOST_CHUNKS):
        head = data[at : at + 12]
        if len(head) < 12:
            return None
        size = int.from_bytes(head[4:], "big", signed=True)
        if head[:4] == b"desc":
            frame_bytes = max(_number(data[at + 28 : at + 32], ">"), 1)
        if head[:4] == b"data":
            rest = len(data) - at - 12  # 4 bytes that count edits, then samples
            if size < 4 or size > rest:
                problem = _missing(size - 4, rest - 4, frame_bytes) if 4 <= size < _OPEN_64 else ""
                return _mended(data, (at + 4, struct.pack(">q", rest)), incomplete=problem)
            end = at + 12 + size
            return Layout(bytes_behind=0 if data[end : end + 4].isalnum() else bytes_behind(data, end))
        if size < 0:
            return None
        at += 12 + size
    return None


def _au(data: Bytes, order: str) -> Layout | None:
    start, size = _number(data[4:8], order), _number(data[8:12], order)
    if size == 0 and 24 <= start < len(data):
        return _mended(data, (8, b"\xff" * 4))
    if size > 0 and start + size < len(data):
        return Layout(bytes_behind=bytes_behind(data, start + size))
    return None  # libsndfile says what is missing


def _number(content: bytes, order: str) -> int:
    return int.from_bytes(content, "little" if order == "<" else "big")


def _missing(said: int, rest: int, frame_bytes: int) -> str:
    if said // frame_bytes <= rest // frame_bytes:
        return ""
    return f"the header says {said:,} bytes of samples, there are {rest:,}"


def _mended(data: Bytes, *patches: tuple[int, bytes], incomplete: str = "") -> Layout:
    """The file with other bytes in some places."""
    pieces: list[Piece] = []
    at = 0
    for place, content in sorted(patches):
        pieces += [(at, place), content]
        at = place + len(content)
    return Layout((Link((*pieces, (at, len(data)))),), incomplete)
