"""Text files in blocks of whole lines: plain or gzip, any encoding that contains ASCII."""

import contextlib
import gzip
import io
import os
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

from mu.data.options import OptionError

BOM = b"\xef\xbb\xbf"
_LONE_SURROGATE = re.compile("[\udc80-\udcff]")


@contextlib.contextmanager
def open_bytes(path: str) -> Iterator[tuple[BinaryIO, Callable[[], float]]]:
    """Opens a plain or gzip file (by content, not by name).

    Yields:
      The stream of its bytes, and a function that returns the share read so far.
    """
    size = max(os.path.getsize(path), 1)
    with open(path, "rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        if start == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=raw) as unzipped:
                stream = io.BufferedReader(cast(io.RawIOBase, unzipped), 1 << 20)
                yield cast(BinaryIO, stream), lambda: raw.tell() / size
        else:
            yield raw, lambda: raw.tell() / size


def read_block(stream: BinaryIO, size: int) -> bytes:
    """About `size` bytes that end at the end of a line (or of the file); empty at the end."""
    block = stream.read(size)
    if block and not block.endswith(b"\n"):
        block += stream.readline()
    return block


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
    """Whether `decode` met bytes that are not valid."""
    return not text.isascii() and _LONE_SURROGATE.search(text) is not None


def printable(text: str, limit: int = 200) -> str:
    """`text` for messages and rejected.csv: invalid bytes as \\x.., long values cut."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return text if len(text) <= limit else text[:limit] + "..."
