"""How fast negatives are drawn: ours, samplers of other libraries, and NumPy; million draws a second on one core.

    python kernels/benchmarks/negatives.py [--gowalla=FOLDER] [--json=FILE] [--plot=FILE.png]

Problems: *synthetic*, 1 M items, 100 k users who have each seen 50 at random, popularity Zipf (weight of rank r is
r^-0.75); *gowalla* (a folder with train.txt.gz: `user item item ...` a line), popularity its counts to the power .75.
Both uniform and by popularity. A call draws 256 items for each of 1,024 random users. Contestants:

- mu_kernels: exact, with the log-probability of each draw (no other contestant computes one);
- numpy, verified: draws all, looks each up among the sorted pairs of the batch, and draws the seen ones again until
  none is left; popularity by an alias table of two arrays;
- lenskit: `sample_negatives` of its interaction matrix, verified (it gives up after ten attempts). Its popularity is
  the counts of its interactions to the power 1, so the synthetic one is nearly uniform;
- recbole: `Sampler.sample_by_key_ids`. Its alias table is built for it here, since its own way takes time that grows
  with the square of the items, and it knows the users of the batches only;
- numpy, unchecked: draws, and does not look.

All in this process, pinned to one core, round by round in alternating order; a number is the median of the rounds, a
ratio the median of the rounds' ratios. lenskit, and recbole (of which `pip install recbole --no-deps` is enough) with
torch, are left out by name where they are missing. Before any time is taken every contestant's draws are checked: how
many were seen after all.

Then what a draw of ours is made of, measured alone: hashes; reads from a table that fits in the first-level cache (of
the search among the excluded; of the classes' tables and the bits of the excluded); reads of a slot and its
log-weight, 12 bytes an item in two tables, at the places where draws by popularity fall and, to compare, all over.
"""

import argparse
import gzip
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

from mu_kernels import CSR, NegativeSampler

ROWS, COLUMNS, POWER = 1024, 256, 0.75
BATCHES = 8  # different ones, in turn
OURS, UNCHECKED = "mu_kernels", "numpy, unchecked"
KINDS = ("uniform", "popularity")
Contestant = Callable[[np.ndarray, int], Any]  # (users, step) -> items, [ROWS, COLUMNS] or [COLUMNS, ROWS] flattened


def synthetic() -> tuple[CSR, np.ndarray]:
    """(seen, weights)."""
    n_users, n_items, each = 100_000, 1_000_000, 50
    random = np.random.default_rng(0)
    rows = np.repeat(np.arange(n_users), each)
    seen = CSR.from_pairs(rows, random.integers(0, n_items, n_users * each), n_users, n_items)
    return seen, random.permutation(np.arange(1.0, n_items + 1) ** -POWER)


def gowalla(folder: str) -> tuple[CSR, np.ndarray]:
    """(seen, weights)."""
    users, items = [], []
    with gzip.open(Path(folder) / "train.txt.gz", "rt") as lines:
        for line in lines:
            user, *mine = map(int, line.split())
            users += [user] * len(mine)
            items += mine
    n_items = max(items) + 1
    seen = CSR.from_pairs(users, items, max(users) + 1, n_items)
    return seen, np.bincount(seen.indices, minlength=n_items) ** POWER


def ours(seen: CSR, weights: np.ndarray | None, users: np.ndarray) -> Contestant:
    del users
    sampler = NegativeSampler(seen, seen.n_columns, weights)
    return lambda users, step: sampler.sample(users, COLUMNS, step=step, threads=1).ids


