"""A chart of means with intervals side by side: one group of points for each name across."""

from collections.abc import Mapping, Sequence

from mu.report.charts import COLOURS, DASHES, Chart, Frame, Path, Tick, dots_at, line_through, tick_text, ticks
from mu.report.page import coordinate

Interval = tuple[float, float, float]
"""(mean, low, high)."""


def category_chart(
    series: Mapping[str, Sequence[Interval | None]], names: Sequence[str], y_name: str, label: str
) -> Chart:
    """A line through the means of each series, with upright bars for its intervals.

    Args:
      series: name -> an interval for each of `names`, None where there is none; at most as many series as dashes.
      names: across.
      y_name: of the upright axis.
      label: what the picture shows, for those who do not see it.
    """
    frame = Frame()
    most = max(high for intervals in series.values() for one in intervals if one is not None for high in one)
    most = max(most * 1.05, 1e-9)
    step = (frame.right - frame.left) / len(names)
    paths = []
    for at, (name, intervals) in enumerate(series.items()):
        # Side by side, so that intervals do not hide each other.
        shift = (at - (len(series) - 1) / 2) * min(step * 0.16, 9)
        xs = [frame.left + (place + 0.5) * step + shift for place in range(len(names))]
        drawn = [(x, one) for x, one in zip(xs, intervals, strict=True) if one is not None]
        means = [(x, frame.up(one[0] / most)) for x, one in drawn]
        bars = "".join(
            f"M{coordinate(round(x, 1))} {coordinate(round(frame.up(low / most), 1))}"
            f"V{coordinate(round(frame.up(high / most), 1))}"
            for x, (_, low, high) in drawn
        )
        colour = f"s{at % COLOURS}"
        paths.append(Path(line_through(means), f"line {colour}", name, DASHES[at]))
        paths.append(Path(bars, f"line thin {colour}"))
        paths.append(Path(dots_at(means), f"dots {colour}"))
    return Chart(
        label=label,
        x_name="",
        y_name=y_name,
        x_ticks=[Tick(frame.left + (place + 0.5) * step, name) for place, name in enumerate(names)],
        y_ticks=[Tick(frame.up(value / most), tick_text(value)) for value in ticks(0.0, most)],
        paths=paths,
    )
