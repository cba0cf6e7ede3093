"""Holds the evaluator and the baselines against published numbers, to the digit.

    python benchmarks/pins.py [--data=FOLDER] [--slow]      about 2 minutes; --slow adds Gowalla's neighbours
                                                            and EASE on Last.fm and Gowalla:
                                                            half an hour more, and 11 GB

The rows MC, SeqRules and PCTM are those of Petrov et al. 2026, who leave out users whose target nobody has played in
training; over all users, as mu counts, these are misses.

FOLDER (default: MU_DATA) holds `gowalla` (the LightGCN split), `s3rec` (Beauty.txt.gz and LastFM.txt of the
S3-Rec repository), `mtg_jamendo_moods` (results/mediaeval of MTG/mtg-jamendo-dataset, predictions and decisions of a
baseline on 4,231 tracks x 56 tags beside the truth), `lightgcnpp_lastfm` and `lightgcnpp_ml-1m` (the splits of the
LightGCN++ repository). Logs are imported as `mu import` does.

Every number of mu is the exact expectation over random order of ties (column `mu`). Some numbers to be met were
taken otherwise; to show that nothing else differs, the leave-one-out rows are repeated with other rules of ties:

  file id             in the order of the ids in the file (of counting models in pruning too)
  sha256              in the order of the SHA-256 of the ids' decimal texts
  target first        in favour of the target: its rank is 1 + the items that score strictly more
  target first, DCD   the same, with similarities whose rounding breaks some ties (`ProductItemKNN`)
  inverse of items    EASE gives items that the same users played equal scores, and so does mu where it inverts a matrix
                      of users; an inverse of the matrix of items tells them apart by its rounding

ItemKNN on Gowalla (--slow, published .1406/.1165) is met to +-.0002 only. It cuts lists of whole numbers at 508,
where many lists tie, and which of the equal ones stay decides the last digit: lower ids (mu) .14057/.11637, higher
ids .14079/.11655, NumPy's argpartition .14071/.11643 or .14076/.11655, as it is called. So --slow ends with status 1.

The exit status is 1 if a row is met under no rule.
"""

import argparse
import dataclasses
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse

from mu.baselines.ease import EASE
from mu.baselines.gf_cf import GFCF
from mu.baselines.item_knn import ItemKNN
from mu.baselines.markov import MarkovChain
from mu.baselines.pctm import PCTM
from mu.baselines.popularity import Popularity
from mu.baselines.rp3beta import RP3beta
from mu.baselines.sequential_rules import SequentialRules
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import Interactions, load
from mu.data.logs.splits import leave_one_out, predefined
from mu.evals.metrics.clips.average_precision import average_precision
from mu.evals.metrics.clips.f1 import f1_per_class
from mu.evals.metrics.clips.recall import recall_per_class
from mu.evals.metrics.clips.roc_auc import roc_auc
from mu.evals.protocols.ranking import RankingEvaluator
from mu.evals.text_tables import text_table
from mu.topk import recommend

ROWS = {MarkovChain: "MC", SequentialRules: "SeqRules", PCTM: "PCTM"}
"""What the paper calls them."""
RULES = ("mu", "file id", "sha256", "target first", "target first, DCD", "inverse of items")
OF_SCORES = ("mu", "file id", "target first", "target first, DCD")
"""Rules that `Ordered` knows; counting models are numbered by SHA-256, and EASE has an inverse."""


@dataclasses.dataclass(frozen=True)
class Pin:
    """A published row beside mu's own, all as text with the digits shown.

    Attributes:
      data: the log and what is measured.
      row: the recommender.
      published: such as '.0416/.0317'.
      ours: rule of ties -> the same from mu; without those that were not asked for.
    """

    data: str
    row: str
    published: str
    ours: dict[str, str]

    @property
    def met_by(self) -> list[str]:
        """The rules of ties under which the published numbers come out."""
        return [rule for rule in RULES if self.ours.get(rule) == self.published]


