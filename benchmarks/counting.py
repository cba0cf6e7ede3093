"""How long counting transitions takes, and how much memory: a generated log of Zipf's law, beside SciPy.

    python benchmarks/counting.py [--plays=10_000_000] [--items=100_000] [--window=10] [--scipy]

Prints the time of the counts, of the rules of PCTM that are derived from them, and of lists for a thousand listeners;
the bytes of each; and the peak of the process. --scipy adds a twin of the counts: a sparse matrix for each distance,
summed with its weight, which keeps no counts by distance.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sparse

from mu.baselines.pctm import PCTM
from mu.data.logs.interactions import Interactions
from mu.evals.text_tables import text_table
from mu_kernels import count_transitions

PLAYS_A_USER = 100
LISTENERS = 1_000


def zipf_log(n_plays: int, n_items: int, seed: int = 0) -> Interactions:
    """Plays of items with a popularity of rank^-.9, a hundred a user."""
    rng = np.random.default_rng(seed)
    shares = np.cumsum(np.arange(1, n_items + 1) ** -0.9)
    ranks = np.searchsorted(shares, rng.random(n_plays) * shares[-1])
    items = rng.permutation(n_items)[np.minimum(ranks, n_items - 1)].astype(np.int32)
    indptr = np.arange(0, n_plays + PLAYS_A_USER, PLAYS_A_USER).clip(max=n_plays)
    return Interactions(indptr, items, np.arange(n_plays), np.ones(n_plays, np.float32), n_items)


def scipy_counts(log: Interactions, weights: np.ndarray) -> sparse.csr_array:
    """[V, V]: counts of each distance, summed with their weights."""
    total = sparse.csr_array((log.n_items, log.n_items))
    user = np.repeat(np.arange(log.n_users), log.lengths)
    for distance, weight in enumerate(weights, 1):
        same = user[:-distance] == user[distance:]
        pairs = log.items[:-distance][same], log.items[distance:][same]
        counted = sparse.coo_array((np.ones(len(pairs[0])), pairs), shape=total.shape)
        total = total + weight * counted.tocsr()
    return sparse.csr_array(total)


def peak_gb() -> float:
    """The most memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def timed(work: Callable[[], Any]) -> tuple[list[str], float, Any]:
    """(seconds and CPU seconds as text, CPU seconds, result)."""
    start, cpu_start = time.perf_counter(), time.process_time()
    result = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    return [f"{seconds:.3g}", f"{cpu:.3g}"], cpu, result


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plays", type=int, default=10_000_000)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--window", type=int, default=10)
    parser.add_argument("--scipy", action="store_true", help="the twin too")
    arguments = parser.parse_args()
    small = zipf_log(10_000, 100)
    PCTM().fit(small).recommend(np.arange(3), small.take(np.arange(3)))  # compiles
    log, edges = zipf_log(arguments.plays, arguments.items), np.arange(1, arguments.window + 1)
    lines = [["", "seconds", "CPU seconds", "entries", "bytes", "peak of the process, GB"]]
    name = f"the log: {len(log):,} plays of {log.n_items:,} items"
    lines.append([name, "", "", "", f"{log.items.nbytes + log.times.nbytes:,}", f"{peak_gb():.2f}"])

    seconds, counting, counted = timed(lambda: count_transitions(log.indptr, log.items, log.n_items, edges))
    lines.append(["counts", *seconds, f"{len(counted):,}", f"{counted.nbytes:,}", f"{peak_gb():.2f}"])
    del counted
    model = PCTM(window=arguments.window)
    seconds, _, _ = timed(lambda: model.fit(log).sparse_rows)
    rows = model.sparse_rows
    size = rows.indices.nbytes + rows.values.nbytes
    lines.append(["PCTM: counts and rules", *seconds, f"{len(rows.values):,}", f"{size:,}", f"{peak_gb():.2f}"])
    users = np.arange(LISTENERS)
    histories = log.take(users)
    model.recommend(users[:1], histories.take(users[:1]), k=100)  # makes the index
    seconds, _, _ = timed(lambda: model.recommend(users, histories, k=100))
    lines.append([f"top 100 of {LISTENERS:,} listeners", *seconds, "", "", f"{peak_gb():.2f}"])
    model.update(0, 1)  # the first makes room for more
    seconds, _, _ = timed(lambda: model.update(0, 2))
    lines.append(["one more play", *seconds, "", "", f"{peak_gb():.2f}"])
    if arguments.scipy:
        seconds, cpu, twin = timed(lambda: scipy_counts(log, 1 / np.sqrt(edges)))
        size = twin.indices.nbytes + twin.data.nbytes
        name = f"SciPy: counts ({cpu / counting:.2f} times the CPU time)"
        lines.append([name, *seconds, f"{twin.nnz:,}", f"{size:,}", f"{peak_gb():.2f}"])
    print(text_table(lines))


if __name__ == "__main__":
    main()
