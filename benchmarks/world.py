"""Times the simulation of 100,000 tracks x 50,000 listeners x 10 M plays and the writing of its files.

    python benchmarks/world.py [--size=medium] [--threads=N]     times; aim: under 5 minutes on 2 cores
    python benchmarks/world.py --size=small --ceiling            what baselines and the oracle reach

The first run compiles the kernels; set NUMBA_CACHE_DIR to an empty folder to see it again. CPU time is printed beside
the time that passed, because the machine may have other work.
"""

import argparse
import contextlib
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints how long the block took, by the clock and in CPU time of all threads."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - wall:.1f} s, CPU {time.process_time() - cpu:.1f} s", flush=True)


def ceiling(size: str, seed: int) -> None:
    """Prints HR@10 of the last play of each listener (2,000 of them), full catalogue; see README.md of mu.world."""
    import numpy as np

    from mu.baselines.item_knn import ItemKNN
    from mu.baselines.popularity import Popularity
    from mu.evals.protocols.ranking import RankingEvaluator
    from mu.world.oracle import Oracle
    from mu.world.world import simulate

    world = simulate(size, seed=seed)
    log = world.log()
    last = np.zeros(len(log), dtype=bool)
    last[log.indptr[1:] - 1] = True
    measured = np.arange(log.n_users) % max(log.n_users // 2_000, 1) == 0
    train, test = log.where(~last), log.where(last & np.repeat(measured, log.lengths))
    seen = train.seen()
    new = ~seen.contains(np.flatnonzero(measured), test.items)
    times = log.times[log.indptr[1:] - 1]
    rows = {
        "popularity": Popularity().fit(train),
        "ItemKNN, uniform": ItemKNN().fit(train),
        "ItemKNN, recency .5": ItemKNN(history_decay=0.5).fit(train),
        "oracle, taste alone": Oracle(world, session=False),
        "oracle": Oracle(world),
        "oracle, time given": Oracle(world, next_times_ms=times),
    }
    print(f"{size}, seed {seed}, HR@10 {'all':>15} {'new':>7}   (new: {new.mean():.0%} of the listeners)")
    for name, recommender in rows.items():
        everything, discoveries = (
            RankingEvaluator(test.seen(), train, exclude, None, ks=(10,), metrics=("hit_rate",)).run(recommender)
            for exclude in (None, seen)
        )
        rates = everything.columns["hit_rate@10"].mean(), discoveries.columns["hit_rate@10"][new].mean()
        print(f"  {name:28s} {rates[0]:7.4f} {rates[1]:7.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="medium")
    parser.add_argument("--plays_as", default="parquet")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--ceiling", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="of --ceiling")
    arguments = parser.parse_args()
    if arguments.ceiling:
        ceiling(arguments.size, arguments.seed)
        return

    from mu.world.tables import write
    from mu.world.world import simulate

    with timed("compile the kernels or load them"):
        simulate("tiny")
    with timed("simulate"):
        world = simulate(arguments.size, seed=0, threads=arguments.threads)
    shown = int((world.exposures.tracks >= 0).sum())
    print(f"  {len(world.plays):,} plays, {shown:,} tracks shown in {len(world.exposures):,} slates,", end=" ")
    print(f"{len(world.catalogue):,} tracks, {len(world.listeners):,} listeners")
    with tempfile.TemporaryDirectory() as folder:
        with timed(f"write {arguments.plays_as}"):
            paths = write(world, Path(folder) / "world", arguments.plays_as)
        print("  " + ", ".join(f"{path.name} {path.stat().st_size / 2**20:.1f} MiB" for path in paths))
    print(f"CPUs {os.cpu_count()}, threads {arguments.threads or 'all'}")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
