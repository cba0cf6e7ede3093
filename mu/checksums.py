"""`hashes.json` of a folder: size and sha256 of its files, by which damage is noticed before they are read."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from mu.files import hash_file, read_json, write_json

HASHES = "hashes.json"
FOR_PEOPLE = (".csv", ".txt")
"""Files that nothing reads again: they may be taken away."""
SMALL = 1 << 20
"""Bytes up to which a file is read whole at every check."""
END = 1 << 16
"""Bytes of the beginning and of the end that are read of a larger one."""


class Damaged(ValueError):
    """A file is not the one that mu wrote; the message names it, says what is wrong, and how to get on."""


def write_hashes(folder: str | os.PathLike[str]) -> None:
    """Lists the files below `folder` that are read again, for `check_hashes`; no locks and other hidden files.

    Args:
      folder: complete, but for cards that `mu.files.write_json` writes after this: they vouch for themselves.
    """
    folder = Path(folder)
    read_again = (path for path in folder.rglob("*") if path.suffix not in FOR_PEOPLE and not path.name.startswith("."))
    files = (path for path in read_again if path.is_file())
    write_list(
        {path.relative_to(folder).as_posix(): path for path in files if path != folder / HASHES}, folder / HASHES
    )


def write_list(files: Mapping[str, Path], path: Path) -> None:
    """Writes the list of some files, which may lie under temporary names yet: {name in the folder: where it is}."""
    write_json(path, {"files": {name: _entry(files[name]) for name in sorted(files)}})


def check_hashes(folder: str | os.PathLike[str], remedy: str, *, whole: bool = True, missing_too: bool = True) -> bool:
    """Whether `folder` has a list of hashes; where it has, its files are those of the list.

    Args:
      folder: that `write_hashes` was called with.
      remedy: how to get on, the end of the message.
      whole: read all of every file; else of files above 1 MiB the size, the beginning and the end.
      missing_too: a file that is not there is damage; else another process may be taking the folder away.

    Raises:
      Damaged: a file is missing, or has another size or content; names it.
    """
    folder = Path(folder)
    if not (folder / HASHES).is_file():
        return False
    try:
        listed = read_json(folder / HASHES)["files"]
        entries = [
            (folder / name, entry["bytes"], entry["sha256"], entry.get("ends")) for name, entry in listed.items()
        ]
    except (KeyError, TypeError, AttributeError):
        raise Damaged(f"{folder / HASHES} is no list of hashes; {remedy}") from None
    for path, size, sha256, ends in entries:
        try:
            n_bytes = path.stat().st_size
            if n_bytes != size:
                raise Damaged(f"{path} has {n_bytes:,} bytes, and had {size:,} when it was written; {remedy}")
            same = hash_file(path) == sha256 if whole or ends is None else _hash_of_ends(path) == ends
        except FileNotFoundError:
            if missing_too:
                raise Damaged(f"{path} is missing, and {folder / HASHES} lists it; {remedy}") from None
            continue
        if not same:
            raise Damaged(f"{path} is not what was written (its sha256 differs from that in {HASHES}); {remedy}")
    return True


def _entry(path: Path) -> dict[str, str | int]:
    size = path.stat().st_size
    return {"bytes": size, "sha256": hash_file(path)} | ({"ends": _hash_of_ends(path)} if size > SMALL else {})


def _hash_of_ends(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(END))
        file.seek(-END, os.SEEK_END)
        digest.update(file.read(END))
    return digest.hexdigest()
