"""A track that came out after training ended and the listeners whom the model recommends it to; and all such tracks."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mu.data.listening.listening import Listening
from mu.evals.few_units import interval_text
from mu.evals.metrics.ratings.auc import auc
from mu.evals.result import Estimate, Result
from mu.inference.time_aware import TimeAwareRecommender
from mu.report.evenly_spaced import evenly_spaced
from mu.report.listeners import Row
from mu.report.split_log import SplitLog
from mu_kernels import CSR

LISTENERS = 8
MOST_NEW = 500
"""So many new tracks are measured."""


@dataclasses.dataclass(frozen=True, eq=False)
class ColdStartListener:
    """A listener whom a cold-start track is recommended to.

    Attributes:
      listener: id in the log.
      about: their attributes in words.
      last_played: titles of their last tracks.
      hit: whether they played the track in the test.
    """

    listener: str
    about: str
    last_played: str
    hit: bool


@dataclasses.dataclass(frozen=True, eq=False)
class ColdStartTrack:
    """A track that came out after training ended, and the listeners whom it is recommended to.

    Attributes:
      row: the track.
      chosen: the rule by which this track was chosen.
      listeners: best first.
      n_players: listeners who played it in the test.
      auc: how often one of them is ranked above another listener; .5 by chance.
      all_new: the mean of the same over new tracks, in words.
      inputs: what the model reads of it, in words.
    """

    row: Row
    chosen: str
    listeners: Sequence[ColdStartListener]
    n_players: int
    auc: float
    all_new: str
    inputs: str


def cold_start_track(log: SplitLog, recommender: TimeAwareRecommender, *, reads_audio: bool) -> ColdStartTrack | None:
    """The new track that was played most in the test, and the listeners whom it suits best.

    Listeners are ordered by the share of their plays that the model gives the track once all new tracks are out,
    without a boost of new releases.

    None where no new track was played, or there are not both listeners who played the track and others.

    Args:
      log: of the run, with dates of release.
      recommender: the run's model.
      reads_audio: whether the model reads the audio of tracks.
    """
    assert isinstance(log.data, Listening)
    counts = np.where(new_tracks(log, log.data), log.test.counts(), 0)
    track = int(np.argmax(counts))
    if not counts[track]:
        return None
    played = np.flatnonzero(counts)
    measured = played[evenly_spaced(len(played), MOST_NEW)]
    measured = np.union1d(measured, [track])
    users = np.flatnonzero(log.histories.lengths > 0)
    shares = _log_shares(log, log.data, recommender.with_policy(recommender.policy.without_boost()), users, measured)
    is_player = log.test.take(users).seen()
    players = [_has(is_player, len(users), int(one)) for one in measured]
    aucs = np.array([auc(shares[:, place], one, np.array([0, len(one)]))[0] for place, one in enumerate(players)])
    at = int(np.searchsorted(measured, track))
    if np.isnan(aucs[at]):  # all listeners with a history played it, or none of them
        return None
    listeners = []
    for row in np.argsort(-shares[:, at], kind="stable")[:LISTENERS]:
        user = int(users[row])
        last = "; ".join(log.titles[int(item)] for item in log.histories.row(user)[-2:])
        listeners.append(ColdStartListener(log.user_id(user), log.user_words(user), last, bool(players[at][row])))
    titles, artists = log.names
    words = ", ".join(filter(None, [log.track_words(track), f"{counts[track]:,} plays in the test"]))
    return ColdStartTrack(
        row=Row(track, titles[track], artists[track], words),
        chosen=_rule(counts[played]),
        listeners=listeners,
        n_players=int(players[at].sum()),
        auc=float(aucs[at]),
        all_new=_all_new(measured, aucs, len(played)),
        inputs=_inputs(log, log.data, track, reads_audio),
    )


def new_tracks(log: SplitLog, data: Listening) -> np.ndarray:
    """bool [V]: tracks that came out after training ended, and that nobody had played before the test."""
    return (data.released_ms > log.trained_until_ms) & (log.histories.counts() == 0)


def _has(seen: CSR, n_users: int, track: int) -> np.ndarray:
    """bool [B]: whether each listener has played a track."""
    return seen.contains(np.arange(n_users), np.full(n_users, track, np.int32))


def _log_shares(
    log: SplitLog, data: Listening, recommender: TimeAwareRecommender, users: np.ndarray, tracks: np.ndarray
) -> np.ndarray:
    """float32 [B, n]: log of the share of their plays that each listener would give each track."""
    moment_ms = max(log.now_ms, int(data.released_ms[tracks].max()))
    bias = recommender.item_bias(np.array([moment_ms]))[0]
    released = np.where(data.released_ms <= moment_ms, bias, -np.inf)
    histories = log.histories.take(users)
    queries = recommender.queries(users, histories)
    return recommender.log_share(queries, histories, recommender.item_vectors[tracks], bias[tracks], released)


def _all_new(tracks: np.ndarray, aucs: np.ndarray, n_new: int) -> str:
    """The mean over new tracks, in words."""
    result = Result("track", tracks, {"auc": aucs})
    if not result.n_units("auc"):
        return ""
    (estimate,) = result.summary()
    return f"{_mean_words(result.n_units('auc'), n_new)}: {_percent(estimate)}."


def _mean_words(n: int, n_new: int) -> str:
    which = f"{n:,} of the {n_new:,}" if n < n_new else f"all {n:,}"
    return f"Over {which} new tracks that were played in the test, each counted alike"


def _percent(estimate: Estimate) -> str:
    return f"{estimate.value:.0%} {interval_text(estimate.low, estimate.high, '.0%')}"


def _rule(played: np.ndarray) -> str:
    """How the track was chosen, in words; `played` are the plays of each new track in the test."""
    return (
        f"Chosen so: of the {len(played):,} tracks that came out after training ended and were first played in the "
        f"test, it was played most there. Half of them have {np.median(played):.0f} plays or fewer: it is the one most "
        "can be said of, not a typical one."
    )


def _inputs(log: SplitLog, data: Listening, track: int, reads_audio: bool) -> str:
    """What the model reads of a track that nobody has played, in words."""
    sound = log.sound
    inputs = ["its sound"] if reads_audio and sound is not None and sound.lengths[track] > 0 else []
    if (data.item_features[track] >= 0).any():
        inputs.append("its attributes")
    return " and ".join(inputs) or "its age"
