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
    """Charts of loss, the validation metric that steps were chosen by, and pace over the steps.

    Args:
      curves: of each run (one, or the folds of a cross-validation).
      chosen: the metric that the best step was chosen by.
      step: the step whose weights were tested, which is marked; None for none.
    """
    alone = len(curves) == 1

    def series(name: str, word: str, sign: float = 1.0) -> dict[str, Points]:
        return {run or word: _points(lines, name, sign) for run, lines in curves.items()}

    losses, metric = series("loss", "training"), chosen.rpartition("/")[2]
    if alone:
        losses |= series("valid/negative_loss", "validation", -1.0)
    figures = [_lines("Loss", losses, "loss", step)]
    if chosen != "valid/negative_loss" or not alone:
        figures.append(_lines(f"Validation: {chosen.removeprefix('valid/')}", series(chosen, metric), metric, step))
    pace = series("examples_per_s", "pace")
    figures.append(_lines("Pace", pace, "examples per second", None, _waiting(curves), from_zero=True))
    words = "" if step is None else f"Dashed: step {step:,}, whose weights were tested."
    return Training([figure for figure in figures if figure is not None], words)


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
