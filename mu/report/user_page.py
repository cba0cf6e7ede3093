"""One listener of a run: what they played, what is recommended to them, and why."""

import numpy as np

from mu.data.logs.interactions import OUTCOMES
from mu.inference.topk import bias_at
from mu.protocols import DotProductRecommender
from mu.report.explanation import Explanation
from mu.report.listening_run import Row, UserPage
from mu.report.split_log import SplitLog
from mu_kernels import ItemIndex

HISTORY, RECOMMENDED = 6, 8
MOST_LISTENERS = 2000
"""Recommendations are made for so many listeners, to choose the one that is shown."""


def user_page(log: SplitLog, recommender: DotProductRecommender, explanation: Explanation) -> UserPage | None:
    """Of the listeners who played any of their recommended tracks in the test, the median one.

    Of more than `MOST_LISTENERS` listeners so many, evenly spaced, are looked at.

    Args:
      log: of the run.
      recommender: the run's model as it was tested.
      explanation: names the parts of its scores.
    """
    eligible = np.flatnonzero((log.test.lengths > 0) & (log.histories.lengths >= HISTORY))
    if not len(eligible):
        return None
    users = eligible[np.linspace(0, len(eligible) - 1, min(len(eligible), MOST_LISTENERS)).astype(np.int64)]
    histories = log.histories.take(users)
    queries = recommender.queries(users, histories)
    index = ItemIndex(recommender.item_vectors, bias=bias_at(recommender, log.now_ms))
    # The tracks that are out and not played yet, best first.
    best = index.top_k(queries, RECOMMENDED, histories.seen(), allow=log.released)
    hits = np.array([np.isin(best.ids[row], log.test.row(int(user))).sum() for row, user in enumerate(users)])
    row = median_place(hits)
    user, tracks = int(users[row]), best.ids[row, : best.count[row]]
    played = log.test.row(user)
    recommended = [
        Row(int(track), log.titles[int(track)], log.track_words(int(track)), reasons, bool(np.isin(track, played)))
        for track, reasons in zip(tracks, explanation.reasons(queries[row], tracks), strict=True)
    ]
    first, stop = log.histories.indptr[user : user + 2]
    return UserPage(
        listener=log.user_id(user),
        about=log.user_words(user),
        chosen=_rule(hits, row, len(eligible)),
        n_plays=int(stop - first),
        history=[_play(log, event) for event in range(max(first, stop - HISTORY), stop)],
        recommended=recommended,
    )


def median_place(hits: np.ndarray) -> int:
    """The place of the median of those above 0, of several the first; 0 where there are none."""
    above = np.flatnonzero(hits > 0)
    return int(above[np.argsort(hits[above], kind="stable")[(len(above) - 1) // 2]]) if len(above) else 0


def _rule(hits: np.ndarray, row: int, n_eligible: int) -> str:
    """How the listener was chosen, in words."""
    among = f"the {n_eligible:,} listeners"
    if len(hits) < n_eligible:
        among = f"{len(hits):,} listeners, evenly spaced among the {n_eligible:,}"
    words = (
        f"Chosen so: of {among} with {HISTORY} plays or more before the test, and any in it, "
        f"{(hits > 0).sum():,} played one or more of their {RECOMMENDED} recommended tracks in the test. "
    )
    if not hits.any():
        return f"{words}This is the first of them."
    return f"{words}This is the median of those, with {hits[row]}; the most is {hits.max()}, the others have none."


def _play(log: SplitLog, event: int) -> Row:
    """A play of the history: when, how it ended, and its event columns."""
    plays = log.histories
    track = int(plays.items[event])
    words = [str(np.datetime64(int(plays.times[event]), "ms").astype("datetime64[m]")).replace("T", " ")]
    if plays.outcomes is not None and plays.outcomes[event]:
        words.append(OUTCOMES[plays.outcomes[event]])
    words += [plays.vocabulary(name)[codes[event]] for name, codes in plays.columns.items()]
    return Row(track, log.titles[track], ", ".join(word for word in words if word))
