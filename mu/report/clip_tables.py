"""Tables and charts of a run on audio: metrics, confusions, each class, predicted against true numbers."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.few_units import interval_text
from mu.evals.metrics.clips.confusion import confusions
from mu.evals.predictions import Predictions
from mu.evals.result import Estimate
from mu.report.charts import Axes, Figure, scatter

# A matrix of more classes than these cannot be read; the pairs that are most often confused can.
MOST_CLASSES = 40
CONFUSIONS_LISTED = 30
SCATTER_POINTS = 800
WORDS = {
    "f1": "F1",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "log_likelihood": "log likelihood",
    "pearson": "Pearson r",
    "r2": "R²",
}


@dataclasses.dataclass(frozen=True)
class Bar:
    """An interval on a scale 100 wide.

    Attributes:
      start: where the interval begins.
      width: of the interval.
      at: where the value is.
    """

    start: float
    width: float
    at: float


@dataclasses.dataclass(frozen=True)
class Cell:
    """A value with its interval, in figures and as a bar.

    Attributes:
      value: '0.123', or 'not defined'.
      interval: '[0.100, 0.150]'; empty for none.
      bar: None for none.
    """

    value: str
    interval: str = ""
    bar: Bar | None = None


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of cells.

    Attributes:
      label: what the table shows.
      header: one name a column.
      rows: (name, count in words or None, cells).
    """

    label: str
    header: Sequence[str]
    rows: Sequence[tuple[str, str | None, Sequence[Cell]]]


def cell(estimate: Estimate) -> Cell:
    """An estimate as a cell; its metric says where the scale of the bar begins."""
    if not np.isfinite(estimate.value):
        return Cell("not defined")
    interval = interval_text(estimate.low, estimate.high, ".3f")
    if not np.isfinite([estimate.low, estimate.high]).all():
        return Cell(f"{estimate.value:.3f}", interval)
    metric = estimate.name.rpartition("/")[2]
    if metric == "log_likelihood":  # it has no lower end
        return Cell(f"{estimate.value:.3f}", interval)
    return Cell(f"{estimate.value:.3f}", interval, interval_bar(estimate, -1.0 if metric in ("pearson", "r2") else 0.0))


def interval_bar(estimate: Estimate, lowest: float) -> Bar:
    """The interval on the way from `lowest` to 1."""

    def at(value: float) -> float:
        return 100 * (min(max(value, lowest), 1.0) - lowest) / (1.0 - lowest)

    start = at(estimate.low)
    return Bar(start, max(at(estimate.high) - start, 0.5), min(max(at(estimate.value) - 0.75, 0), 98.5))


def metrics_table(metrics: Mapping[str, Mapping[str, Estimate]]) -> Table:
    """Every metric with its interval, the baselines beside the model.

    Args:
      metrics: 'model' and baselines -> metric -> estimate.
    """
    rows = [(name, None, [cell(row[name]) for row in metrics.values()]) for name in metrics["model"]]
    return Table("Metrics", ["metric", *metrics], rows)


def per_class(predictions: Predictions, word: str, target: str, details: Mapping[str, Mapping[str, Estimate]]) -> Table:
    """Each class, tag or number of a target with its metrics and their intervals.

    Args:
      predictions: of the model.
      word: 'class', 'tag' or 'number'.
      target: its name.
      details: 'TARGET/METRIC' -> estimate of each class, tag or number.
    """
    metrics = predictions.part_metrics
    rows = []
    for place, name in enumerate(predictions.names):
        estimates = [details[f"{target}/{metric}"][name]._replace(name=metric) for metric in metrics]
        rows.append((name, f"{predictions.count(place):,}", [cell(estimate) for estimate in estimates]))
    titles = [WORDS.get(metric, metric) for metric in metrics]
    return Table(f"Each {word} of {target}", [word, "clips", *titles], rows)


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a confusion matrix.

    Attributes:
      count: clips.
      share: of the clips of the true class.
      right: whether the predicted class is the true one.
    """

    count: int
    share: float
    right: bool


@dataclasses.dataclass(frozen=True)
class Confusion:
    """Which class is predicted as which.

    Attributes:
      target: its name.
      summary: the most frequent confusions.
      names: of the classes, in the order of rows and columns.
      matrix: a row for each true class, a field for each predicted one; empty where there are too many classes.
      pairs: (true class, predicted class, clips, share of the true class) where there is no matrix.
    """

    target: str
    summary: str
    names: Sequence[str]
    matrix: Sequence[Sequence[Field]]
    pairs: Sequence[tuple[str, str, str, str]]


def confusion(predictions: Predictions, target: str) -> Confusion:
    """The confusion matrix of a target, or the most frequent confusions where it has many classes."""
    is_known, names = predictions.known, predictions.names
    weights = np.ones((1, int(is_known.sum())))
    counts = confusions(predictions.scores[is_known], predictions.truth[is_known], weights)[0].astype(int)
    pairs = sorted(
        ((int(counts[true, predicted]), true, predicted) for true, predicted in np.argwhere(counts)),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    pairs = [pair for pair in pairs if pair[1] != pair[2]]
    if len(names) > MOST_CLASSES:
        listed = [
            (names[true], names[predicted], f"{count:,}", f"{count / counts[true].sum():.0%}")
            for count, true, predicted in pairs[:CONFUSIONS_LISTED]
        ]
        return Confusion(target, "", names, (), listed)
    often = "; ".join(
        f"{names[true]} predicted as {names[predicted]} ({count:,})" for count, true, predicted in pairs[:3]
    )
    words = f"Most often confused: {often}." if pairs else "Every clip is predicted right."
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    matrix = [
        [
            Field(int(counts[true, predicted]), float(shares[true, predicted]), true == predicted)
            for predicted in range(len(names))
        ]
        for true in range(len(names))
    ]
    return Confusion(target, words, names, matrix, ())


@dataclasses.dataclass(frozen=True)
class Scatters:
    """Predicted numbers against true ones.

    Attributes:
      note: how to read them.
      figures: one a number.
    """

    note: str
    figures: Sequence[Figure]


def scatters(predictions: Predictions, correlations: Mapping[str, Estimate]) -> Scatters:
    """Predicted against true, one picture a number.

    Args:
      predictions: of numbers.
      correlations: Pearson correlation of each number.
    """
    rows = np.flatnonzero(predictions.known)
    drawn = rows[:: -(-len(rows) // SCATTER_POINTS)]
    figures = []
    for at, name in enumerate(predictions.names):
        true = predictions.truth[drawn, at].astype(np.float64)
        predicted = predictions.scores[drawn, at].astype(np.float64)
        both = [*true.tolist(), *predicted.tolist()]
        axes = Axes.around([(value, value) for value in both], "true", "predicted")  # one scale for both
        estimate = correlations[name]
        words = f"r = {estimate.value:.2f} {interval_text(estimate.low, estimate.high, '.2f')}"
        chart = scatter(true, predicted, axes, f"{name}: predicted against true, {words}")
        figures.append(Figure(name, chart, caption=words))
    few = f" {len(drawn):,} of {len(rows):,} clips are drawn." if len(drawn) < len(rows) else ""
    return Scatters(f"Dashed: predicted equals true.{few}", figures)
