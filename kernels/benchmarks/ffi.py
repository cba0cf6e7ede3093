"""What a kernel costs inside `jax.jit`: the call itself, and large calls beside plain JAX.

    python kernels/benchmarks/ffi.py [--json=FILE] [--plot=FILE.png] [--rounds=N] [--seconds=S]

- *overhead*: microseconds of one call with nearly nothing to compute (top_k of one query among 8 items of 4 dimensions,
  k = 2; its rank_of; 4 negatives for one user), inside a jitted function called from Python and, without what Python
  takes, as one turn of `lax.scan`. Beside the same in NumPy through `jax.pure_callback` (`ItemIndex` and
  `NegativeSampler`, whose own time is printed alone: the rest is the callback's), and the same in plain JAX; less an
  empty jitted function, or an empty scan, of the same shapes.
- *large*: milliseconds of a call. top_k of 32 queries among 100,000 items of 64 dimensions, k = 50, beside
  `jax.lax.top_k(queries @ vectors.T, k)`; rank_of of the same, beside counting in `queries @ vectors.T`; 256 negatives
  for each of 1,024 users with 50 of 1 M items seen, beside `jax.random.randint` that does not look. Plain JAX is given
  what its backend takes by default. Before any time is taken answers are compared.

One process on one CPU, so JAX's own threads are one too. Each is asked round by round in alternating order for
`--seconds`; numbers are medians over rounds, ratios medians of each round's ratio.
"""

import argparse
import functools
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _report import OURS, alternating, cpus, installed, machine, ratio, save_figure, table

CALLBACK, PLAIN, EMPTY = "pure_callback", "plain jax", "empty"
TURNS = 1000  # of a scan
PACKAGES = ("numpy", "numba", "jax", "jaxlib")
TARGET_US = 20.0
Call = Callable[[], Any]


