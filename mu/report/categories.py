"""Means with intervals side by side, one group of points for each name across."""

from collections.abc import Mapping, Sequence

from mu.report.charts import BOTTOM, COLOURS, DASHES, HEIGHT, LEFT, RIGHT, TOP, WIDTH, picture, tick_text, ticks
from mu.report.markup import Html, join, number, tag

Estimate = tuple[float, float, float]
"""(mean, low, high)."""


def category_chart(
    series: Mapping[str, Sequence[Estimate | None]], names: Sequence[str], y_name: str, label: str
) -> Html:
    """A line for each series through its means, with its intervals upright.

    Args:
      series: name -> an estimate for each of `names`, None where there is none; at most as many as there are dashes.
      names: across.
      y_name: of the upright axis.
      label: what the picture shows, for those who do not see it.
    """
    most = max(high for points in series.values() for one in points if one is not None for high in one)
    most = max(most * 1.05, 1e-9)
    step = (WIDTH - LEFT - RIGHT) / len(names)

    def up(value: float) -> float:
        return HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM)

    parts = [tag("path", class_="axis", d=f"M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}")]
    for value in ticks(0.0, most):
        at = number(round(up(value), 1))
        parts.append(tag("path", class_="axis", d=f"M{LEFT} {at}H{WIDTH - RIGHT}", opacity=0.5))
        parts.append(tag("text", tick_text(value), x=LEFT - 5, y=up(value) + 3.5, text_anchor="end"))
    for place, name in enumerate(names):
        parts.append(tag("text", name, x=LEFT + (place + 0.5) * step, y=HEIGHT - BOTTOM + 14, text_anchor="middle"))
    middle = (TOP + HEIGHT - BOTTOM) // 2
    parts.append(tag("text", y_name, transform=f"translate(10 {middle}) rotate(-90)", text_anchor="middle"))
    for at, (name, points) in enumerate(series.items()):
        # Side by side, so that intervals do not hide each other.
        shift = (at - (len(series) - 1) / 2) * min(step * 0.16, 9)
        placed = [(LEFT + (place + 0.5) * step + shift, one) for place, one in enumerate(points) if one is not None]
        means = "L".join(f"{number(round(x, 1))} {number(round(up(one[0]), 1))}" for x, one in placed)
        bars = "".join(
            f"M{number(round(x, 1))} {number(round(up(one[1]), 1))}V{number(round(up(one[2]), 1))}" for x, one in placed
        )
        dots = "".join(f"M{number(round(x, 1))} {number(round(up(one[0]), 1))}h0" for x, one in placed)
        colour = f"s{at % COLOURS}"
        parts.append(
            tag("path", tag("title", name), class_=f"line {colour}", d="M" + means, stroke_dasharray=DASHES[at])
        )
        parts.append(tag("path", class_=f"line thin {colour}", d=bars))
        parts.append(tag("path", class_=f"dots {colour}", d=dots))
    return picture(join(*parts), label)
