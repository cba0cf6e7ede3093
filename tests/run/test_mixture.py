"""config.mixture: the model and baselines in one score, with weights that are chosen on validation."""

import numpy as np
import pytest

from mu.baselines.pctm import PCTM as PCTMModel
from mu.config.base import ConfigError, base
from mu.config.overrides import with_overrides
from mu.data.logs.interactions import load as load_log
from mu.data.logs.splits import leave_one_out
from mu.evals.results import load
from mu.files import read_json
from mu.inference.mixture import Mixture
from mu.run.evaluation import build_evaluator
from mu.run.mixture_weights import MixtureWeights, choose_weights, listeners_in_memory
from mu.run.rebuild import rebuild
from mu.run.refit import CHOOSE
from mu.run.restore import open_run
from tests.helpers.tiny_runs import logged, tiny_config, train, write_log

POPULARITY = {"name": "mu.baselines.popularity:Popularity"}
EASE = "mu.baselines.ease:EASE"
PCTM = {"name": "mu.baselines.pctm:PCTM"}
BESIDE = {"baselines": {"popularity": POPULARITY, "pctm": PCTM}, "mixture": ("pctm",)}


class Constant:
    """Scores that are the same for everyone."""

    dot_product = False

    def __init__(self, scores, time_aware=False):
        self.time_aware, self.asked = time_aware, []
        self._scores = np.asarray(scores, np.float32)

    def scores(self, users, histories, times_ms=None):
        self.asked.append(times_ms)
        return np.tile(self._scores, (len(users), 1))


class Result:
    def __init__(self, value):
        self._value = value

    def values(self):
        return {"closeness": self._value}


class Closeness:
    """How close scores are to some others."""

    def __init__(self, wanted):
        self._wanted = wanted

    def run(self, recommender):
        scores = recommender.scores(np.arange(3), None)[0]
        return Result(-float(np.abs(scores - self._wanted).sum()))


def test_scores_are_the_weighted_sum():
    members = {"a": Constant([1, 2, 3]), "b": Constant([10, 0, 0], time_aware=True), "c": Constant([7, 7, 7])}
    mixture = Mixture(members, {"a": 2.0, "b": 0.5, "c": 0.0})
    times = np.array([5, 6])
    np.testing.assert_array_equal(mixture.scores(np.arange(2), None, times), np.tile([7.0, 4, 6], (2, 1)))
    assert mixture.time_aware and not Mixture(members, {"a": 1.0, "b": 0.0, "c": 0.0}).time_aware
    assert members["a"].asked == [None] and members["b"].asked[0] is times and not members["c"].asked
    with pytest.raises(ValueError, match="no member of a has a weight"):
        Mixture({"a": members["a"]}, {"a": 0.0})
    with pytest.raises(ValueError, match="members are a, and weights are of b"):
        Mixture({"a": members["a"]}, {"b": 1.0})


def test_weights_are_found_and_members_are_asked_once():
    """In standard deviations of their scores the best member counts 1, the second a quarter, and noise nothing."""
    first, second, noise = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32) * [[1.0], [30.0], [0.1]]
    members = {"second": Constant(second), "first": Constant(first), "noise": Constant(noise)}
    wanted = first / np.std(first) + 0.25 * second / np.std(second)
    weights, value, alone = choose_weights(members, Closeness(wanted), "closeness")
    assert [len(member.asked) for member in members.values()] == [1, 1, 1]
    assert weights["first"] * np.std(first) == pytest.approx(1)
    assert weights["second"] * np.std(second) == pytest.approx(0.25)
    assert weights["noise"] == 0 and value == pytest.approx(0, abs=1e-4)
    assert alone == {name: -float(np.abs(member._scores - wanted).sum()) for name, member in members.items()}


class ByPlay:
    """Asks for a row a play where the recommender knows the time, else for one a listener, as plays are ranked."""

    def __init__(self, wanted):
        self._wanted = wanted

    def run(self, recommender):
        listeners, of_play = np.arange(3), np.array([0, 0, 0, 1, 2])
        if recommender.time_aware:
            scores = recommender.scores(of_play, None, np.arange(5))
        else:
            scores = recommender.scores(listeners, None)[of_play]
        return Result(-float(np.abs(scores - self._wanted).sum()))


class OfListener(Constant):
    """Scores that are larger for later listeners."""

    def scores(self, users, histories, times_ms=None):
        return super().scores(users, histories, times_ms) * (1 + users[:, None]).astype(np.float32)


@pytest.mark.parametrize("most_bytes", [10**9, 0])
def test_what_is_measured_is_what_the_weights_give(monkeypatch, most_bytes):
    """Where one member knows the time and another does not; with and without room for scores."""
    monkeypatch.setattr("mu.run.mixture_weights.MOST_BYTES", most_bytes)
    first, second = np.random.default_rng(1).normal(size=(2, 50)).astype(np.float32)
    members = {"aware": Constant(first, time_aware=True), "other": OfListener(second)}
    evaluator = ByPlay(first + 0.3 * second)
    weights, value, _ = choose_weights(members, evaluator, "closeness")
    assert (max(len(member.asked) for member in members.values()) == 1) == (most_bytes > 0)
    again = evaluator.run(Mixture(members, weights)).values()["closeness"]
    assert all(weights.values()) and value == pytest.approx(again)


