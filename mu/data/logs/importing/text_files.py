"""Text files in blocks of whole lines: plain, compressed or in an archive, any encoding that contains ASCII."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple, cast

from mu.data.logs.importing.tar_lines import TAR_HEAD, TarLines
from mu.data.logs.importing.zstd_stream import ZstdStream
from mu.data.options import OptionError

BOM = b"\xef\xbb\xbf"
# Longer lines are bad rows: no log has them, and a few kilobytes of gzip can hold a line of gigabytes.
MAX_LINE_BYTES = 1 << 24
PIECE_BYTES = 1 << 20
TOO_LONG = f"a line of more than {MAX_LINE_BYTES >> 20} MiB"
_SURROGATE = re.compile("[\ud800-\udfff]")
_PACKED: tuple[tuple[re.Pattern[bytes], Callable[[BinaryIO], Any]], ...] = (
    (re.compile(rb"\x1f\x8b"), lambda raw: gzip.GzipFile(fileobj=raw)),
    (re.compile(rb"BZh[1-9]1AY&"), bz2.BZ2File),
    (re.compile(rb"\xfd7zXZ\x00"), lzma.LZMAFile),
    (re.compile(rb"\x28\xb5\x2f\xfd"), ZstdStream),
)
_REFUSED = (
    (re.compile(rb"PK\x03\x04"), "is a zip archive; unpack it first"),
    (re.compile(rb"PAR1\x15"), "is a Parquet file; add --format=parquet"),
    (re.compile(rb"\xff\xfe|\xfe\xff"), "is UTF-16; convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)"),
)
Opened = tuple[BinaryIO, Callable[[], float]]
"""The stream of the bytes of a file, and a function that returns the share read so far."""


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[Opened]:
    """Opens a file; see `unpacked`."""
    size = max(os.path.getsize(path), 1)
    with open(path, "rb") as raw, unpacked(raw, path) as stream:
        yield stream, lambda: raw.tell() / size


@contextlib.contextmanager
def unpacked(raw: BinaryIO, label: str) -> Iterator[BinaryIO]:
    """The bytes of a file, plain or compressed (by content, not by name); of a tar archive those of its JSON lines.

    Args:
      raw: the file; it can be sought.
      label: what messages call it.

    Raises:
      ValueError: the file is no text that can be read.
    """
    start = raw.read(8)
    raw.seek(0)
    for magic, what in _REFUSED:
        if magic.match(start):
            raise ValueError(f"{label} {what}")
    with contextlib.ExitStack() as stack:
        stream = raw
        for magic, reader in _PACKED:
            if magic.match(start):
                inner = stack.enter_context(reader(raw))
                stream = cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, inner), PIECE_BYTES))
        head = stream.peek(TAR_HEAD) if isinstance(stream, io.BufferedReader) else b""
        if head[257:262] == b"ustar":
            stream = cast(BinaryIO, io.BufferedReader(TarLines(stream, label), PIECE_BYTES))
        yield stream


class Block(NamedTuple):
    """Some lines of a text file.

    Attributes:
      data: whole lines; or the start of one line that is too long.
      too_long: whether it is that.
      followed: whether the stream goes on with the line after the last one; else the next block holds it.
    """

    data: bytes
    too_long: bool = False
    followed: bool = True


def read_blocks(stream: BinaryIO, size: int) -> Iterator[Block]:
    """The lines of a stream, in blocks of about `size` bytes, which is `MAX_LINE_BYTES` at most.

    Lines may be read from the stream after a block that it follows. Of a line that is too long only its start is kept.
    """
    while data := stream.read(size):
        if data.endswith(b"\n"):
            yield Block(data)
            continue
        rest, whole = read_line(stream)
        start = data.rfind(b"\n") + 1
        if whole and len(data) - start + len(rest) <= MAX_LINE_BYTES:
            yield Block(data + rest)
            continue
        if start:
            yield Block(data[:start], followed=False)
        yield Block(data[start:][:PIECE_BYTES], too_long=True)


def read_line(stream: BinaryIO) -> tuple[bytes, bool]:
    """The next line, and whether it is whole; of a line that is too long its start, and the rest is read past."""
    line = stream.readline(MAX_LINE_BYTES)
    if line.endswith(b"\n"):
        return line, True
    piece = stream.readline(PIECE_BYTES)
    whole = not piece
    while piece and not piece.endswith(b"\n"):
        piece = stream.readline(PIECE_BYTES)
    return line, whole


def check_encoding(encoding: str) -> None:
    """Checks that lines can be split before they are decoded.

    Raises:
      OptionError: unknown encoding, or one that does not contain ASCII, such as UTF-16.
    """
    try:
        plain = "a,\t\n".encode(encoding) == b"a,\t\n"
    except LookupError:
        raise OptionError(f"--encoding={encoding} is not known to Python; try utf-8 or latin-1") from None
    if not plain:
        raise OptionError(f"--encoding={encoding} does not contain ASCII; convert the file to UTF-8 first")


def decode(raw: bytes, encoding: str) -> str:
    """The text of `raw`; bytes that are not valid in `encoding` become lone surrogates (see `is_invalid`)."""
    return raw.decode(encoding, "surrogateescape")


def is_invalid(text: str) -> bool:
    """Whether `text` holds what is no text: bytes that `decode` could not read, or half of a JSON escape."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def invalid_text(encoding: str) -> str:
    """The reason of a bad row with bytes that are no text, and what to try."""
    other = "latin-1, which reads all bytes" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else "utf-8"
    return f"invalid {encoding}; try --encoding={other}"


def printable(text: str, limit: int = 200) -> str:
    """`text` for messages and rejected.csv: invalid bytes as \\x.., half escapes as \\ud8.., long values cut."""
    whole, text = len(text) <= limit, text[:limit]
    text = re.sub("[\ud800-\udc7f\udd00-\udfff]", lambda match: f"\\u{ord(match[0]):x}", text)
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text if whole else text + "..."
