"""Ranks of the tracks of plays at their moments, by dot products, sparse rows or all scores. E plays, V tracks."""

from collections.abc import Mapping

import numpy as np

from mu.evals.protocols.candidates import Candidates, ItemScores
from mu.evals.protocols.catalogue import BLOCK_BYTES, QUERY_BLOCK, Histories, user_queries, user_scores
from mu.evals.protocols.play_events import PlayEvents
from mu.protocols import DotProductRecommender, Recommender, SparseRecommender
from mu_kernels import SparseIndex, SparseRows

# Plays whose queries are ranked at once.
PLAY_BLOCK = 1 << 15


def by_dot_products(
    recommender: DotProductRecommender,
    events: PlayEvents,
    histories: Histories,
    plays_by_rule: Mapping[Candidates, np.ndarray],
) -> dict[Candidates, np.ndarray]:
    """Exact ranks for a recommender whose scores are dot products; no matrix of plays by tracks is made.

    Args:
      recommender: asked for one query a listener.
      events: the plays, by user.
      histories: log of all users, what they had played.
      plays_by_rule: rule of the candidates -> int64, ascending, the plays that are ranked by it.

    Returns:
      Rule -> int64 [2, E]: how many candidates score more than each play's track, and how many the same, itself
      included; 0 for plays that are not ranked by the rule.
    """
    listeners, place = np.unique(events.users, return_inverse=True)
    blocks = (listeners[start : start + QUERY_BLOCK] for start in range(0, len(listeners), QUERY_BLOCK))
    queries = np.concatenate([user_queries(recommender, block, histories) for block in blocks])
    scores = ItemScores.of(recommender)
    ranks = {}
    for rule, plays in plays_by_rule.items():
        ranks[rule] = np.zeros((2, len(events)), np.int64)
        for start in range(0, len(plays), PLAY_BLOCK):
            block = plays[start : start + PLAY_BLOCK]
            ranks[rule][:, block] = rule.ranks(events.take(block), queries[place[block]], scores)
    return ranks


def by_sparse_rows(
    recommender: SparseRecommender,
    events: PlayEvents,
    histories: Histories,
    plays_by_rule: Mapping[Candidates, np.ndarray],
) -> dict[Candidates, np.ndarray]:
    """The same for a recommender of sparse scores, asked for a query a listener, or a play where it is time-aware."""
    index = SparseIndex(recommender.sparse_rows, recommender.background)
    ranks = {rule: np.zeros((2, len(events)), np.int64) for rule in plays_by_rule}
    for rule, plays in plays_by_rule.items():
        for start in range(0, len(plays), PLAY_BLOCK):
            block = plays[start : start + PLAY_BLOCK]
            some = events.take(block)
            ranks[rule][:, block] = rule.sparse_ranks(some, sparse_queries_at(recommender, some, histories), index)
    return ranks


def by_scores(
    recommender: Recommender,
    events: PlayEvents,
    histories: Histories,
    plays_by_rule: Mapping[Candidates, np.ndarray],
    n_items: int,
) -> dict[Candidates, np.ndarray]:
    """The same for any `mu.protocols.Recommender`, whose scores are taken block by block; `n_items` is V."""
    ranks = {rule: np.zeros((2, len(events)), np.int64) for rule in plays_by_rule}
    for block in blocks(len(events), n_items):
        plays = events.take(block)
        scores = scores_at(recommender, plays, histories, n_items)
        own = scores[np.arange(len(plays)), plays.tracks][:, None]
        above, tied = scores > own, scores == own
        for rule, (greater, equal) in ranks.items():
            among = rule.mask(plays)
            greater[block], equal[block] = (above & among).sum(axis=1), (tied & among).sum(axis=1)
    return ranks


def sparse_queries_at(recommender: SparseRecommender, plays: PlayEvents, histories: Histories) -> SparseRows:
    """[E, R]: the sparse query of each play, at its moment where the recommender is time-aware."""
    if recommender.time_aware:
        return recommender.sparse_queries(plays.users, histories.take(plays.users), plays.times_ms)
    listeners, place = np.unique(plays.users, return_inverse=True)
    return recommender.sparse_queries(listeners, histories.take(listeners)).take(place)


def scores_at(recommender: Recommender, plays: PlayEvents, histories: Histories, n_items: int) -> np.ndarray:
    """float32 [E, V]: every track's score at the moment of each play.

    Raises:
      ValueError: scores are not float32 of this shape, or NaN; names the user.
    """
    if recommender.time_aware:
        return user_scores(recommender, plays.users, histories.take(plays.users), n_items, plays.times_ms)
    listeners, place = np.unique(plays.users, return_inverse=True)
    return user_scores(recommender, listeners, histories.take(listeners), n_items)[place]


def blocks(n_plays: int, n_items: int) -> list[slice]:
    """The plays in blocks whose scores take `BLOCK_BYTES`."""
    block = max(BLOCK_BYTES // (4 * n_items), 1)
    return [slice(start, min(start + block, n_plays)) for start in range(0, n_plays, block)]
