"""The CSV reader of `mu import` beside polars and DuckDB: CPU time and memory on files of plays.

    python benchmarks/csv_readers.py [--rows=1000000]

The files are made here (seeded): plain whole numbers; texts; and texts in quotes. Each reader runs in a process of its
own and reads the file in batches as text with numbers where it can. DuckDB is left out where it is not installed
(`pip install duckdb`). Linux only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import sys, time
name, path = sys.argv[1:]
names = open(path).readline().strip().split(",")
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
if name == "mu":
    from mu.data.logs.importing.formats import LogSource, ReadOptions, load_format
    reader = load_format("csv")
    def batches(path):
        for batch in reader.batches(LogSource(path, "csv"), names, ReadOptions()):
            yield len(batch.frame)
elif name == "polars":
    import polars as pl
    def batches(path):
        scan = pl.scan_csv(path, infer_schema=False)
        for frame in scan.collect_batches(chunk_size=1 << 19, maintain_order=True, engine="streaming"):
            yield len(frame.with_columns(pl.col("track", "time").cast(pl.Int64, strict=False)))
else:
    import duckdb
    def batches(path):
        columns = duckdb.sql(f"select * from read_csv('{path}', header=true, store_rejects=true)").fetchnumpy()
        yield len(columns["track"])
list(batches(path + ".small"))  # compiles kernels, starts threads
before, start = peak(), time.process_time()
rows = sum(batches(path))
print(rows, time.process_time() - start, peak() - before)
"""


def make_files(folder: Path, rows: int) -> list[Path]:
    """Writes the files, and beside each a small one of the same kind."""
    import numpy as np
    import polars as pl

    generator = np.random.default_rng(0)
    ids, times = generator.integers(0, 10_000_000, (2, rows)), generator.integers(1_700_000_000, 1_731_536_000, rows)
    plain = pl.DataFrame({"user": ids[0], "track": ids[1], "time": times})
    title = pl.col("track").cast(pl.String)
    texts = plain.with_columns(user="u" + pl.col("user").cast(pl.String), title="title " + title)
    quoted = texts.with_columns(title='the "best", ' + title)
    paths = []
    for name, frame in (("numbers", plain), ("texts", texts), ("quoted", quoted)):
        paths.append(folder / f"{name}.csv")
        frame.write_csv(paths[-1])
        frame.head(100).write_csv(f"{paths[-1]}.small")
    return paths


def main() -> None:
    """Prints a line per file and reader."""
    parser = argparse.ArgumentParser(description="CSV readers: CPU seconds and memory.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    flags = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), str(root / "kernels"), os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory(prefix="mu-csv-") as folder:
        for file in make_files(Path(folder), flags.rows):
            for name in ("mu", "polars", "duckdb"):
                run = subprocess.run(
                    [sys.executable, "-c", CHILD, name, str(file)],
                    env=os.environ | {"PYTHONPATH": path},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if run.returncode:
                    print(f"{file.stem:8} {name:7} left out: {run.stderr.strip().splitlines()[-1]}")
                    continue
                rows, seconds, megabytes = map(float, run.stdout.split())
                print(f"{file.stem:8} {name:7} {rows:,.0f} rows, {seconds:.2f} s of CPU, {megabytes:.0f} MB more")


if __name__ == "__main__":
    main()
