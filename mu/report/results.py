"""The numbers of a run as tables and charts: metrics, confusions, each class, each number."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mu.evals.clip_metrics import PER_CLASS, confusions
from mu.evals.clip_scores import ClipResult, Said
from mu.report.charts import Axes, interval_bar, scatter
from mu.report.markup import Html, join, tag
from mu.report.page import figure, scrolling, table

# A matrix of more classes than these cannot be read; the pairs that are most often confused can.
MOST_CLASSES = 40
CONFUSIONS_LISTED = 30
SCATTER_POINTS = 800
WORDS = {
    "f1": "F1",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "pearson": "Pearson r",
    "r2": "R²",
}


def metrics_table(about: Mapping[str, Any]) -> Html:
    """Every metric with its interval, the baselines beside the model."""
    rows = about["rows"]
    lines = [[metric, *(_measured(metric, **row[metric]) for row in rows.values())] for metric in rows["model"]]
    return table("Metrics", ["metric", *rows], lines)


def _least(metric: str) -> float:
    """The lower end of a metric's scale; all end at 1."""
    return -1.0 if metric.rpartition("/")[2] in ("pearson", "r2") else 0.0


def _measured(metric: str, value: float, low: float, high: float) -> Html:
    """A value with its interval, in figures and as a bar."""
    if not np.isfinite([value, low, high]).all():
        return tag("span", "not defined" if not np.isfinite(value) else f"{value:.3f}")
    return join(
        f"{value:.3f} ",
        tag("span", f"[{low:.3f}, {high:.3f}]", class_="interval"),
        interval_bar(value, low, high, _least(metric), 1.0),
    )


def per_class(result: ClipResult, head: str, interval: Mapping[str, Any]) -> Html:
    """Each class, tag or number with its metrics and their intervals.

    Args:
      result: the model's.
      head: whose.
      interval: of the evaluation: samples and seed of the bootstrap.
    """
    said = result.said[head]
    rows = result.per_class(head, interval["samples"], interval["seed"])
    metrics = len(PER_CLASS[said.kind])
    lines = []
    for first in range(0, len(rows), metrics):
        cells = [_measured(row.metric, row.value, row.low, row.high) for row in rows[first : first + metrics]]
        lines.append([rows[first].name, f"{rows[first].clips:,}", *cells])
    word = {"class": "class", "tags": "tag", "numbers": "number"}[said.kind]
    titles = [WORDS.get(metric, metric) for metric in PER_CLASS[said.kind]]
    return table(f"Each {word} of {head}", [word, "clips", *titles], lines)


def confusion(said: Said, head: str) -> Html:
    """Which class is told as which: a matrix, or of many classes the most frequent confusions."""
    known = said.known
    counts = confusions(said.scores[known], said.truth[known], np.ones((1, int(known.sum()))))[0].astype(int)
    pairs = sorted(
        ((int(counts[is_, told]), is_, told) for is_, told in np.argwhere(counts) if is_ != told),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    if len(said.names) > MOST_CLASSES:
        lines = [
            [said.names[is_], said.names[told], f"{count:,}", f"{count / counts[is_].sum():.0%}"]
            for count, is_, told in pairs[:CONFUSIONS_LISTED]
        ]
        return table(f"Confusions of {head}", ["is", "said to be", "clips", "of its class"], lines)
    often = "; ".join(f"{said.names[is_]} said to be {said.names[told]} ({count:,})" for count, is_, told in pairs[:3])
    words = f"Most often confused: {often}." if pairs else "No clip was told wrong."
    return join(tag("p", words), _matrix(counts, said.names, head))


def _matrix(counts: np.ndarray, names: Sequence[str], head: str) -> Html:
    """A row for what is, a column for what was said; numbers are clips and shares of the row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    lines = []
    for is_, name in enumerate(names):
        cells = [_cell(int(counts[is_, told]), float(shares[is_, told]), is_ == told) for told in range(len(names))]
        lines.append(tag("tr", tag("th", name, scope="row", title=name), *cells))
    top = [tag("th", tag("span", name), scope="col", title=name) for name in names]
    head_row = tag("thead", tag("tr", tag("td", class_="corner"), *top))
    matrix = tag("table", head_row, tag("tbody", *lines), class_="confusion")
    words = "Rows: what it is. Columns: what was said. Clips, and their share of the row."
    return join(tag("p", words, class_="soft small"), scrolling(f"Confusion matrix of {head}", matrix))


def _cell(count: int, share: float, right: bool) -> Html:
    """A field of the matrix, coloured by its share; empty where there are no clips."""
    if not count:
        return tag("td", class_="right" if right else None, style="--share:0" if right else None)
    words = join(f"{count:,}", tag("small", f"{share:.0%}"))
    return tag("td", words, class_="right" if right else "wrong", style=f"--share:{share:.2f}")


def scatters(said: Said, correlations: Mapping[str, str]) -> Html:
    """Predicted against true, one picture a number.

    Args:
      said: of kind 'numbers'.
      correlations: name -> r with its interval, in words.
    """
    rows = np.flatnonzero(said.known)
    shown = rows[:: -(-len(rows) // SCATTER_POINTS)]
    drawn = []
    for at, name in enumerate(said.names):
        true, told = said.truth[shown, at].astype(np.float64), said.scores[shown, at].astype(np.float64)
        both = [*true.tolist(), *told.tolist()]
        axes = Axes.around([(value, value) for value in both], "true", "predicted")  # one scale for both
        label = f"{name}: predicted against true, {correlations[name]}"
        drawn.append(figure(name, scatter(true, told, axes, label), correlations[name]))
    few = f" {len(shown):,} of {len(rows):,} clips are drawn." if len(shown) < len(rows) else ""
    return join(tag("p", f"Dashed: predicted equals true.{few}"), tag("div", *drawn, class_="grid"))
