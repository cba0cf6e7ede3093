"""What processes that share a library leave for each other in the output folder, and how the whole is made of it.

`shards/plan.json` says what is being made, `shards/I-of-N/records.bin` holds the vectors of a share and `faults.jsonl`
beside it what is wrong with its files. The whole is due when every recording of the library is in one of them or in the
whole that is there already; it does not matter which process, or which division into shares, did it.
"""

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.embedding.records import is_open, read_records
from mu.embedding.table import CARD, LEDGER, SHARDS, load, read_ledger, settle, write
from mu.files import Lock, write_json

PLAN, RECORDS, LOCK = "plan.json", "records.bin", ".embed.lock"
# Vectors copied at once when the whole is made.
BLOCK = 4096


def share_of(content_hash: str, shares: int) -> int:
    """The share that a recording belongs to, from 0."""
    return int(content_hash[:15], 16) % shares


def refuse_something_else(folder: Path) -> None:
    """Raises FileExistsError where `folder` holds what is not ours."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileExistsError(f"{folder} is not a folder; choose another --output")
    if not any(folder.iterdir()) or (folder / LOCK).is_file():
        return
    if not (folder / CARD).is_file() or "encoder" not in json.loads((folder / CARD).read_text(encoding="utf-8")):
        raise FileExistsError(f"{folder} holds something else than embeddings; choose another --output")


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Waits until no other process begins or finishes in the folder, and keeps others from it."""
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder / LOCK):
        yield


def begin(folder: Path, plan: dict[str, Any], clips: pl.DataFrame) -> None:
    """Writes the plan of what is to be made, once it is sure that nothing is there that it would spoil.

    Args:
      folder: claimed.
      plan: the card of the whole, but for its counts. 'made_with' grows by what earlier calls were made with, and a
        licence that is not given is taken from them.
      clips: the library's table.

    Raises:
      FileExistsError: the folder holds embeddings of another encoder, or of a library that has other clips.
    """
    settle(folder)
    remedy = f"choose another --output, or delete {folder}"
    for path, what in ((folder / CARD, "embeddings"), (folder / SHARDS / PLAN, "half-finished embeddings")):
        if not path.is_file():
            continue
        there = json.loads(path.read_text(encoding="utf-8"))
        other, this = there["encoder"], plan["encoder"]
        if other["hash"] != this["hash"]:
            raise FileExistsError(
                f"{folder} holds {what} of another encoder ({other['run']}, step {other['step']}, "
                f"hash {other['hash'][:12]}; this one has {this['hash'][:12]}): {remedy}"
            )
        if not np.allclose(other["noise_vector"], this["noise_vector"], rtol=0.01, atol=0.01):
            raise FileExistsError(
                f"{folder} holds {what} of the same weights, but noise has another vector now: the code that computes "
                f"them has changed ({there['made_with'][-1]}): {remedy}"
            )
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
class Known:
    """What a folder holds, finished or not.

    Attributes:
      arrays: of vectors, memory-mapped.
      places: content_hash, array (which of them), place (which row there).
    """

    arrays: list[np.ndarray]
    places: pl.DataFrame


def known(folder: Path, dim: int) -> Known:
    """The vectors of the whole and of all shares, as far as they are."""
    arrays, keys = [], []
    if (folder / CARD).is_file():
        whole = load(folder)
        arrays.append(whole.vectors)
        keys.append(whole.table.unique("row").sort("row")["content_hash"])
    for path in sorted((folder / SHARDS).glob(f"*/{RECORDS}")):
        records = read_records(path, dim)
        arrays.append(records["vector"])
        keys.append(pl.Series(records["content_hash"].astype("U64").tolist(), dtype=pl.String))
    schema = {"content_hash": pl.String, "array": pl.Int64, "place": pl.Int64}
    rows = [
        pl.DataFrame({"content_hash": key, "array": np.full(len(key), at), "place": np.arange(len(key))}, schema=schema)
        for at, key in enumerate(keys)
    ]
    return Known(arrays, pl.concat([pl.DataFrame(schema=schema), *rows]).unique("content_hash", keep="first"))


def finish(folder: Path, clips: pl.DataFrame) -> tuple[str, ...]:
    """Makes the whole, if every clip has been embedded or is known to be faulty; else says what is missing.

    What another process is at work on is missing, unless its vector is known.

    Args:
      folder: not claimed.
      clips: the library's table; the whole has its order.

    Returns:
      The content hashes that are missing; none when the whole is there.

    Raises:
      ValueError: all clips are faulty.
    """
    with claimed(folder):
        settle(folder)
        if not (folder / SHARDS / PLAN).is_file():
            return ()  # another process was quicker
        plan = json.loads((folder / SHARDS / PLAN).read_text(encoding="utf-8"))
        found = known(folder, plan["dim"])
        ledgers = [folder / LEDGER, *sorted((folder / SHARDS).glob(f"*/{LEDGER}"))]
        faults = {entry["content_hash"]: entry for path in ledgers for entry in read_ledger(path)}
        # What was faulty once may be mended, and a process at work on its share is trying it again.
        busy = _shares_at_work(folder)
        faults = {key: entry for key, entry in faults.items() if not any(share_of(key, of) == at for at, of in busy)}
        contents = clips.select("content_hash").unique(maintain_order=True)
        without = contents.join(found.places, on="content_hash", how="anti", maintain_order="left")["content_hash"]
        if missing := tuple(key for key in without if key not in faults):
            return missing
        left_out = tuple(faults[key] for key in without)
        held = contents.join(found.places, on="content_hash", maintain_order="left").with_row_index("row")
        if not len(held):
            first = "{file}: {fault} ({reason})".format(**left_out[0])
            raise ValueError(f"none of the {len(clips):,} clips could be embedded. The first: {first}")
        rows = held.select(pl.col("row").cast(pl.Int64), "content_hash")
        table = clips.join(rows, on="content_hash", maintain_order="left")
        table = table.select("row", "content_hash", "clip", "duration_s")
        card = plan | {"clips": len(table), "embeddings": len(held), "faults": len(left_out)}
        if not _is_whole(folder, card, table, left_out):
            write(folder, _blocks(found.arrays, held), (len(held), plan["dim"]), table, left_out, card)
        shutil.rmtree(folder / SHARDS)
    return ()


def _shares_at_work(folder: Path) -> list[tuple[int, int]]:
    """(i, n) of the shares that some process has open."""
    found = []
    for path in (folder / SHARDS).glob(f"*-of-*/{RECORDS}"):
        if is_open(path):
            number, _, of = path.parent.name.partition("-of-")
            found.append((int(number), int(of)))
    return found


def _is_whole(folder: Path, card: dict[str, Any], table: pl.DataFrame, faults: tuple[dict[str, str], ...]) -> bool:
    """Whether the folder holds just that already, whatever it was made with."""
    if not (folder / CARD).is_file():
        return False
    there = load(folder)
    same = all(there.card[name] == card[name] for name in ("library", "library_from_here", "licence"))
    return same and there.table.equals(table) and there.faults == faults


def _blocks(arrays: list[np.ndarray], held: pl.DataFrame) -> Iterator[np.ndarray]:
    """The vectors at `held`, a block at a time."""
    for block in held.iter_slices(BLOCK):
        array, place = block["array"].to_numpy(), block["place"].to_numpy()
        out = np.empty((len(block), arrays[0].shape[1]), np.float32)
        for at in np.unique(array):
            out[array == at] = arrays[at][place[array == at]]
        yield out
