"""Sources of audio: a folder, a table of files, a TFDS or mirdata data set, and those of other packages by path."""

import inspect
from pathlib import Path

from mu.data.clips.importing.source import AudioSource
from mu.data.options import OptionError
from mu.names import locate

# The beginning of a source's name -> what it is, and its `FindClips`.
PREFIXES = {
    "tfds:": ("a TFDS data set", "mu.data.clips.importing.tfds_source:find"),
    "mirdata:": ("a mirdata data set", "mu.data.clips.importing.mirdata_source:find"),
}
FOLDER = ("a folder", "mu.data.clips.importing.folder_source:find")
TABLE = ("a table", "mu.data.clips.importing.table_source:find")


def open_source(name: str, source: str | None = None, **options: str | int | None) -> AudioSource:
    """Finds the clips of a source.

    Args:
      name: a folder, a table (.csv, .tsv, .parquet), `tfds:NAME[#SPLIT]`, `mirdata:NAME`, or what `source` takes.
      source: the path 'package.module:attribute' of a `mu.data.clips.importing.source.FindClips`; None decides by the
        name.
      **options: those that are not None must be keyword arguments of the source: `root` and `file_column` of a table,
        `data_dir` and `sample_rate_hz` of TFDS, `data_dir` and `file_column` of mirdata.

    Raises:
      FileNotFoundError, ValueError: there is nothing; says what to do.
      mu.data.options.OptionError: an option that the source does not take, or a `source` that cannot be imported.
    """
    kind, path = _kind(name) if source is None else (source, source)
    try:
        find = locate(path)
    except ValueError as error:
        raise OptionError(f"--source={error}") from None
    takes = inspect.signature(find).parameters
    options = {option: value for option, value in options.items() if value is not None}
    for option in options:
        if option not in takes:
            raise OptionError(f"--{option} means nothing for {name}, {kind}")
    return find(name, **options)


def _kind(name: str) -> tuple[str, str]:
    for prefix, kind in PREFIXES.items():
        if name.startswith(prefix):
            return kind
    return FOLDER if Path(name).is_dir() else TABLE
