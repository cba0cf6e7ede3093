"""How a training went: loss, validation metrics and pace over the steps."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mu.report.charts import Axes, Figure, Points, line_chart, line_legend
from mu.report.read import Curves


@dataclasses.dataclass(frozen=True)
class Training:
    """The data of the section about the training.

    Attributes:
      figures: charts over the steps; none where nothing was logged.
      note: a sentence about the marked step; empty for none.
    """

    figures: Sequence[Figure]
    note: str


def training(curves: Curves, chosen: str, step: int | None) -> Training:
    """Charts of loss, validation metrics and pace over the steps.

    Args:
      curves: of each run (one, or the folds of a cross-validation).
      chosen: the metric that the best step was chosen by.
      step: the step whose weights were tested, which is marked; None for none.
    """
    figures = _of_one_run(curves, step) if len(curves) == 1 else _of_folds(curves, chosen)
    pace = {run or "pace": _points(lines, "examples_per_s") for run, lines in curves.items()}
    figures.append(_lines("Pace", pace, "examples a second", None, _waiting(curves), from_zero=True))
    words = "" if step is None else f"Dashed: step {step:,}, whose weights were tested."
    return Training([figure for figure in figures if figure is not None], words)


def _of_one_run(curves: Curves, step: int | None) -> list[Figure | None]:
    """The loss, and a chart for each group of validation metrics."""
    (lines,) = curves.values()
    losses = {"training": _points(lines, "loss"), "validation": _points(lines, "valid/negative_loss", -1.0)}
    figures = [_lines("Loss", losses, "loss", step)]
    names = dict.fromkeys(name for line in lines for name in line)
    metrics = [name for name in names if name.startswith("valid/") and name != "valid/negative_loss"]
    for group in dict.fromkeys(name.rpartition("/")[0] for name in metrics):
        series = {name.rpartition("/")[2]: _points(lines, name) for name in metrics if name.rpartition("/")[0] == group}
        figures.append(_lines(f"Validation, {group.removeprefix('valid/')}", series, "metric", step))
    return figures


def _of_folds(curves: Curves, chosen: str) -> list[Figure | None]:
    """The loss and the metric that steps were chosen by, a line for each fold."""
    return [
        _lines(title, {run: _points(lines, name) for run, lines in curves.items()}, "each fold", None)
        for title, name in (("Loss", "loss"), (f"Validation: {chosen.removeprefix('valid/')}", chosen))
    ]


def _points(lines: Sequence[Mapping[str, float]], name: str, sign: float = 1.0) -> Points:
    """(step, value) of every line that has the name."""
    return [(line["step"], sign * line[name]) for line in lines if np.isfinite(line.get(name, np.nan))]


def _lines(
    title: str,
    series: Mapping[str, Points],
    y_name: str,
    step: int | None,
    caption: str = "",
    *,
    from_zero: bool = False,
) -> Figure | None:
    """A figure of the series that have points, over all steps from 0; None where none has."""
    filled = {name: points for name, points in series.items() if points}
    if not filled:
        return None
    every = [point for points in filled.values() for point in points]
    axes = Axes.around([(0, 0.0 if from_zero else every[0][1]), *every], "step", y_name)
    last = "; ".join(f"{name} {points[-1][1]:.3f} at step {points[-1][0]:,}" for name, points in filled.items())
    chart = line_chart(filled, axes, f"{title} over steps. Last: {last}.", step)
    return Figure(title, chart, line_legend(list(filled)), caption)


def _waiting(curves: Curves) -> str:
    shares = [line["data_wait_share"] for lines in curves.values() for line in lines if "data_wait_share" in line]
    return f"Waited for data: {np.median(shares):.1%} of the time (median)." if shares else ""
