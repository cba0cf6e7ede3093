"""Writes the folder of an import atomically: all of it or nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from mu.locks import rewriting


@contextlib.contextmanager
def whole_folder(output: Path, overwrite: bool) -> Iterator[Path]:
    """A new folder beside `output` to write into: renamed to `output` at the end, removed on an exception.

    Raises:
      FileExistsError: `output` exists and `overwrite` is off, it is not the folder of an import, or another process
        writes it.
    """
    with rewriting(output, lambda: check_output(output, overwrite)) as folder:
        yield folder


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
