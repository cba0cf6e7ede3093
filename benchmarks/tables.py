"""What a step costs as a table grows: 100 thousand, 1 million and 10 million rows, trained sparsely and whole.

    python benchmarks/tables.py [--sizes=100000,1000000,10000000] [--json=FILE]

A step touches 16,384 distinct rows of 64 numbers, drawn uniformly from the table (no hot head: the hardest
case for caches). It is the step of training, `mu.training.step.make_step` on a state of `init_state`, jitted
and donated as `mu train` does; the model is one vector and the loss a dot product a row, so that nearly all that is
measured is the table. `row_adagrad` and `lazy_adam` train sparsely, `dense` is optax.adam over the whole table.

Each measurement has a process of its own (one table in memory at a time); rounds go through all of them in turn,
every other round backwards. A step's time is the median of a round, the time of a kind the median of its
rounds, a ratio the median of the ratios of the rounds.

'Copied' is what a step needs beside its state: XLA's temporary memory, and how far the process's memory rose
above the finished state while it stepped. A table that was copied would show here, and its address would
change; the benchmark fails if it does. Linux only.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LONGEST_S = 15.0  # of a round of one table, for those whose steps take seconds
KINDS = ("row_adagrad", "lazy_adam", "dense")
# Float32 numbers a row of D: the row, the optimizer's slots and, while a dense step runs, gradient and update.
SLOTS = {"row_adagrad": lambda d: d + 1, "lazy_adam": lambda d: 3 * d + 1, "dense": lambda d: 5 * d}


def memory(key: str) -> int:
    """Bytes of this process from /proc/self/status: 'VmRSS' now, 'VmHWM' at its peak."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


def available() -> int:
    """Bytes that the machine can give without swapping."""
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))


