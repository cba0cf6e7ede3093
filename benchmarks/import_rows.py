"""How fast a large log is imported, and in how much memory: CSV and Parquet, 20 million plays.

    python benchmarks/import_rows.py [--rows=20000000] [--json=FILE]

The log is made here (seeded): plays of 200,000 listeners (activity log-normal) and a catalogue of 1,000,000
tracks (Zipf), ids whole numbers in no order, unix seconds of one year, rows in random order so that every
history has to be sorted. Each import runs in a process of its own. Peak memory is VmHWM of that process,
which counts the pages of the output it has mapped, Python and its libraries; it is held against the bytes of
the output folder. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CHILD = """
import json, sys, time
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))
began = time.perf_counter()
from mu.data.logs.importing.run import import_log
marks = {"libraries": (time.perf_counter() - began, peak())}
def progress(stage, share):
    marks[stage] = (time.perf_counter() - began, peak())
card = import_log([sys.argv[1]], sys.argv[2], progress=progress)
marks["end"] = (time.perf_counter() - began, peak())
counts = {name: card[name] for name in ("events", "users", "tracks")}
print(json.dumps(counts | {"marks": marks}))
"""


def make_log(folder: Path, rows: int, seed: int) -> list[Path]:
    """Writes the log as CSV and as Parquet, in pieces."""
    import numpy as np
    import polars as pl

    generator = np.random.default_rng(seed)
    n_users, n_tracks, piece = 200_000, 1_000_000, 1_000_000
    activity = np.cumsum(generator.lognormal(0, 1.2, n_users))
    popularity = np.cumsum(1 / np.arange(1, n_tracks + 1) ** 0.9)
    user_ids = generator.choice(10_000_000, n_users, replace=False)
    track_ids = generator.choice(1_000_000_000, n_tracks, replace=False)
    parquets = []
    with open(folder / "log.csv", "wb") as csv:
        for start in range(0, rows, piece):
            n = min(piece, rows - start)
            users = np.searchsorted(activity, generator.random(n) * activity[-1], side="right")
            tracks = np.searchsorted(popularity, generator.random(n) * popularity[-1], side="right")
            times = generator.integers(1_700_000_000, 1_731_536_000, n)
            frame = pl.DataFrame({"user": user_ids[users], "track": track_ids[tracks], "time": times})
            frame.write_csv(csv, include_header=start == 0)
            parquets.append(folder / f"piece{start}.parquet")
            frame.write_parquet(parquets[-1])
    pl.scan_parquet(parquets).sink_parquet(folder / "log.parquet", maintain_order=True)
    for path in parquets:
        path.unlink()
    return [folder / "log.csv", folder / "log.parquet"]


def measure(source: Path, output: Path) -> dict[str, Any]:
    """Imports `source` in a process of its own."""
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), str(root / "kernels"), os.environ.get("PYTHONPATH", "")])
    began = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(source), str(output)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - began
    if run.returncode:
        raise RuntimeError(f"importing {source.name} failed:\n{run.stderr}")
    result = json.loads(run.stdout)
    marks = result.pop("marks")
    size = sum(file.stat().st_size for file in output.iterdir())
    return result | {
        "input": source.name,
        "input_bytes": source.stat().st_size,
        "output_bytes": size,
        "wall_s": wall,
        "rows_per_s": result["events"] / wall,
        "peak_bytes": marks["end"][1],
        "peak_over_output": marks["end"][1] / size,
        "until_s": {stage: seconds for stage, (seconds, _) in marks.items()},
        "peak_until_bytes": {stage: peak for stage, (_, peak) in marks.items()},
    }


def main() -> None:
    """Prints a line per format; with --json=FILE also writes all numbers."""
    parser = argparse.ArgumentParser(description="Rows per second and peak memory of an import.")
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE")
    flags = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="mu-import-") as name:
        folder = Path(name)
        sources = make_log(folder, flags.rows, flags.seed)
        measure(_small(folder), folder / "warm")  # so that compiled kernels lie in their cache
        for source in sources:
            result = measure(source, folder / f"out-{source.suffix[1:]}")
            results.append(result)
            print(
                f"{source.name}: {result['events']:,} rows in {result['wall_s']:.1f} s = "
                f"{result['rows_per_s'] / 1e6:.2f} M rows/s; peak {result['peak_bytes'] / 1e6:.0f} MB = "
                f"{result['peak_over_output']:.2f} of the output ({result['output_bytes'] / 1e6:.0f} MB)"
            )
            peaks = result["peak_until_bytes"]
            stages = [f"{name} {s:.1f} s, {peaks[name] / 1e6:.0f} MB" for name, s in result["until_s"].items()]
            print("  after: " + "; ".join(stages))
    if flags.json:
        numbers = {"rows": flags.rows, "seed": flags.seed, "results": results}
        Path(flags.json).write_text(json.dumps(numbers, indent=2))


def _small(folder: Path) -> Path:
    path = folder / "small.csv"
    path.write_text("user,track,time\n" + "".join(f"{i % 7},{i % 5},{100 - i}\n" for i in range(100)))
    return path


if __name__ == "__main__":
    main()