def test_as_many_listeners_are_asked_as_there_is_room_for(monkeypatch):
    monkeypatch.setattr("mu.run.mixture_weights.MOST_BYTES", 4 * 40 * 2 * 7)
    assert listeners_in_memory(40, 2) == 7 and listeners_in_memory(10_000, 2) == 1


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"))


def fitted(log):
    """PCTM as a run on the training part has it."""
    return PCTMModel().fit(leave_one_out(load_log(log)).train)


def test_a_run_measures_the_mixture_beside_its_members(log, tmp_path):
    results = train(tiny_config(log, **BESIDE), tmp_path)["ranking"]
    assert {"model", "popularity", "pctm", "mixture"} <= results.keys()
    chosen = MixtureWeights.load(tmp_path)
    assert chosen is not None and chosen.weights.keys() == {"model", "pctm"} and chosen.metric == "ranking/ndcg@10"
    assert chosen.n_listeners == (rebuild(tmp_path).run.split.valid.lengths > 0).sum()
    assert chosen.value >= max(chosen.alone.values())
    values = [line["valid/ranking/ndcg@10"] for line in logged(tmp_path) if "valid/ranking/ndcg@10" in line]
    assert chosen.alone["model"] == pytest.approx(max(values))
    card = load(tmp_path).card
    assert card["mixture"] == read_json(tmp_path / "mixture.json")
    members = {"model": open_run(tmp_path).recommender(), "pctm": fitted(log)}
    run = rebuild(tmp_path).run
    alike = build_evaluator(run, "ranking", "test").run(Mixture(members, chosen.weights)).values()
    assert results["mixture"].values() == pytest.approx(alike)
    assert "the mixture is" in (tmp_path / "evaluation" / "ranking" / "table.txt").read_text()


def test_a_refit_takes_the_weights_of_the_run_that_chose_its_steps(log, tmp_path):
    options = {**BESIDE, "evaluate_every_steps": 2, "refit": "chosen"}
    results = train(tiny_config(log, **options), tmp_path)["ranking"]
    chosen = MixtureWeights.load(tmp_path)
    assert chosen is not None and "mixture" in results
    alone = train(tiny_config(log, **{**options, "refit": False, "baselines": BESIDE["baselines"]}), tmp_path / "alone")
    assert alone and rebuild(tmp_path / CHOOSE).step == rebuild(tmp_path / "alone").step
    weights = MixtureWeights.load(tmp_path / "alone")
    assert weights is not None and weights.weights == chosen.weights and weights.value == chosen.value


def test_other_members_get_weights_of_their_own(log, tmp_path, caplog):
    """A changed baseline is another member; one that does not fit into memory is left out, with a warning."""
    train(tiny_config(log, **BESIDE), tmp_path)
    before = MixtureWeights.load(tmp_path)
    again = {"popularity": POPULARITY, "pctm": {**PCTM, "tau": 100.0}, "ease": {"name": EASE, "most_items": 1}}
    results = train(tiny_config(log, baselines=again, mixture=("pctm", "ease")), tmp_path)["ranking"]
    after = MixtureWeights.load(tmp_path)
    assert before is not None and after is not None
    assert after.members["pctm"]["tau"] == 100.0 and after.members["model"] == before.members["model"]
    assert after.weights.keys() == {"model", "pctm"} and after.alone["pctm"] != before.alone["pctm"]
    assert "mixture" in results and "config.mixture is without ease" in caplog.text
    only = {"popularity": POPULARITY, "ease": again["ease"]}
    assert "mixture" not in train(tiny_config(log, baselines=only, mixture=("ease",)), tmp_path)["ranking"]


def test_what_is_wrong_is_named_before_training(log, tmp_path):
    with pytest.raises(ConfigError, match=r"config\.mixture names 'pctn', which is no baseline.*pctm"):
        train(tiny_config(log, **{**BESIDE, "mixture": ("pctn",)}), tmp_path)
    with pytest.raises(ConfigError, match="set refit='chosen'"):
        train(tiny_config(log, **BESIDE, refit=True), tmp_path)


def test_what_is_wrong_of_a_refit_is_named_before_its_steps_are_chosen(log, tmp_path):
    unknown = {**BESIDE, "mixture": ("pctn",), "refit": "chosen"}
    lacking = {"baselines": {"tags": {**PCTM, "attributes": ("tags",)}}, "refit": "chosen"}
    for wrong, match in ((unknown, "names 'pctn'"), (lacking, "tags")):
        with pytest.raises((ConfigError, ValueError), match=match):
            train(tiny_config(log, **wrong), tmp_path)
        assert not (tmp_path / CHOOSE).exists()


def test_the_command_line_takes_one_name_or_several():
    for text, names in (("pctm", ("pctm",)), ("pctm,ease", ("pctm", "ease"))):
        assert with_overrides(base(), {"mixture": text}).mixture == names
