"""Vectors of an encoder that is trained already as numbers of a log's tracks."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from mu.data import embeddings as tables
from mu.data.clips.clips import Clips
from mu.data.clips.clips import load as load_clips
from mu.data.listening.clip_rows import clip_rows
from mu.data.logs.interactions import Interactions


@dataclasses.dataclass(frozen=True, eq=False)
class TrackVectors:
    """A vector for each track of a log.

    Attributes:
      values: float64 [V, D], NaN for a track without.
      card: 'encoder', its 'licence', 'tracks_with' and 'tracks_without' a vector.
    """

    values: np.ndarray
    card: dict[str, object]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the D numbers."""
        return tuple(f"embedding[{column}]" for column in range(self.values.shape[1]))


def track_vectors(
    log: Interactions,
    folder: str | os.PathLike[str],
    library: str | os.PathLike[str] | None,
    clip_column: str,
) -> TrackVectors:
    """The vectors of the log's tracks, from the folder that `mu embed` wrote.

    Args:
      log: V tracks.
      folder: of the embeddings.
      library: the import of the recordings; None for the one that the embeddings' card names.
      clip_column: of the library's table, says which track of the log a clip is.

    Raises:
      FileNotFoundError: the embeddings or the library are gone.
      ValueError: no clip is of any track; none of these clips has a vector; or a vector holds NaN or infinity.
    """
    embeddings = tables.load(folder)
    place = Path(library) if library is not None else Path(folder) / embeddings.card["library_from_here"]
    if not (place / "clips.parquet").is_file():
        raise FileNotFoundError(
            f"data.embeddings={folder} are of a library that is no longer at {place}: name it as data.clips"
        )
    clips: Clips = load_clips(place, sample_rate_hz=embeddings.card["encoder"]["sample_rate_hz"], audio=False)
    of_track = clip_rows(clips, log, clip_column)
    hashes = clips.table["content_hash"].to_list()
    rows = embeddings.rows([hashes[row] if row >= 0 else "" for row in of_track])
    if not (rows >= 0).any():
        raise ValueError(
            f"data.embeddings={folder} have a vector of none of the log's tracks: they are of "
            f"{embeddings.card['library']}"
        )
    vectors = np.asarray(embeddings.vectors[rows[rows >= 0]], np.float64)
    if not np.isfinite(vectors).all():
        raise ValueError(f"data.embeddings={folder}: a vector holds NaN or infinity; embed the library again")
    values = np.full((log.n_items, embeddings.card["dim"]), np.nan)
    values[rows >= 0] = vectors
    encoder = embeddings.card["encoder"]
    card = {
        "encoder": tables.encoder_title(encoder),
        "licence": encoder.get("licence"),
        "tracks_with": int((rows >= 0).sum()),
        "tracks_without": int((rows < 0).sum()),
    }
    return TrackVectors(values, card)
