"""Top-k by inner product: ours beside other exact searches, under filters, beside graphs, and on a real catalogue.

    python kernels/benchmarks/topk.py [--json=FILE] [--plot=FOLDER] [--gowalla=FOLDER] [--portable] [--quick]
                                      [--tables=scan,filters,curve,gowalla,life]

- *scan*: milliseconds a batch of 1, 32 and 1,024 queries among 1 M items of 128 dimensions, k = 100, with 1 and 2
  threads, for clustered and Gaussian vectors (`_vectors.make` says how they are made); each of the others by ours, and
  whether the lists are FAISS's. Then what ours reads and computes, as a share of what this machine can (`_limits`).
- *filters*: a search among all, 1 in 2, ... 1 in 10,000 of the items (`candidates` of its own a query; `allow`, one
  mask for all): recall against brute force, the share of the possible slots that are filled, milliseconds a query
  alone; beside HNSW that is given the same mask. hnswlib's filter is a Python function, and most of its time.
- *curve*: recall and milliseconds a query of HNSW by `ef`, and of ours; one thread, queries alone and 1,024 at once.
- *gowalla* (a folder with train.txt.gz: `user item item ...` a line): all items ranked for all users, seen ones left
  out, top 20 of 64 factors, in at most 2 threads.
- *life*: an index built, saved, loaded, mapped, and asked for the first time; its bytes.

Contestants of *scan* are faiss IndexFlatIP, implicit's topk, usearch's exact search, NumPy (products and argpartition
in blocks) and `jax.lax.top_k`; those that are missing are left out by name. Each is a process that may use as many
CPUs as threads, with as many threads of BLAS, OpenMP or its own, and holds its vectors in its own memory. One at a
time works. A round asks each in turn, every other round backwards, for whole passes through the same queries (16 of 1,
4 batches of 32, 1 of 1,024) until `--seconds` are over; numbers are medians over rounds, ratios medians of each
round's ratio. Who needs more than `--longest` seconds for a pass is asked in the first round only ("once").

Where a place in a list differs from FAISS's, both items are scored in float64: it is a tie if the scores are closer
than float32 can tell apart. A place that is no tie, or a list of ours that is not exactly the order by float64 scores
rounded to float32 (ties by id), ends the program with status 1.

`--portable` adds ours as CPUs without AMX, and without AVX-512, run it: compiled for them (Numba's NUMBA_CPU_NAME and
NUMBA_CPU_FEATURES), on this CPU. `--quick` takes small catalogues and tells nothing about speed. A full run takes about
half an hour with all contestants on two cores, a quick one two or three minutes; it needs 8 GB.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import _plots
import numpy as np
from _catalogues import gowalla, life
from _contestants import CONTESTANTS, ENVIRONMENT, FAISS, contestant, lesser_cpus
from _graphs import GRAPHS, curve, filters
from _limits import limits, shares
from _report import OURS, alternating, cpus, installed, machine, ratio, table
from _vectors import KINDS, N_QUERIES, compare, make
from _workers import Worker, once

K = 100
BATCHES = {1: 16, 32: 4, 1024: 1}  # queries a batch: batches a pass
TABLES = ("scan", "filters", "curve", "gowalla", "life")
PACKAGES = ("numpy", "numba", "faiss-cpu", "implicit", "usearch", "jax", "hnswlib", "voyager", "scipy")


def scan(
    kind: str, n_items: int, dim: int, threads: int, names: Sequence[str], portable: bool, flags: argparse.Namespace
) -> dict[str, Any]:
    """All contestants on one kind of vectors with so many threads."""
    vectors, queries = make(kind, n_items, dim)
    variants = {f"{OURS}, {path}": environment for path, environment in lesser_cpus().items()} if portable else {}
    contestants = [*names, *variants]
    times: dict[int, dict[str, dict[int, float]]] = {batch: {name: {} for name in contestants} for batch in BATCHES}
    answers: dict[tuple[int, str], np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = str(Path(folder) / "vectors.npy")
        np.save(path, vectors)
        workers = {}
        for name in contestants:
            base = OURS if name in variants else name
            environment = ENVIRONMENT | variants.get(name, {})
            worker = Worker(name, threads, contestant, base, path, K, threads, environment=environment)
            workers[name] = stack.enter_context(worker)
            print(f"{kind}, {threads} threads: {name}: set up: {worker.told}", file=sys.stderr, flush=True)
        for batch, count in BATCHES.items():
            asked = queries[: batch * count]
            for number, name in alternating(contestants, flags.rounds):
                slowest = max(times[batch][name].values(), default=0.0) * count / 1e3
                if name != OURS and slowest > flags.longest:
                    continue
                ms, ids = workers[name].call(asked, batch, flags.seconds)
                times[batch][name][number] = ms
                answers[batch, name] = ids
                told = f"{kind}, {threads} threads, {batch}, round {number + 1}: {name}: {ms:.2f} ms"
                print(told, file=sys.stderr, flush=True)
        paths = {name: worker.told["instructions"] for name, worker in workers.items() if "instructions" in worker.told}
    cells: dict[int, dict[str, Any]] = {batch: {} for batch in BATCHES}
    for batch, count in BATCHES.items():
        asked = queries[: batch * count]
        reference = answers.get((batch, FAISS))
        for name in contestants:
            rounds = times[batch][name]
            cell: dict[str, Any] = {"ms": statistics.median(rounds.values()), "rounds_ms": list(rounds.values())}
            cell["ratio"] = ratio(rounds, times[batch][OURS])
            if reference is not None:
                cell |= compare(vectors, asked, answers[batch, name], reference) | {"lists": len(asked)}
            cells[batch][name] = cell
    return {
        "kind": kind,
        "n_items": n_items,
        "dim": dim,
        "threads": threads,
        "contestants": contestants,
        "instructions": paths,
        "cells": cells,
    }


def print_scan(result: dict[str, Any]) -> None:
    cells, names = result["cells"], result["contestants"]
    rows = []
    for name in names:
        row = [name + (f" ({result['instructions'][name]})" if name == OURS else "")]
        for batch in BATCHES:
            cell = cells[batch][name]
            once_only = " once" if len(cell["rounds_ms"]) < len(cells[batch][OURS]["rounds_ms"]) else ""
            row += [
                f"{cell['ms']:.3g}" if cell["ms"] < 1000 else f"{cell['ms']:.0f}",
                f"{cell['ratio']:.3g}{once_only}",
            ]
        if "wrong" in cell:
            told = [cells[batch][name] for batch in BATCHES]
            row += [f"{sum(one[key] for one in told):,}" for key in ("differ", "wrong", "inexact")]
            row.append(f"{max(one['gap_ulp'] for one in told):.1f}")
        rows.append(row)
    header = [""] + [word for batch in BATCHES for word in (f"{batch:,}: ms", "by ours")]
    places = sum(batch * count for batch, count in BATCHES.items())
    if len(rows[0]) > len(header):
        header += ["differ", "no tie", "inexact", "gap, ulp"]
    title = (
        f"{result['kind']}, {result['n_items']:,} items, D = {result['dim']}, k = {K}, {result['threads']} thread(s); "
        "milliseconds a batch"
    )
    table(title, header, rows)
    if "differ" in header:
        print(
            f"differ: places other than {FAISS}'s, of {places * K:,}; no tie: those not explained by float32 rounding; "
            f"inexact: lists, of {places:,}, not in the order of float64 scores; gap: the widest such tie"
        )


def print_shares(result: dict[str, Any], most: dict[str, float]) -> dict[int, dict[str, float]]:
    """Prints and returns what ours took of the machine's limits, by batch."""
    sizes = (result["n_items"], result["dim"])
    results = {batch: shares(*sizes, batch, result["cells"][batch][OURS]["ms"], most) for batch in BATCHES}
    rows = [
        [
            f"{batch:,}",
            f"{share['gb_per_s']:.1f}",
            f"{share['of_bandwidth']:.0%}",
            f"{share['gop_per_s']:,.0f}",
            f"{share['of_operations']:.0%}",
        ]
        for batch, share in results.items()
    ]
    title = (
        f"What {OURS} takes of the limits with {result['threads']} thread(s): {most['upper_plane'] / 1e9:.1f} GB/s "
        f"(upper plane), {most['both_planes'] / 1e9:.1f} (both), {most['operations'] / 1e9:,.0f} G integer operations/s"
    )
    table(title, ["batch", "GB/s", "of limit", "Gop/s", "of limit"], rows)
    return results


