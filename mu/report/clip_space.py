"""The embedding space of a run on audio: nearest neighbours of a few clips, and a map of all."""

import dataclasses
from collections.abc import Mapping, Sequence

from mu.report.clip_media import Media
from mu.report.clip_run import ClipRun
from mu.report.neighbours import nearest, principal_plane
from mu.report.point_map import PointMap, labels_of_classes, legend, placed, points_of
from mu.report.target_view import TargetView

QUERIES, NEIGHBOURS = 4, 4
Neighbourhood = tuple[int, list[tuple[int, float]]]
"""(row, its neighbours and their cosines); rows are those of the run's clips."""


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbour:
    """A clip among neighbours.

    Attributes:
      clip: its id.
      truth: its label in words.
      badge: 'this clip', 'same', 'other', ...; empty for none.
      right: whether the label is shared; None for the clip itself.
      cosine: to the first clip, in words; empty for the first clip.
      media: None where the clip cannot be read.
    """

    clip: str
    truth: str
    badge: str
    right: bool | None
    cosine: str
    media: Media | None


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """The data of the section about nearest neighbours.

    Attributes:
      summary: what it is, and how often neighbours share a class.
      groups: (verdict of the first clip, the clip and its neighbours).
    """

    summary: str
    groups: Sequence[tuple[str, Sequence[Neighbour]]]


def neighbourhoods(run: ClipRun) -> list[Neighbourhood]:
    """The clips with the largest and the smallest errors, and the clips nearest to each."""
    embedded = run.embedded
    if embedded is None or len(embedded.clips) < 2:
        return []
    row_of = {clip: row for row, clip in enumerate(run.clips)}
    place_of = {row_of[clip]: place for place, clip in enumerate(embedded.clips)}
    view = run.views["model"][run.main_target]
    order = [row for row in view.by_error(run.clips) if row in place_of]
    queries = list(dict.fromkeys([*order[: QUERIES // 2], *order[: -QUERIES // 2 - 1 : -1]]))
    rows, cosines = nearest(embedded.vectors, NEIGHBOURS)
    groups = []
    for query in queries:
        pairs = zip(rows[place_of[query]], cosines[place_of[query]], strict=True)
        groups.append((query, [(row_of[embedded.clips[other]], float(cosine)) for other, cosine in pairs]))
    return groups


def neighbours(run: ClipRun, groups: Sequence[Neighbourhood], media: Mapping[int, Media]) -> Neighbours:
    """The section about nearest neighbours.

    Args:
      run: with `embedded`.
      groups: of `neighbourhoods`.
      media: row -> audio and picture of its clip.
    """
    assert run.embedded is not None
    view, embedded_rows = run.views["model"][run.main_target], _embedded_rows(run)
    shown = []
    for query, others in groups:
        first = Neighbour(run.clips[query], view.truth_words(query), "this clip", None, "", media.get(query))
        rest = [_neighbour(run, view, query, other, cosine, media.get(other)) for other, cosine in others]
        shown.append((view.verdict(query)[1], [first, *rest]))
    agreement = view.agreement(run.main_target, embedded_rows, run.embedded.vectors)
    words = (
        f"Test clips whose embeddings point the same way (cosine) in the space of {run.embedded.model}: the two with "
        f"the largest errors and the two with the smallest. {agreement}"
    )
    return Neighbours(words, shown)


def _neighbour(run: ClipRun, view: TargetView, query: int, other: int, cosine: float, media: Media | None) -> Neighbour:
    same = view.same_label(query, other)
    badge = "" if same is None else view.badges[0] if same else view.badges[1]
    return Neighbour(run.clips[other], view.truth_words(other), badge, same, f"cosine {cosine:.2f}", media)


def _embedded_rows(run: ClipRun) -> list[int]:
    """Rows of the clips that have vectors."""
    assert run.embedded is not None
    row_of = {clip: row for row, clip in enumerate(run.clips)}
    return [row_of[clip] for clip in run.embedded.clips]


def map_of_clips(run: ClipRun, anchors: Mapping[int, str]) -> PointMap:
    """The embedded clips in the plane of most variance.

    Args:
      run: with `embedded`.
      anchors: row -> id of the card that its point leads to.
    """
    embedded = run.embedded
    assert embedded is not None
    view, rows = run.views["model"][run.main_target], _embedded_rows(run)
    places, variance = principal_plane(embedded.vectors)
    styles, entries = view.styles(rows)
    known = view.predictions.known
    titles = [f"{run.clips[row]}: {view.verdict(row)[1] if known[row] else 'not known'}" for row in rows]
    links = {place: anchors[row] for place, row in enumerate(rows) if row in anchors}
    words = (
        f"{len(rows):,} test clips in the space of {embedded.model}, along the two directions in which they vary most "
        f"({variance[0]:.0%} of the variance across, {variance[1]:.0%} up). The pointer on a point names its clip; "
        "ringed points lead to the clips above that can be played."
    )
    at = placed(places)
    labels = labels_of_classes(at, styles, [name for name, style in entries if style >= 0])
    hidden = legend(entries) if len(labels) < len(entries) else []
    points = points_of(at, styles, titles, links)
    return PointMap(words, f"Map of {len(rows):,} test clips", points, hidden, labels)
