"""Zip archives of logs, read in place: nothing of them is written to disk, and no path in them is followed."""

import contextlib
import functools
import os
import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from mu.data.logs.importing.formats import LogSource
from mu.data.logs.importing.text_files import Opened, open_bytes, unpacked

MAX_MEMBERS = 10_000
MAX_MEMBER_BYTES = 8 << 30
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def is_zip(path: str | os.PathLike[str]) -> bool:
    """Whether the file begins as a zip archive."""
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


@contextlib.contextmanager
def archives_closed_after() -> Iterator[None]:
    """Closes at the end the archive that `opened_archive` keeps; also a decorator."""
    try:
        yield
    finally:
        _opened.cache_clear()


def opened_archive(path: str) -> zipfile.ZipFile:
    """The archive, open for reading, from several threads too.

    The last one stays open, since opening reads the names of all its files. It is opened anew if the file has changed.

    Raises:
      zipfile.BadZipFile: it is damaged.
    """
    status = os.stat(path)
    return _opened(path, status.st_mtime_ns, status.st_size)


# An archive that leaves the cache closes itself when nobody reads from it any more: none is closed under a reader.
@functools.lru_cache(maxsize=1)
def _opened(path: str, mtime_ns: int, size: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def member_names(path: str) -> list[str]:
    """The names of the files in a zip archive, in their order (`in_order`).

    Raises:
      ValueError: it has more than `MAX_MEMBERS` files.
      zipfile.BadZipFile: it is damaged.
    """
    members = [member for member in opened_archive(path).infolist() if not member.is_dir()]
    if len(members) > MAX_MEMBERS:
        raise ValueError(f"{path} holds {len(members):,} files; an archive of up to {MAX_MEMBERS:,} is read")
    return in_order(member.filename for member in members)


def in_order(names: Iterable[str]) -> list[str]:
    """Names of files by name, with numbers in them by size: 9.jsonl before 10.jsonl. Files of macOS are left out.

    They are `._NAME`, with what its file system knows of NAME, and in archives lie in `__MACOSX`.
    """
    own = (name for name in names if not name.startswith("__MACOSX/") and not os.path.basename(name).startswith("._"))
    return sorted(own, key=lambda name: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)])


@contextlib.contextmanager
def open_source(source: LogSource) -> Iterator[Opened]:
    """Opens a file, or a file in a zip archive; see `mu.data.logs.importing.text_files.unpacked`.

    Raises:
      ValueError: it is encrypted, of an unknown compression, larger than `MAX_MEMBER_BYTES`, or no text.
    """
    if not source.member:
        with open_bytes(source.path) as opened:
            yield opened
        return
    archive = opened_archive(source.path)
    member = archive.getinfo(source.member)
    if member.flag_bits & 1:
        raise ValueError(f"{source.name} is encrypted; unpack the archive with its password first")
    if member.compress_type not in COMPRESSIONS:
        raise ValueError(f"{source.name} has a compression that Python's zip cannot read; unpack the archive first")
    if member.file_size > MAX_MEMBER_BYTES:
        raise ValueError(
            f"{source.name} is {member.file_size / 2**30:.1f} GiB; a file in a zip archive may have up to "
            f"{MAX_MEMBER_BYTES >> 30} GiB: unpack the archive first"
        )
    with archive.open(member) as raw, unpacked(cast(BinaryIO, raw), source.name) as stream:
        yield stream, lambda: raw.tell() / max(member.file_size, 1)
