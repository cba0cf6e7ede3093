"""What negatives cost and what they bring: validation NDCG@10 against seconds of training, scheme by scheme.

    python benchmarks/negatives.py --data=FOLDER [--log=beauty|10000|100000|1000000] [--seconds=120] [--dim=64]

Every scheme trains the same SASRec from the same seed for as many seconds of stepping, compiling and measuring left
out, and is measured on validation after equal stretches of that time; ten steps before say how many steps those are.
FOLDER holds `s3rec` with Beauty.txt.gz; a number is a made-up log of as many tracks: 20,000 listeners with 20 plays
each, in which a play follows from one of the last three with probability .7 (each track has 4 that follow it) and else
is drawn by a popularity of exponent 1.

Schemes: `position` and `row` have 256 negatives each with lazy Adam on the rows that a batch names, `batch` 2,048 that
all positions share, half of them by plays in `batch popular` (in-batch negatives have that law), with dense Adam and,
in `batch lazy`, with lazy Adam; `full` is the softmax over all tracks. Each is corrected for its exact log q.
"""

import argparse
import dataclasses
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ladder_results import imported

from mu.config.base import base
from mu.config.overrides import with_overrides
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.evals.text_tables import text_table
from mu.train import train
from mu.training.memory import keep_freed_memory
from mu.training.provenance import processor

LISTENERS, PLAYS, FOLLOWERS = 20_000, 20, 4
TRIAL_STEPS = 10
LAZY, DENSE = {"tables.name": "mu.training.tables:lazy_adam"}, {"tables.name": "dense"}
SCHEMES: Mapping[str, Mapping[str, str]] = {
    "position": {"batches.negatives": "256", **LAZY},
    "row": {"batches.negatives": "256", "batches.negatives_per": "row", **LAZY},
    "batch": {"batches.negatives": "2048", "batches.negatives_per": "batch", **DENSE},
    "batch popular": {
        "batches.negatives": "2048",
        "batches.negatives_per": "batch",
        "batches.popular_negatives": "0.5",
        **DENSE,
    },
    "batch lazy": {"batches.negatives": "2048", "batches.negatives_per": "batch", **LAZY},
    "full": {"batches.negatives": "0", "task.loss": "full_softmax", **DENSE},
}
METRIC = "valid/ranking/ndcg@10"


@dataclasses.dataclass(frozen=True)
class Measured:
    """A scheme's training.

    Attributes:
      step_ms: median over the logged stretches.
      curve: (seconds of stepping, NDCG@10 on validation).
    """

    step_ms: float
    curve: list[tuple[float, float]]

    def about(self, seconds: float) -> tuple[float, float]:
        """(seconds, the best until then) of the measurement nearest to so many seconds."""
        at = min((at for at, _ in self.curve), key=lambda at: abs(at - seconds))
        return at, max(value for earlier, value in self.curve if earlier <= at)


def made_up(n_tracks: int, folder: Path) -> Path:
    """A log of so many tracks, see the head of this file."""
    rng = np.random.default_rng(0)
    followers = rng.integers(0, n_tracks, (n_tracks, FOLLOWERS))
    popularity = 1.0 / np.arange(1, n_tracks + 1)
    cumulative = np.cumsum(popularity / popularity.sum())
    plays = np.empty((LISTENERS, PLAYS), np.int64)
    for place in range(PLAYS):
        drawn = np.searchsorted(cumulative, rng.random(LISTENERS))
        if place:
            back = rng.integers(1, min(3, place) + 1, LISTENERS)
            before = plays[np.arange(LISTENERS), place - back]
            follows = rng.random(LISTENERS) < 0.7
            drawn = np.where(follows, followers[before, rng.integers(0, FOLLOWERS, LISTENERS)], drawn)
        plays[:, place] = drawn
    text = "\n".join(f"{user} {' '.join(map(str, row))}" for user, row in enumerate(plays.tolist()))
    (folder / "plays.txt").write_text(text)
    import_log([str(folder / "plays.txt")], folder / "log", LogImportOptions(format="lists"))
    return folder / "log"


