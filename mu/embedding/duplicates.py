"""The recordings of an embedded library that sound the same."""

import dataclasses
import os

import polars as pl

from mu.data.embeddings import Embeddings
from mu.embedding.directions import Directions
from mu.embedding.pairs import PairRecall, groups_of, pair_recall, pairs_above, threshold_at
from mu.embedding.similar import first_clips
from mu.embedding.works import works_of


@dataclasses.dataclass(frozen=True, eq=False)
class Duplicates:
    """Pairs of recordings whose cosine reaches a threshold.

    Attributes:
      table: 'cosine', 'clip', 'other', 'group' (the first clip that a chain of pairs leads to); the most alike first.
      groups: how many there are.
      threshold: the lowest cosine.
      recordings: of different content, which were compared.
      copies: clips that are equal to another byte by byte, which are in no pair.
      recall: of the pairs that belong together; None where that is not known.
    """

    table: pl.DataFrame
    groups: int
    threshold: float
    recordings: int
    copies: int
    recall: PairRecall | None


def find_duplicates(
    embeddings: Embeddings,
    folder: str | os.PathLike[str],
    *,
    false_merge_rate: float = 1e-4,
    threshold: float | None = None,
    works: str | None = None,
    library: str | os.PathLike[str] | None = None,
) -> Duplicates:
    """All pairs of recordings that are as alike as the threshold says.

    Args:
      embeddings: of a library.
      folder: that holds them.
      false_merge_rate: share of the pairs of different recordings that may be taken for the same
        (`mu.embedding.pairs.threshold_at`); chooses the threshold.
      threshold: a cosine, instead; it must be given where `works` is not.
      works: a column of the library, equal for recordings that belong together.
      library: where it lies, if it has moved since.

    Raises:
      FileNotFoundError: the library is gone, and `works` is wanted.
      ValueError: neither a threshold nor works are given; no such column; too few recordings are different for such
        a rate; a vector holds NaN.
    """
    directions = Directions.of(embeddings.vectors)(embeddings.vectors)
    numbers = None if works is None else works_of(embeddings, folder, works, library)
    if threshold is None:
        if numbers is None:
            raise ValueError("which recordings are different is known by `works` alone: give it, or a threshold")
        threshold = threshold_at(directions, false_merge_rate, numbers)
    pairs = pairs_above(directions, threshold)
    groups, clips = groups_of(pairs, len(directions))[pairs.first], first_clips(embeddings)["clip"]
    table = pl.DataFrame(
        {
            "cosine": pairs.cosines.round(6),
            "clip": clips.gather(pairs.first),
            "other": clips.gather(pairs.second),
            "group": clips.gather(groups),
        }
    )
    return Duplicates(
        table=table,
        groups=len(set(groups.tolist())),
        threshold=threshold,
        recordings=len(embeddings),
        copies=len(embeddings.table) - len(embeddings),
        recall=None if numbers is None else pair_recall(pairs, numbers),
    )