def print_filters(results: dict[str, Any]) -> None:
    rows = [
        [f"1 in {row['one_in']:,}", row["name"], f"{row['recall']:.4f}", f"{row['filled']:.1%}", f"{row['ms']:.3f}"]
        for row in results["rows"]
    ]
    title = f"Filters: {results['n_items']:,} items, k = {results['k']}, HNSW with ef = {results['ef']}, one thread"
    table(title, ["allowed", "search", "recall", "slots filled", "ms a query"], rows)


def print_curve(results: dict[str, Any]) -> None:
    alone = {row["name"]: row for row in results["rows"] if row["batch"] == 1}
    many = {row["name"]: row for row in results["rows"] if row["batch"] != 1}
    rows = [
        [name, f"{row['recall']:.4f}", f"{row['ms']:.3f}", f"{many[name]['recall']:.4f}", f"{many[name]['ms']:.3f}"]
        for name, row in alone.items()
    ]
    built = ", ".join(f"{name} {seconds:.1f}" for name, seconds in results["set_up_s"].items())
    title = (
        f"Recall and time: {results['n_items']:,} clustered items, k = {results['k']}, one thread; built in s: {built}"
    )
    table(title, ["", "alone: recall", "ms a query", "1,024: recall", "ms a query"], rows)
    print(f"exact=False says of itself: recall {results['claimed_recall']:.4f}")