def spread(log: Path, changes: Mapping[str, str], seconds: float, dim: int, times: int, folder: Path) -> Measured:
    """Trains for so many seconds of stepping, measured so many times; a scheme's numbers."""
    trial = measure(log, changes, 0.0, dim, TRIAL_STEPS, folder.with_name(f"{folder.name}_trial"))
    return measure(log, changes, seconds, dim, max(1, round(seconds / times / trial.step_ms * 1000)), folder)


def measure(log: Path, changes: Mapping[str, str], seconds: float, dim: int, every: int, folder: Path) -> Measured:
    """Trains for so many seconds of stepping, measured every so many steps; a scheme's numbers."""
    config = base()
    config.batches.update(window=50, rows=20)
    config.model.update(dim=dim, layers=1, heads=1, window=50, dropout=0.2)
    config.total_steps, config.evaluate_every_steps, config.log_every_steps = 100_000, every, every
    config.checkpoint_every_steps = 100_000
    curve: list[tuple[float, float]] = []

    def stretches() -> list[tuple[int, float]]:
        """(step, milliseconds a step since the one before) of what has been logged."""
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").open(encoding="utf-8")]
        return [(line["step"], line["step_ms"]) for line in lines if "step_ms" in line]

    def stop(step: int, value: float) -> bool:
        del step
        logged = stretches()
        steps = np.diff([at for at, _ in logged], prepend=0)
        spent = float(steps @ [milliseconds for _, milliseconds in logged]) / 1000
        curve.append((spent, value))
        return spent >= seconds

    train(with_overrides(config, {"data.path": str(log), **changes}), folder, stop=stop)
    return Measured(float(np.median([milliseconds for _, milliseconds in stretches()])), curve)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(), help="holds s3rec, for beauty")
    parser.add_argument("--log", default="beauty", help="'beauty', or a number of tracks (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="of stepping, a scheme (default: %(default)s)")
    parser.add_argument("--dim", type=int, default=64, help="width (default: %(default)s)")
    parser.add_argument("--measurements", type=int, default=12, help="of a scheme (default: %(default)s)")
    parser.add_argument("--only", default=",".join(SCHEMES), help="schemes, separated by commas")
    parser.add_argument("--json", type=Path, help="also writes all numbers")
    arguments = parser.parse_args()
    keep_freed_memory()
    start, found = time.perf_counter(), {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        made = arguments.log != "beauty"
        log = made_up(int(arguments.log), scratch) if made else imported("beauty", arguments.data, scratch)
        for scheme in arguments.only.split(","):
            place = scratch / scheme.replace(" ", "_")
            sizes = arguments.seconds, arguments.dim, arguments.measurements
            found[scheme] = spread(log, SCHEMES[scheme], *sizes, place)
    shares = (0.25, 0.5, 1.0) if arguments.measurements >= 4 else (1.0,)
    rows = [["negatives", "ms a step", "ratio", *(f"about {share * arguments.seconds:.0f} s" for share in shares)]]
    first = next(iter(found.values())).step_ms
    for scheme, one in found.items():
        points = [one.about(share * arguments.seconds) for share in shares]
        values = [f"{value:.4f} ({at:.0f})" for at, value in points]
        rows.append([scheme, f"{one.step_ms:.1f}", f"{one.step_ms / first:.2f}", *values])
    print(text_table(rows))
    took = time.perf_counter() - start
    print(f"The best {METRIC} so far (seconds), {arguments.log}, width {arguments.dim}; {processor()}, {took:.0f} s.")
    if arguments.json:
        arguments.json.write_text(json.dumps({scheme: dataclasses.asdict(one) for scheme, one in found.items()}))


if __name__ == "__main__":
    main()
