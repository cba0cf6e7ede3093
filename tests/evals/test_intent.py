"""The intent protocol: which plays, after what, and the measures of probabilities that are known to be right or not."""

import dataclasses

import numpy as np
import pytest

from mu.data.features import RECENT_PLAYS
from mu.data.logs.splits import global_temporal, leave_one_out
from mu.evals.metrics.clips.expected_calibration_error import GROUPS, expected_calibration_error
from mu.evals.protocols.intent import BLOCK, HeldOutPlays, IntentPrediction
from tests.helpers.tiny_runs import make_log


def make(n_users, n_tracks, longest):
    """Plays of all listeners mixed in time, with outcomes."""
    log = make_log(n_users=n_users, n_tracks=n_tracks, longest=longest)
    random = np.random.default_rng(0)
    times = random.permutation(len(log)) * 1000
    order = np.lexsort((times, np.repeat(np.arange(n_users), log.lengths)))
    outcomes = random.integers(0, 3, len(log)).astype(np.uint8)
    return dataclasses.replace(log, times=times[order].astype(np.int64), outcomes=outcomes)


LOG = make(60, 12, 30)


def by_date(log):
    return global_temporal(log, valid_share=0.1, test_share=0.4)


@pytest.mark.parametrize("split", [leave_one_out, by_date], ids=["last", "date"])
def test_each_held_out_play_is_asked_about_after_the_plays_before_it(split):
    """Against one loop over the log."""
    parts = split(LOG)
    plays = HeldOutPlays.of(parts.train.merged(parts.valid), parts.test)
    blocks = list(plays.blocks())
    asked = [
        (int(user), histories.row(place).tolist()) for users, histories in blocks for place, user in enumerate(users)
    ]
    expected, labels = [], {"repeat": [], "recent_repeat": [], "skip": [], "completion": []}
    held_out = {(u, t) for u in range(60) for t in parts.test.times[parts.test.indptr[u] : parts.test.indptr[u + 1]]}
    for user in range(60):
        history = []
        for play in range(LOG.indptr[user], LOG.indptr[user + 1]):
            if (user, LOG.times[play]) in held_out and history:
                expected.append((user, list(history)))
                labels["repeat"].append(LOG.items[play] in history)
                labels["recent_repeat"].append(LOG.items[play] in history[-RECENT_PLAYS:])
                outcome = LOG.outcomes[play]
                labels["skip"].append(np.nan if outcome == 0 else outcome == 2)
                labels["completion"].append(np.nan if outcome == 0 else outcome == 1)
            history.append(int(LOG.items[play]))
    assert asked == expected and len(plays) > 20 and labels["recent_repeat"] != labels["repeat"]
    for name, values in labels.items():
        np.testing.assert_array_equal(plays.labels[name], np.float32(values))
    first = HeldOutPlays.of(parts.train.merged(parts.valid), parts.test, most=1)
    assert sorted(set(plays.users)) == first.users.tolist()


class Planted:
    """Knows how likely each play is a repeat, up to a distortion of its logits."""

    dot_product = time_aware = False
    predicts_intent = True

    def __init__(self, probability, slope=1.0):
        logits = slope * np.log(probability / (1 - probability))
        self._left = iter(np.split(1 / (1 + np.exp(-logits)), np.arange(BLOCK, len(logits), BLOCK)))

    def intent(self, users, histories):
        return {"repeat": next(self._left)}


def test_planted_probabilities_are_calibrated_and_distorted_ones_are_not():
    split = by_date(make(400, 40, 60))
    evaluator = IntentPrediction(split=split, part="test", intents=("repeat",), bootstrap_samples=50)
    probability = np.random.default_rng(1).uniform(0.02, 0.98, len(evaluator.plays))
    happened = np.random.default_rng(2).random(len(probability)) < probability
    evaluator.plays.labels["repeat"][:] = happened
    right, sure = (evaluator.run(Planted(probability, slope)) for slope in (1.0, 4.0))
    assert right.names == ["repeat/roc_auc", "repeat/log_likelihood", "repeat/expected_calibration_error"]
    assert right.values()["repeat/roc_auc"] > 0.8
    assert right.values()["repeat/roc_auc"] == pytest.approx(sure.values()["repeat/roc_auc"], abs=1e-4)
    error, wrong = (one.summary(50)[2] for one in (right, sure))
    assert error.value < 0.03 and wrong.value > 0.1 and wrong.low > error.high
    assert right.cluster == "user" and right.descriptive == ("repeat/expected_calibration_error",)


def test_the_calibration_error_is_that_of_its_equation():
    random = np.random.default_rng(3)
    scores, truth = random.random((200, 1)), (random.random((200, 1)) < 0.4).astype(np.float32)
    truth[:20] = np.nan
    weights = random.integers(0, 3, (2, 200)).astype(np.float64)
    p, y, w = scores[20:, 0], truth[20:, 0], weights[:, 20:]
    groups = np.array_split(np.argsort(p), GROUPS)
    expected = [sum(abs((one[group] * (p - y)[group]).sum()) for group in groups) / one.sum() for one in w]
    np.testing.assert_allclose(expected_calibration_error(scores, truth, weights), expected, rtol=1e-6)
    certain = np.array([[0.0], [1.0], [1.0], [0.0]])
    assert expected_calibration_error(certain, certain, np.ones((1, 4))).tolist() == [0.0]
    assert expected_calibration_error(certain, 1 - certain, np.ones((1, 4))).tolist() == [1.0]


def test_without_heads_or_outcomes_it_is_refused():
    split = leave_one_out(dataclasses.replace(LOG, outcomes=None))
    with pytest.raises(ValueError, match=r"the task predicts no intent: set task.intent"):
        IntentPrediction(split=split, part="test")
    with pytest.raises(ValueError, match=r"does not know how plays ended, which 'skip' is about"):
        IntentPrediction(split=split, part="test", intents=("repeat", "skip"))
