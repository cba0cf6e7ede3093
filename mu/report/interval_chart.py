"""A chart of values with intervals side by side: a group of dots for each name across, each series with its name."""

from collections.abc import Mapping, Sequence

from mu.report.charts import COLOURS, DASHES, Chart, Frame, Label, Path, Tick, dots_at, line_through, tick_text, ticks
from mu.report.page import coordinate

Interval = tuple[float, float, float]
"""(value, low, high)."""
FRAME = Frame(height=246, right=240, bottom=192)
LABEL_GAP = 12.0
"""Between the middles of two names."""
LONGEST = 20
"""Letters of a name beside the chart; the whole of it is under the pointer on the line."""


def interval_chart(
    series: Mapping[str, Sequence[Interval | None]],
    names: Sequence[str],
    counts: Sequence[str],
    *,
    x_name: str,
    y_name: str,
    label: str,
    joined: bool,
) -> Chart:
    """A dot with an upright bar for each value and its interval, in the colour of its series.

    Args:
      series: name -> an interval for each of `names`, None where there is none; a series without any is left out.
      names: across.
      counts: below each of them.
      x_name: of the axis across.
      y_name: of the upright axis.
      label: what the picture shows, for those who do not see it.
      joined: whether a line runs through the dots of each series, as where names across have an order.
    """
    drawn = {name: one for name, one in series.items() if any(value is not None for value in one)}
    ends = [end for intervals in drawn.values() for one in intervals if one is not None for end in one]
    low, high = min(*ends, 0.0), max(*ends, 1e-9)
    high += 0.05 * (high - low)

    def up(value: float) -> float:
        return FRAME.up((value - low) / (high - low))

    step = (FRAME.right - FRAME.left) / len(names)
    paths, last = [], {}
    for at, (name, intervals) in enumerate(drawn.items()):
        # Side by side, so that intervals do not hide each other.
        shift = (at - (len(drawn) - 1) / 2) * min(step * 0.8 / len(drawn), 9)
        points = [
            (FRAME.left + (place + 0.5) * step + shift, one) for place, one in enumerate(intervals) if one is not None
        ]
        dots = [(x, up(value)) for x, (value, _, _) in points]
        bars = "".join(
            f"M{coordinate(round(x, 1))} {coordinate(round(up(bottom), 1))}V{coordinate(round(up(top), 1))}"
            for x, (_, bottom, top) in points
        )
        colour = f"s{at % COLOURS}"
        if joined:
            paths.append(Path(line_through(dots), f"line thin {colour}", name, DASHES[at % len(DASHES)]))
        paths.append(Path(bars, f"line {colour}"))
        paths.append(Path(dots_at(dots), f"dots solid {colour}", name))
        last[name] = (dots[-1], colour)
    return Chart(
        height=FRAME.height,
        right=FRAME.right,
        bottom=FRAME.bottom,
        label=label,
        x_name=x_name,
        y_name=y_name,
        x_ticks=[
            Tick(FRAME.left + (place + 0.5) * step, name, count)
            for place, (name, count) in enumerate(zip(names, counts, strict=True))
        ],
        y_ticks=[Tick(up(value), tick_text(value)) for value in ticks(low, high)],
        paths=paths,
        labels=_labels(last),
    )


def _labels(ends: Mapping[str, tuple[tuple[float, float], str]]) -> list[Label]:
    """Names at the right, each as high as the end of its line where there is room, and a lead from one to the other."""
    order = sorted(ends, key=lambda name: ends[name][0][1])
    heights = spread([ends[name][0][1] for name in order], LABEL_GAP, FRAME.top + 4.0, FRAME.bottom + 4.0)
    labels = []
    for name, height in zip(order, heights, strict=True):
        (x, y), style = ends[name]
        lead = f"M{coordinate(x + 4)} {coordinate(y)}L{FRAME.right} {coordinate(height)}H{FRAME.right + 4}"
        text = name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
        labels.append(Label(FRAME.right + 6.0, height, text, style, lead))
    return labels


def spread(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in the same order, at least `gap` apart, as near to the `heights` as that goes, between low and high.

    Args:
      heights: in ascending order.
      gap: between two places; less where there is not so much room.
      low: the smallest place.
      high: the largest place.
    """
    if len(heights) > 1:
        gap = min(gap, (high - low) / (len(heights) - 1))
    places: list[float] = []
    for height in heights:
        places.append(max(height, low, places[-1] + gap if places else low))
    above = high
    for at in range(len(places) - 1, -1, -1):
        places[at] = min(places[at], above)
        above = places[at] - gap
    return places
