"""Recordings of a library that sound most like one recording."""

import dataclasses
import os

import numpy as np
import polars as pl

from mu.data.embeddings import Embeddings
from mu.embedding import recording
from mu.embedding.directions import Directions
from mu.embedding.opening import Opened
from mu.names import nearest
from mu_kernels import CSR, ItemIndex


@dataclasses.dataclass(frozen=True)
class SimilarClip:
    """A recording that sounds like another.

    Attributes:
      clip: its name in the library.
      cosine: between the directions of the two (`mu.embedding.directions`), -1 to 1.
      duration_s: of the recording.
    """

    clip: str
    cosine: float
    duration_s: float


def row_of(embeddings: Embeddings, clip: str) -> int:
    """The row of a clip's vector.

    Raises:
      ValueError: the library has no such clip, or it could not be embedded; names the nearest.
    """
    rows = embeddings.table.filter(pl.col("clip") == clip)["row"]
    if len(rows):
        return int(rows[0])
    for fault in embeddings.faults:
        if fault["file"] == clip:
            raise ValueError(f"{clip} has no embedding: {fault['fault']} ({fault['reason']})")
    raise ValueError(f"the library has no recording {clip!r}{nearest(clip, embeddings.table['clip'])}")


def query_of_file(file: str | os.PathLike[str], opened: Opened, embeddings: Embeddings) -> np.ndarray:
    """float32 [D]: the vector of a file that need not be in the library, made as `mu embed` makes those that are.

    Args:
      file: a recording.
      opened: the encoder, of `mu.embedding.opening.open_encoder`.
      embeddings: of the library, by the same encoder.

    Raises:
      mu.audio.io.AudioError: the file cannot be decoded.
      ValueError: the encoder is not the one that embedded the library; or the file holds no sound.
    """
    encoder, card = opened
    if card["hash"] != embeddings.card["encoder"]["hash"]:
        raise ValueError(
            f"{card['run']} is no longer the encoder that embedded the library: embed it again with `mu embed`"
        )
    return recording.vector_of_file(encoder, file, embeddings.card.get("first_s"))


def similar(embeddings: Embeddings, query: int | np.ndarray, k: int) -> list[SimilarClip]:
    """The k recordings nearest to one, the nearest first; ties by the order of the library.

    Exact, by `mu_kernels.ItemIndex`. Clips of equal content count once, by the name that comes first.

    Args:
      embeddings: of a library.
      query: a row of its vectors, which is left out of the answer; or a vector, float32 [D].
      k: how many, at most.

    Raises:
      ValueError: a vector holds NaN or infinity.
    """
    vectors = np.asarray(embeddings.vectors)
    of_library = Directions.of(vectors)
    directions = of_library(vectors)
    exclude = None
    if isinstance(query, np.ndarray):
        wanted = of_library(query[None])
    else:
        wanted, exclude = directions[query : query + 1], CSR.from_pairs([0], [query], 1, len(vectors))
    hits = ItemIndex(directions).top_k(wanted, min(k, len(vectors)), exclude)
    names = dict(first_clips(embeddings).select("row", pl.struct("clip", "duration_s")).iter_rows())
    return [
        SimilarClip(names[row]["clip"], float(np.clip(score, -1, 1)), names[row]["duration_s"])
        for row, score in zip(hits.ids[0, : hits.count[0]].tolist(), hits.scores[0], strict=False)
    ]


def first_clips(embeddings: Embeddings) -> pl.DataFrame:
    """The table of the embeddings with one clip a vector, the first in the library's order, sorted by row."""
    return embeddings.table.unique("row", keep="first", maintain_order=True).sort("row")
