"""How fast SASRec trains: histories packed, padded, and in plain PyTorch; transitions a second on one log.

    python benchmarks/packing.py --data=LOG_FOLDER [--loss=bce] [--negatives_per=row] [--json=FILE]

One model everywhere: dim 64, 1 block, 1 head, window 50, dropout .2, learned positions, tied output, float32, Adam;
sampled softmax over 256 uniform negatives a position (`--loss=bce`: 1 negative). A transition is a pair (track,
next track) of the training part of leave-one-out, and an epoch is all of them once. Every contestant takes batches
of `--rows` rows of 50 positions, so a step is the same work on the device; packed, a row holds several histories,
else one. Rows are in random order, so any stretch of steps holds its share of the epoch.

    mu packed        `mu train`'s own objects: loader, step, sparse tables, one batch ahead on the device
    mu padded        the same with packed=False
    torch            the usual PyTorch: padded, loss at every position, empty ones weighed by 0; its sampler is
                     one call of NumPy that does not look at the histories (mu's draws exclude what was heard)
    torch, compact   the same, but the loss is computed at filled positions only

Each contestant has a process of its own and `--seconds` of steps after a warm-up; rounds go through them in turn,
every other round backwards. Numbers are medians over rounds, ratios medians of each round's ratio. mu takes every
core; PyTorch takes every core or one, whichever was quicker in the warm-up (on a busy machine its threads wait for
each other). The last two are left out where PyTorch (`pip install '.[bench]'`) is missing.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

DIM, WINDOW, DROPOUT, RATE = 64, 50, 0.2, 1e-3
CONTESTANTS = ("mu packed", "mu padded", "torch", "torch, compact")
WARM_UP = 8  # steps; more than the loader has prepared while the step compiled


def timed(steps: Iterator[float], seconds: float) -> dict[str, float]:
    """Runs steps, each of which gives its number of transitions, for so long."""
    for _ in range(WARM_UP):
        next(steps)
    done, transitions = 0, 0.0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or done < 3:
        transitions += next(steps)
        done += 1
    elapsed = time.perf_counter() - began
    return {
        "transitions_per_s": transitions / elapsed,
        "step_ms": 1e3 * elapsed / done,
        "transitions_per_step": transitions / done,
    }


def run_mu(flags: argparse.Namespace, packed: bool) -> dict[str, float]:
    """The trainer's loop without its logging."""
    from mu.config.base import base
    from mu.config.resolve import resolve
    from mu.data.loader import loader
    from mu.run.build import build_run
    from mu.run.initialise import initialise
    from mu.training.sharding import put_batch

    config = base()
    config.data.path = flags.data
    config.batches.update(window=WINDOW, rows=flags.rows, packed=packed)
    config.batches.update(negatives=flags.negatives, negatives_per=flags.negatives_per)
    config.model.update(dim=DIM, layers=1, heads=1, window=WINDOW, dropout=DROPOUT)
    config.task.loss = flags.loss
    if flags.loss == "sampled_softmax":
        config.task.correct_log_q = False
    config.optimizer.learning_rate = RATE
    config.tables = {"name": "dense"} if flags.dense else {"name": config.tables.name, "learning_rate": RATE}
    run = build_run(resolve(config))
    batches = loader(run.batches, 0)

    def steps() -> Iterator[float]:
        state, pending = initialise(run), None
        while True:
            state, metrics = run.step(state, put_batch(next(batches), run.mesh))
            if pending is not None:  # read while the next step runs, as `mu train` does
                assert bool(pending["finite"])
                yield float(pending["weight"])
            pending = metrics

    timing = timed(steps(), flags.seconds)
    return timing | {"fill": run.batches.fill, "rows_per_epoch": run.batches.n_examples}


def run_torch(flags: argparse.Namespace, compact: bool) -> dict[str, float]:
    """A plain PyTorch SASRec."""
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional as F

    from mu.data.logs.interactions import load
    from mu.data.logs.splits import leave_one_out
    from mu_kernels import cut_windows

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention_norm, self.mlp_norm = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
            self.query_key_value, self.out = nn.Linear(DIM, 3 * DIM), nn.Linear(DIM, DIM)
            self.up, self.down = nn.Linear(DIM, 4 * DIM), nn.Linear(4 * DIM, DIM)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            # Histories begin at the left, so with a causal mask no filled position sees an empty one.
            query, key, value = (a[:, None] for a in self.query_key_value(self.attention_norm(x)).chunk(3, -1))
            mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)[:, 0]
            x = x + F.dropout(self.out(mixed), DROPOUT)
            return x + F.dropout(self.down(F.gelu(self.up(self.mlp_norm(x)), approximate="tanh")), DROPOUT)

    class SASRec(nn.Module):
        def __init__(self, n_items: int) -> None:
            super().__init__()
            self.items, self.positions = nn.Embedding(n_items, DIM), nn.Embedding(WINDOW, DIM)
            nn.init.normal_(self.items.weight, std=0.02)
            nn.init.normal_(self.positions.weight, std=0.02)
            self.block, self.norm = Block(), nn.LayerNorm(DIM)

        def forward(self, items: torch.Tensor) -> torch.Tensor:
            return self.norm(self.block(F.dropout(self.items(items) + self.positions.weight, DROPOUT)))

    log = leave_one_out(load(flags.data)).train
    windows = cut_windows(log.indptr, WINDOW)
    generator = np.random.default_rng(0)
    model = SASRec(log.n_items)
    # The quickest of its Adams on CPU (dense: that of nn.SparseAdam is a Python loop over slices).
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    column = np.arange(WINDOW)

    def batches() -> Iterator[tuple[torch.Tensor, ...]]:
        while True:
            order = generator.permutation(len(windows.length))
            for start in range(0, len(order) - flags.rows + 1, flags.rows):
                rows = order[start : start + flags.rows]
                filled = column < windows.length[rows, None]
                at = np.where(filled, windows.start[rows, None] + column, 0)
                items, targets = np.where(filled, log.items[at], 0), np.where(filled, log.items[at + filled], 0)
                count = (int(filled.sum()),) if compact else filled.shape
                negatives = generator.integers(0, log.n_items, (*count, flags.negatives))
                yield tuple(torch.from_numpy(a) for a in (items, targets, filled, negatives))

    def steps() -> Iterator[float]:
        for items, targets, filled, negatives in batches():
            queries, weights = model(items), filled.float()
            if compact:
                queries, targets, weights = queries[filled], targets[filled], weights[filled]
            positive = (queries * model.items(targets)).sum(-1)
            negative = torch.matmul(model.items(negatives), queries[..., None])[..., 0]
            if flags.loss == "bce":
                values = F.softplus(-positive) + F.softplus(negative).sum(-1)
            else:
                values = F.softplus(negative.logsumexp(-1) - positive)
            loss = (values * weights).sum() / weights.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            assert np.isfinite(loss.item())
            yield float(filled.sum())

    running, pace = steps(), {}
    for threads in {1, len(os.sched_getaffinity(0))}:
        torch.set_num_threads(threads)
        next(running)
        began = time.perf_counter()
        for _ in range(5):
            next(running)
        pace[threads] = time.perf_counter() - began
    threads = min(pace, key=lambda number: pace[number])
    torch.set_num_threads(threads)
    timing = timed(running, flags.seconds)
    return timing | {
        "threads": threads,
        "fill": float(windows.length.mean()) / WINDOW,
        "rows_per_epoch": len(windows.length),
    }


