"""Features of users and plays: the same for training rows and at inference, and saved whole."""

import dataclasses

import numpy as np
import pytest

from mu.data.batches.histories import HistoryBatches
from mu.data.batches.listening import ListeningBatches
from mu.data.features import HistoryFeatures, seconds_since
from mu.histories import TrackHistories
from tests.helpers.listening_logs import make_listening

LOG = make_listening()
DEVICES = (np.arange(len(LOG)) % 3).astype(np.uint16)
TWO = dataclasses.replace(
    LOG, columns={**LOG.columns, "device": DEVICES}, event_columns=("device", "context", "absent")
)


def test_training_rows_and_inputs_have_the_same_features():
    """A history without its last play, as a row of training and as the input at inference."""
    batches = ListeningBatches(TWO, window=20, rows=1, negatives=2, clips=0, sparse=False, seed=0)
    for row in range(batches.n_examples):
        batch = batches.batch(np.array([row]), 0)
        for segment in range(1, batch["segments"].max() + 1):
            at = batch["segments"][0] == segment
            user = next(
                user for user in range(TWO.n_users) if np.array_equal(TWO.row(user)[:-1], batch["items"][0, at])
            )
            before = np.ones(len(TWO), bool)
            before[TWO.indptr[user + 1] - 1] = False
            inputs = batches.features.inputs(np.array([user]), TWO.where(before).take(np.array([user])))
            filled = inputs["segments"][0] > 0
            for name in ("items", "positions", "time_deltas", "outcomes", "event_columns", "user_features"):
                np.testing.assert_array_equal(inputs[name][0, filled], batch[name][0, at], err_msg=name)


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
    "features", [HistoryFeatures(), HistoryFeatures(7), HistoryFeatures(7, ("device",), LOG.user_features)]
)
def test_what_is_saved_is_loaded(features, tmp_path):
    features.save(tmp_path)
    loaded = HistoryFeatures.load(tmp_path)
    assert (loaded.window, loaded.event_columns) == (features.window, features.event_columns)
    users, histories = np.array([2, 3 if features.window is None else -1]), LOG.take(np.array([2, 3]))
    for name, array in features.inputs(users, histories).items():
        np.testing.assert_array_equal(loaded.inputs(users, histories)[name], array)


def test_a_user_outside_the_log_is_refused_by_a_model_of_ids_alone():
    """-1 would be the row of the last user."""
    with pytest.raises(ValueError, match=r"users\[1\] is outside the training log, and this model knows users by"):
        HistoryFeatures().inputs(np.array([2, -1]), LOG.take(np.array([2, 3])))
