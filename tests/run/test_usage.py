"""What a run makes of its data: empty parts are refused by name, weights that are used by nothing are said."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from mu.config.base import ConfigError, base
from mu.config.resolve import resolve
from mu.data.batches.clips import ClipBatches
from mu.data.batches.pairs import PairBatches
from mu.data.clips.targets import ClassTarget
from mu.data.logs.splits import leave_one_out, predefined, random_by_ratio
from mu.run.build import build_run
from mu.run.usage import left_out_of_training, left_out_sentence, refuse_empty_parts, unused_weights, weight_uses
from mu.tasks.retrieval import Retrieval
from tests.helpers.tiny_runs import make_log, tiny_config, write_log

LOG = make_log()


def config_of(**changes):
    config = base()
    with config.unlocked():
        for key, value in changes.items():
            config[key] = value
    return resolve(config)


def given(codes):
    return predefined(dataclasses.replace(LOG, parts=np.resize(np.array(codes, np.uint8), len(LOG))))


@pytest.mark.parametrize(
    ("split", "changes", "message"),
    [
        (
            lambda: given([0, 2]),
            {},
            r"leaves valid empty \(train \d+, valid 0, test \d+\).*A refit needs no valid",
        ),
        (lambda: given([0]), {}, "leaves valid and test empty"),
        (lambda: given([0, 1]), {}, r"leaves test empty \(train \d+, valid \d+, test 0\)"),
        (lambda: given([1, 2]), {"refit": True}, "leaves train empty"),
        (lambda: leave_one_out(LOG.where(np.arange(len(LOG)) % 40 == 0)), {}, "leave_one_out.*leaves valid and test"),
        (lambda: random_by_ratio(LOG, valid=0.0), {}, "random_by_ratio.*leaves valid empty"),
    ],
)
def test_empty_parts_are_named_with_the_counts_of_all(split, changes, message):
    with pytest.raises(ConfigError, match=message):
        refuse_empty_parts(config_of(**changes), split())


def test_what_needs_no_part_may_lack_it():
    refuse_empty_parts(config_of(refit=True), given([0, 2]))
    refuse_empty_parts(config_of(evals={}), given([0, 1]))


def test_a_log_without_a_validation_part_is_refused_before_anything_is_built(tmp_path):
    config = tiny_config(write_log(tmp_path), split={"name": "mu.data.logs.splits:random_by_ratio", "valid": 0.0})
    with pytest.raises(ConfigError, match="leaves valid empty"):
        build_run(config)


def test_weights_that_are_used_by_nothing_are_said():
    card = {"columns": {"weight": "plays"}}
    rated, plain = dataclasses.replace(LOG, card=card), dataclasses.replace(LOG, card={"columns": {"weight": None}})
    config = config_of()
    assert unused_weights(config, plain) is None and weight_uses(config) == {}
    assert "weights (column 'plays') are not used" in unused_weights(config, rated)
    config.batches.weights = "log"
    config.baselines.item_knn.weights = "linear"
    config.evals.ranking.gains = ">=4"
    assert unused_weights(config, rated) is None
    assert weight_uses(config) == {
        "config.batches.weights": "log",
        "config.baselines.item_knn.weights": "linear",
        "config.evals.ranking.gains": ">=4",
    }
    config.baselines.item_knn.weights = "lineal"
    with pytest.raises(ConfigError, match=r"config.baselines.item_knn.weights: .*did you mean 'linear'"):
        weight_uses(config)


def test_what_is_left_out_of_training_is_said():
    light = dataclasses.replace(LOG, weights=(np.arange(len(LOG)) % 2).astype(np.float32))
    options = {"pairs": 4, "negatives": 0, "sparse": False, "seed": 0}
    task = Retrieval(loss="bpr", n_items=LOG.n_items)
    assert left_out_sentence(left_out_of_training(PairBatches(LOG, **options), task)) is None
    reasons = left_out_of_training(PairBatches(light, weights="linear", **options), task)
    assert left_out_sentence(reasons) == f"Left out of training: plays of weight 0 {(len(LOG) + 1) // 2:,}."


def test_clips_whose_target_is_not_known_are_counted_for_tasks_that_predict_it():
    known = ClassTarget(("a", "b"), np.array([0, -1, 1, -1, -1], np.int32))
    lengths = np.full(5, 500)
    texts = np.array([[3, 5], [-1, -1], [7, -1], [-1, -1], [2, -1]])
    clips = SimpleNamespace(targets={"genre": known, "year": known}, sample_rate_hz=100, lengths=lengths, texts=texts)
    batches = ClipBatches(clips, seed=0)
    predicts = SimpleNamespace(offers={"outputs": {"genre": None, "projection": None}})
    assert left_out_of_training(batches, predicts) == {"clips of unknown genre": 3}
    assert left_out_of_training(batches, SimpleNamespace(offers={})) == {}
    reads = SimpleNamespace(offers={"outputs": {}, "zero_shot": ("genre",)})
    assert left_out_of_training(batches, reads) == {"clips without words": 2}
