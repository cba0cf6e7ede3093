"""Baselines of what a listener has played already, of popularity of late, and in a context."""

import dataclasses

import numpy as np
import polars as pl
import pytest

from mu import api
from mu.baselines.base_level_activation import BaseLevelActivation
from mu.baselines.context_popularity import ContextPopularity
from mu.baselines.most_frequent_own import MostFrequentOwn
from mu.baselines.recent_popularity import RecentPopularity
from mu.baselines.repeat_last import RepeatLast
from mu.histories import TrackHistories
from tests.helpers.small_logs import log_of

DAY_MS = 24 * 3600 * 1000
ORDER = {"time_unit": "order"}


def test_the_last_item_comes_first_then_those_before_it():
    log = log_of([[0, 1, 2, 0, 3], [], [4]], 5)
    scores = RepeatLast().fit(log).scores(np.arange(3), log)
    np.testing.assert_allclose(scores, [[1 / 2, 1 / 4, 1 / 3, 1, 0], [0] * 5, [0, 0, 0, 0, 1]])


def test_own_plays_are_counted_or_weighed():
    log = dataclasses.replace(log_of([[0, 1, 0], [2]], 3), weights=np.array([1, 5, 2, 1], np.float32))
    assert MostFrequentOwn().fit(log).scores(np.arange(2), log).tolist() == [[2, 1, 0], [0, 0, 1]]
    assert MostFrequentOwn("linear").fit(log).scores(np.arange(2), log).tolist() == [[3, 5, 0], [0, 0, 1]]


def test_activation_sums_powers_of_the_seconds_since_each_play():
    log = log_of([[0, 1, 0], [1]], 3)
    log = dataclasses.replace(log, times=np.array([0, 6_000, 9_000, 2_000]), weights=np.array([2, 1, 3, 1], np.float32))
    model = BaseLevelActivation(decay=0.5).fit(log)
    at = model.scores(np.arange(2), log, np.array([10_000, 6_000]))
    np.testing.assert_allclose(at, [[10**-0.5 + 1, 4**-0.5, 0], [0, 4**-0.5, 0]], rtol=1e-6)
    # Without a time it is that of the last play of the log, and at least a second has passed.
    np.testing.assert_allclose(model.scores(np.arange(2), log)[1], [0, 7**-0.5, 0], rtol=1e-6)
    np.testing.assert_allclose(model.scores(np.arange(2), log)[0], [9**-0.5 + 1, 3**-0.5, 0], rtol=1e-6)
    weighed = BaseLevelActivation(1.0, "linear").fit(log).scores(np.arange(2), log, np.array([10_000, 6_000]))
    np.testing.assert_allclose(weighed[0], [2 / 10 + 3, 1 / 4, 0], rtol=1e-6)


def test_a_history_that_goes_on_after_training_is_asked_at_its_end():
    train, later = log_of([[0]], 3), log_of([[0, 1, 2]], 3)
    train = dataclasses.replace(train, times=np.array([0]))
    later = dataclasses.replace(later, times=np.array([0, 50_000, 90_000]))
    scores = BaseLevelActivation(1.0).fit(train).scores(np.array([0]), later)
    np.testing.assert_allclose(scores, [[1 / 90, 1 / 40, 1]], rtol=1e-6)


@pytest.mark.parametrize("half_life_days", [1.0, 10.0])
def test_plays_fade_by_half_in_each_half_life(half_life_days):
    log = dataclasses.replace(log_of([[0, 1], [0, 2]], 4), times=np.array([0, 10, 5, 10]) * DAY_MS)
    scores = RecentPopularity(half_life_days).fit(log).scores(np.array([7]), log)
    expected = [0.5 ** (10 / half_life_days) + 0.5 ** (5 / half_life_days), 1, 1, 0]
    np.testing.assert_allclose(scores, [expected], rtol=1e-6)
    weighed = dataclasses.replace(log, weights=np.array([1, 2, 3, 4], np.float32))
    assert RecentPopularity(weights="linear").fit(weighed).scores(np.array([0]), log)[0, 1:].tolist() == [2, 4, 0]


@pytest.mark.parametrize("baseline", [BaseLevelActivation(), RecentPopularity()])
def test_a_log_without_times_is_refused(baseline):
    for ask in (baseline.check_data, baseline.fit):
        with pytest.raises(ValueError, match=r"the times of plays, and th.* order alone: import .* --time, or use"):
            ask(dataclasses.replace(log_of([[0, 1]], 2), card=ORDER))


