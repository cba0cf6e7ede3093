"""Tracks that a model sees as alike, beside those that the same listeners play (ItemKNN)."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.protocols import Recommender
from mu.report.columns import words_of
from mu.report.evenly_spaced import evenly_spaced
from mu.report.log_words import LogWords
from mu.report.neighbours import unit
from mu.report.split_log import SplitLog
from mu_kernels import CSR, ItemIndex, top_k_scores

QUERIES, NEAR, MOST_PLAYED = 6, 5, 60


@dataclasses.dataclass(frozen=True)
class NearTracks:
    """The nearest tracks of one track.

    Attributes:
      title: of the track.
      artist: of it; empty where the log has none.
      n_events: plays or ratings before the test.
      lists: (whose neighbours, [(title, artist)] nearest first).
    """

    title: str
    artist: str
    n_events: int
    lists: Sequence[tuple[str, Sequence[tuple[str, str]]]]


@dataclasses.dataclass(frozen=True)
class NearView:
    """The data of the section about tracks near each other.

    Attributes:
      note: how the tracks were chosen, and what near means.
      event: what is counted: 'play' or 'rating'.
      queries: those with most of them first.
    """

    note: str
    event: str
    queries: Sequence[NearTracks]


def near_tracks(
    log: SplitLog, vectors: np.ndarray, baselines: Mapping[str, Recommender], words: LogWords
) -> NearView | None:
    """Nearest tracks of some that are played much; None for a log of one track.

    Args:
      log: of the run.
      vectors: float32 [V, D], of the model.
      baselines: name -> recommender; of 'item_knn' the tracks that it would show after the track alone stand beside.
      words: what the events of the log are called.
    """
    counts = log.histories.counts()
    most = np.argsort(-counts, kind="stable")[:MOST_PLAYED]
    most = most[counts[most] > 0]
    if len(most) < 2:
        return None
    queries = most[evenly_spaced(len(most), QUERIES)]
    itself = CSR.from_pairs(np.arange(len(queries)), queries.astype(np.int32), len(queries), log.data.n_items)
    # Rows of tracks that nobody played hold what they were drawn with.
    played = counts > 0
    directions = unit(vectors)
    hits = ItemIndex(directions).top_k(directions[queries], NEAR, itself, allow=played)
    neighbours = {"The model": [ids[:count] for ids, count in zip(hits.ids, hits.count, strict=True)]}
    if "item_knn" in baselines:
        scores = baselines["item_knn"].scores(np.full(len(queries), -1), _alone(log, queries), None)
        hits = top_k_scores(scores.astype(np.float32), NEAR, itself)
        neighbours[words_of("item_knn")] = [
            ids[:count][best[:count] > 0] for ids, best, count in zip(hits.ids, hits.scores, hits.count, strict=True)
        ]
    titles, artists = log.names
    views = []
    for place, query in enumerate(queries):
        lists = [(name, [(titles[track], artists[track]) for track in ids[place]]) for name, ids in neighbours.items()]
        views.append(NearTracks(titles[query], artists[query], int(counts[query]), lists))
    note = (
        f"{len(queries)} tracks, evenly spaced among the {len(most)} that are {words.done} most, each with those "
        "nearest to it in the space of the model (cosine of the track vectors)"
    )
    beside = f"; ItemKNN's are the tracks that the same listeners {words.do}" if "item_knn" in baselines else ""
    return NearView(f"{note}{beside}.", words.event, views)


def _alone(log: SplitLog, tracks: np.ndarray) -> Interactions:
    """One history for each track, which holds a play of that track alone: the one of the largest weight.

    A play of a small weight, such as a bad rating, may count nothing for a baseline.
    """
    plays = log.histories
    events = np.array([np.argmax(np.where(plays.items == track, plays.weights, -np.inf)) for track in tracks])
    owners = np.searchsorted(plays.indptr, events, side="right") - 1
    rows = plays.take(owners)
    return rows.where(np.isin(np.arange(len(rows)), rows.indptr[:-1] + events - plays.indptr[owners]))
