"""Seconds an iteration of implicit ALS: mu beside the library `implicit`, by both solvers, in one run.

    python benchmarks/ials.py --data=FOLDER [--dims=64,128,256] [--rounds=3] [--threads=N] [--json=FILE]

FOLDER (default: MU_DATA) holds `gowalla` (the LightGCN split), whose training plays are factorised. An iteration solves
for all users and all items once, exactly (Cholesky) or by three steps of conjugate gradients. Both libraries get the
same number of threads; BLAS gets one in both, as `implicit` asks for. Contestants take turns, each round the other way
round; a number is the median of the rounds, a ratio the median of the ratios of the rounds. Compilation is left out.
Seconds of the processor, of all threads, tell what other work on the machine has no part in.
`implicit`: pip install -e '.[bench]'.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import implicit.als
import numpy as np
import scipy.sparse as sparse
import threadpoolctl

from benchmarks.pins import imported
from mu.baselines.ials import IALS
from mu.baselines.play_matrix import play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import predefined
from mu.evals.text_tables import text_table
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

SOLVERS = ("cholesky", "conjugate_gradients")
ITERATIONS = 2


def of_mu(log: Interactions, dim: int, solver: str, threads: int) -> np.ndarray:
    """(wall, processor) seconds an iteration: what a fit of more epochs takes longer than one of a single epoch."""
    marks = []
    for epochs in (1, 1 + ITERATIONS):
        start = now()
        IALS(dim, epochs, solver=solver, steps=3, threads=threads).fit(log)
        marks.append(now() - start)
    return (marks[1] - marks[0]) / ITERATIONS


def of_implicit(played: sparse.csr_matrix, dim: int, solver: str, threads: int) -> np.ndarray:
    """(wall, processor) seconds an iteration, from the end of the first to that of the last."""
    marks = []
    model = implicit.als.AlternatingLeastSquares(
        factors=dim, use_cg=solver != "cholesky", iterations=1 + ITERATIONS, num_threads=threads, use_gpu=False
    )
    model.fit(played, show_progress=False, callback=lambda *iteration: marks.append(now()))
    return (marks[-1] - marks[0]) / ITERATIONS


def now() -> np.ndarray:
    """(wall, processor) seconds; those of the processor are of all threads."""
    return np.array([time.perf_counter(), time.process_time()])


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("MU_DATA"), help="folder of the logs")
    parser.add_argument("--dims", default="64,128,256", help="numbers of a factor")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=available_cpus())
    parser.add_argument("--json", help="file for all numbers")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("say where the logs are: --data=FOLDER or MU_DATA")
    files, threads = Path(arguments.data) / "gowalla", arguments.threads
    with threadpoolctl.threadpool_limits(1, "blas"), tempfile.TemporaryDirectory() as folder:
        parts = {part: [files / f"{part}.txt.gz"] for part in ("train", "test")}
        log = predefined(imported(Path(folder) / "gowalla", [], **parts)).train
        rows = play_matrix(log, log.n_items, "none")
        indices = rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
        played = sparse.csr_matrix((rows.data.astype(np.float32), *indices), shape=rows.shape)
        for solver in SOLVERS:
            IALS(8, 1, solver=solver).fit(log)  # compiles
        results = {}
        for dim in map(int, arguments.dims.split(",")):
            for solver in SOLVERS:
                rounds = []
                for number in range(arguments.rounds):
                    backwards = number % 2 == 1
                    pair = [] if backwards else [of_mu(log, dim, solver, threads)]
                    pair.append(of_implicit(played, dim, solver, threads))
                    rounds.append([of_mu(log, dim, solver, threads), *pair] if backwards else pair)
                    print(".", end="", flush=True, file=sys.stderr)
                results[f"{dim} {solver}"] = np.array(rounds)
    print(file=sys.stderr)
    lines = [["dim, solver", "mu s", "implicit s", "ratio", "mu processor s", "implicit processor s", "ratio"]]
    for name, rounds in results.items():  # [rounds, library, wall or processor]
        medians, ratios = np.median(rounds, axis=0), np.median(rounds[:, 1] / rounds[:, 0], axis=0)
        cells = np.column_stack([medians.T, ratios])
        lines.append([name, *(f"{value:.2f}" for value in cells.ravel())])
    print(f"Gowalla, {len(rows.data):,} pairs; {threads} threads of {processor()}; implicit {implicit.__version__}")
    print(text_table(lines))
    if arguments.json:
        rounds = {name: values.tolist() for name, values in results.items()}
        Path(arguments.json).write_text(json.dumps({"processor": processor(), "threads": threads, "rounds": rounds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
