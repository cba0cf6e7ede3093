"""config.refit='chosen': the steps are chosen on validation, then all but the test is learnt, in one folder."""

import json
import shutil

import pytest

from mu.config.base import ConfigError, base
from mu.config.overrides import with_overrides
from mu.evals.results import load
from mu.files import read_json
from mu.run.rebuild import rebuild
from mu.run.refit import CHOOSE, ChosenSteps
from tests.helpers.tiny_runs import Breaking, assert_same_run, logged, tiny_config, train, write_log

METRIC = "valid/ranking/ndcg@10"
OPTIONS = {"model__dropout": 0.2, "evaluate_every_steps": 2, "best__patience": 3}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def unbroken(log, tmp_path_factory):
    """(folder, results) of a refit that was left in peace."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, train(tiny_config(log, refit="chosen", **OPTIONS), folder)


def test_as_many_epochs_are_learnt_of_all_but_the_test(unbroken, log, tmp_path):
    """The second run is that of refit=True with the chosen steps, bit for bit."""
    folder, results = unbroken
    values = {line["step"]: line[METRIC] for line in logged(folder / CHOOSE) if METRIC in line}
    chosen = ChosenSteps.load(folder)
    assert chosen is not None and chosen.step == max(values, key=values.get) and chosen.value == max(values.values())
    first, second = read_json(folder / CHOOSE / "run.json"), read_json(folder / "run.json")
    assert second["n_examples"] > first["n_examples"] == chosen.n_examples
    steps = round(chosen.step * second["n_examples"] / first["n_examples"])
    restored = rebuild(folder)
    assert restored.step == steps == logged(folder)[-1]["step"] and restored.run.config.refit == "chosen"
    assert steps * 8 / second["n_examples"] == pytest.approx(chosen.epochs, abs=8 / second["n_examples"])
    assert not any(METRIC in line for line in logged(folder)) and not (folder / CHOOSE / "evaluation").exists()
    once = train(tiny_config(log, refit=True, total_steps=steps, model__dropout=0.2), tmp_path)
    assert_same_run(tmp_path, folder)
    assert once["ranking"]["model"].values() == results["ranking"]["model"].values()
    assert load(folder).card["step"] == steps


def test_a_refit_that_is_stopped_in_either_phase_equals_an_unbroken_one(unbroken, log, tmp_path, monkeypatch):
    calls = []

    def fail_at_first_and_third():
        calls.append(1)
        if len(calls) in (1, 3):
            raise OSError("no space left")

    monkeypatch.setattr(Breaking, "at", 4)
    monkeypatch.setattr(Breaking, "what", staticmethod(fail_at_first_and_third))
    breaking = tiny_config(log, refit="chosen", writers=("tests.helpers.tiny_runs:Breaking",), **OPTIONS)
    for chosen in (False, True):  # in the run that chooses; then, after that has logged step 4 again, in the second
        with pytest.raises(OSError, match="no space left"):
            train(breaking, tmp_path)
        assert (tmp_path / "chosen.json").exists() == chosen
    results = train(tiny_config(log, refit="chosen", **OPTIONS), tmp_path)
    assert len(calls) == 3
    assert_same_run(tmp_path, unbroken[0])
    assert logged(tmp_path / CHOOSE) == logged(unbroken[0] / CHOOSE)
    assert results["ranking"]["model"].values() == unbroken[1]["ranking"]["model"].values()


def test_another_config_is_refused(unbroken, log, tmp_path):
    folder = shutil.copytree(unbroken[0], tmp_path / "run")
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(ConfigError, match=r"model\.dropout: 0\.2 -> 0\.0"):
        train(tiny_config(log, refit="chosen", **{**OPTIONS, "model__dropout": 0.0}), folder)
    with pytest.raises(ConfigError, match=r"steps from config\.total_steps=12, and now there are 13"):
        train(tiny_config(log, refit="chosen", total_steps=13, **OPTIONS), folder)


def test_a_rate_that_follows_the_steps_falls_over_as_many_epochs():
    chosen = ChosenSteps(step=40, metric=METRIC, value=0.1, n_examples=800, batch_size=8, config={})
    assert (chosen.epochs, chosen.scaled(40, 900), chosen.scaled(100, 900)) == (0.4, 45, 112)
    assert chosen.scaled(1, 1) == 1


def test_the_word_is_read_from_a_file_and_from_the_command_line():
    config = base()
    config.refit = "chosen"
    assert json.loads(config.to_json())["refit"] == "chosen"
    for text, value in (("chosen", "chosen"), ("true", True), ("off", False)):
        assert with_overrides(config, {"data.path": "x", "refit": text}).refit == value
        assert with_overrides(base(), {"data.path": "x", "refit": text}).refit == value
    with pytest.raises(ConfigError, match=r"config\.refit='choosen'; it takes true or false.*, or chosen"):
        with_overrides(config, {"refit": "choosen"})
