"""Logs from files and from data frames."""

import dataclasses
import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log as import_files
from mu.data.logs.interactions import Interactions, load
from mu.data.options import OptionError
from mu.names import nearest

FRAME = "frame.parquet"


class _TemporaryFolder(type(Path())):
    """A folder that is removed with the last log that lies in it: its copies by `take` or `where` hold this path."""

    @classmethod
    def made(cls) -> "_TemporaryFolder":
        parent = tempfile.mkdtemp(prefix="mu-log-")
        folder = cls(parent, "log")
        weakref.finalize(folder, shutil.rmtree, parent, ignore_errors=True)
        return folder


def import_log(
    data: Any, output: str | os.PathLike[str] | None = None, *, overwrite: bool = False, **options: Any
) -> Interactions:
    """See `mu.api.import_log`."""
    fields = {field.name for field in dataclasses.fields(LogImportOptions)}
    if unknown := [name for name in options if name not in fields]:
        raise OptionError(f"import_log takes no {unknown[0]!r}{nearest(unknown[0], fields)}; see `mu import --help`")
    chosen = LogImportOptions(**{name: _as_option(value) for name, value in options.items()})
    folder = _TemporaryFolder.made() if output is None else Path(output)
    with tempfile.TemporaryDirectory(prefix="mu-frame-") as temporary:
        files = _files(data, Path(temporary))
        import_files(files, folder, chosen, overwrite=overwrite)
    return dataclasses.replace(load(folder), folder=folder)


def _files(data: Any, folder: Path) -> list[str]:
    """The files of a log: paths as they are, a frame as a Parquet file in `folder`."""
    if isinstance(data, str | os.PathLike):
        return [str(data)]
    if isinstance(data, list | tuple) and all(isinstance(one, str | os.PathLike) for one in data):
        return [str(one) for one in data]
    frame_of(data).write_parquet(folder / FRAME)
    return [str(folder / FRAME)]


def frame_of(data: Any) -> pl.DataFrame:
    """A data frame of polars, pandas or Arrow as one of polars.

    Raises:
      TypeError: it is none of them.
    """
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, pl.DataFrame):
        return data
    package = type(data).__module__.partition(".")[0]
    if package == "pandas":
        return pl.from_pandas(data)
    if package == "pyarrow":
        frame = pl.from_arrow(data)
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()
    raise TypeError(
        f"a log is read from files or from a data frame of polars, pandas or Arrow; this is a {type(data).__name__}"
    )


def _as_option(value: Any) -> Any:
    """Lists as the tuples that options are."""
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
