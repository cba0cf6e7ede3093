"""Charts as inline SVG: lines, scatter, a cloud of points with a legend, intervals.

Drawn 360 wide, about what a phone shows, so that their words stay legible there; they grow with the page. Colours and
strokes come from the page's style.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from mu.report.markup import Html, join, number, tag

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 48, 10, 8, 36
# More points than a line has pixels show nothing more.
MOST_POINTS = 400
# Beside its colour a series has a dash pattern, and a class a shape.
DASHES = (None, "6 3", "2 3", "9 3 2 3")
COLOURS, GREY = 6, 6
SHAPES = (
    "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",  # disc
    "m-4-4h8v8h-8z",  # square
    "m0-5.5l5 9h-10z",  # triangle
    "m0-5.5l5.5 5.5l-5.5 5.5l-5.5-5.5z",  # diamond
    "m-1.7-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z",  # cross
)
Points = Sequence[tuple[float, float]]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, `count` or some fewer or more: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def tick_text(value: float) -> str:
    """1,000 or 0.25, as short as it goes; 12 k from ten thousand on."""
    if abs(value) >= 10_000:
        return f"{value / 1000:,.6g} k"
    return f"{value:,.6g}"


@dataclasses.dataclass(frozen=True)
class Axes:
    """A rectangle of the picture in units of the data.

    Attributes:
      x, y: (low, high) of each axis.
      x_name, y_name: with units.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str

    @classmethod
    def around(cls, points: Points, x_name: str, y_name: str) -> "Axes":
        """That hold all the points, and some room above and below."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        room = 0.06 * (max(ys) - min(ys)) or max(abs(ys[0]), 1.0) * 0.1
        least = 0.0 if min(ys) >= 0 and min(ys) - room < 0 else min(ys) - room
        wide = (min(xs), max(xs)) if max(xs) > min(xs) else (min(xs) - 1.0, max(xs) + 1.0)
        return cls(wide, (least, max(ys) + room), x_name, y_name)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the picture."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def path(self, points: Points) -> str:
        """A line through the points."""
        placed = (self.place(x, y) for x, y in points)
        return "M" + "L".join(f"{number(round(x, 1))} {number(round(y, 1))}" for x, y in placed)

    def drawn(self) -> Html:
        """Axes, ticks and names."""
        parts = [tag("path", class_="axis", d=f"M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - RIGHT}")]
        for value in ticks(*self.x):
            at, _ = self.place(value, self.y[0])
            parts.append(tag("text", tick_text(value), x=at, y=HEIGHT - BOTTOM + 14, text_anchor="middle"))
        for value in ticks(*self.y):
            _, at = self.place(self.x[0], value)
            parts.append(tag("path", class_="axis", d=f"M{LEFT} {number(at)}H{WIDTH - RIGHT}", opacity=0.5))
            parts.append(tag("text", tick_text(value), x=LEFT - 5, y=at + 3.5, text_anchor="end"))
        middle = (TOP + HEIGHT - BOTTOM) // 2
        parts.append(tag("text", self.x_name, x=(LEFT + WIDTH - RIGHT) // 2, y=HEIGHT - 6, text_anchor="middle"))
        parts.append(tag("text", self.y_name, transform=f"translate(10 {middle}) rotate(-90)", text_anchor="middle"))
        return join(*parts)


def line_chart(series: Mapping[str, Points], axes: Axes, label: str, mark: float | None = None) -> Html:
    """Lines over one pair of axes; more than four are all drawn alike, each with its name under the pointer.

    Args:
      series: name -> points, by x.
      axes: that hold them.
      label: what the picture shows, for those who do not see it.
      mark: an x to be marked.
    """
    alike = len(series) > len(DASHES)
    lines = []
    for at, (name, points) in enumerate(series.items()):
        style = "line thin s0" if alike else f"line s{at % COLOURS}"
        dash = None if alike else DASHES[at]
        path = axes.path(thinned(points))
        if len(points) == 1:
            style, path = style.replace("line", "dots"), path + "h0"
        lines.append(tag("path", tag("title", name), class_=style, d=path, stroke_dasharray=dash))
    if mark is not None and axes.x[0] <= mark <= axes.x[1]:
        at, _ = axes.place(mark, axes.y[0])
        lines.append(tag("path", class_="mark", d=f"M{number(at)} {TOP}V{HEIGHT - BOTTOM}"))
    return picture(join(axes.drawn(), *lines), label)


def line_legend(names: Sequence[str]) -> Html | None:
    """Which line is which; None where there is one, or too many to tell apart."""
    if not 1 < len(names) <= len(DASHES):
        return None
    entries = []
    for at, name in enumerate(names):
        sample = tag("path", class_=f"line s{at % COLOURS}", d="M0 5H28", stroke_dasharray=DASHES[at])
        entries.append(tag("li", tag("svg", sample, viewBox="0 0 28 10", aria_hidden="true"), name))
    return tag("ul", *entries, class_="legend")


def scatter(across: np.ndarray, up: np.ndarray, axes: Axes, label: str) -> Html:
    """Points, and the line on which both are equal."""
    placed = (axes.place(float(x), float(y)) for x, y in zip(across, up, strict=True))
    dots = "".join(f"M{number(round(x, 1))} {number(round(y, 1))}h0" for x, y in placed)
    low, high = max(axes.x[0], axes.y[0]), min(axes.x[1], axes.y[1])
    equal = tag("path", class_="mark", d=axes.path([(low, low), (high, high)])) if high > low else None
    return picture(join(axes.drawn(), equal, tag("path", class_="dots s0", d=dots)), label)


def cloud(
    places: np.ndarray, styles: Sequence[int], titles: Sequence[str], links: Mapping[int, str], label: str
) -> Html:
    """Points of one unit across and up, each with a title under the pointer.

    Args:
      places: [n, 2].
      styles: [n], as `marker` takes them.
      titles: [n].
      links: row -> id of what it leads to; these are ringed.
      label: what the picture shows.
    """
    wide, high, edge = 640, 460, 14
    low = places.min(axis=0)
    scale = min(
        (side - 2 * edge) / max(float(extent), 1e-9)
        for side, extent in zip((wide, high), places.max(axis=0) - low, strict=True)
    )
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    points = []
    # Those that lead somewhere come last: nothing lies on top of them.
    for row in sorted(range(len(places)), key=lambda row: row in links):
        x = round(wide / 2 + scale * float(places[row, 0] - middle[0]), 1)
        y = round(high / 2 - scale * float(places[row, 1] - middle[1]), 1)
        point = marker(styles[row], x, y, titles[row], ringed=row in links)
        points.append(tag("a", point, href=f"#{links[row]}", aria_label=titles[row]) if row in links else point)
    return tag("svg", *points, viewBox=f"0 0 {wide} {high}", class_="map", role="group", aria_label=label)


def marker(style: int, x: float, y: float, title: str | None = None, ringed: bool = False) -> Html:
    """One point. Styles 0 to 29 are six colours in five shapes; others are grey crosses."""
    told_apart = 0 <= style < COLOURS * len(SHAPES)
    colour, shape = (style % COLOURS, style // COLOURS) if told_apart else (GREY, len(SHAPES) - 1)
    path = f"M{number(x)} {number(y)}{SHAPES[shape]}"
    name = f"point s{colour}" + (" ring" if ringed else "")
    return tag("path", title and tag("title", title), class_=name, d=path)


def marker_legend(entries: Sequence[tuple[str, int]]) -> Html:
    """(name, style) of each class."""
    return tag(
        "ul",
        *(
            tag("li", tag("svg", marker(style, 14, 8), viewBox="4 2 20 12", aria_hidden="true"), name)
            for name, style in entries
        ),
        class_="legend",
    )


def interval_bar(value: float, low: float, high: float, least: float, most: float) -> Html:
    """A number and its interval on the way from `least` to `most`."""

    def at(number: float) -> float:
        return 100 * (min(max(number, least), most) - least) / (most - least)

    return tag(
        "svg",
        tag("rect", class_="whole", x=0, y=4, width=100, height=2),
        tag("rect", class_="between", x=at(low), y=2, width=max(at(high) - at(low), 0.5), height=6),
        tag("rect", class_="at", x=min(max(at(value) - 0.75, 0), 98.5), y=0, width=1.5, height=10),
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        class_="bar",
        aria_hidden="true",
    )


def picture(content: Html, label: str) -> Html:
    """An SVG of the charts' size that is told as one picture."""
    return tag("svg", content, viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="chart", role="img", aria_label=label)


def thinned(points: Points) -> Points:
    """At most `MOST_POINTS`: means over runs of equal length."""
    if len(points) <= MOST_POINTS:
        return points
    parts = np.array_split(np.array(points, np.float64), MOST_POINTS)
    return [(float(part[:, 0].mean()), float(part[:, 1].mean())) for part in parts]
