"""Damaged zip archives, said in one way: wheels and checkpoints of PyTorch are such."""

import contextlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator

# What `zipfile` raises of bytes that are wrong. RuntimeError: a wrong header asks for a password, or for a compression
# that it does not know (NotImplementedError, which is one).
DAMAGES = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, RuntimeError, EOFError)


@contextlib.contextmanager
def zip_damage(file: str) -> Iterator[None]:
    """Inside, what reading an archive raises of damaged bytes is a ValueError that names `file`."""
    try:
        yield
    except DAMAGES as error:
        raise ValueError(f"{file} is cut off or damaged: download it again ({error})") from None