def tiny() -> dict[str, tuple[Any, dict[str, Callable[[Any], Any]], Callable[[Any], Any]]]:
    """By kernel: what varies, functions of it by name, and what the callback calls."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from mu_kernels import CSR, ItemIndex, NegativeSampler, xla

    random = np.random.default_rng(0)
    vectors = random.normal(size=(8, 4)).astype(np.float32)
    on_device = jnp.asarray(vectors)
    index, target = ItemIndex(vectors), jnp.zeros(1, jnp.int32)
    targets = CSR.from_pairs([0], [0], 1, 8)
    sampler = NegativeSampler(CSR.from_pairs([0, 0], [2, 5], 1, 8), 8)
    tables, user = xla.negative_tables(sampler), jnp.zeros(1, jnp.int32)

    def host_top_k(queries: Any) -> Any:
        hits = index.top_k(queries, 2, threads=1)
        return hits.scores, hits.ids, hits.count

    def host_rank_of(queries: Any) -> Any:
        ranks = index.rank_of(queries, targets, threads=1)
        return ranks.greater, ranks.equal

    def host_sample(step: Any) -> Any:
        draw = sampler.sample(np.zeros(1, np.int32), 4, seed=0, step=int(step), threads=1)
        return draw.ids, draw.log_q

    def plain_top_k(queries: jax.Array) -> Any:
        return *jax.lax.top_k(queries @ on_device.T, 2), jnp.full(1, 2, jnp.int32)

    def plain_rank_of(queries: jax.Array) -> Any:
        scores = queries @ on_device.T
        own = scores[:, :1]
        return jnp.sum(scores > own, 1, dtype=jnp.int32), jnp.sum(scores == own, 1, dtype=jnp.int32)

    def plain_sample(step: jax.Array) -> Any:
        ids = jax.random.randint(jax.random.fold_in(jax.random.key(0), step), (1, 4), 0, 8)
        return ids, jnp.full((1, 4), -jnp.log(jnp.float32(8)))

    def problem(given: Any, ours: Any, host: Any, plain: Any) -> Any:
        shapes = jax.eval_shape(ours, given)

        def empty(x: jax.Array) -> Any:
            first = x.reshape(-1)[0]
            return jax.tree.map(lambda shape: jnp.full(shape.shape, first.astype(shape.dtype)), shapes)

        def callback(x: jax.Array) -> Any:
            return jax.pure_callback(lambda x: host(np.asarray(x)), shapes, x)

        return given, {OURS: ours, CALLBACK: callback, PLAIN: plain, EMPTY: empty}, host

    query = jnp.asarray(random.normal(size=(1, 4)).astype(np.float32))
    return {
        "top_k": problem(query, lambda q: xla.top_k(q, on_device, 2), host_top_k, plain_top_k),
        "rank_of": problem(query, lambda q: xla.rank_of(q, on_device, target), host_rank_of, plain_rank_of),
        "sample_negatives": problem(
            jnp.int32(3), lambda step: xla.sample_negatives(tables, user, 4, 0, step), host_sample, plain_sample
        ),
    }


def alone_and_in_a_scan(given: Any, functions: dict[str, Callable[[Any], Any]]) -> dict[str, dict[str, Call]]:
    """By way, by name: one call from Python, and a scan of TURNS whose turns each depend on the one before."""
    import jax
    import jax.numpy as jnp

    calls: dict[str, dict[str, Call]] = {"a call from Python": {}, "a turn of a scan": {}}
    for name, function in functions.items():
        single = jax.jit(function)
        # Added in each turn, so that no turn is left out or moved out of the loop.
        start = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), jax.eval_shape(function, given))

        def turns(x: Any, function: Callable[[Any], Any] = function, start: Any = start) -> Any:
            def turn(carry: Any, _: None) -> tuple[Any, None]:
                x, total = carry
                measured = function(x)
                moved = x + (jax.tree.leaves(measured)[0].reshape(-1)[0] > 99).astype(x.dtype)
                return (moved, jax.tree.map(jnp.add, total, measured)), None

            return jax.lax.scan(turn, (x, start), None, length=TURNS)[0]

        looped = jax.jit(turns)
        calls["a call from Python"][name] = lambda f=single: jax.block_until_ready(f(given))
        calls["a turn of a scan"][name] = lambda f=looped: jax.block_until_ready(f(given))
    return calls


def large() -> dict[str, dict[str, Call]]:
    """By kernel, by name."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from mu_kernels import CSR, NegativeSampler, xla

    random = np.random.default_rng(0)
    queries, vectors = (jnp.asarray(random.normal(size=(n, 64)).astype(np.float32)) for n in (32, 100_000))
    targets = jnp.asarray(random.integers(0, len(vectors), 32).astype(np.int32))
    n_items, n_users, each, rows, n = 1_000_000, 100_000, 50, 1024, 256
    owner = np.repeat(np.arange(n_users), each)
    seen = CSR.from_pairs(owner, random.integers(0, n_items, len(owner)), n_users, n_items)
    sampler = NegativeSampler(seen, n_items)
    tables, users = xla.negative_tables(sampler), jnp.asarray(random.integers(0, n_users, rows).astype(np.int32))

    def plain_rank_of(queries: jax.Array, vectors: jax.Array) -> Any:
        scores = queries @ vectors.T
        own = jnp.take_along_axis(scores, targets[:, None], 1)
        return jnp.sum(scores > own, 1, dtype=jnp.int32), jnp.sum(scores == own, 1, dtype=jnp.int32)

    ours_top_k = jax.jit(lambda q, v: xla.top_k(q, v, 50))
    plain_top_k = jax.jit(lambda q, v: jax.lax.top_k(q @ v.T, 50))
    ours_rank, plain_rank = jax.jit(lambda q, v: xla.rank_of(q, v, targets)), jax.jit(plain_rank_of)
    draw = jax.jit(lambda tables, users, step: xla.sample_negatives(tables, users, n, 0, step))
    unchecked = jax.jit(
        lambda step: jax.random.randint(jax.random.fold_in(jax.random.key(0), step), (rows, n), 0, n_items)
    )

    scores = (np.asarray(queries, np.float64) @ np.asarray(vectors, np.float64).T).astype(np.float32)
    best = np.argsort(-scores, 1, kind="stable")[:, :50]
    if not np.array_equal(ours_top_k(queries, vectors)[1], best):
        raise AssertionError("top_k is not the order of the exact scores")
    above = (scores > np.take_along_axis(scores, np.asarray(targets)[:, None], 1)).sum(1)
    if not np.array_equal(ours_rank(queries, vectors)[0], above):
        raise AssertionError("rank_of is not the count of the exact scores")
    expected = sampler.sample(np.asarray(users), n, seed=0, step=5, threads=1)
    if not np.array_equal(draw(tables, users, 5)[0], expected.ids):
        raise AssertionError("sample_negatives draws other items than NegativeSampler")
    wrong = int(seen.contains(np.asarray(users)[:, None], np.asarray(unchecked(5))).sum())
    print(f"of {rows * n:,} draws that nobody checks {wrong} had been seen; of ours none")

    wait = jax.block_until_ready
    return {
        "top_k, 32 x 100,000 x 64, k = 50": {
            OURS: lambda: wait(ours_top_k(queries, vectors)),
            PLAIN: lambda: wait(plain_top_k(queries, vectors)),
        },
        "rank_of, 32 x 100,000 x 64": {
            OURS: lambda: wait(ours_rank(queries, vectors)),
            PLAIN: lambda: wait(plain_rank(queries, vectors)),
        },
        "sample_negatives, 1,024 x 256": {
            OURS: lambda: wait(draw(tables, users, 5)),
            PLAIN: lambda: wait(unchecked(5)),
        },
    }


