"""The rules that need the whole log: first plays only, k-core, minimum history; on the arrays in the output folder."""

from pathlib import Path

import numpy as np

from mu.data.logs.importing import rule_kernels
from mu.files import replacing

CHUNK = 1 << 20


def apply_rules(
    folder: Path, n_items: int, catalogue: np.ndarray, drop_repeats: bool, k_core: int, min_history: int
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Rewrites the arrays of `folder` without the plays that the rules drop, with new ids of users and tracks.

    The rules, in this order: repeats (keep the first of a user's plays of a track), k-core (drop users and tracks with
    fewer than `k_core` plays, until none is left), minimum history (the same for users with fewer than `min_history`
    plays; tracks still need `k_core`). Users and tracks without plays are dropped; the others keep their order. Tracks
    of the `catalogue` stay, after those with plays.

    Args:
      folder: of the arrays.
      n_items: number of tracks.
      catalogue: int64, dense ids of tracks that stay without plays, in their order.
      drop_repeats: whether the first rule applies.
      k_core: 0 or 1 for no such rule.
      min_history: 0 or 1 for no such rule.

    Returns:
      The users and the tracks that stay (int64, old dense ids in their new order), and the number of plays that each
      rule dropped.
    """
    indptr = np.load(folder / "indptr.npy")
    items = np.asarray(np.load(folder / "items.npy", mmap_mode="r"))
    keep = np.ones(len(items), bool)
    dropped = {}
    if drop_repeats:
        dropped["repeats"] = int(rule_kernels.drop_repeats(indptr, items, n_items, keep))
    if k_core > 1:
        dropped["k_core"] = int(rule_kernels.drop_rare(indptr, items, n_items, k_core, k_core, keep))
    if min_history > 1:
        user_minimum = max(k_core, min_history)
        dropped["min_history"] = int(rule_kernels.drop_rare(indptr, items, n_items, user_minimum, max(k_core, 1), keep))
    total = np.concatenate([[0], np.cumsum(keep)])[indptr]
    counts = np.diff(total)
    users = np.flatnonzero(counts)
    track_count = np.zeros(n_items, np.int64)
    for start in range(0, len(items), CHUNK):
        chunk = items[start : start + CHUNK][keep[start : start + CHUNK]]
        track_count += np.bincount(chunk, minlength=n_items)
    tracks = np.flatnonzero(track_count)
    renumber = np.full(n_items, -1, np.int32)
    renumber[tracks] = np.arange(len(tracks), dtype=np.int32)
    tracks = np.concatenate([tracks, catalogue[track_count[catalogue] == 0]])
    del items
    if not keep.all():
        for path in sorted(folder.rglob("*.npy")):  # an event column may have any name, that of these two as well
            if path != folder / "indptr.npy":
                _compact(path, keep, renumber if path == folder / "items.npy" else None)
        np.save(folder / "indptr.npy", np.concatenate([[0], np.cumsum(counts[users])]).astype(np.int64))
    elif len(tracks) < n_items:  # some tracks have an id, but their plays were left out later
        _compact(folder / "items.npy", keep, renumber)
    return users, tracks, dropped


def _compact(path: Path, keep: np.ndarray, renumber: np.ndarray | None) -> None:
    """Rewrites the array at `path` with the entries to `keep`, in chunks, through a second file."""
    source = np.load(path, mmap_mode="r")
    n = int(np.count_nonzero(keep))
    with replacing(path) as new, open(new, "wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(source.dtype), "fortran_order": False, "shape": (n,)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(source), CHUNK):
            chunk = np.asarray(source[start : start + CHUNK])[keep[start : start + CHUNK]]
            (chunk if renumber is None else renumber[chunk]).tofile(file)
        del source  # Windows does not replace a file that is mapped
