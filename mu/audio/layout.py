"""Which bytes of a file are sound: the streams that lie in it one after another, with headers mended where they lie.

libsndfile trusts headers, and of several streams in one file it decodes the first. So a file is looked at before it is
decoded: by the module of its format, which says how many streams there are, where they lie and how many samples they
hold. Most files are one stream whose header is right: those are opened as they are.
"""

import dataclasses
import io
import mmap
import os

Bytes = bytes | mmap.mmap
"""What the modules of formats read: a small file, or a mapped one."""
Piece = bytes | tuple[int, int]
"""Bytes that stand in for some of the file, or a range of it: first byte, and one behind the last."""


@dataclasses.dataclass(frozen=True)
class Link:
    """One stream of a file.

    Attributes:
      pieces: what the decoder gets instead of the file; None for the file as it is.
      frames: samples a channel; None where the decoder knows.
      as_it_is: whether the file as it is will do too, if the decoder finds no fewer samples in it.
    """

    pieces: tuple[Piece, ...] | None = None
    frames: int | None = None
    as_it_is: bool = False


@dataclasses.dataclass(frozen=True)
class Layout:
    """The streams of a file.

    Attributes:
      links: at least one.
      incomplete: how the file shows that a part of it is missing or damaged, or ''.
      bytes_behind: behind the sound, that are no tags of a known kind; samples, where the header says too few.
    """

    links: tuple[Link, ...] = (Link(),)
    incomplete: str = ""
    bytes_behind: int = 0


_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")


class View(io.RawIOBase):
    """A file object that holds pieces of a file, one behind the other."""

    def __init__(self, path: str, pieces: tuple[Piece, ...]):
        self._file, self._at = open(path, "rb"), 0  # noqa: SIM115
        self._pieces: list[tuple[int, int, Piece]] = []  # where it begins and ends in the view, and what it is
        end = 0
        for piece in pieces:
            begin, end = end, end + (len(piece) if isinstance(piece, bytes) else piece[1] - piece[0])
            self._pieces.append((begin, end, piece))
        self._size, self._piece = end, 0

    def readinto(self, buffer: memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As of any raw file; fills the buffer unless the view ends."""
        done = 0
        while done < len(buffer) and self._at < self._size:
            begin, end, piece = self._piece_here()
            n, offset = min(len(buffer) - done, end - self._at), self._at - begin
            if isinstance(piece, bytes):
                part = piece[offset : offset + n]
            else:
                self._file.seek(piece[0] + offset)
                part = self._file.read(n)
            if not part:  # the file has been cut meanwhile
                break
            buffer[done : done + len(part)] = part
            done, self._at = done + len(part), self._at + len(part)
        return done

    def _piece_here(self) -> tuple[int, int, Piece]:
        if self._at < self._pieces[self._piece][0]:
            self._piece = 0
        while self._at >= self._pieces[self._piece][1]:
            self._piece += 1
        return self._pieces[self._piece]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any raw file."""
        self._at = max(offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence], 0)
        return self._at

    def tell(self) -> int:
        """As of any raw file."""
        return self._at

    def close(self) -> None:
        """Closes the file too."""
        self._file.close()
        super().close()


def bytes_behind(data: Bytes, end: int) -> int:
    """Bytes from `end` on, unless they are padding or begin like a tag (ID3v1, ID3v2, APE, Lyrics3)."""
    head = data[end : end + 4096]
    return 0 if head.startswith(_TAGS) or not head.strip(b"\0") else len(data) - end


def end_of_id3(data: Bytes, start: int = 0) -> int:
    """Behind the ID3v2 tag at `start`: 7 bits of its size in each of 4 bytes; `start` where there is none."""
    head = data[start : start + 10]
    if head[:3] != b"ID3" or len(head) < 10:
        return start
    a, b, c, d = (one & 0x7F for one in head[6:10])
    footer = 10 if head[5] & 0x10 else 0
    return start + 10 + (a << 21 | b << 14 | c << 7 | d) + footer


def end_of_tags(data: Bytes, at: int) -> int:
    """Behind the ID3v1, ID3v2 and APE tags at `at`; `at` where there are none."""
    while True:
        if data[at : at + 3] == b"TAG":
            behind = at + 128
        elif data[at : at + 8] == b"APETAGEX":
            # A header's size counts all behind it; a footer's has been passed with its header.
            behind = at + 32 + int.from_bytes(data[at + 12 : at + 16], "little")
        else:
            behind = end_of_id3(data, at)
        if behind == at or behind > len(data):
            return at
        at = behind