RUNNERS: dict[str, Callable[[argparse.Namespace], dict[str, float]]] = {
    "mu packed": lambda flags: run_mu(flags, packed=True),
    "mu padded": lambda flags: run_mu(flags, packed=False),
    "torch": lambda flags: run_torch(flags, compact=False),
    "torch, compact": lambda flags: run_torch(flags, compact=True),
}


def in_a_process(name: str, arguments: list[str]) -> dict[str, float]:
    """Runs one contestant in a new process."""
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), str(root / "kernels"), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(
        [sys.executable, __file__, *arguments, f"--only={name}"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{name} failed with status {run.returncode}:\n{run.stderr[-4000:]}")
    return json.loads(run.stdout.splitlines()[-1])


def main() -> None:
    """Prints a line a contestant and the ratios; with --json=FILE also writes all numbers."""
    parser = argparse.ArgumentParser(description="Training throughput: packed, padded, PyTorch.")
    parser.add_argument("--data", required=True, metavar="LOG_FOLDER", help="a log made by `mu import`")
    parser.add_argument("--loss", choices=("sampled_softmax", "bce"), default="sampled_softmax")
    parser.add_argument("--negatives", type=int, help="a position; default: 256, of bce 1")
    parser.add_argument(
        "--negatives_per", choices=("position", "row"), default="position", help="mu only; see HistoryBatches"
    )
    parser.add_argument("--dense", action="store_true", help="mu's table by optax.adam, as PyTorch's is")
    parser.add_argument("--rows", type=int, default=32, help="rows a batch, of 50 positions")
    parser.add_argument("--seconds", type=float, default=10.0, help="of steps, each contestant, each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--only", choices=CONTESTANTS, help=argparse.SUPPRESS)
    flags = parser.parse_args()
    flags.negatives = flags.negatives or {"sampled_softmax": 256, "bce": 1}[flags.loss]
    if flags.only:
        print(json.dumps(RUNNERS[flags.only](flags)))
        return

    contestants = CONTESTANTS
    if importlib.util.find_spec("torch") is None:
        contestants = CONTESTANTS[:2]
        print("PyTorch is not installed: left out (pip install '.[bench]')")
    results: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    for number in range(flags.rounds):
        for name in contestants[:: -1 if number % 2 else 1]:
            measured = in_a_process(name, sys.argv[1:])
            results[name].append(measured)
            print(f"round {number + 1}: {name}: {measured['step_ms']:.1f} ms a step", file=sys.stderr, flush=True)

    def median(name: str, key: str) -> float:
        return statistics.median(measured[key] for measured in results[name])

    print(
        f"{flags.loss}, {flags.negatives} negatives (mu: per {flags.negatives_per}), {flags.rows} rows of {WINDOW} "
        f"a step, {os.cpu_count()} CPUs, {flags.rounds} rounds of {flags.seconds:g} s"
    )
    print(f"{'':<16}{'transitions/s':>14}{'ms a step':>11}{'a step':>9}{'fill':>7}{'epoch s':>9}")
    for name in contestants:
        per_step = median(name, "transitions_per_step")
        epoch_s = median(name, "rows_per_epoch") / flags.rows * median(name, "step_ms") / 1e3
        print(
            f"{name:<16}{median(name, 'transitions_per_s'):>14,.0f}{median(name, 'step_ms'):>11.1f}{per_step:>9.0f}"
            f"{median(name, 'fill'):>7.3f}{epoch_s:>9.1f}"
        )
    ratios = {
        f"mu packed / {name}": statistics.median(
            ours["transitions_per_s"] / theirs["transitions_per_s"]
            for ours, theirs in zip(results["mu packed"], results[name], strict=True)
        )
        for name in contestants[1:]
    }
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f} (transitions a second)")
    if flags.json:
        Path(flags.json).write_text(json.dumps({"flags": vars(flags), "results": results, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
