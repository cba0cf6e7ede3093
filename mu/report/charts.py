"""Line and scatter charts: where everything lies, for the SVG of `templates/charts.html`.

Drawn by hand because the page needs it: colours follow the reader's light or dark scheme through the page's style,
and lines have their name under the pointer. An SVG of matplotlib has fixed colours.
Charts are 360 wide, about what a phone shows, so that their words stay legible there; they grow with the page.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from mu.report.page import coordinate

# More points than a line has pixels show nothing more.
MOST_POINTS = 400
# Beside its colour a series has a dash pattern.
DASHES = (None, "6 3", "2 3", "9 3 2 3")
COLOURS = 6
Points = Sequence[tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Tick:
    """A mark at an axis.

    Attributes:
      at: where it lies in the picture.
      text: beside it.
      below: a second line, of ticks across; empty for none.
    """

    at: float
    text: str
    below: str = ""


@dataclasses.dataclass(frozen=True)
class Label:
    """The name of a line beside its end.

    Attributes:
      x: where the words begin.
      y: of their middle.
      text: the words.
      style: class of the colour of the line in page.css.
      lead: path from the end of the line to the words; empty for none.
    """

    x: float
    y: float
    text: str
    style: str
    lead: str = ""


@dataclasses.dataclass(frozen=True)
class Path:
    """A line, or dots.

    Attributes:
      d: the path, as SVG writes it.
      style: its classes in page.css.
      title: its name, shown under the pointer.
      dash: dash pattern; None for a solid line.
    """

    d: str
    style: str
    title: str | None = None
    dash: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Frame:
    """A rectangle with two axes inside a picture.

    Attributes:
      width: of the picture.
      height: of the picture.
      left: edge of the rectangle.
      right: edge of the rectangle.
      top: edge of the rectangle.
      bottom: edge of the rectangle.
    """

    width: int = 360
    height: int = 220
    left: int = 48
    right: int = 350
    top: int = 8
    bottom: int = 184

    @property
    def frame(self) -> str:
        """The two axes as a path."""
        return f"M{self.left} {self.top}V{self.bottom}H{self.right}"

    def across(self, share: float) -> float:
        """Where a share of the width lies, from the left."""
        return self.left + share * (self.right - self.left)

    def up(self, share: float) -> float:
        """Where a share of the height lies, from the bottom."""
        return self.bottom - share * (self.bottom - self.top)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chart(Frame):
    """A chart that is ready to be drawn.

    Attributes:
      label: what the picture shows, for those who do not see it.
      x_name: of the axis across, with its unit; empty for none.
      y_name: of the axis upwards.
      x_ticks: of the axis across.
      y_ticks: of the axis upwards, each with a line through the chart.
      paths: what is drawn, the last on top.
      labels: names of lines, beside their ends.
    """

    label: str
    x_name: str
    y_name: str
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    paths: Sequence[Path]
    labels: Sequence[Label] = ()


@dataclasses.dataclass(frozen=True)
class Figure:
    """A chart with its words.

    Attributes:
      title: above it.
      chart: the picture.
      legend: lines to name below it; empty where there is one, or where all are alike.
      caption: a sentence below it.
    """

    title: str
    chart: Chart
    legend: Sequence[Path] = ()
    caption: str = ""


@dataclasses.dataclass(frozen=True)
class Axes:
    """The part of the data that a chart shows.

    Attributes:
      x: (low, high) across.
      y: (low, high) upwards.
      x_name: with its unit.
      y_name: with its unit.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str

    @classmethod
    def around(cls, points: Points, x_name: str, y_name: str) -> "Axes":
        """Axes that hold all the points, with some room above and below."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        room = 0.06 * (max(ys) - min(ys)) or max(abs(ys[0]), 1.0) * 0.1
        lowest = 0.0 if min(ys) >= 0 and min(ys) - room < 0 else min(ys) - room
        wide = (min(xs), max(xs)) if max(xs) > min(xs) else (min(xs) - 1.0, max(xs) + 1.0)
        return cls(wide, (lowest, max(ys) + room), x_name, y_name)

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point lies in the picture."""
        frame = Frame()
        return (
            frame.across((x - self.x[0]) / (self.x[1] - self.x[0])),
            frame.up((y - self.y[0]) / (self.y[1] - self.y[0])),
        )

    def path(self, points: Points) -> str:
        """A line through the points."""
        return line_through([self.place(x, y) for x, y in points])

    def chart(self, paths: Sequence[Path], label: str) -> Chart:
        """These axes with what is drawn in them."""
        return Chart(
            label=label,
            x_name=self.x_name,
            y_name=self.y_name,
            x_ticks=[Tick(self.place(value, self.y[0])[0], tick_text(value)) for value in ticks(*self.x)],
            y_ticks=[Tick(self.place(self.x[0], value)[1], upright_text(value)) for value in ticks(*self.y)],
            paths=paths,
        )