class Ordered:
    """A recommender of users with one target each, whose ties with the target are broken by a rule.

    Args:
      scores: of the recommender, of any float type; only their order against the target's counts.
      targets: int [U], the target of each user.
      file_id: int [V], the id of each item in the file.
      rule: of `OF_SCORES`; 'mu' leaves ties.
    """

    dot_product = False
    time_aware = False

    def __init__(self, scores: Callable[..., np.ndarray], targets: np.ndarray, file_id: np.ndarray, rule: str):
        self._scores, self._targets, self._file_id, self._rule = scores, targets, file_id, rule

    def scores(self, users: np.ndarray, histories: Any, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]: 0 for the target and its ties, above and below it the others."""
        del times_ms
        target = self._targets[users][:, None]
        scores = self._scores(users, histories)
        own = np.take_along_axis(scores, target, axis=1)
        order = np.sign(scores - own).astype(np.float32)
        tied = (order == 0) & (np.arange(scores.shape[1]) != target)
        if self._rule.startswith("target first"):
            order[tied] = -0.5
        if self._rule == "file id":
            order[tied] = np.where(self._file_id < self._file_id[target], 0.5, -0.5)[tied]
        return order


class EASEByItems(EASE):
    """EASE by the inverse of the matrix of items, where there are fewer users too."""

    _by_users = EASE._by_items


class ProductItemKNN:
    """ItemKNN with all neighbours, its similarities the product D C D of float64 matrices, D = 1 / sqrt(counts).

    The same on paper as `ItemKNN(neighbours=None)`, but rounded twice, so that some items that tie on paper do
    not: where ties are given away ('target first') that is worth .0001.
    """

    def __init__(self, history_decay: float, history_length: int):
        self._decay, self._length = history_decay, history_length

    def fit(self, log: Interactions) -> "ProductItemKNN":
        """See `ItemKNN.fit`."""
        seen = log.seen()
        shape = (seen.n_rows, seen.n_columns)
        played = sparse.csr_array((np.ones(len(seen.indices)), seen.indices, seen.indptr), shape=shape)
        together = sparse.csr_array(played.T @ played)
        together.setdiag(0)
        scale = sparse.diags_array(1 / np.sqrt(np.maximum(log.counts(), 1)))
        self._similar = scale @ together @ scale
        return self

    def scores(self, users: np.ndarray, histories: Interactions) -> np.ndarray:
        """float64 [B, V], unlike the protocol; histories without repeats."""
        age = np.repeat(histories.indptr[1:], histories.lengths) - 1 - np.arange(len(histories))
        weight = np.where(age < self._length, self._decay ** age.astype(float), 0)
        shape = (histories.n_users, histories.n_items)
        weights = sparse.csr_array((weight, histories.items, histories.indptr), shape=shape)
        return (weights @ self._similar).toarray()


def at(means: dict[str, float], k: int) -> dict[str, float]:
    """The metrics at one cut-off."""
    return {name: value for name, value in means.items() if name.endswith(f"@{k}")}


def shown(means: dict[str, float], digits: int = 4) -> str:
    """'.0416/.0317'."""
    return "/".join(f"{value:.{digits}f}".removeprefix("0") for value in means.values())


def imported(folder: Path, inputs: list[Path], **parts: list[Path]) -> Interactions:
    """The log of user-per-line lists."""
    texts: dict[str, Any] = {name: [str(path) for path in paths] for name, paths in parts.items()}
    import_log([str(path) for path in inputs], folder, LogImportOptions(format="lists"), **texts)
    return load(folder)


def gowalla(data: Path, scratch: Path, slow: bool) -> Iterator[Pin]:
    """The LightGCN split; train masked."""
    files = data / "gowalla"
    log = imported(scratch / "gowalla", [], train=[files / "train.txt.gz"], test=[files / "test.txt.gz"])
    split = predefined(log)
    evaluator = RankingEvaluator(split.test.seen(), split.train, split.train.seen(), ks=(20,))
    rows: dict[str, tuple[str, Any]] = {"most popular": (".0416/.0317", Popularity())}
    if slow:
        rows["ItemKNN, dot product, 508 neighbours"] = (".1406/.1165", ItemKNN(508, "dot"))
        walks = RP3beta(777, alpha=0.5664, beta=0.00109, normalise=True)
        rows["GF-CF, 256 singular vectors, alpha .3"] = (".1849/.1518", GFCF(256, alpha=0.3))
        rows["EASE, lambda 80"] = (".1765/.1467", EASE(80.0, most_items=log.n_items))  # 11 GB of memory
        rows["RP3beta, 777 neighbours, alpha .5664, beta .00109"] = (".1829/.1520", walks)
    for row, (published, baseline) in rows.items():
        values = shown(evaluator.run(baseline.fit(split.train)).values())
        yield Pin("gowalla R@20/N@20", row, published, {"mu": values})


def lastfm_2k(data: Path, scratch: Path, slow: bool) -> Iterator[Pin]:
    """The LightGCN++ split of Last.fm."""
    evaluator, train = lightgcnpp(data / "lightgcnpp_lastfm", scratch, "txt")
    values = shown(at(evaluator.run(Popularity().fit(train)).values(), 10))
    yield Pin("lightgcnpp_lastfm R@10/N@10", "most popular", ".0718/.0789", {"mu": values})
    if slow:
        models = {"mu": EASE(150.0), "inverse of items": EASEByItems(150.0)}
        published = {10: ".1731/.1978", 20: ".2499/.2398", 40: ".3450/.2822"}
        yield from _ease("lightgcnpp_lastfm", evaluator, train, models, published)


def movielens(data: Path, scratch: Path) -> Iterator[Pin]:
    """The LightGCN++ split of MovieLens 1M."""
    evaluator, train = lightgcnpp(data / "lightgcnpp_ml-1m", scratch, "txt.gz")
    published = {10: ".1645/.3263", 20: ".2543/.3260", 40: ".3707/.3488"}
    yield from _ease("lightgcnpp_ml-1m", evaluator, train, {"mu": EASE(600.0)}, published)


def lightgcnpp(files: Path, scratch: Path, suffix: str) -> tuple[RankingEvaluator, Interactions]:
    """(evaluator, training log): training plays masked, those of validation not."""
    parts = {name: [files / f"{name}.{suffix}"] for name in ("train", "valid", "test")}
    split = predefined(imported(scratch / files.name, [], **parts))
    return RankingEvaluator(split.test.seen(), split.train, split.train.seen(), ks=(10, 20, 40)), split.train


def _ease(
    data: str, evaluator: RankingEvaluator, train: Interactions, models: dict[str, EASE], published: dict[int, str]
) -> Iterator[Pin]:
    """EASE at each cut-off, under each rule of ties."""
    of_rules = {rule: evaluator.run(model.fit(train)).values() for rule, model in models.items()}
    for k, numbers in published.items():
        values = {rule: shown(at(means, k)) for rule, means in of_rules.items()}
        yield Pin(f"{data} R@{k}/N@{k}", "EASE", numbers, values)


def beauty(data: Path, scratch: Path) -> Iterator[Pin]:
    """Leave-one-out, the history (train and validation) masked."""
    log, pin = _leave_one_out(data / "s3rec" / "Beauty.txt.gz", scratch)
    train = leave_one_out(log).train
    yield pin("most popular, test items counted too", ".0152/.0068", Popularity().fit(log))
    yield pin("most popular, all plays but test", ".0135/.0061", Popularity().fit(_history(log)))
    for decay, published in ((0.5, ".0656/.0405"), (1.0, ".0571/.0328")):
        yield _item_knn(pin, train, decay, published)


def beauty_counts(data: Path, scratch: Path) -> Iterator[Pin]:
    """Counting models, learnt from all plays but test."""
    log = imported(scratch / "Beauty counts", [data / "s3rec" / "Beauty.txt.gz"])
    yield from counts(log, "s3rec/Beauty", MarkovChain(), "file id", ".072296/.049177")
    yield from counts(log, "s3rec/Beauty", SequentialRules(), "file id", ".095558/.060477", ".060336")
    yield from counts(log, "s3rec/Beauty", PCTM(), "sha256", ".099816/.063517", ".063369")


def lastfm(data: Path, scratch: Path) -> Iterator[Pin]:
    """As Beauty."""
    log, pin = _leave_one_out(data / "s3rec" / "LastFM.txt", scratch)
    train = leave_one_out(log).train
    for decay, published in ((1.0, ".0817/.0421"), (0.5, ".0743/.0389")):
        yield _item_knn(pin, train, decay, published)
    yield from counts(log, "s3rec/LastFM", PCTM(), "sha256", ".066972/.038829")


def tagging(data: Path) -> Iterator[Pin]:
    """Tagging by VGGish: ROC-AUC, average precision, precision, recall and F1, macro and micro, to six digits."""
    files = data / "mtg_jamendo_moods"
    published = dict(
        line.split() for line in (files / "baseline_vggish_results.tsv").read_text(encoding="utf-8").splitlines()
    )
    truth, scores, decisions = (
        np.load(files / f"{name}.npy")
        for name in ("groundtruth", "baseline_vggish_predictions", "baseline_vggish_decisions")
    )
    metrics = ("ROC-AUC", "PR-AUC", "precision", "recall", "F-score")
    for average in ("macro", "micro"):
        # Micro: every (track, tag) is a case of one tag.
        shape = truth.shape if average == "macro" else (-1, 1)
        values = tagging_values(truth.reshape(shape), scores.reshape(shape), decisions.reshape(shape))
        row = shown({name: float(published[f"{name}-{average}"]) for name in metrics}, 6)
        yield Pin(f"mtg_jamendo_moods {'/'.join(metrics)}", f"VGGish, {average}", row, {"mu": shown(values, 6)})


def tagging_values(truth: np.ndarray, scores: np.ndarray, decisions: np.ndarray) -> dict[str, float]:
    """The mean over tags of five metrics; a tag that is never decided on has precision and F1 0.

    Args:
      truth: bool [n, C].
      scores: float [n, C].
      decisions: bool [n, C], the tags that were decided on.
    """
    ones = np.ones((1, len(truth)))
    codes = np.eye(2)  # no, yes: each tag as two classes
    values = np.zeros((truth.shape[1], 3))
    for tag in range(truth.shape[1]):
        true, decided = truth[:, tag].astype(int), decisions[:, tag].astype(int)
        precision = recall_per_class(codes[true], decided, ones)[0, 1]  # recall with the roles exchanged
        values[tag] = (
            np.nan_to_num(precision),
            recall_per_class(codes[decided], true, ones)[0, 1],
            np.nan_to_num(f1_per_class(codes[decided], true, ones)[0, 1]),
        )
    areas = (metric(scores, truth.astype(np.float32), ones)[0] for metric in (roc_auc, average_precision))
    names = ("ROC-AUC", "PR-AUC", "precision", "recall", "F-score")
    return dict(zip(names, [*map(float, areas), *values.mean(axis=0).tolist()], strict=True))


def counts(
    log: Interactions,
    data: str,
    model: MarkovChain | SequentialRules | PCTM,
    rule: str,
    published: str,
    of_all: str | None = None,
) -> Iterator[Pin]:
    """A counting model under the tie rule of its row: over users with a target of training, and over all if given."""
    log = _numbered_by(log, rule)  # ties go to the lower number, in lists and in pruning
    history, test = _history(log), leave_one_out(log).test
    hits = recommend(model.fit(history), np.arange(log.n_users), history, 10)
    is_hit = hits.ids == test.items[:, None]
    listed = {"hit_rate@10": is_hit.any(axis=1), "ndcg@10": (is_hit / np.log2(np.arange(10) + 2)).sum(axis=1)}
    evaluator = RankingEvaluator(test.seen(), history, history.seen(), ks=(10,), metrics=("hit_rate", "ndcg"))
    columns = {"mu": evaluator.run(model).columns, rule: listed}
    row, known = ROWS[type(model)], history.counts()[test.items] > 0
    warm = {of: shown({name: one[known].mean() for name, one in each.items()}, 6) for of, each in columns.items()}
    yield Pin(f"{data} HR@10/N@10", f"{row}, users with a known target", published, warm)
    if of_all is not None:
        every = {of: shown({"ndcg@10": each["ndcg@10"].mean()}, 6) for of, each in columns.items()}
        yield Pin(f"{data} N@10", f"{row}, all users", of_all, every)


def _numbered_by(log: Interactions, rule: str) -> Interactions:
    """The log with its items numbered in the order of a rule: by the ids in the file, or by their SHA-256."""
    ids = log.tracks["track"].cast(int).to_list()
    keys = ids if rule == "file id" else [hashlib.sha256(str(one).encode()).digest() for one in ids]
    numbers = np.empty(log.n_items, np.int32)
    numbers[sorted(range(log.n_items), key=keys.__getitem__)] = np.arange(log.n_items)
    return dataclasses.replace(log, items=numbers[log.items])


def _item_knn(pin: Callable[..., Pin], train: Interactions, decay: float, published: str) -> Pin:
    """All neighbours, from training plays; the latest 50 plays of the history (validation too) count."""
    row = f"ItemKNN, cosine, latest 50 {'alike' if decay == 1 else f'by {decay:g}^age'}"
    options = {"history_decay": decay, "history_length": 50}
    return pin(row, published, ItemKNN(None, **options).fit(train), ProductItemKNN(**options).fit(train))


def _history(log: Interactions) -> Interactions:
    """All plays but each user's last."""
    before = np.ones(len(log), bool)
    before[log.indptr[1:] - 1] = False
    return log.where(before)


