"""Features of users and plays: the same for training rows and at inference, and saved whole."""

import dataclasses

import numpy as np
import pytest

from mu.data.batches.histories import HistoryBatches
from mu.data.batches.listening import ListeningBatches
from mu.data.features import (
    EARLIER_PLAYS,
    HABIT_PRIOR,
    HABITS,
    RECENT_PLAYS,
    HistoryFeatures,
    earlier_plays,
    habits,
    recent_repeats,
    seconds_since,
)
from mu.histories import TrackHistories
from mu.tasks.intent import INTENTS
from tests.helpers.listening_logs import make_listening

LOG = make_listening()
DEVICES = (np.arange(len(LOG)) % 3).astype(np.uint16)
TWO = dataclasses.replace(
    LOG, columns={**LOG.columns, "device": DEVICES}, event_columns=("device", "context", "absent")
)


VOCABULARIES = {"event_columns": {**LOG.card["event_columns"], "device": ["phone", "desktop", "car"]}}
AGAIN = dataclasses.replace(TWO, items=TWO.items // 3, card={**LOG.card, **VOCABULARIES})
"""Listeners play the same tracks again."""
PLAYS = {
    "time_deltas": True,
    "outcomes": True,
    "earlier_plays": True,
    "habits": True,
    "event_columns": ("device", "context"),
}
SAME = {
    "listening": lambda: ListeningBatches(TWO, window=20, rows=1, negatives=2, clips=0, sparse=False, seed=0),
    "packed": lambda: HistoryBatches(AGAIN, window=20, rows=1, negatives=0, **PLAYS, sparse=False, seed=0),
    "padded": lambda: HistoryBatches(
        AGAIN, window=20, rows=1, negatives=0, packed=False, **PLAYS, sparse=False, seed=0
    ),
}


@pytest.mark.parametrize("kind", SAME)
def test_training_rows_and_inputs_have_the_same_features(kind):
    """A history without its last play, as a row of training and as the input at inference."""
    batches = SAME[kind]()
    log, told = batches.log, {"time_deltas", "outcomes", "event_columns"}
    told |= {"user_features"} if kind == "listening" else {"earlier_plays", "habits"}
    rows_seen = 0
    for row in range(batches.n_examples):
        batch = batches.batch(np.array([row]), 0)
        for segment in range(1, batch["segments"].max() + 1):
            at = batch["segments"][0] == segment
            user = next(
                user for user in range(log.n_users) if is_of(log, user, batch["items"][0, at], batch["outcomes"][0, at])
            )
            before = np.ones(len(log), bool)
            before[log.indptr[user + 1] - 1] = False
            inputs = batches.features.inputs(np.array([user]), log.where(before).take(np.array([user])))
            filled = inputs["segments"][0] > 0
            assert told <= inputs.keys()
            for name in ("items", "positions", *told):
                np.testing.assert_array_equal(inputs[name][0, filled], batch[name][0, at], err_msg=name)
            if kind != "listening":  # the next plays are told as the plays of the whole history are
                whole = batches.features.inputs(np.array([user]), log.take(np.array([user])))
                repeats = recent_repeats(log.indptr, log.items)[log.indptr[user] : log.indptr[user + 1]]
                np.testing.assert_array_equal(batch["next_recent_repeats"][0, at], repeats[-at.sum() :])
                assert "next_habits" not in batch
                for name in told - {"habits"}:
                    expected = whole[name][0, whole["segments"][0] > 0][1:]
                    np.testing.assert_array_equal(batch[f"next_{name}"][0, at], expected, err_msg=name)
            rows_seen += 1
    assert rows_seen == log.n_users


def is_of(log, user, items, outcomes):
    """Whether a history is this user's without the last play: their tracks, and how their plays ended."""
    plays = slice(log.indptr[user], log.indptr[user + 1] - 1)
    return np.array_equal(log.items[plays], items) and np.array_equal(log.outcomes[plays], outcomes)


def test_earlier_plays_are_counted_play_by_play():
    random = np.random.default_rng(0)
    indptr = np.array([0, 0, 400, 401, 900])
    items = random.integers(0, 5, 900).astype(np.int32)
    expected = []
    for user in range(4):
        counts = dict.fromkeys(range(5), 0)
        for item in items[indptr[user] : indptr[user + 1]]:
            expected.append(int(np.log2(1 + counts[item])))
            counts[item] += 1
    np.testing.assert_array_equal(earlier_plays(indptr, items), expected)
    assert earlier_plays(np.array([0, 70_000]), np.zeros(70_000, np.int32)).max() == EARLIER_PLAYS - 1
    assert not len(earlier_plays(np.array([0, 0]), np.zeros(0, np.int32)))


def test_habits_and_recent_repeats_are_counted_play_by_play():
    random = np.random.default_rng(0)
    indptr = np.array([0, 0, 120, 121, 400])
    items, outcomes = random.integers(0, 40, 400).astype(np.int32), random.integers(0, 3, 400).astype(np.uint8)
    expected, recent = [], []
    for user in range(4):
        so, not_so, history = np.zeros(4), np.zeros(4), []
        for play in range(indptr[user], indptr[user + 1]):
            recent.append(items[play] in history[-RECENT_PLAYS:])
            was = [outcomes[play] == 1, outcomes[play] == 2, items[play] in history, recent[-1]]
            known = np.array([outcomes[play] > 0] * 2 + [bool(history)] * 2)
            so, not_so = so + (known & was), not_so + (known & ~np.array(was))
            expected.append(np.log((so + HABIT_PRIOR) / (not_so + HABIT_PRIOR)))
            history.append(items[play])
    np.testing.assert_allclose(habits(indptr, items, outcomes), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(recent_repeats(indptr, items), recent)
    assert not habits(indptr, items, None)[:, :2].any() and habits(np.array([0, 0]), items[:0], None).shape == (0, 4)
    assert HABITS == INTENTS


def test_histories_of_tracks_alone_are_told_as_unknown():
    batches = SAME["packed"]()
    inputs = batches.features.inputs(np.array([-1]), TrackHistories.of(np.array([1, 2, 1])))
    assert not any(inputs[name].any() for name in ("time_deltas", "outcomes", "event_columns"))
    assert inputs["earlier_plays"][0, :3].tolist() == [0, 0, 1]


ORDERED = dataclasses.replace(LOG, outcomes=None, card={**LOG.card, "time_unit": "order"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"time_deltas": True}, "the log has no times, only an order: import it with --time=NAME"),
        ({"outcomes": True}, "does not know how plays ended: import it with --finished"),
        (
            {"event_columns": ("mood",)},
            "event_columns names 'mood', which is no event column of the log; it has c",
        ),
        ({"track_features": True}, "the data name no column of the tracks: set data.name="),
    ],
)
def test_what_the_log_does_not_know_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        HistoryBatches(ORDERED, window=4, rows=1, negatives=0, **options, sparse=False, seed=0)


