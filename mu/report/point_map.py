"""A flat map of vectors: points in colours and shapes, a legend, and links to cards of the page."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mu.report.charts import COLOURS
from mu.report.page import coordinate

GREY = 6
# Room for a letter and a line of the names in the picture: as large as they are on a phone, in units of the picture.
LETTER, LINE, LONGEST_LABEL = 9.5, 20.0, 26
WIDTH, HEIGHT, EDGE = 640, 460, 14
SHAPES = (
    "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0",  # disc
    "m-4-4h8v8h-8z",  # square
    "m0-5.5l5 9h-10z",  # triangle
    "m0-5.5l5.5 5.5l-5.5 5.5l-5.5-5.5z",  # diamond
    "m-1.7-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3z",  # cross
)
STYLES = COLOURS * len(SHAPES)
"""So many classes can be told apart."""


@dataclasses.dataclass(frozen=True)
class Marker:
    """One point.

    Attributes:
      d: its shape, as SVG writes it.
      style: its classes in page.css.
      title: shown under the pointer; empty for none.
      link: id of the card that it leads to; empty for none.
      name: of its class, in a legend.
    """

    d: str
    style: str
    title: str = ""
    link: str = ""
    name: str = ""


@dataclasses.dataclass(frozen=True)
class Label:
    """A name in the picture.

    Attributes:
      x: of its middle.
      y: of its base line.
      text: the name.
    """

    x: float
    y: float
    text: str


@dataclasses.dataclass(frozen=True)
class PointMap:
    """A map that is ready to be drawn.

    Attributes:
      summary: sentences above it.
      label: what the picture shows, for those who do not see it.
      points: the last lie on top.
      legend: a marker of each class, with its name; empty where `labels` name them all.
      labels: names in the picture.
      width: of the picture.
      height: of the picture.
    """

    summary: str
    label: str
    points: Sequence[Marker]
    legend: Sequence[Marker]
    labels: Sequence[Label] = ()
    width: int = WIDTH
    height: int = HEIGHT


def marker(style: int, x: float, y: float, title: str = "", link: str = "", name: str = "") -> Marker:
    """One point. Styles 0 to 29 are six colours in five shapes; others are grey crosses. One with a link is ringed."""
    distinct = 0 <= style < STYLES
    colour, shape = (style % COLOURS, style // COLOURS) if distinct else (GREY, len(SHAPES) - 1)
    d = f"M{coordinate(x)} {coordinate(y)}{SHAPES[shape]}"
    return Marker(d, f"point s{colour}" + (" ring" if link else ""), title, link, name)


def legend(entries: Sequence[tuple[str, int]]) -> list[Marker]:
    """A marker for each (name, style)."""
    return [marker(style, 14, 8, name=name) for name, style in entries]


def placed(places: np.ndarray) -> np.ndarray:
    """Coordinates in the picture, float64 [n, 2], of places [n, 2] that fill it with one unit across and up."""
    low, high = places.min(axis=0), places.max(axis=0)
    sides = np.array([WIDTH, HEIGHT])
    scale = ((sides - 2 * EDGE) / np.maximum(high - low, 1e-9)).min()
    return np.round(sides / 2 + scale * (places - (low + high) / 2) * [1, -1], 1)


def points_of(
    at: np.ndarray, styles: Sequence[int], titles: Sequence[str], links: Mapping[int, str] | None = None
) -> list[Marker]:
    """Markers of points; those with a link come last, on top.

    Args:
      at: [n, 2], of `placed`.
      styles: [n], as `marker` takes them.
      titles: [n].
      links: row -> id of the card that it leads to.
    """
    links = links or {}
    order = sorted(range(len(at)), key=lambda row: row in links)
    x, y = at.T.tolist()
    return [marker(styles[row], x[row], y[row], titles[row], links.get(row, "")) for row in order]


def labels_of_classes(at: np.ndarray, styles: Sequence[int], names: Sequence[str]) -> list[Label]:
    """A name for each class, at the point nearest to the middle of its points where it hides no name before it.

    Args:
      at: [n, 2], of `placed`.
      styles: [n], the class of each point.
      names: of the classes 0, 1, ...
    """
    labels: list[Label] = []
    for style, name in enumerate(names):
        own = at[np.asarray(styles) == style]
        from_middle = np.square(own - np.median(own, axis=0)).sum(axis=1)
        for row in np.argsort(from_middle, kind="stable"):
            if _add(labels, name, float(own[row, 0]), float(own[row, 1])):
                break
    return labels


def labels_of_points(at: np.ndarray, named: Sequence[tuple[int, str]]) -> list[Label]:
    """The names of points above them, of those that hide no name before them; `named` are (row of `at`, name)."""
    labels: list[Label] = []
    for row, name in named:
        _add(labels, name, float(at[row, 0]), float(at[row, 1]) - 7)
    return labels


def _add(labels: list[Label], text: str, x: float, y: float) -> bool:
    """Appends a label unless it would lie on another; moved into the picture where it sticks out."""
    text = text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1].rstrip()}…"
    half = len(text) * LETTER / 2
    x, y = min(max(x, half + 2), WIDTH - half - 2), max(y, LINE)
    if any(abs(x - one.x) < half + len(one.text) * LETTER / 2 + 4 and abs(y - one.y) < LINE for one in labels):
        return False
    labels.append(Label(round(x, 1), round(y, 1), text))
    return True
