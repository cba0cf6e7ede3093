"""A flat map of vectors: points in colours and shapes, a legend, and links to cards of the page."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mu.report.charts import COLOURS
from mu.report.page import coordinate

GREY = 6
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
class PointMap:
    """A map that is ready to be drawn.

    Attributes:
      summary: sentences above it.
      label: what the picture shows, for those who do not see it.
      points: the last lie on top.
      legend: a marker of each class, with its name.
      width: of the picture.
      height: of the picture.
    """

    summary: str
    label: str
    points: Sequence[Marker]
    legend: Sequence[Marker]
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


def points_of(
    places: np.ndarray, styles: Sequence[int], titles: Sequence[str], links: Mapping[int, str] | None = None
) -> list[Marker]:
    """Markers of points that fill the map, with one unit across and up; those with a link come last, on top.

    Args:
      places: [n, 2].
      styles: [n], as `marker` takes them.
      titles: [n].
      links: row -> id of the card that it leads to.
    """
    links = links or {}
    low = places.min(axis=0)
    scale = min(
        (side - 2 * EDGE) / max(float(extent), 1e-9)
        for side, extent in zip((WIDTH, HEIGHT), places.max(axis=0) - low, strict=True)
    )
    middle = (low + places.max(axis=0)) / 2
    points = []
    for row in sorted(range(len(places)), key=lambda row: row in links):
        x = round(WIDTH / 2 + scale * float(places[row, 0] - middle[0]), 1)
        y = round(HEIGHT / 2 - scale * float(places[row, 1] - middle[1]), 1)
        points.append(marker(styles[row], x, y, titles[row], links.get(row, "")))
    return points
