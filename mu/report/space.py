"""The encoder's space: nearest neighbours of a few clips, to be listened to, and a map of all."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.clip_scores import ClipResult, Said
from mu.report.answers import by_error, shared, truth_words, verdict
from mu.report.charts import COLOURS, SHAPES, cloud, marker_legend
from mu.report.heard import Heard
from mu.report.markup import Html, join, tag
from mu.report.neighbours import Embedded, nearest, principal_plane

QUERIES, NEIGHBOURS = 4, 4
# The neighbours that the share of equal labels is counted over.
COUNTED_NEIGHBOURS = 5
# (row, its neighbours and their cosines); rows are those of the evaluation.
Neighbourhood = tuple[int, list[tuple[int, float]]]


def _head(model: ClipResult) -> str:
    """The head whose labels neighbours and map are told by: of classes if there is one."""
    return min(model.said, key=lambda head: ("class", "tags", "numbers").index(model.said[head].kind))


def neighbourhoods(embedded: Embedded, model: ClipResult) -> list[Neighbourhood]:
    """(row, [(row, cosine)]) of the result's clips: the hardest and the easiest, and the clips nearest to each."""
    if len(embedded.clips) < 2:
        return []
    row_of = {clip: row for row, clip in enumerate(model.clips)}
    place_of = {row_of[clip]: place for place, clip in enumerate(embedded.clips)}
    order = [row for row in by_error(model.said[_head(model)], model.clips) if row in place_of]
    queries = list(dict.fromkeys([*order[: QUERIES // 2], *order[: -QUERIES // 2 - 1 : -1]]))
    rows, cosines = nearest(embedded.vectors, NEIGHBOURS)
    found = []
    for query in queries:
        place = place_of[query]
        pairs = zip(rows[place], cosines[place], strict=True)
        found.append((query, [(row_of[embedded.clips[other]], float(cosine)) for other, cosine in pairs]))
    return found


def neighbours(embedded: Embedded, model: ClipResult, groups: Sequence[Neighbourhood], heard: Heard) -> Html:
    head = _head(model)
    said = model.said[head]
    parts = [
        tag(
            "p",
            f"Test clips whose vectors point the same way (cosine) in the space of {embedded.model}: two that it "
            f"found hardest and two that it found easiest. {_agreement(embedded, model, head)}",
        )
    ]
    for query, others in groups:
        row = [
            tag(
                "div",
                tag("h4", model.clips[query]),
                tag("p", truth_words(said, query), " ", tag("span", "this clip", class_="badge")),
                heard.small(query),
            ),
            *(_neighbour(said, model.clips[other], query, other, cosine, heard) for other, cosine in others),
        ]
        parts.append(join(tag("h3", verdict(said, query)[1]), tag("div", *row, class_="heard")))
    return join(*parts)


def _neighbour(said: Said, clip: str, query: int, other: int, cosine: float, heard: Heard) -> Html:
    same = shared(said, query, other)
    words = {"class": ("same", "other"), "tags": ("shares a tag", "no tag shared")}.get(said.kind, ("", ""))
    badge = None
    if same is not None:
        badge = tag("span", words[0] if same else words[1], class_="badge right" if same else "badge wrong")
    return tag(
        "div",
        tag("h4", clip),
        tag("p", truth_words(said, other), " ", badge, f" cosine {cosine:.2f}"),
        heard.small(other),
    )


def _agreement(embedded: Embedded, model: ClipResult, head: str) -> str:
    """How often neighbours have the same class, beside chance."""
    said = model.said[head]
    row_of = {clip: row for row, clip in enumerate(model.clips)}
    truth = said.truth[[row_of[clip] for clip in embedded.clips]]
    if said.kind != "class" or not (truth >= 0).all():
        return ""
    rows, _ = nearest(embedded.vectors, COUNTED_NEIGHBOURS)
    same = float((truth[rows] == truth[:, None]).mean())
    counts = np.bincount(truth)
    chance = float((counts * (counts - 1)).sum() / (len(truth) * (len(truth) - 1)))
    return f"Of all clips' {rows.shape[1]} nearest {same:.0%} have the same {head} ({chance:.0%} by chance)."


def map_of_clips(embedded: Embedded, model: ClipResult, anchors: Mapping[int, str]) -> Html:
    head = _head(model)
    said = model.said[head]
    row_of = {clip: row for row, clip in enumerate(model.clips)}
    rows = [row_of[clip] for clip in embedded.clips]
    places, variance = principal_plane(embedded.vectors)
    styles, entries = _styles(said, rows)
    titles = [f"{model.clips[row]}: {verdict(said, row)[1] if said.known[row] else 'not known'}" for row in rows]
    links = {place: anchors[row] for place, row in enumerate(rows) if row in anchors}
    picture = cloud(places, styles, titles, links, f"Map of {len(rows):,} test clips")
    words = (
        f"{len(rows):,} test clips in the space of {embedded.model}, along the two directions in which they vary most "
        f"({variance[0]:.0%} of the variance across, {variance[1]:.0%} up). The pointer on a point tells which clip "
        "it is; ringed points lead to clips that are heard above."
    )
    return join(tag("p", words), marker_legend(entries) if entries else None, picture)


def _styles(said: Said, rows: Sequence[int]) -> tuple[list[int], list[tuple[str, int]]]:
    """(style of each point, legend): classes, most frequent first; numbers in fifths of the first of them."""
    if said.kind == "tags":
        return [0] * len(rows), []
    if said.kind == "numbers":
        values = said.truth[rows, 0].astype(np.float64)
        edges = np.nanquantile(values, [0.2, 0.4, 0.6, 0.8])
        codes, name = np.searchsorted(edges, values), said.names[0]
        bounds = [np.nanmin(values), *edges, np.nanmax(values)]
        names = [f"{name} {low:.3g} to {high:.3g}" for low, high in itertools.pairwise(bounds)]
        return codes.tolist(), [(label, style) for style, label in enumerate(names)]
    codes = said.truth[rows]
    counts = np.bincount(codes[codes >= 0], minlength=len(said.names))
    told_apart = COLOURS * len(SHAPES)
    order = np.argsort(-counts, kind="stable") if len(said.names) > told_apart else np.arange(len(said.names))
    style = {int(code): place for place, code in enumerate(order[:told_apart])}
    entries = [(f"{said.names[code]} ({counts[code]:,})", place) for code, place in style.items() if counts[code]]
    if any(int(code) not in style for code in codes):
        entries.append(("others, or not known", -1))
    return [style.get(int(code), -1) for code in codes], entries
