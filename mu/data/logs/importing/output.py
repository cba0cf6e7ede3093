"""Writes the folder of an import atomically: all of it or nothing."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

_MARK = ".importing-"


@contextlib.contextmanager
def whole_folder(output: Path, overwrite: bool) -> Iterator[Path]:
    """A new folder beside `output` to write into: renamed to `output` at the end, removed on an exception.

    Folders left beside `output` by imports that were killed (SIGKILL) are removed first.

    Raises:
      FileExistsError: `output` exists and `overwrite` is off, or it is not the folder of an import.
    """
    _clear_leftovers(output)
    check_output(output, overwrite)
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.parent / f".{output.name}{_MARK}{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
        if output.exists():
            old = output.parent / f".{output.name}{_MARK}{os.getpid()}-old"
            output.rename(old)
            folder.rename(output)
            shutil.rmtree(old)
        else:
            folder.rename(output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_output(output: Path, overwrite: bool) -> None:
    """Checks that `output` may be written.

    Raises:
      FileExistsError: it may not.
    """
    if not (output.exists() or output.is_symlink()):
        return
    if not output.is_dir() or output.is_symlink():
        raise FileExistsError(f"{output} exists and is not a folder; choose another --output")
    if not any(output.iterdir()):
        return
    if not (output / "card.json").is_file():
        raise FileExistsError(f"{output} holds something else than an imported log; choose another --output")
    if not overwrite:
        raise FileExistsError(f"{output} exists; choose another --output, or add --overwrite to replace it")


def _clear_leftovers(output: Path) -> None:
    """Removes folders of dead processes; restores a log that was moved away but not replaced."""
    for path in output.parent.glob(f".{output.name}{_MARK}*"):
        owner = path.name.rpartition(_MARK)[2].partition("-")[0]
        if not owner.isdigit() or _is_alive(int(owner)):
            continue
        if path.name.endswith("-old") and not output.exists():
            path.rename(output)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
