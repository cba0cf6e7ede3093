"""Files and folders that appear whole or not at all, and JSON that every reader accepts."""

import contextlib
import errno
import glob
import hashlib
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SEAL = "sha256"
"""The entry of a JSON file that vouches for the others."""
PARTIAL = ".partial-"
"""Between the name of a folder and the process that writes it anew."""
_NUMBER = re.compile(r"\(os error (\d+)\)")
_SHORT = re.compile(r"\d+ requested and \d+ written")
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` at the end, and is removed after an error."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with naming(path):
            yield partial
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder beside `path` to write to; it takes the place of `path` at the end, and is removed after an error.

    The caller has a lock (`mu.locks`) under which nobody else writes the folder. A process that is killed meanwhile
    leaves the old folder whole: at `path`, or where `clear_leftovers` finds it.
    """
    path = Path(path)
    clear_leftovers(path)
    folder = path.with_name(f".{path.name}{PARTIAL}{os.getpid()}")
    folder.mkdir()
    try:
        with naming(path):
            yield folder
            if path.exists():
                old = folder.with_name(f"{folder.name}-old")
                path.rename(old)
                folder.rename(path)
                shutil.rmtree(old)
            else:
                folder.rename(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(path: str | os.PathLike[str]) -> None:
    """Removes what killed processes left of `replacing_folder`; brings back a folder that was not replaced in the end.

    The caller has the folder's lock: whoever left that can no longer be at work.
    """
    path = Path(path)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}{PARTIAL}*"):
        if leftover.name.endswith("-old") and not path.exists():
            leftover.rename(path)
        else:
            shutil.rmtree(leftover, ignore_errors=True)


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Gives an error of the disk that names no file, as every failed write, the name `path`.

    NumPy and polars say what the system said in words of their own, without its number.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None and (number := _NUMBER.search(str(error))):
            code = int(number.group(1))
            raise OSError(code, os.strerror(code), os.fspath(path)) from error
        if error.errno is None and _SHORT.fullmatch(str(error)):
            raise OSError(errno.ENOSPC, "It could not be written whole", os.fspath(path)) from error
        if error.filename is None and error.errno in _OF_THE_DISK:
            error.filename = os.fspath(path)
        raise


def reserve(path: str | os.PathLike[str]) -> None:
    """Gives a file its place on the disk, where the system can.

    Writing to a map of a file with holes would end the process where the disk is full.

    Raises:
      OSError: the disk is full.
    """
    if sys.platform == "linux":
        with naming(path), open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(path))


def write_whole(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Writes a file; a process that is killed meanwhile leaves the old file. Text is written as UTF-8."""
    with replacing(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def json_text(value: Any) -> str:
    """`value` as indented JSON; numbers that are not finite become null."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as JSON, whole; numbers that are not finite become null.

    A dict gets a first entry, `sha256` of the file's name and of the other entries, by which `read_json` knows that it
    is what was written. Whoever edits the file deletes that line.
    """
    if isinstance(value, Mapping):
        value = {SEAL: _seal(Path(path), value), **value}
    write_whole(path, json_text(value) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """The value in a JSON file, less the `sha256` of `write_json`.

    Raises:
      ValueError: it is no JSON, or not what was written; names the file.
    """
    path = Path(path)
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        said = "it is empty" if not path.stat().st_size else f"{error}"
        raise ValueError(f"{path} is damaged: it holds no JSON ({said}); bring it back, or make it again") from None
    if not isinstance(value, dict) or SEAL not in value:
        return value
    seal = value.pop(SEAL)
    if seal != _seal(path, value):
        raise ValueError(
            f"{path} is not what was written: its content differs from its {SEAL}. Bring it back or make it again; "
            f"if the change is meant, delete the line of the {SEAL}"
        )
    return value


def _seal(path: Path, value: Mapping[str, Any]) -> str:
    """sha256 over the name that a file has, or will have when it is whole, and over its entries."""
    text = f"{path.name.removesuffix('.part')}\n{json_text(value)}"
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def hash_file(path: str | os.PathLike[str]) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
