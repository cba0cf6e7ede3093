"""What list metrics know of the tracks of a log: popularity, groups, and what they are like."""

import hashlib
import os
from collections.abc import Hashable

import numpy as np
import polars as pl

from mu.data.logs.attributes import multi_hot
from mu.data.logs.interactions import Interactions
from mu.evals.metrics.lists.context import ListContext


def list_context(train: Interactions, groups: str | None, vectors: str | None) -> ListContext:
    """The context of the tracks of a training log.

    Args:
      train: its plays say what is popular.
      groups: column of the tracks whose values are their groups; None for none.
      vectors: see `track_vectors`; None for none.
    """
    return ListContext(
        n_items=train.n_items,
        popularity=train.counts(),
        groups=None if groups is None else group_codes(train.tracks, groups),
        vectors=None if vectors is None else track_vectors(train.tracks, vectors),
    )


def same_vectors(context: ListContext) -> dict[str, str]:
    """{'vectors of tracks': sha256}, what results must agree in to be compared; {} without vectors."""
    if context.vectors is None:
        return {}
    return {"vectors of tracks": hashlib.sha256(np.ascontiguousarray(context.vectors).data).hexdigest()}


def group_codes(tracks: pl.DataFrame, column: str) -> np.ndarray:
    """int64 [V]: a number for each value of a column of the tracks, -1 where there is none.

    Raises:
      ValueError: there is no such column.
    """
    if column not in tracks.columns:
        raise ValueError(f"groups={column!r}: the tracks have the columns {', '.join(tracks.columns)}")
    numbers: dict[Hashable, int] = {}
    values = tracks[column].to_list()
    return np.array([-1 if value is None else numbers.setdefault(value, len(numbers)) for value in values], np.int64)


def track_vectors(tracks: pl.DataFrame, source: str) -> np.ndarray:
    """float [V, D]: what tracks are like, zeros where nothing is known of one.

    Args:
      tracks: the table of the tracks.
      source: a column of the table whose values are labels separated by '|' ('genres', 'tags'): ones and zeros; or a
        file 'PATH.npy' with a vector for each track, such as the track_content.npy of a run on plays and sound.

    Raises:
      ValueError: there is no such column or file, or it has not a finite vector for each track.
    """
    if not source.endswith(".npy"):
        if source not in tracks.columns:
            raise ValueError(
                f"vectors={source!r} is neither a file PATH.npy nor a column of the tracks, which have "
                f"{', '.join(tracks.columns)}"
            )
        labels, _ = multi_hot(tracks, source)
        return np.nan_to_num(labels, nan=0.0)
    if not os.path.isfile(source):
        raise ValueError(f"vectors={source!r}: there is no such file")
    try:
        vectors = np.load(source)
    except (EOFError, ValueError) as error:  # NumPy takes any other content for a pickle, and advises to load that
        raise ValueError(f"vectors={source!r} is not what numpy.save writes of an array of numbers") from error
    if vectors.ndim != 2 or len(vectors) != len(tracks) or vectors.dtype.kind != "f" or not np.isfinite(vectors).all():
        raise ValueError(
            f"vectors={source!r} holds {vectors.dtype} {vectors.shape}; it must be finite floats [{len(tracks)}, D], a "
            "row for each track of the log"
        )
    return vectors