def measure(kind: str, size: int, touched: int, dim: int, steps: int, seed: int) -> dict[str, Any]:
    """Steps a table of one kind and size in this process."""
    import jax
    import numpy as np
    import optax
    from flax import nnx

    from mu.nn.table import Table
    from mu.training.sharding import make_mesh, put_batch
    from mu.training.state import init_state, plan_state
    from mu.training.step import make_step
    from mu.training.tables import lazy_adam, row_adagrad

    class OneVector(nnx.Module):
        def __init__(self, rngs: nnx.Rngs):
            self.query = nnx.Param(jax.random.normal(rngs.params(), (dim,)))

    specs = {"items": Table(ids="items", dim=dim, scale=0.02)}
    row_optimizer = {"row_adagrad": row_adagrad(1e-2), "lazy_adam": lazy_adam(1e-3), "dense": None}[kind]
    sparse = row_optimizer is not None
    mesh = make_mesh()
    rules: dict[str, str | None] = {"embed": None, "rows": None}
    optimizer = optax.adam(1e-3)
    plan = plan_state(
        lambda rngs: OneVector(rngs), specs, {"items": size}, optimizer, row_optimizer, mesh=mesh, rules=rules
    )
    state = jax.block_until_ready(init_state(plan, seed=0))

    def loss(params: Any, rows: Any, batch: Any, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        del key
        scores = rows["items"][batch["items"]] @ nnx.merge(plan.graph, params).query
        return jax.nn.softplus(-batch["signs"] * scores), batch["weights"]

    step = make_step(loss, optimizer, specs, row_optimizer, seed=0)
    step = jax.jit(step, donate_argnums=0, out_shardings=(plan.shardings, None))

    generator = np.random.default_rng(seed)

    def batch() -> dict[str, Any]:
        ids = np.empty(0, np.int64)
        while len(ids) < touched:  # distinct ids without a permutation of the whole table
            ids = np.unique(np.concatenate([ids, generator.integers(0, size, touched)]))
        ids = np.sort(generator.choice(ids, touched, replace=False)).astype(np.int32)
        examples = {
            "items": np.arange(touched, dtype=np.int32) if sparse else ids,
            "signs": generator.choice([-1.0, 1.0], touched).astype(np.float32),
            "weights": np.ones(touched, np.float32),
        }
        return put_batch(examples | ({"ids": {"items": ids}} if sparse else {}), mesh)

    def table(state: dict[str, Any]) -> jax.Array:
        return state["tables"]["items"]["rows"] if sparse else state["params"]["tables"]["items"]

    analysis = step.lower(state, batch()).compile().memory_analysis()
    assert analysis is not None
    for _ in range(3):
        state, metrics = step(state, batch())
    jax.block_until_ready(state)
    addresses = {table(state).unsafe_buffer_pointer()}
    # Freed memory that the allocator still holds would hide a copy; then peak counting begins anew.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    resident = memory("VmRSS")

    times_ms = []
    end = time.perf_counter() + LONGEST_S
    while len(times_ms) < 3 or (len(times_ms) < steps and time.perf_counter() < end):
        examples = jax.block_until_ready(batch())
        began = time.perf_counter()
        state, metrics = step(state, examples)
        jax.block_until_ready((state, metrics))
        times_ms.append(1e3 * (time.perf_counter() - began))
        addresses.add(table(state).unsafe_buffer_pointer())
    assert bool(metrics["finite"])
    return {
        "step_ms": statistics.median(times_ms),
        "fastest_ms": min(times_ms),
        "steps": len(times_ms),
        "state_bytes": sum(x.nbytes for x in jax.tree.leaves(state)),
        "temporary_bytes": analysis.temp_size_in_bytes,
        "resident_bytes": resident,
        "rise_bytes": memory("VmHWM") - resident,
        "moved": len(addresses) > 1,
    }


def in_a_process(arguments: dict[str, Any]) -> dict[str, Any]:
    """`measure(**arguments)` in a new process."""
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), str(root / "kernels"), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, __file__, "--measure", json.dumps(arguments)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{arguments} failed with status {run.returncode}:\n{run.stderr[-4000:]}")
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    """Prints a line per kind and size, then the ratios; with --json=FILE also writes all numbers."""
    parser = argparse.ArgumentParser(description="Step time and memory of tables as they grow.")
    parser.add_argument("--sizes", default="100000,1000000,10000000", help="rows of the table")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--touched", type=int, default=16_384, help="distinct rows a step")
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--steps", type=int, default=50, help="steps a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--measure", metavar="JSON", help=argparse.SUPPRESS)
    flags = parser.parse_args()
    if flags.measure:
        print(json.dumps(measure(**json.loads(flags.measure))))
        return
    sizes, kinds = sorted(int(size) for size in flags.sizes.split(",")), flags.kinds.split(",")
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"--kinds has {', '.join(sorted(unknown))}; known: {', '.join(KINDS)}")
    if sizes[0] < flags.touched:
        parser.error(f"--touched={flags.touched} distinct rows are more than the {sizes[0]} of the smallest table")

    results: dict[str, list[dict[str, Any]]] = {}
    skipped: dict[str, str] = {}
    plan = [(kind, size) for size in sizes for kind in kinds]
    for number in range(flags.rounds):
        for kind, size in plan[:: -1 if number % 2 else 1]:
            name = f"{kind} {size}"
            # Twice the table more while the initial values are drawn; half a GB for Python and its libraries.
            needed = 4 * size * (SLOTS[kind](flags.dim) + 2 * flags.dim) + 2**29
            if name in skipped or needed > available():
                skipped[name] = f"it needs {needed / 1e9:.1f} GB, and {available() / 1e9:.1f} GB are free"
                continue
            arguments = {"kind": kind, "size": size, "touched": flags.touched, "dim": flags.dim}
            measured = in_a_process(arguments | {"steps": flags.steps, "seed": number})
            results.setdefault(name, []).append(measured)
            note = f"round {number + 1}: {kind}, {size:,} rows: {measured['step_ms']:.2f} ms a step"
            print(note, file=sys.stderr, flush=True)

    print(f"{flags.touched:,} rows of {flags.dim} a step, {os.cpu_count()} CPUs, {flags.rounds} rounds")
    print(
        f"{'kind':<12}{'rows':>12}{'ms a step':>11}{'fastest':>9}{'bytes a row':>13}{'state GB':>10}"
        f"{'copied MB: XLA':>16}{'seen':>8}"
    )
    for kind, size in plan:
        name = f"{kind} {size}"
        if name in skipped:
            print(f"{kind:<12}{size:>12,}  left out: {skipped[name]}")
        if name not in results:
            continue
        measured = results[name]
        state = measured[0]["state_bytes"]
        print(
            f"{kind:<12}{size:>12,}{statistics.median(r['step_ms'] for r in measured):>11.2f}"
            f"{min(r['fastest_ms'] for r in measured):>9.2f}{state / size:>13.0f}"
            f"{state / 1e9:>10.2f}{measured[0]['temporary_bytes'] / 1e6:>16.1f}"
            f"{max(r['rise_bytes'] for r in measured) / 1e6:>8.1f}"
        )
    ratios = {}
    small, large = sizes[0], sizes[-1]
    for top, bottom in [(f"{kind} {large}", f"{kind} {small}") for kind in kinds] + [
        (f"dense {size}", f"{kind} {size}") for kind in kinds if kind != "dense" for size in sizes
    ]:
        rounds = list(zip(results.get(top, []), results.get(bottom, []), strict=False))
        if rounds:
            ratio = statistics.median(a["step_ms"] / b["step_ms"] for a, b in rounds)
            ratios[f"{top} / {bottom}"] = ratio
            print(f"{top} / {bottom}: {ratio:.2f}")
    if flags.json:
        numbers = {"flags": vars(flags), "results": results, "skipped": skipped, "ratios": ratios}
        Path(flags.json).write_text(json.dumps(numbers, indent=2))
    moved = [name for name, measured in results.items() if any(r["moved"] for r in measured)]
    if moved:
        sys.exit(f"the table was copied: {', '.join(moved)}")


if __name__ == "__main__":
    main()
