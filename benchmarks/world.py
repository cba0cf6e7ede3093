"""Times the simulation of 20,000 tracks x 5,000 listeners x 1 M plays, compile time included, and its files.

    python benchmarks/world.py [--size=large] [--threads=N]      times; aim: under 20 s on 2 cores
    python benchmarks/world.py --size=small --ceiling            what baselines and the oracle reach

The first run compiles the kernels; set NUMBA_CACHE_DIR to an empty folder to see it again.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path


def ceiling(size: str, seed: int) -> None:
    """Prints HR@10 of the last play of each listener, full catalogue; see README.md of mu.world."""
    import numpy as np

    from mu.baselines.item_knn import ItemKNN
    from mu.baselines.popularity import Popularity
    from mu.evals.ranking import RankingEvaluator
    from mu.world import Oracle, simulate

    world = simulate(size, seed=seed)
    log = world.log()
    last = np.zeros(len(log), dtype=bool)
    last[log.indptr[1:] - 1] = True
    train, test = log.where(~last), log.where(last)
    seen = train.seen()
    new = ~seen.contains(np.arange(log.n_users), test.items)
    rows = {
        "popularity": Popularity().fit(train),
        "ItemKNN, uniform": ItemKNN().fit(train),
        "ItemKNN, recency .5": ItemKNN(history_decay=0.5).fit(train),
        "oracle, taste alone": Oracle(world, session=False),
        "oracle": Oracle(world),
        "oracle, time given": Oracle(world, next_times_ms=test.times),
    }
    print(f"{size}, seed {seed}, HR@10 {'all':>15} {'new':>7}   (new: {new.mean():.0%} of the listeners)")
    for name, recommender in rows.items():
        everything, discoveries = (
            RankingEvaluator(test.seen(), train, exclude, None, ks=(10,), metrics=("hr",)).run(recommender)
            for exclude in (None, seen)
        )
        rates = everything.values["hr@10"].mean(), discoveries.values["hr@10"][new].mean()
        print(f"  {name:28s} {rates[0]:7.4f} {rates[1]:7.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="large")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--ceiling", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="of --ceiling")
    arguments = parser.parse_args()
    if arguments.ceiling:
        ceiling(arguments.size, arguments.seed)
        return

    started = time.perf_counter()
    from mu.world import simulate

    world = simulate(arguments.size, seed=0, threads=arguments.threads)
    first = time.perf_counter() - started
    started = time.perf_counter()
    simulate(arguments.size, seed=0, threads=arguments.threads)
    again = time.perf_counter() - started
    plays = len(world.plays)
    print(f"{plays:,} plays, {len(world.catalogue):,} tracks, {len(world.listeners):,} listeners")
    print(f"CPUs {os.cpu_count()}, threads {arguments.threads or 'all'}")
    print(f"simulate, imports and compilation or cache included: {first:6.2f} s")
    print(f"simulate again: {again:6.2f} s, {plays / again:,.0f} plays/s")
    for plays_as in ("csv", "parquet"):
        with tempfile.TemporaryDirectory() as folder:
            started = time.perf_counter()
            paths = world.write(Path(folder) / "world", plays_as)
            took = time.perf_counter() - started
            print(f"write {plays_as}: {took:6.2f} s, plays {paths[0].stat().st_size / 2**20:.1f} MiB")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
