"""Against graphs of neighbours (HNSW): searches under a filter, and the curve of recall and time. One thread."""

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from _report import OURS, alternating
from _vectors import best, make, recall

from mu_kernels import CSR, ItemIndex

NEIGHBOURS, BUILD_EFFORT = 16, 200  # M and efConstruction
FILTER_EFFORT = 200  # ef under a filter
SELECTIVITIES = (1, 2, 10, 50, 1000, 10_000)
GRAPHS = {"faiss hnsw": ("faiss",), "hnswlib": ("hnswlib",), "voyager": ("voyager",)}


def faiss_hnsw(vectors: np.ndarray) -> Any:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexHNSWFlat(vectors.shape[1], NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = BUILD_EFFORT
    index.add(vectors)
    return index


def hnswlib_graph(vectors: np.ndarray) -> Any:
    import hnswlib

    index = hnswlib.Index("ip", vectors.shape[1])
    index.init_index(len(vectors), ef_construction=BUILD_EFFORT, M=NEIGHBOURS)
    index.set_num_threads(1)
    index.add_items(vectors, num_threads=1)
    return index


def voyager_graph(vectors: np.ndarray) -> Any:
    import voyager

    space = voyager.Space.InnerProduct
    index = voyager.Index(space, vectors.shape[1], M=NEIGHBOURS, ef_construction=BUILD_EFFORT)
    index.add_items(vectors, num_threads=1)
    return index


def filtered_faiss(index: Any, mask: np.ndarray, k: int) -> Callable[[np.ndarray], np.ndarray]:
    import faiss

    bits = np.packbits(mask, bitorder="little")
    chosen = faiss.IDSelectorBitmap(bits)
    parameters = faiss.SearchParametersHNSW(sel=chosen, efSearch=max(FILTER_EFFORT, k))
    return lambda query: index.search(query, k, params=parameters)[1]


def filtered_hnswlib(index: Any, mask: np.ndarray, k: int) -> Callable[[np.ndarray], np.ndarray]:
    """It refuses to return fewer than asked: the most that it returns is found by bisection, the last call timed."""
    index.set_ef(max(FILTER_EFFORT, k))
    possible: dict[bytes, int] = {}

    def ask(query: np.ndarray, count: int) -> np.ndarray | None:
        try:
            return index.knn_query(query, count, num_threads=1, filter=lambda item: bool(mask[item]))[0]
        except RuntimeError:
            return None

    def answer(query: np.ndarray) -> np.ndarray:
        name = query.tobytes()
        if name not in possible:
            low, high = 0, k  # low is possible
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (low, middle - 1) if ask(query, middle) is None else (middle, high)
            possible[name] = low
        results = np.full((1, k), -1)
        if possible[name]:
            results[:, : possible[name]] = ask(query, possible[name])
        return results

    return answer


def filters(n_items: int, dim: int, k: int, n_queries: int, rounds: int, graphs: Sequence[str]) -> dict[str, Any]:
    """Recall, slots filled and milliseconds a query, alone, of searches among 1 in so many items."""
    vectors, queries = make("clustered", n_items, dim)
    queries = queries[:n_queries]
    index = ItemIndex(vectors)
    builders = {"faiss hnsw": (faiss_hnsw, filtered_faiss), "hnswlib": (hnswlib_graph, filtered_hnswlib)}
    built, set_up = {}, {}
    for name in (name for name in builders if name in graphs):
        began = time.perf_counter()
        built[name] = builders[name][0](vectors)
        set_up[name] = time.perf_counter() - began
    random, rows = np.random.default_rng(1), []
    for one_in in SELECTIVITIES:
        # One list of items for each query, and one for all.
        size = max(1, n_items // one_in)
        own = [np.sort(random.choice(n_items, size, replace=False)).astype(np.int32) for _ in queries]
        mask = np.zeros(n_items, bool)
        mask[random.choice(n_items, size, replace=False)] = True
        singles = [CSR(np.array([0, size]), items, n_items) for items in own]
        answers: dict[str, Callable[[int], np.ndarray]] = {
            f"{OURS}, candidates": lambda q, lists=singles: (
                index.top_k(queries[q : q + 1], k, candidates=lists[q], threads=1).ids
            ),
            f"{OURS}, allow": lambda q, mask=mask: index.top_k(queries[q : q + 1], k, allow=mask, threads=1).ids,
        }
        for name, graph in built.items():
            search = builders[name][1](graph, mask, k)
            answers[f"{name}, filter"] = lambda q, search=search: search(queries[q : q + 1])
        truth_own = np.concatenate([best(vectors, queries[q : q + 1], k, items) for q, items in enumerate(own)])
        truth_all = best(vectors, queries, k, np.flatnonzero(mask))
        taken, results = _timed(answers, len(queries), rounds)
        for name, ids in results.items():
            truth = truth_own if "candidates" in name else truth_all
            rows.append(
                {
                    "one_in": one_in,
                    "name": name,
                    "recall": recall(ids, truth),
                    "filled": float((ids >= 0).sum() / truth.size),
                    "ms": taken[name],
                }
            )
    return {"n_items": n_items, "k": k, "queries": n_queries, "ef": FILTER_EFFORT, "set_up_s": set_up, "rows": rows}


def _timed(
    answers: dict[str, Callable[[int], np.ndarray]], n_queries: int, rounds: int
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Milliseconds a query (median over rounds) and the ids; the calls before the first round are not timed."""
    taken: dict[str, list[float]] = {name: [] for name in answers}
    results = {name: np.concatenate([answer(q) for q in range(n_queries)]) for name, answer in answers.items()}
    for _, name in alternating(list(answers), rounds):
        began = time.perf_counter()
        for q in range(n_queries):
            answers[name](q)
        taken[name].append(1e3 * (time.perf_counter() - began) / n_queries)
    return {name: statistics.median(times) for name, times in taken.items()}, results


def curve(n_items: int, dim: int, k: int, rounds: int, graphs: Sequence[str]) -> dict[str, Any]:
    """Recall and milliseconds a query of graphs by effort, and of ours, queries alone and 1,024 at once."""
    vectors, queries = make("clustered", n_items, dim)
    truth = best(vectors, queries, k)
    ItemIndex(vectors[:2048])  # loads compiled code
    began = time.perf_counter()
    index = ItemIndex(vectors)
    set_up = {OURS: time.perf_counter() - began}
    points: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        f"{OURS}, exact": lambda part: index.top_k(part, k, threads=1).ids,
        f"{OURS}, exact=False": lambda part: index.top_k(part, k, exact=False, threads=1).ids,
    }
    for name, build in (("hnswlib", hnswlib_graph), ("voyager", voyager_graph)):
        if name not in graphs:
            continue
        began = time.perf_counter()
        graph = build(vectors)
        set_up[name] = time.perf_counter() - began
        for effort in (k, 2 * k, 4 * k, 8 * k, 16 * k):
            search = functools.partial(_search_hnswlib if name == "hnswlib" else _search_voyager, graph, effort, k)
            points[f"{name}, ef={effort}"] = search
    rows = []
    for batch, used in ((1, queries[:128]), (len(queries), queries)):
        parts = [used[first : first + batch] for first in range(0, len(used), batch)]
        answers = {name: lambda q, search=search, parts=parts: search(parts[q]) for name, search in points.items()}
        taken, results = _timed(answers, len(parts), rounds)
        rows += [
            {"batch": batch, "name": name, "recall": recall(ids, truth[: len(used)]), "ms": taken[name] / batch}
            for name, ids in results.items()
        ]
    claimed = index.top_k(queries, k, exact=False, threads=1).recall
    return {"n_items": n_items, "k": k, "set_up_s": set_up, "claimed_recall": claimed, "rows": rows}


def _search_hnswlib(index: Any, effort: int, k: int, queries: np.ndarray) -> np.ndarray:
    index.set_ef(effort)
    return index.knn_query(queries, k, num_threads=1)[0].astype(np.int64)


def _search_voyager(index: Any, effort: int, k: int, queries: np.ndarray) -> np.ndarray:
    return index.query(queries, k, num_threads=1, query_ef=effort)[0].astype(np.int64)
