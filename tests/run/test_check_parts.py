"""Parts of a config that do not go together are refused before training, and the words say what to set."""

import types

import pytest

from mu.config.base import ConfigError
from mu.models.factorization import Factorization
from mu.run.build import build_run
from mu.run.check_parts import check_earlier_tracks
from tests.helpers.tiny_runs import one_device, tiny_config, write_log

SASREC = {"name": "mu.models.sasrec:SASRec", "dim": 8, "layers": 1, "heads": 2, "window": 8}
BOTH_SIDES = {"model": {**SASREC, "attention": "bidirectional"}}
CLOZE = {"task": {"name": "mu.tasks.cloze:Cloze", "loss": "sampled_softmax"}}
INTERESTS = {
    "model": {**SASREC, "interests": 2},
    "task": {"name": "mu.tasks.multi_interest:MultiInterest", "loss": "sampled_softmax"},
}
EVIDENCE = {"batches__evidence": {"name": "mu.baselines.pctm:PCTM", "tau": 100.0}}
ONE_QUERY = {"recommender": {"name": "mu.inference.recommender:TrainedRecommender"}}
SEVERAL_QUERIES = {"recommender": {"name": "mu.inference.multi_interest:MultiInterestRecommender"}}
WITH_EVIDENCE = {"recommender": {"name": "mu.inference.evidence:EvidenceRecommender"}}
FULL = {"task": {"name": "mu.tasks.retrieval:Retrieval", "loss": "full_softmax"}, "tables": {"name": "dense"}}
HIDES = r"Cloze\) hides plays.*set model.name='mu.models.sasrec:SASRec' and model.attention='bidirectional'"
ADDS_NONE = r"does not add the evidence.*set task.name='mu.tasks.retrieval:Retrieval' and task.loss='sampled_softmax'"
FACTORS = {
    "model": {"name": "mu.models.factorization:Factorization", "dim": 8},
    "batches": {"name": "mu.data.batches.pairs:PairBatches", "pairs": 32, "negatives": 8},
    "tables": {"name": "dense"},
}
LIGHTGCN = {**FACTORS, "model": {"name": "mu.models.lightgcn:LightGCN", "dim": 8}}
GRAPH = {"batches__graph": True}
NEEDS_GRAPH = (
    r"LightGCN\) learns with the graph of plays: set batches.name='mu.data.batches.pairs:PairBatches' and batc"
)
TWO_INPUTS = {"batches__time_deltas": True, "batches__earlier_plays": True}
NOT_BOTH = r"batches.evidence and config.task.intent do not go together.*set batches.evidence=None or task.intent=None"
INTENT = {**EVIDENCE, "task__intent": {"skip": 0.1}}
WITH_INTENT = {"recommender": {"name": "mu.inference.intent:IntentRecommender"}}
REFUSED = {
    "evidence, intent, evidence's recommender": ({**INTENT, **WITH_EVIDENCE}, NOT_BOTH),
    "evidence, intent, intent's recommender": ({**INTENT, **WITH_INTENT}, NOT_BOTH),
    "cloze, earlier plays": (
        {**BOTH_SIDES, **CLOZE, "batches__earlier_plays": True},
        r"earlier_plays=True counts the plays that config.task \(mu.tasks.cloze:Cloze\) hides.*earlier_plays=False",
    ),
    "inputs, encoder": (
        {**TWO_INPUTS, "model": {"name": "tests.run.test_check_parts:OwnModel"}},
        r"reads none of what config.batches tells it beside tracks and times \(time_deltas, earlier_plays\)",
    ),
    "inputs set by hand": (
        {"model__inputs": {"time_deltas": True}},
        r"inputs names time_deltas, and config.batches te",
    ),
    "lightgcn, pairs": (LIGHTGCN, NEEDS_GRAPH),
    "lightgcn, histories": ({"model": LIGHTGCN["model"]}, NEEDS_GRAPH),
    "factorization, graph": ({**FACTORS, **GRAPH}, r"Factorization\) does not read the graph.*batches.graph=False"),
    "lightgcn, average": ({**LIGHTGCN, **GRAPH, "ema_decay": 0.9}, r"ema_decay=0.9: .*LightGCN.*set ema_decay=None"),
    "cloze, causal": (CLOZE, HIDES),
    "cloze, hstu": ({**CLOZE, "model": {"name": "mu.models.hstu:HSTU", "dim": 8, "window": 8}}, HIDES),
    "cloze, gru4rec": ({**CLOZE, "model": {"name": "mu.models.gru4rec:GRU4Rec", "dim": 8}}, HIDES),
    "both sides, next play": (BOTH_SIDES, r"hides none: set task.name='mu.tasks.cloze:Cloze', or model.attention="),
    "evidence, interests": ({**INTERESTS, **EVIDENCE, **SEVERAL_QUERIES}, ADDS_NONE),
    "evidence, interests, its recommender": ({**INTERESTS, **EVIDENCE, **WITH_EVIDENCE}, ADDS_NONE),
    "evidence, cloze": ({**BOTH_SIDES, **CLOZE, **EVIDENCE, **WITH_EVIDENCE}, ADDS_NONE),
    "evidence, full softmax": ({**FULL, **EVIDENCE, **WITH_EVIDENCE}, f"{ADDS_NONE}.*Thousands of negatives"),
    "evidence, trained": ({**EVIDENCE, **ONE_QUERY}, r"set recommender.name='mu.inference.evidence:EvidenceRec"),
    "no evidence": (WITH_EVIDENCE, r"the batches have none: set batches.evidence"),
    "interests, trained": ({**INTERESTS, **ONE_QUERY}, r"gives several: set recommender.name='mu.inference.multi_i"),
    "one query, interests": (SEVERAL_QUERIES, r"gives one: set recommender.name='mu.inference.recommender:TrainedR"),
    "interests, policy": (
        {
            **INTERESTS,
            "recommender": {"name": "mu.inference.time_aware:TimeAwareRecommender"},
            "policy": {"name": "mu.inference.policy:new_release_boost", "metric": "ranking/recall@10"},
        },
        r"MultiInterestRecommender' and policy=None",
    ),
}
ACCEPTED = {
    "lightgcn": {**LIGHTGCN, **GRAPH},
    "factorization, average": {**FACTORS, "ema_decay": 0.9},
    "cloze": {**BOTH_SIDES, **CLOZE},
    "evidence": {**EVIDENCE, **WITH_EVIDENCE},
    "interests": {**INTERESTS, **SEVERAL_QUERIES},
}


class OwnModel(Factorization):
    """A model that takes no 'inputs'."""


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"))


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "no evals"])
@pytest.mark.parametrize("name", REFUSED)
def test_parts_that_do_not_go_together_are_refused(name, measured, log):
    changes, words = REFUSED[name]
    config = tiny_config(log, **changes, **({} if measured else {"evals": {}}))
    with pytest.raises(ConfigError, match=words):
        build_run(config, one_device())


@pytest.mark.parametrize("name", ACCEPTED)
def test_parts_that_go_together_are_built(name, log):
    build_run(tiny_config(log, **ACCEPTED[name]), one_device())


def test_earlier_tracks_that_nobody_reads_are_refused():
    config = tiny_config("log")
    with config.ignore_type(), config.unlocked():
        config.data.earlier_tracks = 3
    retrieval = types.SimpleNamespace(offers={})
    with pytest.raises(ConfigError, match=r"data.earlier_tracks=3, and config.task .*Retrieval\) with config.model"):
        check_earlier_tracks(config, retrieval)
    config.model = {"name": "mu.models.audio_user:AudioUser"}
    check_earlier_tracks(config, types.SimpleNamespace(offers={"earlier_tracks": 3}))
