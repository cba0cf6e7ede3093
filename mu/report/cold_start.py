"""A track that came out after training ended, and the listeners whom the model recommends it to."""

import numpy as np

from mu.inference.policy import Policy
from mu.inference.time_aware import TimeAwareRecommender
from mu.report.listening_run import ColdStartListener, ColdStartTrack, Row
from mu.report.split_log import SplitLog

LISTENERS = 8


def cold_start_track(log: SplitLog, recommender: TimeAwareRecommender, *, reads_audio: bool) -> ColdStartTrack | None:
    """The new track that was played most in the test, and the listeners whom it suits best.

    Listeners are ordered by the share of their plays that the model gives the track, without a boost of new releases.

    Args:
      log: of the run.
      recommender: the run's model.
      reads_audio: whether the model reads the audio of tracks.
    """
    new = (log.data.released_ms > log.trained_until_ms) & (log.histories.counts() == 0)
    counts = np.where(new, log.test.counts(), 0)
    track = int(np.argmax(counts))
    if not counts[track]:
        return None
    users = np.flatnonzero(log.histories.lengths > 0)
    order = np.argsort(-_log_shares(log, recommender.with_policy(Policy()), users, track), kind="stable")
    players = np.array([bool(np.isin(track, log.test.row(int(user)))) for user in users])
    listeners = []
    for row in order[:LISTENERS]:
        user = int(users[row])
        last = "; ".join(log.titles[int(item)] for item in log.histories.row(user)[-2:])
        listeners.append(ColdStartListener(log.user_id(user), log.user_words(user), last, bool(players[row])))
    place = np.empty(len(users))
    place[order] = np.arange(len(users)) / len(users)
    words = ", ".join(filter(None, [log.track_words(track), f"{counts[track]:,} plays in the test"]))
    return ColdStartTrack(
        row=Row(track, log.titles[track], words),
        chosen=_rule(counts[counts > 0]),
        listeners=listeners,
        rank_of_players=float(np.median(place[players])) if players.any() else None,
        inputs=_inputs(log, track, reads_audio),
    )


def _log_shares(log: SplitLog, recommender: TimeAwareRecommender, users: np.ndarray, track: int) -> np.ndarray:
    """float32 [B]: log of the share of their plays that each listener would give the track when it is out."""
    moment_ms = max(log.now_ms, int(log.data.released_ms[track]))
    bias = recommender.item_bias(np.array([moment_ms]))[0]
    released = np.where(log.data.released_ms <= moment_ms, bias, -np.inf)
    one = slice(track, track + 1)
    queries = recommender.queries(users, log.histories.take(users))
    return recommender.log_share(queries, recommender.item_vectors[one], bias[one], released)[:, 0]


def _rule(played: np.ndarray) -> str:
    """How the track was chosen, in words; `played` are the plays of each new track in the test."""
    return (
        f"Chosen so: of the {len(played):,} tracks that came out after training ended and were first played in the "
        f"test, it was played most there. Half of them have {np.median(played):.0f} plays or fewer: it is the one most "
        "can be said of, not a typical one."
    )


def _inputs(log: SplitLog, track: int, reads_audio: bool) -> str:
    """What the model reads of a track that nobody has played, in words."""
    sound = log.data.sound
    inputs = ["its sound"] if reads_audio and sound is not None and sound.lengths[track] > 0 else []
    if (log.data.item_features[track] >= 0).any():
        inputs.append("its attributes")
    return " and ".join(inputs) or "its age"
