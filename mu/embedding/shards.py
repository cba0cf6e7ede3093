"""Shards of the embeddings of a library: several processes embed a library together, in one output folder.

`shards/plan.json` is the card to be. `shards/I-of-N/records.bin` holds the vectors of a shard, and `faults.jsonl`
beside it the faults of its recordings. The embeddings are complete when every recording of the library has a vector or
a fault, in a shard or in earlier embeddings of the folder, whichever process did it and of however many shards.
"""

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.data.embeddings import CARD, SHARDS, encoder_title, load, settle, write
from mu.data.faults import LEDGER, read_ledger
from mu.embedding.vector_file import is_open, read_vectors
from mu.files import read_json, write_json
from mu.locks import Lock

PLAN, VECTOR_FILE, LOCK = "plan.json", "records.bin", ".embed.lock"
# Vectors copied at once when the embeddings are put together.
BLOCK = 4096


def shard_of(content_hash: str, n_shards: int) -> int:
    """The number of the shard that a recording belongs to, from 0."""
    return int(content_hash[:15], 16) % n_shards


def check_output(folder: Path) -> None:
    """Raises FileExistsError where `folder` holds anything but embeddings."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileExistsError(f"{folder} is not a folder; choose another --output")
    if not any(folder.iterdir()) or (folder / LOCK).is_file() or (folder / SHARDS / PLAN).is_file():
        return
    if not (folder / CARD).is_file() or "encoder" not in read_json(folder / CARD):
        raise FileExistsError(f"{folder} holds something else than embeddings; choose another --output")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits for the lock of the folder, and has it until the end of the context."""
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder / LOCK):
        yield


def write_plan(folder: Path, plan: dict[str, Any], clips: pl.DataFrame) -> None:
    """Writes `plan.json`, unless the folder holds embeddings that do not belong to it.

    Args:
      folder: locked.
      plan: the card to be, but for its counts. The entries of earlier calls are added to 'made_with', and their licence
        is taken where the plan has none.
      clips: the library's table.

    Raises:
      FileExistsError: the folder holds embeddings of another encoder, or of a library that has other clips.
    """
    settle(folder)
    remedy = f"choose another --output, or delete {folder}"
    for path, what in ((folder / CARD, "embeddings"), (folder / SHARDS / PLAN, "half-finished embeddings")):
        if not path.is_file():
            continue
        there = read_json(path)
        other, this = there["encoder"], plan["encoder"]
        if other["hash"] != this["hash"]:
            raise FileExistsError(
                f"{folder} holds {what} of another encoder ({encoder_title(other)}, "
                f"hash {other['hash'][:12]}; this one has {this['hash'][:12]}): {remedy}"
            )
        if not np.allclose(other["noise_vector"], this["noise_vector"], rtol=0.01, atol=0.01):
            raise FileExistsError(
                f"{folder} holds {what} of the same weights, but noise has another vector now: the code that computes "
                f"them has changed ({there['made_with'][-1]}): {remedy}"
            )
        if (before := there.get("first_s")) != plan.get("first_s"):
            was, now = (f"the first {one:g} s" if one else "the whole" for one in (before, plan.get("first_s")))
            raise FileExistsError(f"{folder} holds {what} of {was} of each recording, and not of {now}: {remedy}")
        if there["library_from_here"] != plan["library_from_here"]:
            lost = path.name == PLAN or len(load(folder).table.join(clips, on="content_hash", how="anti"))
            if lost:
                raise FileExistsError(f"{folder} holds {what} of another library, {there['library']}: {remedy}")
        if plan["licence"]["note"] is None:
            plan["licence"] = there["licence"]
        plan["made_with"] = there["made_with"] + [one for one in plan["made_with"] if one not in there["made_with"]]
    (folder / SHARDS).mkdir(exist_ok=True)
    write_json(folder / SHARDS / PLAN, plan)


@dataclasses.dataclass(frozen=True)
class StoredVectors:
    """The vectors in a folder, of finished embeddings and of all shards.

    Attributes:
      arrays: of vectors, memory-mapped.
      places: content_hash, array (its number in `arrays`), place (the row of that array).
    """

    arrays: list[np.ndarray]
    places: pl.DataFrame