def seconds_by_round(calls: dict[str, Call], rounds: int, seconds: float) -> dict[str, dict[int, float]]:
    """Seconds a call, by name and round."""
    took: dict[str, dict[int, float]] = {name: {} for name in calls}
    for call in calls.values():
        call()
    for number, name in alternating(list(calls), rounds):
        done, began = 0, time.perf_counter()
        while done == 0 or time.perf_counter() - began < seconds:
            calls[name]()
            done += 1
        took[name][number] = (time.perf_counter() - began) / done
    return took


def medians(took: dict[str, dict[int, float]], scale: float) -> dict[str, float]:
    return {name: statistics.median(rounds.values()) * scale for name, rounds in took.items()}


def repeated(function: Callable[[Any], Any], given: Any, turns: int) -> None:
    for _ in range(turns):
        function(given)


def overhead(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """A result for each kernel and way: microseconds by name, and those without an empty function's."""
    import jax

    results = []
    for kernel, (given, functions, host) in tiny().items():
        host_given = jax.device_get(given)
        for way, calls in alone_and_in_a_scan(given, functions).items():
            turns = TURNS if "scan" in way else 1
            alone = functools.partial(repeated, host, host_given, turns)
            took = seconds_by_round(calls | {"host": alone}, rounds, seconds)
            measured = medians(took, 1e6 / turns)
            # Round by round, as the machine's speed changes.
            net = {
                name: statistics.median(took[name][at] - took[EMPTY][at] for at in range(rounds)) * 1e6 / turns
                for name in (OURS, CALLBACK, PLAIN)
            }
            results.append({"kernel": kernel, "way": way, "microseconds": measured, "net": net})
    return results


def draw(measured: dict[str, Any], pyplot: Any) -> Any:
    """Microseconds above an empty function, and milliseconds of large calls."""
    figure, axes = pyplot.subplots(1, 2, figsize=(12, 4))
    groups = [result for result in measured["overhead"] if "scan" in result["way"]]
    bars = [(axes[0], [result["kernel"] for result in groups], [result["net"] for result in groups])]
    bars.append((axes[1], [result["kernel"] for result in measured["large"]], [r["ms"] for r in measured["large"]]))
    colours = {OURS: "tab:blue", CALLBACK: "tab:orange", PLAIN: "0.72"}
    for axis, labels, values in bars:
        names = list(values[0])
        for place, name in enumerate(names):
            at = [number + place * 0.8 / len(names) for number in range(len(labels))]
            heights = [max(value[name], 1e-2) for value in values]
            axis.bar(at, heights, 0.75 / len(names), label=name, color=colours[name])
            for x, height in zip(at, heights, strict=True):
                axis.text(x, height, f"{height:.3g}", ha="center", va="bottom", fontsize=8)
        axis.set_yscale("log")
        axis.margins(y=0.15)
        axis.set_xticks([number + 0.3 for number in range(len(labels))], [x.replace(", ", "\n", 1) for x in labels])
        axis.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=len(names))
    axes[0].axhline(TARGET_US, color="0.5", linestyle="--", linewidth=0.8)
    axes[0].set_title("a tiny call in lax.scan, less an empty turn", fontsize=10)
    axes[0].set_ylabel("microseconds (log scale)")
    axes[1].set_title("a large call", fontsize=10)
    axes[1].set_ylabel("milliseconds (log scale)")
    figure.tight_layout()
    return figure


