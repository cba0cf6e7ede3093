"""Times the simulation of 20,000 tracks x 5,000 listeners x 1 M plays, compile time included, and its files.

Run as `python benchmarks/world.py [--size=large] [--threads=N]`. The first run compiles the kernels and says
so; set NUMBA_CACHE_DIR to an empty folder to see it again. Aim: under 20 s on 2 cores.
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="large")
    parser.add_argument("--threads", type=int, default=None)
    arguments = parser.parse_args()

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