def test_a_history_without_times_is_refused():
    model = BaseLevelActivation().fit(log_of([[0, 1]], 2))
    with pytest.raises(ValueError, match="needs the times of plays"):
        model.scores(np.array([-1]), TrackHistories.of(np.array([1])))


# ---- contexts


def plays_in_contexts():
    """Two users; 0, 0, 1 on the phone, 1, 2 on the desk, 2 nowhere known."""
    log = log_of([[0, 0, 1, 2], [1, 2]], 4)
    card = {"event_columns": {"device": ["", "phone", "desk", "car"]}}
    return dataclasses.replace(log, columns={"device": np.array([1, 1, 2, 0, 1, 2], np.uint8)}, card=card)


def test_the_context_is_that_of_the_latest_play():
    log = plays_in_contexts()
    model = ContextPopularity("device", prior_strength=2.0).fit(log)
    overall = np.array([2, 2, 2, 0]) / 6
    on = {
        1: (np.array([2, 1, 0, 0]) + 2 * overall) / (3 + 2),
        2: (np.array([0, 1, 1, 0]) + 2 * overall) / (2 + 2),
    }
    scores = model.scores(np.arange(2), log)
    np.testing.assert_allclose(scores, [overall, on[2]], rtol=1e-6)
    histories = TrackHistories(
        np.array([0, 1, 2, 3, 3]), np.array([3, 3, 3], np.int32), {"device": np.array([1, -1, 3])}
    )
    scores = model.scores(np.full(4, -1), histories)
    np.testing.assert_allclose(scores, [on[1], overall, overall, overall], rtol=1e-6)
    np.testing.assert_allclose(model.scores(np.array([0]), TrackHistories.of(np.array([1]))), [overall], rtol=1e-6)
    alone = ContextPopularity("device", prior_strength=0.0).fit(log).scores(np.full(4, -1), histories)
    np.testing.assert_allclose(alone, [[2 / 3, 1 / 3, 0, 0], overall, overall, overall], rtol=1e-6)


def test_the_context_may_be_a_column_of_users_and_plays_may_weigh():
    log = dataclasses.replace(log_of([[0, 0], [1], [1, 2]], 3), weights=np.array([1, 1, 1, 2, 3], np.float32))
    log.__dict__["users"] = pl.DataFrame({"user": [5, 6, 7], "country": ["SE", None, "SE"]})
    model = ContextPopularity("country", 0.0, "linear").fit(log)
    scores = model.scores(np.array([2, 1, 0, -1]), log.take(np.array([2, 1, 0, 0])))
    swedish, overall = [2 / 7, 2 / 7, 3 / 7], [2 / 8, 3 / 8, 3 / 8]
    np.testing.assert_allclose(scores, [swedish, overall, swedish, overall], rtol=1e-6)
    assert model.event_columns == () and ContextPopularity("device").fit(plays_in_contexts()).event_columns == (
        "device",
    )
    with pytest.raises(ValueError, match=r"column='county' \(did you mean 'country'\?\); event columns: none; columns"):
        ContextPopularity("county").fit(log)


def test_a_context_is_given_by_its_name():
    fitted = api.fit(ContextPopularity, plays_in_contexts(), column="device", prior_strength=0.0)
    answer = fitted.recommend(0, 1, context={"device": "desk"}, repeats=True)
    assert answer["track"].to_list() == [1]
    assert fitted.recommend(0, 1, context={"device": "phone"}, repeats=True)["track"].to_list() == [0]
    with pytest.raises(ValueError, match=r"device='cart'.*'car'"):
        fitted.recommend(0, 1, context={"device": "cart"})


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: BaseLevelActivation(decay=0), "decay=0; it must be above 0"),
        (lambda: BaseLevelActivation(decay=4), "decay=4; it must be at most 3"),
        (lambda: RecentPopularity(half_life_days=0), "half_life_days=0; it must be above 0"),
        (lambda: ContextPopularity("device", -1), "prior_strength=-1; it must be at least 0"),
        (lambda: MostFrequentOwn("logs"), "weights 'logs' are not known"),
    ],
)
def test_bad_options_are_refused(made, message):
    with pytest.raises(ValueError, match=message):
        made()
