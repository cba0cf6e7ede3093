"""Embeddings on disk: `embeddings.npy`, `embeddings.parquet`, `faults.jsonl` and `card.json` in one folder."""

import dataclasses
import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.checksums import HASHES, check_hashes, write_list
from mu.data import tables
from mu.data.faults import LEDGER, ledger_text, read_ledger
from mu.files import read_json, reserve, write_json

FORMAT_VERSION = 1
VECTORS, TABLE, CARD = "embeddings.npy", "embeddings.parquet", "card.json"
# Unfinished shards.
SHARDS = "shards"


@dataclasses.dataclass(frozen=True, eq=False)
class Embeddings:
    """Embeddings of the recordings of a library, from the folder that `mu embed` wrote.

    Attributes:
      vectors: float32 [n, D], memory-mapped; one for each content hash.
      table: row (of `vectors`), content_hash, clip, duration_s; a row for each clip of the library, in its order.
        Clips with equal content share a vector.
      faults: file, fault, reason, done, content_hash of the clips without a vector.
      card: encoder, library, licence, versions.
    """

    vectors: np.ndarray
    table: pl.DataFrame
    faults: tuple[dict[str, str], ...]
    card: dict[str, Any]

    def __len__(self) -> int:
        return len(self.vectors)

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return dict(zip(self.table["content_hash"], self.table["row"], strict=True))

    def rows(self, content_hashes: Iterable[str]) -> np.ndarray:
        """int64 [n]: the rows of `vectors` for these content hashes; -1 where there is none."""
        return np.array([self._places.get(key, -1) for key in content_hashes], np.int64)

    def of(self, content_hashes: Sequence[str]) -> np.ndarray:
        """float32 [n, D]: the vectors of these content hashes.

        Raises:
          ValueError: some have none; says how many, and which is the first.
        """
        rows = self.rows(content_hashes)
        if (missing := np.flatnonzero(rows < 0)).size:
            raise ValueError(
                f"{len(missing):,} of {len(rows):,} recordings have no embedding; the content hash of the first is "
                f"{content_hashes[missing[0]]}"
            )
        return np.asarray(self.vectors[rows])


def encoder_title(encoder: Mapping[str, Any]) -> str:
    """The encoder of a card in words: the run and its step, or the folder of published weights and their licence."""
    if "licence" in encoder:
        return f"{encoder['run']}, weights under {encoder['licence']['name']}"
    return f"{encoder['run']}" if encoder["step"] is None else f"{encoder['run']}, step {encoder['step']}"


def load(folder: str | os.PathLike[str]) -> Embeddings:
    """Opens a folder that `mu embed` has finished.

    Raises:
      FileNotFoundError: there is none, or it is not finished; says what to do.
      ValueError: it is of another format, or its files do not belong together.
    """
    folder = Path(folder)
    if not (folder / CARD).is_file():
        if (folder / SHARDS).is_dir() or _part(folder, CARD).is_file():
            raise FileNotFoundError(f"{folder} is not finished: give the same `mu embed` again, and it goes on")
        raise FileNotFoundError(f"no embeddings at {folder} ({CARD} is missing); make them with `mu embed`")
    check_hashes(folder, "bring it back, or make the embeddings again")
    card = read_json(folder / CARD)
    if card.get("format_version") != FORMAT_VERSION or "encoder" not in card:
        raise ValueError(f"{folder / CARD} does not describe embeddings of format {FORMAT_VERSION}")
    vectors, table = np.load(folder / VECTORS, mmap_mode="r"), tables.read_parquet(folder / TABLE)
    if vectors.shape != (card["embeddings"], card["dim"]) or len(table) != card["clips"]:
        raise ValueError(
            f"{folder}: vectors {vectors.shape} and {len(table)} clips, but the card says "
            f"{(card['embeddings'], card['dim'])} and {card['clips']}; make them again"
        )
    return Embeddings(vectors, table, read_ledger(folder / LEDGER), card)


def write(
    folder: Path,
    vectors: Iterable[np.ndarray],
    shape: tuple[int, int],
    table: pl.DataFrame,
    faults: Sequence[dict[str, str]],
    card: dict[str, Any],
) -> None:
    """Replaces the embeddings in a folder, all of them or nothing, whenever the process is killed.

    All files are written under temporary names, the new card last. Once it is there, `settle` can finish the work.

    Args:
      folder: exists.
      vectors: float32 [k, D] each, [n, D] together.
      shape: (n, D).
      table: see `Embeddings`.
      faults: see `Embeddings`.
      card: see `Embeddings`.
    """
    mapped = np.lib.format.open_memmap(_part(folder, VECTORS), "w+", np.float32, shape)
    reserve(_part(folder, VECTORS))
    start = 0
    for block in vectors:
        mapped[start : start + len(block)] = block
        start += len(block)
    mapped.flush()
    del mapped
    table.write_parquet(_part(folder, TABLE))
    _part(folder, LEDGER).write_text(ledger_text(faults), encoding="utf-8")
    write_list({name: _part(folder, name) for name in (VECTORS, TABLE, LEDGER)}, _part(folder, HASHES))
    write_json(_part(folder, CARD), {"format_version": FORMAT_VERSION, **card})
    settle(folder)


def settle(folder: Path) -> None:
    """Moves the files of a `write` that had finished, card and all, to their names; files without a card are left."""
    if _part(folder, CARD).is_file():
        (folder / CARD).unlink(missing_ok=True)
        for name in (VECTORS, TABLE, LEDGER, HASHES, CARD):
            if _part(folder, name).is_file():
                os.replace(_part(folder, name), folder / name)


def _part(folder: Path, name: str) -> Path:
    return folder / f"{name}.part"