def main() -> None:
    """Prints the tables; with --json and --plot also writes them."""
    parser = argparse.ArgumentParser(description="The cost of kernels inside jax.jit.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.2, help="of calls, each contestant, each round")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="FILE.png", help="needs matplotlib")
    flags = parser.parse_args()
    if not installed({"all of this": ["jax"]}) or (flags.plot and not installed({"--plot": ["matplotlib"]})):
        parser.error("a package is missing")
    os.environ["JAX_PLATFORMS"] = "cpu"
    if hasattr(os, "sched_setaffinity"):  # before JAX counts the CPUs
        os.sched_setaffinity(0, {max(cpus())})
    here = machine(PACKAGES)
    print(", ".join(f"{key} {value}" for key, value in here.items()))

    measured: dict[str, Any] = {"overhead": overhead(flags.rounds, flags.seconds)}
    header = [*(f"{name}" for name in (OURS, CALLBACK, PLAIN, EMPTY)), "host alone", f"net {OURS}", f"net {CALLBACK}"]
    rows: list[Sequence[str]] = []
    for result in measured["overhead"]:
        told, net = result["microseconds"], result["net"]
        cells = [*(told[name] for name in (OURS, CALLBACK, PLAIN, EMPTY, "host")), net[OURS], net[CALLBACK]]
        rows.append([f"{result['kernel']}, {result['way']}", *(f"{cell:.2f}" for cell in cells)])
    table("microseconds; net: less empty", ["", *header], rows)
    worst = max(result["net"][OURS] for result in measured["overhead"])
    print(f"most above an empty function: {worst:.1f} us (aim: {TARGET_US:.0f})")

    measured["large"] = []
    for kernel, calls in large().items():
        took = seconds_by_round(calls, flags.rounds, flags.seconds)
        measured["large"].append({"kernel": kernel, "ms": medians(took, 1e3), "ratio": ratio(took[PLAIN], took[OURS])})
    rows = [
        [result["kernel"], *(f"{value:.2f}" for value in result["ms"].values()), f"{result['ratio']:.2f}"]
        for result in measured["large"]
    ]
    table("milliseconds", ["", OURS, PLAIN, f"{PLAIN} / {OURS}"], rows)
    if flags.json:
        Path(flags.json).write_text(json.dumps({"machine": here, "flags": vars(flags), **measured}, indent=2))
    if flags.plot:
        save_figure(Path(flags.plot), lambda pyplot: draw(measured, pyplot))


if __name__ == "__main__":
    main()
