"""How the training went: loss, validation metrics and pace over the steps."""

from collections.abc import Mapping, Sequence

import numpy as np

from mu.report.charts import Axes, Points, line_chart, line_legend
from mu.report.markup import Html, join, tag
from mu.report.page import figure


def training(curves: Mapping[str, Sequence[Mapping[str, float]]], chosen: str, step: int | None) -> Html:
    """Loss, validation metrics and pace over the steps.

    Args:
      curves: of each run (one, or the folds of a cross-validation) the lines of its metrics.jsonl.
      chosen: the metric that the best step was chosen by.
      step: the step whose weights were tested, to be marked; None for none.
    """
    metrics = [name for name in _names(curves) if name.startswith("valid/") and name != "valid/negative_loss"]
    figures = []
    if len(curves) == 1:
        (lines,) = curves.values()
        losses = {"training": _points(lines, "loss"), "validation": _points(lines, "valid/negative_loss", -1.0)}
        figures.append(_lines("Loss", losses, "loss", step))
        for head in dict.fromkeys(name.rpartition("/")[0] for name in metrics):
            heads = {
                name.rpartition("/")[2]: _points(lines, name) for name in metrics if name.rpartition("/")[0] == head
            }
            figures.append(_lines(f"Validation, {head.removeprefix('valid/')}", heads, "metric", step))
    else:
        for title, name in (("Loss", "loss"), (f"Validation: {chosen.removeprefix('valid/')}", chosen)):
            figures.append(
                _lines(title, {run: _points(lines, name) for run, lines in curves.items()}, "each fold", None)
            )
    pace = {run or "pace": _points(lines, "examples_per_s") for run, lines in curves.items()}
    figures.append(_lines("Pace", pace, "examples a second", None, _waiting(curves), from_zero=True))
    drawn = [one for one in figures if one is not None]
    if not drawn:
        return tag("p", "The run has logged nothing (metrics.jsonl is missing or empty).")
    said = None if step is None else f"Dashed: step {step:,}, whose weights were tested."
    return join(tag("div", *drawn, class_="grid"), said and tag("p", said, class_="soft small"))


def _names(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    return list(dict.fromkeys(name for lines in curves.values() for line in lines for name in line))


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
) -> Html | None:
    """A figure of the series that have points, over all steps from 0; None where none has."""
    filled = {name: points for name, points in series.items() if points}
    if not filled:
        return None
    every = [point for points in filled.values() for point in points]
    axes = Axes.around([(0, 0.0 if from_zero else every[0][1]), *every], "step", y_name)
    last = "; ".join(f"{name} {points[-1][1]:.3f} at step {points[-1][0]:,}" for name, points in filled.items())
    chart = line_chart(filled, axes, f"{title} over steps. Last: {last}.", step)
    return figure(title, chart, caption or None, line_legend(list(filled)))


def _waiting(curves: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    shares = [line["data_wait_share"] for lines in curves.values() for line in lines if "data_wait_share" in line]
    return f"Waited for data: {np.median(shares):.1%} of the time (median)." if shares else ""