def line_through(places: Points) -> str:
    """The path of a line through places of the picture."""
    return "M" + "L".join(f"{coordinate(round(x, 1))} {coordinate(round(y, 1))}" for x, y in places)


def dots_at(places: Points) -> str:
    """The path of dots at places of the picture."""
    return "".join(f"M{coordinate(round(x, 1))} {coordinate(round(y, 1))}h0" for x, y in places)


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


def upright_text(value: float) -> str:
    """The same beside an upright axis, where 1,000 would reach the name of the axis: 1 k."""
    return f"{value / 1000:,.6g} k" if abs(value) >= 1000 else tick_text(value)


def line_chart(series: Mapping[str, Points], axes: Axes, label: str, mark: float | None = None) -> Chart:
    """Lines over one pair of axes; more than four are all drawn alike, each with its name under the pointer.

    Args:
      series: name -> points, by x.
      axes: that hold them.
      label: what the picture shows, for those who do not see it.
      mark: an x where a dashed line stands.
    """
    alike = len(series) > len(DASHES)
    paths = []
    for at, (name, points) in enumerate(series.items()):
        style = "line thin s0" if alike else f"line s{at % COLOURS}"
        d = axes.path(thinned(points))
        if len(points) == 1:
            style, d = style.replace("line", "dots"), d + "h0"
        paths.append(Path(d, style, name, None if alike else DASHES[at]))
    if mark is not None and axes.x[0] <= mark <= axes.x[1]:
        frame = Frame()
        at, _ = axes.place(mark, axes.y[0])
        paths.append(Path(f"M{coordinate(at)} {frame.top}V{frame.bottom}", "mark"))
    return axes.chart(paths, label)


def line_legend(names: Sequence[str]) -> list[Path]:
    """A sample of each line; none where there is one line, or too many to tell apart."""
    if not 1 < len(names) <= len(DASHES):
        return []
    return [Path("", f"line s{at % COLOURS}", name, DASHES[at]) for at, name in enumerate(names)]


def scatter(across: np.ndarray, up: np.ndarray, axes: Axes, label: str) -> Chart:
    """Points, and the line on which both coordinates are equal."""
    paths = []
    low, high = max(axes.x[0], axes.y[0]), min(axes.x[1], axes.y[1])
    if high > low:
        paths.append(Path(axes.path([(low, low), (high, high)]), "mark"))
    places = [axes.place(float(x), float(y)) for x, y in zip(across, up, strict=True)]
    return axes.chart([*paths, Path(dots_at(places), "dots s0")], label)


def thinned(points: Points) -> Points:
    """At most `MOST_POINTS`: means over runs of equal length."""
    if len(points) <= MOST_POINTS:
        return points
    parts = np.array_split(np.array(points, np.float64), MOST_POINTS)
    return [(float(part[:, 0].mean()), float(part[:, 1].mean())) for part in parts]
