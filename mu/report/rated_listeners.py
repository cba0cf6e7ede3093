"""Listeners of an evaluation of rated tracks: these tracks in the order of each recommender, with the ratings given."""

from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.protocols.rated_candidates import candidates
from mu.evals.result import Result
from mu.protocols import Recommender
from mu.report.columns import words_of
from mu.report.listener_choice import Choice, choose
from mu.report.listeners import SHOWN, Listener, Listeners, Row, TrackList, chosen_listener
from mu.report.log_words import RATINGS
from mu.report.split_log import LogModels, SplitLog
from mu.topk import recommend
from mu_kernels import CSR

MOST_RATED = 20
"""Tracks of a list."""
FIRST = 5
"""So many at the top of a list are counted."""
HOW_TO_READ = (
    "Three of the listeners, chosen by {metric} over the tracks that each of them rated in the test; of equally well "
    "served ones, the one who rated most in it. A list holds these tracks alone, in the order of a recommender, which "
    "does not know the ratings: the higher the ratings at its top, the better it is. A track that the listener had "
    "rated before the test is in no list."
)


def rated_listeners(models: LogModels, results: Mapping[str, Result], metric: str) -> Listeners | None:
    """A typical listener, the best and the worst served; None where nobody with a rating before the test has a value.

    Args:
      models: of the run.
      results: of `RatedCandidates`.
      metric: a column of them.

    Raises:
      ValueError: an older version measured them, which did not keep from which rating on a track is relevant.
    """
    log, card = models.log, results["model"].card
    if "relevant_from" not in card:
        raise ValueError("the evaluation does not say which ratings are good: run `mu evaluate` again")
    choices = choose(results, metric, log.histories.lengths, log.test.lengths)
    if not choices:
        return None
    users = np.array([choice.user for choice in choices])
    ratings = [_ratings(log, int(user)) for user in users]
    orders = {
        name: _orders(log, one, users, ratings) for name, one in {"model": models.model, **models.baselines}.items()
    }
    people = [
        _listener(log, choice, {name: rows[at] for name, rows in orders.items()}, ratings[at], card["relevant_from"])
        for at, choice in enumerate(choices)
    ]
    short = metric.rpartition("/")[2]
    return Listeners(people, short, [HOW_TO_READ.format(metric=short)], RATINGS.event)


def _ratings(log: SplitLog, user: int) -> dict[int, float]:
    """Track -> rating: the tracks of the test that are ranked for a listener."""
    test, one = log.test.take(np.array([user])), log.histories.take(np.array([user]))
    events, _ = candidates(test, one)
    return dict(zip(test.items[events].tolist(), test.weights[events].tolist(), strict=True))


def _orders(
    log: SplitLog, recommender: Recommender, users: np.ndarray, ratings: Sequence[Mapping[int, float]]
) -> list[np.ndarray]:
    """int32 of each listener: their rated tracks as a recommender orders them, best first, ties by lower id."""
    counts = [len(one) for one in ratings]
    tracks = np.array([track for one in ratings for track in one], np.int32)
    rows = np.repeat(np.arange(len(users)), counts)
    rated = CSR.from_pairs(rows, tracks, len(users), log.data.n_items)
    histories = log.histories.take(users)
    hits = recommend(recommender, users, histories, max(counts), filter_already_played=False, candidates=rated)
    return [ids[:count] for ids, count in zip(hits.ids, hits.count, strict=True)]


def _listener(
    log: SplitLog, choice: Choice, orders: Mapping[str, np.ndarray], ratings: Mapping[int, float], good: float
) -> Listener:
    lists = {name: _list(log, name, tracks, ratings, good) for name, tracks in orders.items()}
    return chosen_listener(log, choice, len(ratings), _rated_before(log, choice.user), lists)


def _list(log: SplitLog, name: str, tracks: np.ndarray, ratings: Mapping[int, float], good: float) -> TrackList:
    titles, artists = log.names
    given = [ratings[track] for track in tracks.tolist()]
    rows = [
        Row(track, titles[track], artists[track], log.track_words(track), hit=rating >= good, badge=f"rated {rating:g}")
        for track, rating in zip(tracks[:MOST_RATED].tolist(), given, strict=False)
    ]
    first = min(FIRST, len(given))
    n_good = sum(rating >= good for rating in given)
    summary = f"{sum(rating >= good for rating in given[:first])} of the first {first} rated {good:g} or more"
    summary += f", {n_good} of all {len(given):,}" if len(given) > first else ""
    summary += f"; the first {MOST_RATED}" if len(given) > MOST_RATED else ""
    return TrackList(f"In the order of {words_of(name)}", rows, summary)


def _rated_before(log: SplitLog, user: int) -> TrackList:
    """The tracks that a listener rated highest before the test; of equal ratings the latest first."""
    plays, (titles, artists) = log.histories, log.names
    events = np.arange(plays.indptr[user], plays.indptr[user + 1])[::-1]
    events = events[np.argsort(-plays.weights[events], kind="stable")][:SHOWN]
    rows = [
        Row(track, titles[track], artists[track], f"rated {plays.weights[event]:g}")
        for event, track in zip(events, plays.items[events].tolist(), strict=True)
    ]
    return TrackList("Rated highest before the test", rows)
