"""Seconds of training to a quality: mu's SASRec beside RecTools', mu's iALS and BPR beside those of `implicit`.

    python benchmarks/time_to_quality.py --data=FOLDER [--pairs=sasrec,als,bpr] [--dim=64] [--seconds=300] [--json=FILE]

FOLDER holds `s3rec` with Beauty.txt.gz. All learn from all but the last two items of each user, with the same width,
and are measured on the last but one: NDCG@10 over all 22,363 users, whole catalogue, history left out. SASRec has one
block, one head, window 50, dropout .2, Adam at 1e-3 and the full softmax in both; a batch has 20 packed rows in mu and
128 padded ones in RecTools. Factors have the options that each library has by itself. A pair's goal is 95 % of what
the worse of the two reaches at best. Seconds are those of training alone: compiling, reading, building the model and
measuring are left out of both (RecTools' first epoch, which builds, counts as the median of the others). The two run
one after the other on the same cores.
Peers: pip install -e '.[bench]' 'pandas<3' fastrlock pydantic pytorch-lightning typeguard, then
pip install --no-deps rectools, whose bounds, not its code, leave out NumPy 2 on Python 3.11.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ladder_results import imported
from negatives import SCHEMES, measure

from mu.baselines.bpr import BPR
from mu.baselines.ials import IALS
from mu.baselines.play_matrix import play_matrix
from mu.data.logs.interactions import Interactions, load
from mu.data.logs.splits import Split, leave_one_out
from mu.evals.protocols.ranking import Ranking
from mu.evals.text_tables import text_table
from mu.training.memory import keep_freed_memory
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

Curve = list[tuple[float, float]]
"""(seconds of training, NDCG@10 on validation), as it went."""
EPOCHS = {"als": (1, 2, 4, 8, 16), "bpr": (10, 20, 40, 80, 160)}
K = 10


def of_lists(lists: np.ndarray, split: Split) -> float:
    """NDCG@10 of lists int [users, 10], a row a user of the log, -1 where a list ends."""
    valid = split.valid
    users = np.repeat(np.arange(valid.n_users), valid.lengths)
    hits = lists[users] == valid.items[:, None]
    return float((hits / np.log2(np.arange(K) + 2.0)).sum(axis=1).mean())


def sasrec_of_mu(log: Path, split: Split, dim: int, seconds: float, scratch: Path) -> Curve:
    del split
    return measure(log, SCHEMES["full"], seconds, dim, 66, scratch / "run").curve


def sasrec_of_rectools(log: Path, split: Split, dim: int, seconds: float, scratch: Path) -> Curve:
    del log, scratch
    import pandas as pd
    from rectools import Columns
    from rectools.dataset import Dataset
    from rectools.models import SASRecModel

    train = split.train
    users = np.repeat(np.arange(train.n_users), train.lengths)
    # RecTools orders by time: places in the histories are days.
    place = np.arange(len(train)) - np.repeat(train.indptr[:-1], train.lengths)
    days = pd.Timestamp("2000-01-01") + pd.to_timedelta(place, unit="D")
    table = {Columns.User: users, Columns.Item: train.items, Columns.Weight: 1.0, Columns.Datetime: days}
    dataset = Dataset.construct(pd.DataFrame(table))
    model = SASRecModel(
        n_blocks=1,
        n_heads=1,
        n_factors=dim,
        dropout_rate=0.2,
        session_max_len=50,
        batch_size=128,
        loss="softmax",
        lr=1e-3,
    )
    epochs, values = list[float](), list[float]()
    while sum(epochs) < seconds:
        start = time.perf_counter()
        model.fit_partial(dataset, min_epochs=1, max_epochs=1)
        epochs.append(time.perf_counter() - start)
        lists = np.full((train.n_users, K), -1)
        found = model.recommend(np.unique(users), dataset, k=K, filter_viewed=True)
        lists[found[Columns.User].to_numpy(), found[Columns.Rank].to_numpy() - 1] = found[Columns.Item].to_numpy()
        values.append(of_lists(lists, split))
    epochs[0] = float(np.median(epochs[1:])) if len(epochs) > 1 else epochs[0]
    return list(zip(np.cumsum(epochs).tolist(), values, strict=True))


def factors_of_mu(kind: str) -> Callable[..., Curve]:
    """The curve of iALS or BPR; every number of epochs is a fit of its own."""

    def curve(log: Path, split: Split, dim: int, seconds: float, scratch: Path) -> Curve:
        del log, seconds, scratch
        evaluator = Ranking(split=split, train=split.train, part="valid", ks=(K,))
        new = {"als": IALS, "bpr": BPR}[kind]
        new(dim, 1).fit(split.train)  # compiles

        def points() -> Iterator[tuple[float, float]]:
            for epochs in EPOCHS[kind]:
                start = time.perf_counter()
                model = new(dim, epochs).fit(split.train)
                yield time.perf_counter() - start, evaluator.run(model).values()[f"ndcg@{K}"]

        return list(points())

    return curve


def factors_of_implicit(kind: str) -> Callable[..., Curve]:
    """The same of the library `implicit`, its options as it has them."""

    def curve(log: Path, split: Split, dim: int, seconds: float, scratch: Path) -> Curve:
        del log, seconds, scratch
        import scipy.sparse as sparse
        import threadpoolctl
        from implicit.als import AlternatingLeastSquares
        from implicit.bpr import BayesianPersonalizedRanking

        train: Interactions = split.train
        rows = play_matrix(train, train.n_items, "none")
        played = sparse.csr_matrix((rows.data.astype(np.float32), rows.indices, rows.indptr), shape=rows.shape)
        new = {"als": AlternatingLeastSquares, "bpr": BayesianPersonalizedRanking}[kind]
        found = []
        for epochs in EPOCHS[kind]:
            model = new(factors=dim, iterations=epochs, num_threads=available_cpus(), random_state=0)
            start = time.perf_counter()
            with threadpoolctl.threadpool_limits(1, "blas"):
                model.fit(played, show_progress=False)
            spent = time.perf_counter() - start
            ids = np.arange(train.n_users)
            lists, _ = model.recommend(ids, played, N=K, filter_already_liked_items=True)
            found.append((spent, of_lists(lists, split)))
        return found

    return curve


PAIRS = {
    "sasrec": (sasrec_of_mu, sasrec_of_rectools),
    "als": (factors_of_mu("als"), factors_of_implicit("als")),
    "bpr": (factors_of_mu("bpr"), factors_of_implicit("bpr")),
}
PEERS = {"sasrec": "RecTools", "als": "implicit", "bpr": "implicit"}


def seconds_to(curve: Curve, goal: float) -> float:
    """The first seconds with at least so much; infinite where it is not reached."""
    return next((at for at, value in curve if value >= goal), np.inf)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="holds s3rec")
    parser.add_argument("--pairs", default=",".join(PAIRS), help="separated by commas")
    parser.add_argument("--dim", type=int, default=64, help="width (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=300, help="of training SASRec, each (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="also writes all curves")
    arguments = parser.parse_args()
    keep_freed_memory()
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    curves: dict[str, dict[str, Any]] = {}
    rows = [["model", "of", "best NDCG@10", "the goal", "seconds to it", "times as long"]]
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        log = imported("beauty", arguments.data, scratch)
        split = leave_one_out(load(log))
        for pair in arguments.pairs.split(","):
            both = [one(log, split, arguments.dim, arguments.seconds, scratch) for one in PAIRS[pair]]
            best = [max(value for _, value in curve) for curve in both]
            goal = 0.95 * min(best)
            seconds = [seconds_to(curve, goal) for curve in both]
            for library, value, spent in zip(("mu", PEERS[pair]), best, seconds, strict=True):
                rows.append([pair, library, f"{value:.4f}", f"{goal:.4f}", f"{spent:.1f}", f"{spent / seconds[0]:.1f}"])
            curves[pair] = dict(zip(("mu", PEERS[pair]), both, strict=True))
    print(text_table(rows))
    print(f"Beauty, width {arguments.dim}; {available_cpus()} cores of {processor()}.")
    if arguments.json:
        arguments.json.write_text(json.dumps(curves))


if __name__ == "__main__":
    main()