def stored_vectors(folder: Path, dim: int) -> StoredVectors:
    """The vectors in a folder so far."""
    arrays, keys = [], []
    if (folder / CARD).is_file():
        whole = load(folder)
        arrays.append(whole.vectors)
        keys.append(whole.table.unique("row").sort("row")["content_hash"])
    for path in sorted((folder / SHARDS).glob(f"*/{VECTOR_FILE}")):
        records = read_vectors(path, dim)
        arrays.append(records["vector"])
        keys.append(pl.Series(records["content_hash"].astype("U64").tolist(), dtype=pl.String))
    schema = {"content_hash": pl.String, "array": pl.Int64, "place": pl.Int64}
    rows = [
        pl.DataFrame({"content_hash": key, "array": np.full(len(key), at), "place": np.arange(len(key))}, schema=schema)
        for at, key in enumerate(keys)
    ]
    return StoredVectors(arrays, pl.concat([pl.DataFrame(schema=schema), *rows]).unique("content_hash", keep="first"))


def finish(folder: Path, clips: pl.DataFrame) -> tuple[str, ...]:
    """Puts the embeddings together from all shards, if every clip has a vector or a fault.

    A fault in a shard that another process has open does not count: that process may try the recording again.

    Args:
      folder: not locked.
      clips: the library's table; the embeddings have its order.

    Returns:
      The content hashes without vector and fault; none when the embeddings are complete.

    Raises:
      ValueError: all clips are faulty.
    """
    with locked(folder):
        settle(folder)
        if not (folder / SHARDS / PLAN).is_file():
            return ()  # another process was quicker
        plan = read_json(folder / SHARDS / PLAN)
        stored = stored_vectors(folder, plan["dim"])
        ledgers = [folder / LEDGER, *sorted((folder / SHARDS).glob(f"*/{LEDGER}"))]
        faults = {entry["content_hash"]: entry for path in ledgers for entry in read_ledger(path)}
        shards = _open_shards(folder)
        faults = {key: entry for key, entry in faults.items() if not any(shard_of(key, of) == at for at, of in shards)}
        contents = clips.select("content_hash").unique(maintain_order=True)
        without = contents.join(stored.places, on="content_hash", how="anti", maintain_order="left")["content_hash"]
        if missing := tuple(key for key in without if key not in faults):
            return missing
        left_out = tuple(faults[key] for key in without)
        embedded = contents.join(stored.places, on="content_hash", maintain_order="left").with_row_index("row")
        if not len(embedded):
            first = "{file}: {fault} ({reason})".format(**left_out[0])
            raise ValueError(f"none of the {len(clips):,} clips could be embedded. The first: {first}")
        rows = embedded.select(pl.col("row").cast(pl.Int64), "content_hash")
        table = clips.join(rows, on="content_hash", maintain_order="left")
        table = table.select("row", "content_hash", "clip", "duration_s")
        card = plan | {"clips": len(table), "embeddings": len(embedded), "faults": len(left_out)}
        if not _is_whole(folder, card, table, left_out):
            write(folder, _blocks(stored.arrays, embedded), (len(embedded), plan["dim"]), table, left_out, card)
        shutil.rmtree(folder / SHARDS)
    return ()


def _open_shards(folder: Path) -> list[tuple[int, int]]:
    """(i, n) of the shards that some process has open."""
    shards = []
    for path in (folder / SHARDS).glob(f"*-of-*/{VECTOR_FILE}"):
        if is_open(path):
            number, _, of = path.parent.name.partition("-of-")
            shards.append((int(number), int(of)))
    return shards


def _is_whole(folder: Path, card: dict[str, Any], table: pl.DataFrame, faults: tuple[dict[str, str], ...]) -> bool:
    """Whether the folder holds just that already, whatever it was made with."""
    if not (folder / CARD).is_file():
        return False
    there = load(folder)
    same = all(there.card[name] == card[name] for name in ("library", "library_from_here", "licence"))
    same &= there.card["encoder"].get("trained_on") == card["encoder"].get("trained_on")
    return same and there.table.equals(table) and there.faults == faults


def _blocks(arrays: list[np.ndarray], embedded: pl.DataFrame) -> Iterator[np.ndarray]:
    """The vectors at `embedded`, a block at a time."""
    for block in embedded.iter_slices(BLOCK):
        array, place = block["array"].to_numpy(), block["place"].to_numpy()
        out = np.empty((len(block), arrays[0].shape[1]), np.float32)
        for at in np.unique(array):
            out[array == at] = arrays[at][place[array == at]]
        yield out