def alias_table(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(share kept by a cell, the item it gives the rest to)."""
    room = weights / weights.sum() * len(weights)
    alias = np.arange(len(weights))
    light, heavy = np.flatnonzero(room < 1).tolist(), np.flatnonzero(room >= 1).tolist()
    keep, room = np.ones(len(weights)), room.tolist()
    while light and heavy:
        i, j = light.pop(), heavy[-1]
        keep[i], alias[i] = room[i], j
        room[j] -= 1 - room[i]
        if room[j] < 1:
            light.append(heavy.pop())
    return keep, alias


def numpy_draws(n_items: int, weights: np.ndarray | None) -> Callable[[int], np.ndarray]:
    """Draws so many items, whoever they are for."""
    random = np.random.default_rng(1)
    if weights is None:
        return lambda n: random.integers(0, n_items, n, np.int32)
    keep, alias = alias_table(weights)

    def draw(n: int) -> np.ndarray:
        cells = random.integers(0, n_items, n, np.int32)
        return np.where(random.random(n) < keep[cells], cells, alias[cells])

    return draw


def numpy_unchecked(seen: CSR, weights: np.ndarray | None, users: np.ndarray) -> Contestant:
    del users
    draw = numpy_draws(seen.n_columns, weights)
    return lambda users, step: draw(len(users) * COLUMNS).reshape(-1, COLUMNS)


def numpy_verified(seen: CSR, weights: np.ndarray | None, users: np.ndarray) -> Contestant:
    """The keys `row * V + item` of a batch are few and sorted, so looking up among them is the quick way."""
    del users
    draw, n_items = numpy_draws(seen.n_columns, weights), seen.n_columns

    def sample(users: np.ndarray, step: int) -> np.ndarray:
        del step
        begins, sizes = seen.indptr[users], seen.indptr[users + 1] - seen.indptr[users]
        ends = np.cumsum(sizes)
        at = np.arange(ends[-1]) + np.repeat(begins - ends + sizes, sizes)
        keys = np.repeat(np.arange(len(users)) * n_items, sizes) + seen.indices[at]
        offsets = np.repeat(np.arange(len(users)) * n_items, COLUMNS)
        items = draw(len(offsets)).astype(np.int64)
        pending = np.arange(len(offsets))
        while len(pending):
            wanted = offsets[pending] + items[pending]
            places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            pending = pending[keys[places] == wanted]
            items[pending] = draw(len(pending))
        return items.reshape(-1, COLUMNS)

    return sample


def lenskit(seen: CSR, weights: np.ndarray | None, users: np.ndarray) -> Contestant:
    import pandas
    from lenskit.data import from_interactions_df

    del users
    rows = np.repeat(np.arange(seen.n_rows), seen.counts())
    frame = pandas.DataFrame({"user_id": rows, "item_id": seen.indices})
    data = from_interactions_df(frame)
    matrix = data.interactions().matrix()
    number_of = data.users.numbers(np.arange(seen.n_rows), missing="negative").astype(np.int32)
    names = np.asarray(data.items.ids())
    generator = np.random.default_rng(1)
    kind = "uniform" if weights is None else "popularity"

    def sample(users: np.ndarray, step: int) -> np.ndarray:
        del step
        measured = matrix.sample_negatives(number_of[users], weighting=kind, n=COLUMNS, rng=generator)
        return names[measured]

    return sample


def recbole(seen: CSR, weights: np.ndarray | None, users: np.ndarray) -> Contestant:
    from recbole.sampler.sampler import Sampler

    class Drawn(Sampler):
        """Items count from 1; the table and the sets are given."""

        def __init__(self) -> None:
            self.item_num, self.alpha = seen.n_columns + 1, POWER
            self.distribution = "uniform" if weights is None else "popularity"
            self.used_ids = np.full(seen.n_rows, None)
            for user in np.unique(users):
                self.used_ids[user] = set((seen.row(user) + 1).tolist())
            if weights is not None:
                keep, alias = alias_table(weights)
                self.prob = dict(enumerate(keep.tolist(), 1))
                self.alias = dict(enumerate((alias + 1).tolist(), 1))

    sampler = Drawn()
    # Column by column: all rows' first draws, then all rows' second.
    return lambda users, step: sampler.sample_by_key_ids(users, COLUMNS).numpy().reshape(COLUMNS, -1).T - 1


CONTESTANTS: dict[str, tuple[Callable[[CSR, np.ndarray | None, np.ndarray], Contestant], tuple[str, ...]]] = {
    OURS: (ours, ()),
    "numpy, verified": (numpy_verified, ()),
    "lenskit": (lenskit, ("lenskit", "pandas")),
    "recbole": (recbole, ("recbole", "torch")),
    UNCHECKED: (numpy_unchecked, ()),
}


@numba.njit
def hash_words(out):
    """Fills `out` with the words that ours draws from, cut to 32 bits."""
    for i in range(len(out)):
        word = np.uint64(i) * np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[i] = (word ^ (word >> np.uint64(31))) >> np.uint64(32)


@numba.njit
def read_words(table, places, out):
    """Fills `out`, which stays in cache, again and again."""
    for start in range(0, len(places), len(out)):
        for i in range(len(out)):
            out[i] = table[places[start + i]]


def nanoseconds(call: Callable[[], Any], n: int, seconds: float) -> float:
    """Of one in `n`, by the median call."""
    call()
    took = []
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or len(took) < 3:
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return statistics.median(took) / n * 1e9


def parts_of_a_draw(weights: np.ndarray, seconds: float) -> dict[str, float]:
    """Nanoseconds of what draws are made of, each alone."""
    n, random = ROWS * COLUMNS, np.random.default_rng(0)
    words, out = np.empty(4096, np.uint32), np.empty(512, np.uint64)
    tables = [np.zeros(len(weights), np.uint64), np.zeros(len(weights), np.float32)]
    heaviest_first = np.cumsum(np.sort(weights)[::-1])
    places = {
        "first-level read": random.integers(0, 64, n),
        "slot as drawn": np.searchsorted(heaviest_first, random.random(n) * heaviest_first[-1]),
        "slot anywhere": random.integers(0, len(weights), n),
    }
    measured = {"hash": nanoseconds(lambda: hash_words(words), len(words), seconds)}
    for name, at in places.items():
        at = np.minimum(at, len(weights) - 1).astype(np.uint32)
        used = tables[:1] if name == "first-level read" else tables
        measured[name] = sum(nanoseconds(lambda t=t, at=at: read_words(t, at, out), n, seconds) for t in used)
    return measured


def check(name: str, contestant: Contestant, seen: CSR, users: np.ndarray) -> int:
    """How many of a call's draws the users had seen."""
    items = contestant(users, 0)
    if items.shape != (len(users), COLUMNS):
        raise AssertionError(f"{name} drew {items.shape}")
    return int(seen.contains(users[:, None], items).sum())


def run(
    label: str, seen: CSR, weights: np.ndarray | None, names: list[str], rounds: int, seconds: float
) -> dict[str, Any]:
    """All contestants on one problem."""
    random = np.random.default_rng(2)
    batches = [random.integers(0, seen.n_rows, ROWS) for _ in range(BATCHES)]
    contestants = {}
    for name in names:
        began = time.perf_counter()
        contestants[name] = CONTESTANTS[name][0](seen, weights, np.concatenate(batches))
        built = time.perf_counter() - began
        wrong = check(name, contestants[name], seen, batches[0])
        print(f"{label}: {name}: set up in {built:.2f} s; wrong: {wrong} of {ROWS * COLUMNS:,}", file=sys.stderr)
        if wrong and name == OURS:
            raise AssertionError(f"{wrong} draws of ours had been seen")
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[:: -1 if number % 2 else 1]:
            calls, began = 0, time.perf_counter()
            while calls == 0 or time.perf_counter() - began < seconds:
                contestants[name](batches[calls % BATCHES], calls)
                calls += 1
            rates[name].append(calls * ROWS * COLUMNS / (time.perf_counter() - began) / 1e6)
    medians = {name: statistics.median(rates[name]) for name in names}
    ratios = {
        name: statistics.median(mine / other for mine, other in zip(rates[OURS], rates[name], strict=True))
        for name in names
    }
    return {"problem": label, "rates": rates, "medians": medians, "ratios": ratios}


def plot(results: list[dict[str, Any]], path: str) -> None:
    """Bars by problem, logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(results), figsize=(3.2 * len(results), 3.2), sharey=True, squeeze=False)
    for axis, result in zip(axes[0], results, strict=True):
        names = list(result["medians"])
        values = [result["medians"][name] for name in names]
        axis.bar(names, values, color=["tab:blue" if name == OURS else "0.7" for name in names])
        for place, value in enumerate(values):
            axis.text(place, value, f"{value:.3g}", ha="center", va="bottom", fontsize=8)
        axis.set_yscale("log")
        axis.set_ylim(0.3, 2000)
        axis.set_title(result["problem"], fontsize=9)
        axis.tick_params(axis="x", labelrotation=60, labelsize=8)
    axes[0, 0].set_ylabel("M draws/s, one core")
    figure.tight_layout()
    figure.savefig(path, dpi=150)


def machine() -> dict[str, str]:
    """Processor and versions."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        processor = lines[0].split(":", 1)[1].strip() if lines else processor
    versions = {"python": platform.python_version()}
    for package in ("numpy", "numba", "lenskit", "recbole", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"processor": processor, "cpus": str(os.cpu_count())} | versions


def main() -> None:
    """Prints a table a problem and what bounds ours; with --json and --plot also writes them."""
    parser = argparse.ArgumentParser(description="Negatives a second: mu_kernels and others.")
    parser.add_argument("--gowalla", metavar="FOLDER", help="with train.txt.gz of the NGCF/LightGCN split")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of calls, each contestant, each round")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE.png", help="needs matplotlib")
    flags = parser.parse_args()
    for library in ("OMP", "MKL", "RAYON", "LK"):  # before anything that starts threads is imported
        os.environ[f"{library}_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    names = []
    for name, (_, needed) in CONTESTANTS.items():
        missing = [package for package in needed if importlib.util.find_spec(package) is None]
        if missing:
            print(f"{name} is left out: {', '.join(missing)} not installed")
        else:
            names.append(name)
    if flags.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install matplotlib")

    here = machine()
    print(", ".join(f"{key} {value}" for key, value in here.items()) + "; one core")
    problems = {"synthetic": synthetic()}
    if flags.gowalla:
        problems["gowalla"] = gowalla(flags.gowalla)
    results = []
    for label, (seen, weights) in problems.items():
        parts = parts_of_a_draw(weights, flags.seconds)
        for kind in KINDS:
            used = weights if kind == "popularity" else None
            result = run(f"{label}, {kind}", seen, used, names, flags.rounds, flags.seconds)
            results.append(result | {"parts_ns": parts})
            print(f"\n{result['problem']}\n{'':<20}{'M draws/s':>12}{'ours / it':>12}")
            for name in names:
                print(f"{name:<20}{result['medians'][name]:>12.2f}{result['ratios'][name]:>12.2f}")
            checked = [name for name in names if name not in (OURS, UNCHECKED)]
            best = min(checked, key=lambda name: result["ratios"][name])
            print(f"best of the others that exclude: {best}; ours is {result['ratios'][best]:.1f} times as fast")
            steps = int(np.ceil(np.log2(np.median(seen.counts()) / 7 + 1)))
            made_of = {"hash": 1, "first-level read": steps}
            if kind == "popularity":
                made_of = {"hash": 2, "first-level read": 3, "slot as drawn": 1}
            told = " + ".join(f"{count} x {part} {parts[part]:.2f}" for part, count in made_of.items())
            alone = sum(count * parts[part] for part, count in made_of.items())
            print(
                f"a draw of ours takes {1e3 / result['medians'][OURS]:.2f} ns; its parts alone: {told} = {alone:.2f} ns"
            )
        told = ", ".join(f"{part} {took:.2f}" for part, took in parts.items())
        print(f"\n{label}, nanoseconds of each part alone: {told}")
    if flags.json:
        Path(flags.json).write_text(json.dumps({"machine": here, "flags": vars(flags), "results": results}, indent=2))
    if flags.plot:
        plot(results, flags.plot)


if __name__ == "__main__":
    main()
