"""How long the first call of each kernel takes, in a process without compiled code on disk and in one with it.

    python kernels/benchmarks/compile.py [--json=FILE]

Each line is a first call on a small input, so nearly all of it is compilation (cold) or loading (warm); later lines
profit from what earlier ones compiled. Takes half a minute.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _report import machine, table


def first_calls() -> dict[str, float]:
    """Seconds of each."""
    import numpy as np

    from mu_kernels import CSR, ItemIndex, NegativeMixture, NegativeSampler, hard_negatives

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2000, 16)).astype(np.float32)
    queries = vectors[:8]
    results: dict[str, float] = {}
    kept: dict = {}

    def first(name, call):
        began = time.perf_counter()
        kept[name] = call()
        results[name] = time.perf_counter() - began

    users = np.arange(8)
    first("CSR.from_pairs", lambda: CSR.from_pairs(rng.integers(0, 8, 99), rng.integers(0, 2000, 99), 8, 2000))
    seen = kept["CSR.from_pairs"]
    first("negatives, uniform", lambda: NegativeSampler(seen, 2000).sample(users, 5))
    weighted = NegativeSampler(seen, 2000, weights=rng.random(2000))
    first("negatives, weighted", lambda: weighted.sample(users, 5))
    dated = NegativeSampler(seen, 2000, available_from=np.arange(2000))
    first("negatives, by release", lambda: dated.sample(users, 5, times=np.full(8, 1500)))
    mixture = NegativeMixture(seen, 2000, {"uniform": 0.5, "in_batch": 0.5})
    first("negatives, mixture", lambda: mixture.sample(users, 5, batch_items=users))
    first("negatives, hard", lambda: hard_negatives(weighted, users, 5, 4, queries, vectors))
    first("ItemIndex", lambda: ItemIndex(vectors, groups=np.arange(2000) % 7))
    index = kept["ItemIndex"]
    first("top_k, 1 query", lambda: index.top_k(queries[:1], 5))
    first("top_k, 8 queries", lambda: index.top_k(queries, 5, exclude=seen, max_per_group=2))
    first("top_k, candidates", lambda: index.top_k(queries, 5, candidates=seen))
    first("rank_of", lambda: index.rank_of(queries, seen))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description="Compile time of the kernels.")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.child:
        print(json.dumps(first_calls()))
        return
    path = os.pathsep.join([str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")])
    runs = []
    with tempfile.TemporaryDirectory() as cache:
        environment = os.environ | {"NUMBA_CACHE_DIR": cache, "PYTHONPATH": path}
        for _ in range(2):
            run = subprocess.run(
                [sys.executable, __file__, "--child"], env=environment, capture_output=True, text=True, check=True
            )
            runs.append(json.loads(run.stdout))
    cold, warm = runs
    rows = [[name, f"{cold[name]:.2f}", f"{warm[name]:.3f}"] for name in cold]
    rows.append(["together", f"{sum(cold.values()):.2f}", f"{sum(warm.values()):.3f}"])
    table("first calls, seconds", ["", "cold", "warm"], rows)
    if flags.json:
        Path(flags.json).write_text(
            json.dumps({"machine": machine(("numpy", "numba")), "cold": cold, "warm": warm}, indent=2)
        )


if __name__ == "__main__":
    main()
