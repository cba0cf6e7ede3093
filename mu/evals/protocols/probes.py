"""Probes on embeddings: a library's labels beside its vectors, folds, and the models that learn one from the other."""

import dataclasses
import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from mu.baselines.linear import Linear
from mu.baselines.mlp import chosen_mlp
from mu.data.clips import clips as clip_tables
from mu.data.clips.clips import Clips
from mu.data.clips.folds import by_hash
from mu.embedding.table import Embeddings
from mu.evals.probes import Learn

# How many clips without an embedding are named.
NAMED = 3


def labelled(
    library: str | os.PathLike[str],
    embeddings: Embeddings,
    *,
    classes: Sequence[str] = (),
    tags: Sequence[str] = (),
    numbers: Sequence[str] = (),
) -> tuple[Clips, int]:
    """(the clips of a library that have an embedding, with their targets; how many could not be embedded).

    Args:
      library: the folder that `mu import-audio` wrote.
      embeddings: of its clips.
      classes, tags, numbers: columns, see `mu.data.clips.clips.load`.

    Raises:
      FileNotFoundError: there is no such library.
      ValueError: there is no such column, or clips have no embedding and no fault says why.
    """
    clips = clip_tables.load(
        library,
        sample_rate_hz=embeddings.card["encoder"]["sample_rate_hz"],
        classes=classes,
        tags=tags,
        numbers=numbers,
        audio=False,
    )
    hashes = clips.table["content_hash"].to_list()
    has = embeddings.rows(hashes) >= 0
    faulty = {fault["content_hash"] for fault in embeddings.faults}
    if missing := [row for row in np.flatnonzero(~has).tolist() if hashes[row] not in faulty]:
        named = "".join(f"\n  {clips.table['clip'][row]} ({hashes[row]})" for row in missing[:NAMED])
        more = f"\n  and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
        card = embeddings.card
        raise ValueError(
            f"{len(missing):,} of the {len(clips):,} clips of {library} have no embedding; these are embeddings of "
            f"{card['library']}:{named}{more}\n"
            f"embed them with `mu embed {card['encoder']['run']} {library} --output=DIR`"
        )
    return clips.take(np.flatnonzero(has)), int((~has).sum())


def folds_of(clips: Clips, folds: str, *, group: str, stratify: str | None) -> np.ndarray:
    """[n]: the fold that tests each clip.

    Args:
      clips: of one table.
      folds: a column, or a number of folds, which `mu.data.clips.folds.by_hash` deals.
      group: column whose equal values stay together where folds are dealt.
      stratify: column whose values are spread evenly where folds are dealt; one that some clips have no value in
        is not heeded.

    Raises:
      ValueError: a clip has no value in that column, or there are too few groups or folds.
    """
    if not folds.isdecimal():
        return clip_tables.whole_column(clips.table, folds).to_numpy()
    if stratify is not None and clips.table[stratify].null_count():
        stratify = None
    numbered = dataclasses.replace(clips, table=clips.table.with_row_index("number"))
    found = np.empty(len(clips), np.int64)
    for fold in range(int(folds)):
        split = by_hash(numbered, n_folds=int(folds), fold=fold, group=group, stratify=stratify)
        found[split.test.table["number"].to_numpy()] = fold
    return found


def columns_of(library: str | os.PathLike[str]) -> list[str]:
    """The columns of its table."""
    path = Path(library) / "clips.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"no clips at {library} (clips.parquet is missing); make them with `mu import-audio`")
    return list(pl.read_parquet_schema(path))


def linear_of_few(kind: str, features: np.ndarray, target: np.ndarray, size: int, groups: np.ndarray) -> Linear:
    """`Linear` with penalty 1: a few clips cannot choose one."""
    del groups
    return Linear(kind).fit(features, target, size)


def mlp(seed: int) -> Learn:
    """`chosen_mlp` with a seed."""
    return functools.partial(chosen_mlp, seed=seed)
