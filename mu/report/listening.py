"""The page of a run on listening: results, training, one listener, a cold-start track, a map of the tracks."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mu.evals.few_units import interval_text
from mu.evals.result import Estimate
from mu.report.categories import category_chart
from mu.report.charts import DASHES, Figure, line_legend
from mu.report.listening_run import ListeningRun, TrackMap
from mu.report.neighbours import principal_plane
from mu.report.page import Notice, Section, render
from mu.report.point_map import STYLES, PointMap, legend, points_of
from mu.report.read import Curves
from mu.report.training import training

# Sections of the chart in its order, with the names they have there.
AGES = {
    "day 0": "day 0",
    "days 1-6": "days 1-6",
    "weeks 1-3": "weeks 1-3",
    "weeks 4-": "weeks 4-",
    "discovery": "known",
}
# Lines of the chart in their order, of those that the evaluation has.
LINES = ("model", "oracle", "id_only", "popularity", "artist_popularity")


@dataclasses.dataclass(frozen=True)
class MetricTable:
    """One metric of every section and recommender.

    Attributes:
      name: of the metric.
      header: 'plays' and the names of the recommenders.
      rows: (section with its number of plays, [(value, interval)]).
    """

    name: str
    header: Sequence[str]
    rows: Sequence[tuple[str, Sequence[tuple[str, str]]]]


@dataclasses.dataclass(frozen=True)
class Metrics:
    """The data of the section about the result.

    Attributes:
      by_age: the chart by the age of the track; None where no section has an age.
      tables: one a metric.
      boost: of new releases, in words; empty where there is none.
    """

    by_age: Figure | None
    tables: Sequence[MetricTable]
    boost: str


def page(run: ListeningRun) -> str:
    """The whole page, a function of the run alone."""
    facts = run.facts
    sections = [
        Section("Result", "listening_metrics.html", metrics(run)),
        Section("Training", "training.html", training(_distinct(facts.curves), facts.chosen, facts.step)),
    ]
    computed = run.computed
    if computed.user_page is not None:
        sections.append(Section("One listener", "user_page.html", (computed.user_page, computed.pieces)))
    if computed.cold_start is not None:
        view = (computed.cold_start, computed.pieces)
        sections.append(Section("A new track and its listeners", "cold_start.html", view))
    if computed.track_map is not None:
        sections.append(Section("Map of the tracks", "map.html", map_of_tracks(computed.track_map)))
    sections.append(Section("Config", "config.html", facts.config_text))
    return render(facts.title, facts.facts, [Notice(problem) for problem in facts.problems], sections)


def _distinct(curves: Curves) -> Curves:
    """The curves without the sections whose plays are in other sections too: so many curves say nothing."""

    def repeated(name: str) -> bool:
        return name.rpartition("/")[0].rpartition("/")[2].startswith(("discovery,", "new: "))

    return {
        run: [{name: value for name, value in line.items() if not repeated(name)} for line in lines]
        for run, lines in curves.items()
    }


def metrics(run: ListeningRun) -> Metrics:
    """The chart by the age of the track, and a table for each metric."""
    names = list(dict.fromkeys(name.rpartition("/")[2] for name in run.metrics["model"]))
    boosted = run.boost is not None and "model_unboosted" in run.metrics
    return Metrics(_by_age(run, names[0]), [_table(run, name) for name in names], f"{run.boost:g}" if boosted else "")


def _by_age(run: ListeningRun, metric: str) -> Figure | None:
    """A chart of the first metric by the age of the track on the day of the play."""
    ages = [age for age in AGES if age in run.counts]
    if not ages:
        return None
    lines = [name for name in LINES if name in run.metrics][: len(DASHES)]
    series = {name: [_drawn(run.metrics[name][f"{age}/{metric}"]) for age in ages] for name in lines}
    across = [AGES[age] for age in ages]
    values = "; ".join(f"{name}: " + ", ".join(f"{one[0]:.2f}" for one in row) for name, row in series.items())
    chart = category_chart(series, across, metric, f"{metric} by the age of the track ({', '.join(across)}). {values}.")
    caption = (
        "Age on the day of the play of tracks that came out after training ended; 'known' were there before. "
        "Bars: 95 % intervals."
    )
    return Figure("By the age of the track", chart, line_legend(lines), caption)


def _drawn(estimate: Estimate) -> tuple[float, float, float]:
    """(value, low, high); without an interval its ends are the value."""
    ends = estimate[2:] if np.isfinite(estimate[2:]).all() else (estimate.value, estimate.value)
    return (estimate.value, *ends)


def _table(run: ListeningRun, metric: str) -> MetricTable:
    rows = []
    for section, count in run.counts.items():
        estimates = [row[f"{section}/{metric}"] for row in run.metrics.values()]
        cells = [(f"{one.value:.3f}", interval_text(one.low, one.high, ".3f")) for one in estimates]
        rows.append((f"{section} ({count:,})", cells))
    return MetricTable(metric, ["plays", *run.metrics], rows)


def map_of_tracks(tracks: TrackMap) -> PointMap:
    """The tracks in the plane of most variance, coloured by an attribute."""
    places, variance = principal_plane(tracks.vectors)
    styles, entries = _styles(tracks.labels)
    titles = [f"{title}: {label}" for title, label in zip(tracks.titles, tracks.labels, strict=True)]
    words = (
        f"{len(titles):,} tracks as the model sees them, coloured by {tracks.label_name}, along the two directions in "
        f"which they vary most ({variance[0]:.0%} of the variance across, {variance[1]:.0%} up). The pointer on a "
        "point names its track."
    )
    label = f"Map of {len(titles):,} tracks by {tracks.label_name}"
    return PointMap(words, label, points_of(places, styles, titles), legend(entries))


def _styles(labels: Sequence[str]) -> tuple[list[int], list[tuple[str, int]]]:
    """(style of each point, legend), most frequent first; labels beyond those that can be told apart are 'others'."""
    counts = Counter(labels)
    order = sorted(counts, key=lambda label: (-counts[label], label))[:STYLES]
    style = {label: place for place, label in enumerate(order)}
    entries = [(f"{label} ({counts[label]:,})", place) for label, place in style.items()]
    if len(counts) > len(order):
        entries.append(("others", -1))
    return [style.get(label, -1) for label in labels], entries
