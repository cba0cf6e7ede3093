"""A data set of mirdata, read through its own loader (the extra `mirdata`)."""

import os
from typing import Any

import polars as pl

from mu.data.clips.importing.source import OWN_COLUMNS, AudioSource, files_source
from mu.names import nearest

_SCALARS = (str, int, float, bool)


def find(name: str, data_dir: str | None = None, file_column: str = "audio_path") -> AudioSource:
    """The tracks of `mirdata:NAME` as a source of files.

    Attributes are what a track holds as text or numbers, in itself or in its data set's metadata; paths, annotations
    and whatever would have to be decoded are none.

    Args:
      name: 'mirdata:gtzan_genre'.
      data_dir: mirdata's `data_home`; its own default without.
      file_column: the attribute of a track that is the path of its sound.

    Raises:
      ValueError: mirdata is missing or has no such data set; tracks have no such attribute.
      FileNotFoundError: the data set has not been downloaded.
    """
    try:
        import mirdata  # pyright: ignore[reportMissingImports]  (an extra)
    except ImportError as error:
        raise ValueError(f"{name} needs mirdata ({error}): pip install 'mu-music[mirdata]'") from error
    short = name.removeprefix("mirdata:")
    names = mirdata.list_datasets()
    if short not in names:
        raise ValueError(f"mirdata has no data set {short!r}{nearest(short, names)}; it has: {', '.join(names)}")
    dataset = mirdata.initialize(short, data_home=data_dir)
    try:
        tracks = dataset.load_tracks()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{name} is not in {dataset.data_home} ({error}); fetch it with "
            f"mirdata.initialize({short!r}, data_home={data_dir!r}).download()"
        ) from error
    files, rows = [], []
    for track in tracks.values():
        paths = [key for key in vars(track) if key.endswith("_path")]
        if file_column not in paths:
            raise ValueError(
                f"tracks of {name} have no {file_column!r}{nearest(file_column, paths)}; say --file_column=NAME; "
                f"they have: {', '.join(paths)}"
            )
        files.append(getattr(track, file_column))
        rows.append(_attributes(track))
    root = str(dataset.data_home)
    table = pl.DataFrame(rows, infer_schema_length=None, strict=False) if rows else pl.DataFrame({"track_id": []})
    identity = f"{name} below {os.path.abspath(root)}"
    return files_source(table, files, root=root, name=name, identity=identity)


def _attributes(track: Any) -> dict[str, Any]:
    """Text and numbers; names that the table of clips needs get `track_` in front."""
    try:
        metadata = track._track_metadata or {}
    except (AttributeError, KeyError):  # a loader without metadata says so this way
        metadata = {}
    # A loader that has metadata for the whole set only gives those of every track.
    fields = {key: value for key, value in metadata.items() if isinstance(key, str)}
    fields |= {
        key: value for key, value in vars(track).items() if not key.startswith("_") and not key.endswith("_path")
    }
    scalars = {key: value for key, value in fields.items() if isinstance(value, _SCALARS)}
    return {f"track_{key}" if key in OWN_COLUMNS else key: value for key, value in scalars.items()}
