"""Which recordings of an embedded library belong together, by a column of the library's table."""

import os
from pathlib import Path

import numpy as np
import polars as pl

from mu.data import tables
from mu.data.embeddings import Embeddings
from mu.embedding.similar import first_clips
from mu.names import nearest


def works_of(
    embeddings: Embeddings,
    folder: str | os.PathLike[str],
    column: str,
    library: str | os.PathLike[str] | None = None,
) -> np.ndarray:
    """int64 [n]: a number for each vector, equal where the column is equal; -1 where it is empty.

    Args:
      embeddings: of the library.
      folder: that holds them.
      column: of the library's clips.parquet.
      library: where it lies, if it has moved since.

    Raises:
      FileNotFoundError: the library is gone.
      ValueError: it has no such column, or is another library; names the column, or the first clip.
    """
    place = Path(library) if library is not None else Path(folder) / embeddings.card["library_from_here"]
    if not (place / "clips.parquet").is_file():
        raise FileNotFoundError(f"the library is no longer at {place}: say where it is by --library=DIR")
    clips = tables.read_parquet(place / "clips.parquet")
    if column not in clips.columns:
        raise ValueError(f"{place} has no column {column!r}{nearest(column, clips.columns)}")
    values = first_clips(embeddings).join(clips.select("clip", pl.col(column).alias("work")), on="clip", how="left")
    there = set(clips["clip"])
    if missing := [clip for clip in values["clip"] if clip not in there]:
        raise ValueError(f"{place} has no clip {missing[0]!r}: it is not the library of these embeddings")
    works = values.sort("row")["work"].cast(pl.String, strict=False)
    known = works.is_not_null().to_numpy() & (works.fill_null("") != "").to_numpy()
    _, codes = np.unique(works.fill_null("").to_numpy().astype(str), return_inverse=True)
    _, dense = np.unique(codes[known], return_inverse=True)
    numbers = np.full(len(works), -1, np.int64)
    numbers[known] = dense
    return numbers
