"""The page of one listener's own log: when, which artists and tracks, sessions, skips, repeats and what was new."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from mu.data.logs.interactions import Interactions
from mu.data.track_names import titles_and_artists
from mu.files import write_whole
from mu.report.charts import Axes, Figure, Path, Points, Tick, line_chart, line_legend
from mu.report.listener_history import ListenerHistory
from mu.report.page import Head, Section, coordinate, render

TOP, LINES = 20, 4
MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
UTC = "Times are UTC, as the log has them."


@dataclasses.dataclass(frozen=True)
class TasteView:
    """What a section of the page shows.

    Attributes:
      words: a sentence each.
      figures: charts.
      header: of the table.
      rows: of the table; none for no table.
    """

    words: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def write_taste_page(log: Interactions, output: str | os.PathLike[str]) -> None:
    """Writes the page of the only listener of a log as one HTML file.

    Raises:
      ValueError: the log is not of one listener with times (`ListenerHistory`).
    """
    write_whole(output, taste_page(log).encode())


def taste_page(log: Interactions) -> str:
    """The page of the only listener of a log.

    Raises:
      ValueError: the log is not of one listener with times (`ListenerHistory`).
    """
    history = ListenerHistory(log)
    listener = str(log.users["user"][0])
    about = [f"{len(log):,} plays", f"{log.n_items:,} tracks"]
    if history.artists is not None:
        about.append(f"{history.artists.drop_nulls().n_unique():,} artists")
    if (hours := history.hours()) is not None:
        about.append(f"{hours:,.0f} hours")
    about.append(log.period)
    sections = [Section("When", "taste.html", _when(history))]
    if history.artists is not None:
        sections.append(Section("Artists", "taste.html", _ranking(history, history.artists, "artist")))
    titles = pl.Series(titles_and_artists(log.tracks)[0])
    sections.append(Section("Tracks", "taste.html", _ranking(history, _with_artist(titles, history.artists), "track")))
    sections.append(Section("Habits", "taste.html", _habits(history)))
    title = "Your listening" if listener == "me" else f"The listening of {listener}"
    return render(Head(title, about), [], sections)


def _with_artist(titles: pl.Series, artists: pl.Series | None) -> pl.Series:
    """'title, artist' where the artist is known."""
    if artists is None:
        return titles
    return pl.select(pl.when(artists.is_not_null()).then(titles + ", " + artists).otherwise(titles)).to_series()


def _when(history: ListenerHistory) -> TasteView:
    years, hours = history.by_year(), history.by_hour()
    busiest = max(years, key=lambda year: years[year])
    peak = int(np.argmax(hours))
    figures = [
        _bars("Plays by year", {str(year): count for year, count in years.items()}, "year"),
        _bars("Plays by hour of the day", {f"{hour}": count for hour, count in enumerate(hours)}, "hour, UTC"),
        _bars("Plays by day of the week", dict(zip(DAYS, history.by_weekday(), strict=True)), "day, UTC"),
    ]
    words = f"Most plays were in {busiest} ({years[busiest]:,}), and in the hour from {peak}:00. {UTC}"
    return TasteView([words], figures)


def _ranking(history: ListenerHistory, names: pl.Series, what: str) -> TasteView:
    """The most played names with their days, and the first few of them over time."""
    top = history.top(names)
    n = len(history.log)
    rows = [
        (str(name), f"{plays:,}", f"{plays / n:.1%}", str(first), str(last))
        for name, plays, first, last in top.head(TOP).rows()
    ]
    first = top["name"].head(LINES).to_list()
    series = {name: history.of_name(names, name).astype(np.float64) for name in first}
    figure = _over_time(history, f"The {what}s played most, over time", series, "plays", mean=False)
    tenth = top["plays"].head(-(-len(top) // 10)).sum() / n
    words = f"{len(top):,} {what}s; the tenth of them played most has {tenth:.0%} of all plays."
    return TasteView([words], [figure], (what, "plays", "share", "first", "last"), rows)


def _habits(history: ListenerHistory) -> TasteView:
    sessions, new = history.sessions(), history.new_tracks()
    n = len(history.log)
    words = [
        f"Sessions: {sessions.count:,}, each until 30 minutes pass without a play; the median has "
        f"{sessions.median_plays:g} plays, the longest {sessions.most_plays:,}.",
        f"Repeats: {1 - new.sum() / n:.0%} of plays are of a track that was played before.",
    ]
    shares = {"of new tracks": new.astype(np.float64)}
    if (new_artists := history.new_artists()) is not None:
        shares["of new artists"] = new_artists.astype(np.float64)
        words.append(f"Discovery: {new_artists.sum() / n:.1%} of plays are the first of their artist.")
    figures = [_over_time(history, "What was new", shares, "share of plays", mean=True)]
    if (skips := history.skips()) is not None:
        known, skipped = skips
        words.append(f"Skips: {skipped.sum() / known.sum():.0%} of the {known.sum():,} plays whose end is known.")
        share = {"skipped": np.where(known, skipped.astype(np.float64), np.nan)}
        figures.append(_over_time(history, "Skips", share, "share of plays", mean=True))
    return TasteView(words, figures)


def _over_time(
    history: ListenerHistory, title: str, series: Mapping[str, np.ndarray], y_name: str, *, mean: bool
) -> Figure:
    """Lines over months, or over years where there are many; sums, or means of the values that are not NaN."""
    first, last = int(history.months[0]), int(history.months[-1])
    width = 12 if last - first >= 60 else 1
    first -= first % width
    bins = (history.months - first) // width
    lines: dict[str, Points] = {}
    for name, values in series.items():
        known = ~np.isnan(values)
        counts = np.bincount(bins[known], minlength=bins[-1] + 1)
        totals = np.bincount(bins[known], values[known], minlength=bins[-1] + 1)
        shown = counts > 0 if mean else np.ones(len(counts), bool)
        heights = totals / np.maximum(counts, 1) if mean else totals
        lines[name] = [(float(at), float(heights[at])) for at in np.flatnonzero(shown)]
    every = [point for points in lines.values() for point in points]
    axes = Axes.around([(-0.5, 0.0), (bins[-1] + 0.5, 0.0), *every], "year" if width == 12 else "month", y_name)
    chart = line_chart(lines, axes, f"{title}: {y_name} by {'year' if width == 12 else 'month'}")
    chart = dataclasses.replace(chart, x_ticks=_calendar_ticks(axes, first, int(bins[-1]), width))
    return Figure(title, chart, line_legend(list(lines)))


def _calendar_ticks(axes: Axes, first: int, last_bin: int, width: int) -> list[Tick]:
    """Ticks named 2021 or 2021-04, five or some fewer."""
    months = (last_bin + 1) * width
    step = next((step for step in MONTH_STEPS if months / step <= 6), MONTH_STEPS[-1])
    marked = [month for month in range(first, first + months) if month % step == 0 and (month - first) % width == 0]
    return [Tick(axes.place((month - first) / width, axes.y[0])[0], _month(month, step)) for month in marked]


def _month(month: int, step: int) -> str:
    return f"{month // 12}" if step >= 12 else f"{month // 12}-{month % 12 + 1:02d}"


def _bars(title: str, counts: Mapping[str, int], x_name: str) -> Figure:
    """A bar for each name."""
    most = max(*counts.values(), 1)
    axes = Axes((0.0, float(len(counts))), (0.0, most * 1.05), x_name, "plays")
    paths, labels = [], []
    every = -(-len(counts) // 12)
    for at, (name, count) in enumerate(counts.items()):
        (left, top), (right, bottom) = axes.place(at + 0.1, count), axes.place(at + 0.9, 0)
        corners = [coordinate(round(place, 1)) for place in (left, bottom, top, right)]
        d = f"M{corners[0]} {corners[1]}V{corners[2]}H{corners[3]}V{corners[1]}Z"
        paths.append(Path(d, "point s0", f"{name}: {count:,} plays"))
        if at % every == 0:
            labels.append(Tick((left + right) / 2, name))
    label = f"{title}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return Figure(title, dataclasses.replace(axes.chart(paths, label), x_ticks=labels))
