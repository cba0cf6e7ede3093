"""The interface of audio sources: a list of clips, their attributes, and how to read them."""

import dataclasses
import os
import posixpath
from collections.abc import Sequence
from typing import Protocol

import polars as pl

from mu.data.clips.importing.scan import Files, Reader
from mu.data.faults import Fault

MISSING = -1  # as a size: the file is not there
# Columns of the table of clips that no attribute may have.
OWN_COLUMNS = ("clip", "file", "content_hash", "duration_s", "sample_rate_hz", "channels", "peak", "loudness_lufs")


@dataclasses.dataclass(frozen=True)
class AudioSource:
    """A list of clips and how to read them.

    Attributes:
      identity: the same for the same source only, wherever the command runs.
      root: the folder that file names start from, as it was given; None where there are no files.
      clips: see `clip_table`.
      attributes: clip, and the columns that the source has for it; None where records hold them (`Facts.attributes`).
      unnamed: entries that cannot be a clip.
      ignored: files that are not audio, and files and folders that systems leave beside it, counted by kind.
      reader: for the worker processes.
    """

    identity: str
    root: str | None
    clips: pl.DataFrame
    attributes: pl.DataFrame | None
    unnamed: list[tuple[str, Fault]]
    ignored: dict[str, int]
    reader: Reader

    def missing(self) -> list[str]:
        """Clips whose file is not there."""
        return self.clips.filter(pl.col("size") == MISSING)["clip"].to_list()


class FindClips(Protocol):
    """A function that opens a kind of source, such as `mu.data.clips.importing.folder_source:find`.

    Its keyword arguments are the options that it takes: any of `root`, `file_column`, `data_dir`, `sample_rate_hz`.
    """

    def __call__(self, name: str) -> AudioSource:
        """The clips of the source `name`.

        Raises:
          FileNotFoundError, ValueError: there is no such source, or it holds no clips; says what to do.
        """
        ...


def clip_table(rows: list[tuple[str, int, int]]) -> pl.DataFrame:
    """clip (the id), size in bytes (`MISSING` where there is no such file), mtime_ns; in order of ids."""
    schema = {"clip": pl.String, "size": pl.Int64, "mtime_ns": pl.Int64}
    return pl.DataFrame(sorted(rows), schema=schema, orient="row")


def files_source(
    attributes: pl.DataFrame, files: Sequence[str | None], *, root: str, name: str, identity: str
) -> AudioSource:
    """The source whose clip i is `files[i]` with the row `attributes[i]`.

    Args:
      attributes: a row for each file.
      files: paths below `root`; None or blank where a row names no file.
      root: the folder that they start from.
      name: of the source, in messages.
      identity: see `AudioSource`.

    Raises:
      ValueError: two rows name one file, a file lies outside the root, an attribute has a name that is taken.
    """
    if clash := [column for column in attributes.columns if column in OWN_COLUMNS]:
        raise ValueError(f"{name} has a column {clash[0]!r}, and so has the table of clips; rename it in {name}")
    rows: dict[str, int] = {}
    unnamed = []
    for row, file in enumerate(files):
        if file is None or not str(file).strip():
            unnamed.append((f"row {row + 1} of {os.path.basename(name)}", Fault("missing", "it names no file")))
            continue
        clip = _relative(str(file), root, f"row {row + 1} of {name}")
        if clip in rows:
            raise ValueError(f"rows {rows[clip] + 1} and {row + 1} of {name} both name {clip}; leave one of them out")
        rows[clip] = row
    of_clips = attributes[list(rows.values())].insert_column(0, pl.Series("clip", list(rows), pl.String))
    clips = clip_table([(clip, *_size_and_mtime(os.path.join(root, clip))) for clip in rows])
    return AudioSource(identity, root, clips, of_clips, unnamed, {}, Files(os.path.abspath(root)))


def _relative(file: str, root: str, where: str) -> str:
    """The path from `root`, with forward slashes."""
    path = os.path.relpath(file, root) if os.path.isabs(file) else file
    path = posixpath.normpath(path.replace(os.sep, "/"))
    if path.startswith("../"):
        raise ValueError(
            f"{where} names {file}, which is not below {root}; say --root=DIR, a folder that holds all files"
        )
    return path


def _size_and_mtime(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return MISSING, 0
    return status.st_size, status.st_mtime_ns
