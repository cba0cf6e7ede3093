"""The embedding space of a run on audio: nearest neighbours of a few clips, and a map of all."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.predictions import Predictions
from mu.report.clip_media import Media
from mu.report.clip_run import ClipRun
from mu.report.neighbours import Embedded, nearest, principal_plane
from mu.report.point_map import STYLES, PointMap, legend, points_of
from mu.report.verdicts import by_error, same_label, truth_words, verdict

QUERIES, NEIGHBOURS = 4, 4
# The neighbours that the share of equal labels is counted over.
COUNTED_NEIGHBOURS = 5
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
      words: what it is, and how often neighbours share a class.
      groups: (verdict of the first clip, the clip and its neighbours).
    """

    words: str
    groups: Sequence[tuple[str, Sequence[Neighbour]]]


def main_target(run: ClipRun) -> str:
    """The target whose labels are shown in the space: one of classes if there is one, then tags, then numbers."""
    model = run.predictions["model"]
    return min(model, key=lambda target: ("class", "tags", "numbers").index(model[target].kind))


def neighbourhoods(run: ClipRun) -> list[Neighbourhood]:
    """The clips with the largest and the smallest errors, and the clips nearest to each."""
    embedded = run.embedded
    if embedded is None or len(embedded.clips) < 2:
        return []
    row_of = {clip: row for row, clip in enumerate(run.clips)}
    place_of = {row_of[clip]: place for place, clip in enumerate(embedded.clips)}
    predictions = run.predictions["model"][main_target(run)]
    order = [row for row in by_error(predictions, run.clips) if row in place_of]
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
    target = main_target(run)
    predictions = run.predictions["model"][target]
    shown = []
    for query, others in groups:
        first = Neighbour(run.clips[query], truth_words(predictions, query), "this clip", None, "", media.get(query))
        rest = [_neighbour(run, predictions, query, other, cosine, media.get(other)) for other, cosine in others]
        shown.append((verdict(predictions, query)[1], [first, *rest]))
    words = (
        f"Test clips whose embeddings point the same way (cosine) in the space of {run.embedded.model}: the two with "
        f"the largest errors and the two with the smallest. {_agreement(run, run.embedded, target)}"
    )
    return Neighbours(words, shown)


def _neighbour(
    run: ClipRun, predictions: Predictions, query: int, other: int, cosine: float, media: Media | None
) -> Neighbour:
    same = same_label(predictions, query, other)
    words = {"class": ("same", "other"), "tags": ("shares a tag", "no tag shared")}.get(predictions.kind, ("", ""))
    badge = "" if same is None else words[0] if same else words[1]
    return Neighbour(run.clips[other], truth_words(predictions, other), badge, same, f"cosine {cosine:.2f}", media)


def _agreement(run: ClipRun, embedded: Embedded, target: str) -> str:
    """How often neighbours have the same class, beside chance."""
    predictions = run.predictions["model"][target]
    row_of = {clip: row for row, clip in enumerate(run.clips)}
    truth = predictions.truth[[row_of[clip] for clip in embedded.clips]]
    if predictions.kind != "class" or not (truth >= 0).all():
        return ""
    rows, _ = nearest(embedded.vectors, COUNTED_NEIGHBOURS)
    same = float((truth[rows] == truth[:, None]).mean())
    counts = np.bincount(truth)
    chance = float((counts * (counts - 1)).sum() / (len(truth) * (len(truth) - 1)))
    return f"Of all clips' {rows.shape[1]} nearest {same:.0%} have the same {target} ({chance:.0%} by chance)."


def map_of_clips(run: ClipRun, anchors: Mapping[int, str]) -> PointMap:
    """The embedded clips in the plane of most variance.

    Args:
      run: with `embedded`.
      anchors: row -> id of the card that its point leads to.
    """
    embedded = run.embedded
    assert embedded is not None
    predictions = run.predictions["model"][main_target(run)]
    row_of = {clip: row for row, clip in enumerate(run.clips)}
    rows = [row_of[clip] for clip in embedded.clips]
    places, variance = principal_plane(embedded.vectors)
    styles, entries = _styles(predictions, rows)
    titles = [
        f"{run.clips[row]}: {verdict(predictions, row)[1] if predictions.known[row] else 'not known'}" for row in rows
    ]
    links = {place: anchors[row] for place, row in enumerate(rows) if row in anchors}
    words = (
        f"{len(rows):,} test clips in the space of {embedded.model}, along the two directions in which they vary most "
        f"({variance[0]:.0%} of the variance across, {variance[1]:.0%} up). The pointer on a point names its clip; "
        "ringed points lead to the clips above that can be played."
    )
    points = points_of(places, styles, titles, links)
    return PointMap(words, f"Map of {len(rows):,} test clips", points, legend(entries))


def _styles(predictions: Predictions, rows: Sequence[int]) -> tuple[list[int], list[tuple[str, int]]]:
    """(style of each point, legend): classes, most frequent first; numbers in fifths of the first of them."""
    if predictions.kind == "tags":
        return [0] * len(rows), []
    if predictions.kind == "numbers":
        values = predictions.truth[rows, 0].astype(np.float64)
        edges = np.nanquantile(values, [0.2, 0.4, 0.6, 0.8])
        codes, name = np.searchsorted(edges, values), predictions.names[0]
        bounds = [np.nanmin(values), *edges, np.nanmax(values)]
        names = [f"{name} {low:.3g} to {high:.3g}" for low, high in itertools.pairwise(bounds)]
        return codes.tolist(), [(label, style) for style, label in enumerate(names)]
    codes = predictions.truth[rows]
    n_classes = len(predictions.names)
    counts = np.bincount(codes[codes >= 0], minlength=n_classes)
    order = np.argsort(-counts, kind="stable") if n_classes > STYLES else np.arange(n_classes)
    style = {int(code): place for place, code in enumerate(order[:STYLES])}
    entries = [(f"{predictions.names[code]} ({counts[code]:,})", at) for code, at in style.items() if counts[code]]
    if any(int(code) not in style for code in codes):
        entries.append(("others, or not known", -1))
    return [style.get(int(code), -1) for code in codes], entries
