"""The page of a sweep: the best trial, all trials by value, and the value by each parameter."""

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mu.report.charts import Axes, Chart, Figure, Tick, dots_at, tick_text, ticks, upright_text
from mu.report.charts import Path as Drawn
from mu.report.metric_tables import AllMetrics, MetricTable
from mu.report.page import Head, Notice, Section, render
from mu.report.sweep_words import read_sweep, table_rows, winner_lines

LONGEST = 14
"""Letters of a choice below a chart."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """The data of a section of charts.

    Attributes:
      figures: the charts.
      note: a sentence below them.
    """

    figures: Sequence[Figure]
    note: str


def sweep_page(folder: Path) -> str:
    """The whole page.

    Raises:
      ValueError: the sweep has not ended.
    """
    document = read_sweep(folder)
    settings, trials = document["settings"], document["trials"]
    header, *rows = table_rows(document)
    table = MetricTable("", header[1:], [(row[0], [(cell, "") for cell in row[1:]]) for row in rows])
    figures = [parameter_figure(document, key) for key in document["space"]]
    best, *more = winner_lines(document)
    what = settings["baseline"] or settings["config"]
    return render(
        Head(f"Sweep: {folder.resolve().name}", [Path(what).name, f"{len(trials)} trials by {settings['sampler']}"]),
        [Notice(best, more)],
        [
            Section("By parameter", "figures.html", Figures(figures, _note(document))),
            Section("Trials", "metric_tables.html", AllMetrics([table], [])),
        ],
        [
            Section("What was searched", "facts.html", _facts(document)),
            Section("Config", "text.html", json.dumps(document["config"], indent=2, ensure_ascii=False)),
        ],
    )


def parameter_figure(document: Mapping[str, Any], key: str) -> Figure:
    """The value of each trial by one parameter; the best trial and those that were stopped in colours of their own."""
    trials = [trial for trial in document["trials"] if trial["value"] is not None]
    place, x_range, x_ticks = _scale(document["space"][key])
    metric = document["metric"].removeprefix("valid/")
    points = [(place(trial["params"][key]), trial["value"]) for trial in trials]
    axes = dataclasses.replace(Axes.around(points or [(0.0, 0.0)], key, metric), x=x_range)
    winner = document["summary"].get("winner")
    paths = []
    for trial, point in zip(trials, points, strict=True):
        style = (
            "dots solid s1" if trial["number"] == winner else "dots s2" if trial["state"] == "stopped" else "dots s0"
        )
        title = f"trial {trial['number']}: {key}={trial['params'][key]}, {trial['value']:.4f}"
        paths.append((trial["number"] == winner, Drawn(dots_at([axes.place(*point)]), style, title)))
    chart = Chart(
        label=f"{metric} of each trial by {key}",
        x_name=key,
        y_name=metric,
        x_ticks=[Tick(axes.place(at, axes.y[0])[0], text) for at, text in x_ticks],
        y_ticks=[Tick(axes.place(axes.x[0], at)[1], upright_text(at)) for at in ticks(*axes.y)],
        paths=[path for _, path in sorted(paths, key=lambda one: one[0])],  # the best on top
    )
    return Figure("", chart)


def _scale(
    one: Mapping[str, Any],
) -> tuple[Callable[[str], float], tuple[float, float], Sequence[tuple[float, str]]]:
    """(place of a value across, ends of the axis, ticks) of a parameter."""
    if "texts" in one:
        texts = list(one["texts"])
        names = [text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for text in texts]
        return lambda text: float(texts.index(text)), (-0.5, len(texts) - 0.5), list(enumerate(names))
    low, high = one["low"], one["high"]
    if one["kind"] != "log":
        room = 0.03 * (high - low)
        return float, (low - room, high + room), [(at, tick_text(at)) for at in ticks(low, high)]
    first, last = math.log10(low), math.log10(high)
    room = 0.03 * (last - first)
    powers = [float(at) for at in range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)]
    marks = powers if len(powers) > 1 else [first, last]
    return lambda text: math.log10(float(text)), (first - room, last + room), [(at, f"{10**at:.3g}") for at in marks]


def _note(document: Mapping[str, Any]) -> str:
    stopped = any(trial["state"] == "stopped" for trial in document["trials"])
    words = f"{document['metric']} of each trial; larger is better. The solid dot is the best trial."
    return words + (" Trials that successive halving stopped have the best value that they had." if stopped else "")


def _facts(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    settings, finished = document["settings"], document.get("finished")
    facts = {
        "Config": settings["config"],
        "Baseline": settings["baseline"],
        "Log": settings["log"],
        "Space": settings["over"],
        "Set in all trials": ", ".join(f"{key}={value}" for key, value in settings["changes"].items()),
        "Sampler": f"{settings['sampler']}, seed {settings['seed']}",
        "Successive halving": "yes" if settings["halving"] else "",
        "Test": "untouched" if finished is None else f"of trial {finished['trial']}, in {finished['folder']}",
    }
    return [(name, value) for name, value in facts.items() if value]