def print_gowalla(results: dict[str, Any]) -> None:
    rows = [[name, f"{s:.2f}", f"{results['ratio'][name]:.2f}"] for name, s in results["median_s"].items()]
    title = (
        f"Gowalla: {results['users']:,} users x {results['items']:,} items, top 20, seen left out, "
        f"{results['factors']}, {results['threads']} thread(s); index built in {results['build_s']:.2f} s"
    )
    table(title, ["", "seconds", "by ours"], rows)
    print(f"lists of ours that differ from float64: {results['wrong_users']} of {results['checked_users']} looked at")


def print_life(results: dict[str, Any]) -> None:
    table(
        f"Life of an index: {results['n_items']:,} items, D = {results['dim']}, {results['threads']} thread(s)",
        ["", ""],
        [
            [name, f"{value / 1e6:,.1f} MB" if name.endswith("_bytes") else f"{1e3 * value:,.1f} ms"]
            for name, value in results.items()
            if name not in ("n_items", "dim", "threads")
        ],
    )


def main() -> int:
    """Prints tables; with --json and --plot also writes them. 1 if an answer of ours is wrong."""
    parser = argparse.ArgumentParser(description="Top-k by inner product: mu_kernels and others.")
    parser.add_argument("--tables", default=",".join(TABLES), help="default: all (gowalla if its folder is given)")
    parser.add_argument("--items", type=int, help="of scan and life; default: 1,000,000, quick: 20,000")
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--rounds", type=int, help="default: 3, quick: 2")
    parser.add_argument("--seconds", type=float, default=0.5, help="of passes, at least, each round")
    parser.add_argument("--longest", type=float, default=30.0, help="seconds of a pass that is repeated")
    parser.add_argument("--gowalla", metavar="FOLDER", help="with train.txt.gz of the NGCF/LightGCN split")
    parser.add_argument("--portable", action="store_true", help="also as lesser CPUs run it")
    parser.add_argument("--quick", action="store_true", help="small catalogues, to see that all works")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FOLDER", help="of PNG files; needs matplotlib")
    flags = parser.parse_args()
    tables = flags.tables.split(",")
    if unknown := set(tables) - set(TABLES):
        parser.error(f"no table is called {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    n_items = flags.items or (20_000 if flags.quick else 1_000_000)
    flags.rounds = flags.rounds or (2 if flags.quick else 3)
    if flags.portable and not lesser_cpus():
        parser.error("--portable is for x86 CPUs with AVX2")
    plots = Path(flags.plot) if flags.plot else None
    if plots and importlib.util.find_spec("matplotlib") is None:
        print("plots are left out: matplotlib not installed")
        plots = None
    if plots:
        plots.mkdir(parents=True, exist_ok=True)

    names = installed({name: needed for name, (_, needed) in CONTESTANTS.items()})
    graphs = installed(GRAPHS)
    here = machine(PACKAGES)
    print("; ".join(f"{key} {value}" for key, value in here.items()))
    counts = [threads for threads in (1, 2) if threads <= len(cpus())]
    if 2 not in counts:
        print("2 threads are left out: this process may use one CPU")
    results: dict[str, Any] = {"machine": here, "flags": vars(flags)}
    wrong = 0
    if "scan" in tables:
        results["scan"] = []
        most = {threads: once("limits", threads, limits, n_items, flags.dim, threads) for threads in counts}
        for kind in KINDS:
            for threads in counts:
                result = scan(kind, n_items, flags.dim, threads, names, flags.portable, flags)
                print_scan(result)
                result["limits"] = most[threads]
                result["shares"] = print_shares(result, most[threads])
                results["scan"].append(result)
                mine = [cell for cells in result["cells"].values() for name, cell in cells.items() if OURS in name]
                wrong += sum(cell.get("wrong", 0) + cell.get("inexact", 0) for cell in mine)
    if "filters" in tables:
        sizes = (20_000, flags.dim, K, 20) if flags.quick else (100_000, flags.dim, K, 50)
        results["filters"] = once("filters", 1, filters, *sizes, flags.rounds, graphs)
        print_filters(results["filters"])
        wrong += sum(
            row["recall"] < 1 or row["filled"] < 1 for row in results["filters"]["rows"] if OURS in row["name"]
        )
    if "curve" in tables:
        size = 20_000 if flags.quick else 200_000
        results["curve"] = once("curve", 1, curve, size, flags.dim, K, flags.rounds, graphs)
        print_curve(results["curve"])
        wrong += sum(row["recall"] < 1 for row in results["curve"]["rows"] if row["name"] == f"{OURS}, exact")
    if "gowalla" in tables and not flags.gowalla:
        print("\ngowalla is left out: --gowalla=FOLDER says where it is")
    elif "gowalla" in tables:
        with_implicit = "implicit topk" in names and importlib.util.find_spec("scipy") is not None
        results["gowalla"] = once(
            "gowalla", counts[-1], gowalla, flags.gowalla, counts[-1], flags.rounds, with_implicit
        )
        print_gowalla(results["gowalla"])
        wrong += results["gowalla"]["wrong_users"]
    if "life" in tables:
        results["life"] = life(n_items, flags.dim, K, counts[-1])
        print_life(results["life"])
    if flags.json:
        Path(flags.json).write_text(json.dumps(results, indent=2))
    if plots:
        _plots.draw(results, plots)
    if wrong:
        print(f"\n{wrong} answers of ours are WRONG: see the tables", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    assert max(batch * count for batch, count in BATCHES.items()) <= N_QUERIES
    sys.exit(main())