@pytest.mark.parametrize("packed", [True, False])
def test_histories_have_the_seconds_of_their_plays(packed):
    """As far apart as their times are, in training and at inference, however long the user had listened before."""
    batches = HistoryBatches(LOG, window=4, rows=1, negatives=0, packed=packed, sparse=False, seed=0)
    seen = set()
    for row in range(batches.n_examples):
        batch = batches.batch(np.array([row]), 0)
        assert batch["seconds"].dtype == np.int32 and not batch["seconds"][batch["segments"] == 0].any()
        for segment in range(1, batch["segments"].max() + 1):
            at = batch["segments"][0] == segment
            apart = tuple(np.diff(batch["seconds"][0, at]))
            seen.add((*batch["items"][0, at], *apart))
    for user in range(LOG.n_users):
        plays, seconds = LOG.row(user), LOG.times[LOG.indptr[user] : LOG.indptr[user + 1]] // 1000
        stop = len(plays) - 1
        while stop > 0:
            window = slice(max(stop - 4, 0), stop)
            assert (*plays[window], *np.diff(seconds[window])) in seen
            stop = window.start
        inputs = batches.features.inputs(np.array([user]), LOG.take(np.array([user])))
        filled = inputs["segments"][0] > 0
        np.testing.assert_array_equal(np.diff(inputs["seconds"][0, filled]), np.diff(seconds[-4:]))


def test_histories_without_times_have_no_seconds():
    assert "seconds" not in HistoryFeatures(5).inputs(np.array([-1]), TrackHistories.of(np.array([1, 2])))


def test_seconds_are_exact_over_decades_and_end_with_int32():
    times_ms = np.array([999, 1_000, 1_500_000_000_001, 1_500_000_003_999, 9_000_000_000_000], np.int64)
    seconds = seconds_since(times_ms, np.arange(5), np.zeros(5, np.int64))
    assert seconds.tolist() == [0, 1, 1_500_000_000, 1_500_000_003, 2**31 - 1]


def test_columns_come_in_the_order_of_their_names():
    """0 stands for a column that the log does not have."""
    features = HistoryFeatures(5, TWO.event_columns, TWO.user_features)
    inputs = features.inputs(np.array([3]), TWO.take(np.array([3])))
    last = TWO.indptr[4] - 1
    expected = [DEVICES[last] + 1, TWO.columns["context"][last] + 1, 0]
    assert inputs["event_columns"].shape == (1, 5, 3)
    assert inputs["event_columns"][0, inputs["last"][0]].tolist() == expected


@pytest.mark.parametrize(
    "features",
    [
        HistoryFeatures(),
        HistoryFeatures(7),
        HistoryFeatures(7, ("device",), LOG.user_features, time_deltas=True, outcomes=True),
        SAME["packed"]().features,
    ],
)
def test_what_is_saved_is_loaded(features, tmp_path):
    features.save(tmp_path)
    loaded = HistoryFeatures.load(tmp_path)
    assert (loaded.window, loaded.event_columns) == (features.window, features.event_columns)
    assert loaded.model_inputs == features.model_inputs
    users, histories = np.array([2, 3 if features.window is None else -1]), LOG.take(np.array([2, 3]))
    for name, array in features.inputs(users, histories).items():
        np.testing.assert_array_equal(loaded.inputs(users, histories)[name], array)


def test_a_user_outside_the_log_is_refused_by_a_model_of_ids_alone():
    """-1 would be the row of the last user."""
    with pytest.raises(ValueError, match=r"users\[1\] is outside the training log, and this model knows users by"):
        HistoryFeatures().inputs(np.array([2, -1]), LOG.take(np.array([2, 3])))
