"""Exact searches: ours and those of other libraries, each in a process of its own."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _report import OURS

Answer = Callable[[np.ndarray], np.ndarray]  # queries [B, D] -> ids [B, k], best first
WARM_UP_QUERIES = 32
FAISS = "faiss flat"


def ours(vectors: np.ndarray, k: int, threads: int) -> Answer:
    from mu_kernels import ItemIndex

    index = ItemIndex(vectors)
    return lambda queries: index.top_k(queries, k, threads=threads).ids


def faiss_flat(vectors: np.ndarray, k: int, threads: int) -> Answer:
    import faiss

    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda queries: index.search(queries, k)[1]


def implicit(vectors: np.ndarray, k: int, threads: int) -> Answer:
    from implicit.cpu.topk import topk

    return lambda queries: topk(vectors, queries, k, num_threads=threads)[0]


def usearch(vectors: np.ndarray, k: int, threads: int) -> Answer:
    from usearch.index import MetricKind, search

    def answer(queries: np.ndarray) -> np.ndarray:
        keys = search(vectors, queries, k, MetricKind.IP, exact=True, threads=threads).keys
        return np.asarray(keys).astype(np.int64).reshape(len(queries), k)

    return answer


def numpy_blocks(vectors: np.ndarray, k: int, threads: int) -> Answer:
    """One product and one argpartition a block of 128 queries by 65,536 items, then the best of all blocks' bests."""
    del threads  # of BLAS, by the environment; argpartition has one

    def answer(queries: np.ndarray) -> np.ndarray:
        results = []
        for first in range(0, len(queries), 128):
            names, values = [], []
            for start in range(0, len(vectors), 65_536):
                scores = queries[first : first + 128] @ vectors[start : start + 65_536].T
                kept = min(k, scores.shape[1])
                at = np.argpartition(scores, -kept, axis=1)[:, -kept:]
                names.append(at + start)
                values.append(np.take_along_axis(scores, at, 1))
            scores, items = np.concatenate(values, 1), np.concatenate(names, 1)
            results.append(np.take_along_axis(items, np.lexsort((items, -scores))[:, :k], 1))
        return np.concatenate(results)

    return answer


def jax_top_k(vectors: np.ndarray, k: int, threads: int) -> Answer:
    """`jax.lax.top_k(queries @ vectors.T)` under `jit`, at most 32 queries at once."""
    del threads  # as many as the process has CPUs
    import jax

    on_device = jax.device_put(vectors)
    search = jax.jit(lambda queries, vectors: jax.lax.top_k(queries @ vectors.T, k)[1])

    def answer(queries: np.ndarray) -> np.ndarray:
        return np.concatenate([search(queries[first : first + 32], on_device) for first in range(0, len(queries), 32)])

    return answer


CONTESTANTS: dict[str, tuple[Callable[[np.ndarray, int, int], Answer], tuple[str, ...]]] = {
    OURS: (ours, ()),
    FAISS: (faiss_flat, ("faiss",)),
    "implicit topk": (implicit, ("implicit",)),
    "usearch exact": (usearch, ("usearch",)),
    "numpy": (numpy_blocks, ()),
    "jax.lax.top_k": (jax_top_k, ("jax",)),
}
ENVIRONMENT = {"JAX_PLATFORMS": "cpu"}
HASWELL = {
    *("64bit", "avx", "avx2", "bmi", "bmi2", "cmov", "crc32", "cx16", "cx8", "f16c", "fma", "fsgsbase", "fxsr"),
    *("invpcid", "lzcnt", "mmx", "movbe", "pclmul", "popcnt", "rdrnd", "sahf", "sse", "sse2", "sse3", "sse4.1"),
    *("sse4.2", "ssse3", "xsave", "xsaveopt"),
}


def lesser_cpus() -> dict[str, dict[str, str]]:
    """Names and environments of our paths for CPUs that can less than this one."""
    import llvmlite.binding

    host = llvmlite.binding.get_host_cpu_features()

    def features(keep: Callable[[str], bool]) -> str:
        return ",".join(f"{'+' if present and keep(name) else '-'}{name}" for name, present in sorted(host.items()))

    results = {}
    if host.get("avx512vnni") and host.get("amx-int8"):
        results["vnni"] = {
            "NUMBA_CPU_NAME": llvmlite.binding.get_host_cpu_name(),
            "NUMBA_CPU_FEATURES": features(lambda name: not name.startswith("amx")),
        }
    if host.get("avx2"):
        results["portable"] = {
            "NUMBA_CPU_NAME": "haswell",
            "NUMBA_CPU_FEATURES": features(lambda name: name in HASWELL),
        }
    return results


def contestant(name: str, path: str, k: int, threads: int) -> tuple[Callable[..., Any], dict[str, Any]]:
    """For a `Worker`: the vectors in memory of its own, and a function that times batches of queries."""
    vectors = np.load(path)
    began = time.perf_counter()
    answer = CONTESTANTS[name][0](vectors, k, threads)
    told: dict[str, Any] = {"set_up_s": time.perf_counter() - began}
    if name == OURS:
        import mu_kernels

        told["instructions"] = mu_kernels.instructions()
    del vectors  # some keep their own copy

    def measure(queries: np.ndarray, batch: int, seconds: float) -> tuple[float, np.ndarray]:
        """Milliseconds a batch, over whole passes through `queries`, and the ids."""
        batches = [queries[first : first + batch] for first in range(0, len(queries), batch)]
        answer(batches[0][:WARM_UP_QUERIES])
        passes, began = 0, time.perf_counter()
        while passes == 0 or time.perf_counter() - began < seconds:
            ids = [answer(part) for part in batches]
            passes += 1
        took = time.perf_counter() - began
        return 1e3 * took / (passes * len(batches)), np.concatenate(ids)

    return measure, told
