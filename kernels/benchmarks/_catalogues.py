"""A whole real catalogue ranked for every user, and an index's life: built, saved, loaded, asked for the first time."""

import gzip
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _report import OURS, alternating, ratio
from _vectors import make
from _workers import once

from mu_kernels import CSR, ItemIndex

FACTORS, TOP = 64, 20
CHECKED_USERS = 512


def read_log(folder: str) -> CSR:
    """Gowalla's train.txt.gz: `user item item ...` a line, numbers from 0."""
    with gzip.open(Path(folder) / "train.txt.gz", "rt") as lines:
        rows = [[int(word) for word in line.split()] for line in lines]
    users = np.repeat([row[0] for row in rows], [len(row) - 1 for row in rows])
    items = np.concatenate([np.array(row[1:], np.int64) for row in rows])
    return CSR.from_pairs(users, items, int(users.max()) + 1, max(40_981, int(items.max()) + 1))


def factors(seen: CSR) -> tuple[np.ndarray, np.ndarray, str]:
    """Users, items (float32) and where they come from: a truncated SVD of the log, or, without SciPy, chance."""
    try:
        from scipy.sparse import csr_matrix
        from scipy.sparse.linalg import svds
    except ImportError:
        random = np.random.default_rng(0)
        shapes = ((seen.n_rows, FACTORS), (seen.n_columns, FACTORS))
        users, items = (random.standard_normal(shape, dtype=np.float32) for shape in shapes)
        return users, items, "random factors (scipy is not installed)"
    counts = np.maximum(1, np.bincount(seen.indices, minlength=seen.n_columns))
    per_user = np.maximum(1, seen.counts())
    weights = (np.repeat(per_user, seen.counts()) * counts[seen.indices]) ** -0.5
    matrix = csr_matrix((weights, seen.indices, seen.indptr), shape=(seen.n_rows, seen.n_columns))
    left, values, right = svds(matrix, k=FACTORS, random_state=0, tol=1e-3)
    root = np.sqrt(values)
    users, items = (np.ascontiguousarray(part * root, np.float32) for part in (left, right.T))
    return users, items, f"SVD of the normalised log, {FACTORS} factors"


def gowalla(folder: str, threads: int, rounds: int, with_implicit: bool) -> dict[str, Any]:
    """Seconds to rank all items for all users, those seen left out."""
    seen = read_log(folder)
    users, items, source = factors(seen)
    began = time.perf_counter()
    index = ItemIndex(items)
    built = time.perf_counter() - began
    answers: dict[str, Callable[[], np.ndarray]] = {
        OURS: lambda: index.top_k(users, TOP, exclude=seen, threads=threads).ids
    }
    if with_implicit:
        from implicit.cpu.topk import topk
        from scipy.sparse import csr_matrix

        ones = np.ones(len(seen), np.float32)
        matrix = csr_matrix((ones, seen.indices, seen.indptr), shape=(seen.n_rows, seen.n_columns))
        # It reads the seen row by row, which is slow for its own format: rows are cut once, before the time is taken.
        rows = [matrix[user] for user in range(seen.n_rows)]
        answers["implicit topk"] = lambda: topk(items, users, TOP, filter_query_items=rows, num_threads=threads)[0]
    index.top_k(users[:300], TOP, exclude=seen.take(np.arange(300)), threads=threads)
    seconds: dict[str, dict[int, float]] = {name: {} for name in answers}
    results = {}
    for number, name in alternating(list(answers), rounds):
        began = time.perf_counter()
        results[name] = answers[name]()
        seconds[name][number] = time.perf_counter() - began
    chosen = np.random.default_rng(0).choice(len(users), CHECKED_USERS, replace=False)
    wrong = sum(int((results[OURS][user] != _true_top(users[user], items, seen.row(user))).any()) for user in chosen)
    return {
        "users": len(users),
        "items": len(items),
        "factors": source,
        "threads": threads,
        "build_s": built,
        "median_s": {name: statistics.median(times.values()) for name, times in seconds.items()},
        "ratio": {name: ratio(times, seconds[OURS]) for name, times in seconds.items()},
        "rounds_s": {name: list(times.values()) for name, times in seconds.items()},
        "checked_users": CHECKED_USERS,
        "wrong_users": wrong,
    }


def _true_top(user: np.ndarray, items: np.ndarray, seen: np.ndarray) -> np.ndarray:
    scores = (items.astype(np.float64) @ user.astype(np.float64)).astype(np.float32)
    scores[seen] = -np.inf
    return np.lexsort((np.arange(len(scores)), -scores))[:TOP]


def life(n_items: int, dim: int, k: int, threads: int) -> dict[str, Any]:
    """Seconds of each part of an index's life, and its bytes; each part in a process of its own. Files are warm."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "index")  # nothing else is in the folder
        results = once("build", threads, _build, n_items, dim, k, path)
        if "save_s" in results:
            for mapped in (False, True):
                results |= once("load", threads, _load, path, mapped, k)
        else:
            print("save and load are left out: ItemIndex has no save", file=sys.stderr)
    return {"n_items": n_items, "dim": dim, "threads": threads} | results


def _build(n_items: int, dim: int, k: int, path: str) -> dict[str, Any]:
    vectors, queries = make("clustered", n_items, dim)
    ItemIndex(vectors[:2048]).top_k(queries[:1], k)  # compiled code comes from the disk
    began = time.perf_counter()
    index = ItemIndex(vectors)
    results: dict[str, Any] = {"build_s": time.perf_counter() - began}
    results["vectors_bytes"] = vectors.nbytes
    results["codes_bytes"] = held_bytes(index) - vectors.nbytes
    if hasattr(index, "save"):
        began = time.perf_counter()
        index.save(path)
        results["save_s"] = time.perf_counter() - began
        results["file_bytes"] = sum(file.stat().st_size for file in Path(path).parent.rglob("*") if file.is_file())
    return results


def _load(path: str, mapped: bool, k: int) -> dict[str, float]:
    name = "mapped" if mapped else "loaded"
    began = time.perf_counter()
    index = ItemIndex.load(path, mmap=mapped)
    results = {f"{name}_s": time.perf_counter() - began}
    queries = np.random.default_rng(0).standard_normal((8, index.dim), dtype=np.float32)
    took = []
    for query in queries:
        began = time.perf_counter()
        index.top_k(query[None], k)
        took.append(time.perf_counter() - began)
    return results | {f"{name}_first_query_s": took[0], f"{name}_later_query_s": statistics.median(took[1:])}


def held_bytes(value: Any) -> int:
    """Of all arrays that an object reaches through its attributes, each memory counted once."""
    memories: dict[int, int] = {}
    pending, looked_at = [value], set()
    while pending:
        value = pending.pop()
        if id(value) in looked_at:
            continue
        looked_at.add(id(value))
        if isinstance(value, np.ndarray):
            start = value.ctypes.data
            memories[start] = max(memories.get(start, 0), value.nbytes)
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list | tuple):
            pending += value
        elif hasattr(value, "__dict__"):
            pending += vars(value).values()
    return sum(memories.values())