def _leave_one_out(path: Path, scratch: Path) -> tuple[Interactions, Callable[..., Pin]]:
    """The log, and what measures a recommender on it under every rule of ties."""
    name = path.name.split(".")[0]
    log = imported(scratch / name, [path])
    test = leave_one_out(log).test
    file_id = log.tracks["track"].cast(int).to_numpy()
    history = _history(log)
    evaluator = RankingEvaluator(test.seen(), history, history.seen(), ks=(10,), metrics=("hit_rate", "ndcg"))

    def pin(row: str, published: str, recommender: Any, rounded: Any = None) -> Pin:
        values = {}
        for rule in OF_SCORES:
            of = rounded if rule.endswith("DCD") else recommender
            if of is not None:
                ordered = Ordered(of.scores, test.items, file_id, rule)
                values[rule] = shown(evaluator.run(ordered).values())
        return Pin(f"s3rec/{name} HR@10/N@10", row, published, values)

    return log, pin


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("MU_DATA"), help="folder of the logs")
    parser.add_argument("--slow", action="store_true", help="the rows that take minutes, too")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("say where the logs are: --data=FOLDER or MU_DATA")
    data = Path(arguments.data)
    lines = [["", "published", *RULES, "met by"]]
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for pins in (
            gowalla(data, scratch, arguments.slow),
            lastfm_2k(data, scratch, arguments.slow),
            movielens(data, scratch),
            beauty(data, scratch),
            beauty_counts(data, scratch),
            lastfm(data, scratch),
            tagging(data),
        ):
            for pin in pins:
                print(".", end="", flush=True, file=sys.stderr)
                cells = [pin.ours.get(rule, "") for rule in RULES]
                lines.append([f"{pin.data}: {pin.row}", pin.published, *cells, " = ".join(pin.met_by) or "NONE"])
                missed += not pin.met_by
    print(file=sys.stderr)
    print(text_table(lines))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
