"""Sweeps: the grammar of their space, trials that a kill does not change, and a test part that is looked at once."""

import dataclasses
import shutil

import numpy as np
import pytest

import mu.run.evaluation
from mu.commands.sweep import main
from mu.config.base import ConfigError, base
from mu.config.overrides import with_overrides
from mu.config.resolve import resolve
from mu.evals.results import load
from mu.files import read_json, write_json
from mu.run.mixture_weights import MixtureWeights
from mu.run.refit import ChosenSteps
from mu.sweep.default_spaces import SPACES_OF_BASELINES, SPACES_OF_MODELS, space_of_baseline, space_of_config
from mu.sweep.folder import SweepSettings
from mu.sweep.halving import halving
from mu.sweep.objective import check_space
from mu.sweep.of_baseline import BaselineObjective
from mu.sweep.of_config import ConfigObjective
from mu.sweep.propose import propose
from mu.sweep.run import objective_of, sweep
from mu.sweep.space import Choices, Range, grid, parse_space
from mu.sweep.trial import Trial
from mu.sweep.trials import NoTrialSucceeds
from tests.helpers.compilations import cache_misses
from tests.helpers.tiny_runs import Breaking, train, write_log

KNN = "mu.baselines.item_knn:ItemKNN"
OVER = "neighbours=2|5|40;history_decay=uniform(0.3,1)"
EXPERIMENT = """
from mu.config.base import parse_arg
from tests.helpers.tiny_runs import tiny_config


def get_config(arg=None):
    options = {{"evaluate_every_steps": 2, "checkpoint_every_steps": 4, "total_steps": 8, "refit": "chosen"}}
    counts = {{"name": "mu.baselines.popularity:Popularity"}}
    return tiny_config({log!r}, **options, baselines={{"popularity": counts}}, mixture=("popularity",))
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return str(write_log(tmp_path_factory.mktemp("log")))


@pytest.fixture(scope="module")
def experiment(log, tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "experiment.py"
    file.write_text(EXPERIMENT.format(log=log))
    return str(file)


def settings(**changes):
    return SweepSettings(**{"over": OVER, "changes": {"evals.ranking.bootstrap_samples": "20"}, **changes})


def told(trials):
    """Trials without what a clock measured."""
    return [dataclasses.replace(trial, duration_s=None, peak_memory_bytes=None) for trial in trials]


# ---- the space


def test_a_space_is_read_as_it_is_written():
    space = parse_space(
        "optimizer.learning_rate=log(1e-4,1e-2); model.dim=64|128;x=uniform(0,1);n=int(1,4);name=a:b|c:d"
    )
    assert space == {
        "optimizer.learning_rate": Range("log", 1e-4, 1e-2),
        "model.dim": Choices(("64", "128")),
        "x": Range("uniform", 0.0, 1.0),
        "n": Range("int", 1, 4),
        "name": Choices(("a:b", "c:d")),
    }
    assert list(grid(parse_space("a=1|2;b=int(3,4)"))) == [
        {"a": a, "b": b} for a, b in (("1", "3"), ("1", "4"), ("2", "3"), ("2", "4"))
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--over='' is empty"),
        (" ; ", "is empty"),
        ("model.dim", "'model.dim' names no key"),
        ("a=1;a=2", "a is there twice"),
        ("a=1||2", "a choice is empty"),
        ("a=1|1", "a choice is there twice"),
        ("a=lgo(1,2)", r"there is no lgo\(...\)"),
        ("a=log(1)", "log takes two numbers"),
        ("a=int(1,2.5)", "int takes two whole numbers"),
        ("a=log(0,1)", "a logarithm needs numbers above 0"),
        ("a=uniform(2,1)", "low must be below high"),
        ("a=uniform(0,inf)", "both finite"),
    ],
)
def test_a_space_that_cannot_be_read_is_refused_with_its_place(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_space(text)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_trial_follows_from_the_seed_and_the_trials_before(sampler):
    """Every value lies in its range; TPE has learnt where the good ones are."""
    space = parse_space("rate=log(1e-4,1e-2);n=int(1,9);kind=a|b")
    trials = []
    for number in range(40):
        params = propose(space, sampler, 3, number, trials)
        assert params == propose(space, sampler, 3, number, list(trials))
        assert 1e-4 <= float(params["rate"]) <= 1e-2 and 1 <= int(params["n"]) <= 9 and params["kind"] in "ab"
        value = (params["kind"] == "a") - abs(int(params["n"]) - 7)
        state = ("complete", "stopped", "failed")[number % 3 if number < 9 else 0]
        ended = {"complete": {"value": value}, "stopped": {"evaluations": [(2, value)]}, "failed": {}}[state]
        trials.append(Trial(number=number, params=params, state=state, **ended))
    assert propose(space, sampler, 4, 0, []) != trials[0].params
    late = np.mean([abs(int(trial.params["n"]) - 7) for trial in trials[25:]])
    assert late < 1.5 if sampler == "tpe" else late > 2, late


def test_values_of_a_narrow_range_differ():
    wide, narrow, high = (
        parse_space(f"x={text}")["x"] for text in ("log(1e-4,1e-2)", "uniform(0.99,0.9999)", "uniform(-1000,-999)")
    )
    assert wide.text(0.00123456) == "0.001235"
    assert (
        narrow.text(0.9912341) == "0.991234" and narrow.text(2.0) == "0.9999" and high.text(-999.51239) == "-999.5124"
    )


# ---- successive halving


def test_the_best_third_goes_on_at_each_rung():
    others = [Trial(number=at, params={}, evaluations=[(2, at / 10), (6, 0.5)]) for at in range(5)]
    stops = halving(2, others)
    assert not stops(2, 0.31)  # second of six, of which two go on
    assert stops(2, 0.29) and stops(2, float("nan")) is False
    assert not stops(4, 0.0) and stops(6, 0.4) and not stops(6, 0.5)  # 4 is evaluation 2, no rung; ties go on
    assert not halving(2, [])(2, 0.0)


# ---- a baseline


@pytest.fixture(scope="module")
def unbroken(log, tmp_path_factory):
    """A sweep of a baseline that was left in peace: 14 trials, the last four by what TPE has learnt."""
    folder = tmp_path_factory.mktemp("unbroken")
    return sweep(settings(log=log, baseline=KNN), folder, count=14)


def test_trials_are_measured_on_validation_and_the_test_is_not_touched(unbroken):
    values = [trial.value for trial in unbroken.trials]
    assert unbroken.summary["winner"] == int(np.argmax(values)) and unbroken.metric == "valid/ranking/ndcg@10"
    assert not list(unbroken.folder.rglob("evaluation")) and unbroken.finished is None
    best = load(unbroken.folder / "trials" / f"{unbroken.summary['winner']:04d}" / "evaluation_valid" / "ranking")
    assert best.card["part"] == "valid" and best.results["model"].values()["ndcg@10"] == max(values)
    second = unbroken.summary["runner_up"]
    distinct = sorted({trial.params.values().__repr__(): trial.value for trial in unbroken.trials}.values())
    assert second["difference"] == pytest.approx(distinct[-1] - distinct[-2])
    assert second["low"] <= second["difference"] <= second["high"]
    one = unbroken.summary["optimism"]
    assert one["value"] == max(values) and one["optimism"] == pytest.approx(one["value"] - one["corrected"])
    assert read_json(unbroken.folder / "sweep.json")["summary"]["winner"] == unbroken.summary["winner"]


@pytest.mark.parametrize("killed_at", [0, 12])
def test_a_killed_sweep_that_goes_on_equals_an_unbroken_one(unbroken, log, tmp_path, monkeypatch, killed_at):
    run = BaselineObjective.run

    def killed(self, trial, folder, others):
        if trial.number == killed_at:
            raise KeyboardInterrupt
        return run(self, trial, folder, others)

    monkeypatch.setattr(BaselineObjective, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        sweep(settings(log=log, baseline=KNN), tmp_path, count=14)
    monkeypatch.undo()
    again = sweep(settings(log=log, baseline=KNN), tmp_path, count=14)
    assert told(again.trials) == told(unbroken.trials) and again.summary == unbroken.summary


@pytest.mark.parametrize("of_file", [False, True])
def test_an_option_of_the_baseline_is_set_for_all_trials(log, experiment, of_file):
    changes = {"baselines.baseline.history_decay": "0.5", "evals.ranking.bootstrap_samples": "30"}
    where = (None, experiment) if of_file else (log, None)
    config = BaselineObjective(KNN, *where, changes, None).config
    assert list(config.baselines) == ["baseline"] and config.baselines.baseline.name == KNN
    assert config.baselines.baseline.history_decay == 0.5
    assert config.evals.ranking.bootstrap_samples == 30
    with pytest.raises(ConfigError, match="did you mean 'history_decay'"):
        BaselineObjective(KNN, *where, {"baselines.baseline.history_decy": "0.5"}, None)


def test_how_many_trials_fit_is_measured_once(unbroken, log, tmp_path, monkeypatch):
    monkeypatch.setattr("mu.sweep.run.fitting", lambda first: 1)
    assert sweep(settings(log=log, baseline=KNN), tmp_path, count=2, parallel="auto").trials
    monkeypatch.setattr("mu.sweep.run.fitting", lambda first: pytest.fail("again"))
    again = sweep(settings(log=log, baseline=KNN), tmp_path, count=3, parallel="auto")
    assert told(again.trials) == told(unbroken.trials)[:3]


def test_more_trials_follow_and_another_sweep_in_the_folder_is_refused(unbroken, log, tmp_path):
    folder = shutil.copytree(unbroken.folder, tmp_path / "sweep")
    more = sweep(settings(log=log, baseline=KNN), folder, count=15)
    assert told(more.trials)[:14] == told(unbroken.trials) and len(more.trials) == 15
    with pytest.raises(ConfigError, match=r"holds another sweep(.|\n)*seed: 0 -> 1"):
        sweep(settings(log=log, baseline=KNN, seed=1), folder)
    with pytest.raises(ConfigError, match=r"evals.ranking.ks"):
        changes = {**settings().changes, "evals.ranking.ks": "10,5"}
        sweep(settings(log=log, baseline=KNN, changes=changes), folder)
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match=r"the data or split .* has changed"):
        sweep(settings(log=str(write_log(tmp_path / "other", n_users=30)), baseline=KNN), folder)


def test_finish_measures_the_winner_once(unbroken, log, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(unbroken.folder, tmp_path / "sweep")
    parts = []
    built = mu.run.evaluation.build
    monkeypatch.setattr(
        "mu.run.evaluation.build", lambda *one, **more: parts.append(more["part"]) or built(*one, **more)
    )
    assert main([f"--workdir={folder}", "--finish"]) == 0
    assert parts.count("test") == 1
    out = capsys.readouterr().out
    assert f"Test of trial {unbroken.summary['winner']}" in out and "ndcg@10" in out
    evaluation = load(folder / "winner")
    assert evaluation.card["part"] == "test" and evaluation.card["refit"] is True
    assert main([f"--workdir={folder}", "--finish"]) == 0 and parts.count("test") == 1
    assert main([f"--workdir={folder}", "--trials=20"]) == 2
    assert "is finished" in capsys.readouterr().err


def test_a_grid_tries_all_and_a_trial_that_cannot_be_is_no_error(log, tmp_path):
    over = "neighbours=5|40;similarity=dot|cosine"
    result = sweep(settings(log=log, baseline=KNN, over=over, sampler="grid"), tmp_path / "grid")
    assert [tuple(trial.params.values()) for trial in result.trials] == [
        ("5", "dot"), ("5", "cosine"), ("40", "dot"), ("40", "cosine")
    ]  # fmt: skip
    popularity = settings(log=log, baseline="mu.baselines.popularity:Popularity", sampler="grid")
    over = "count=listeners|plays;weights=none|log"
    some = sweep(dataclasses.replace(popularity, over=over), tmp_path / "some")
    assert [trial.state for trial in some.trials] == ["complete", "failed", "complete", "complete"]
    assert "leave count out" in some.trials[1].reason
    small = settings(log=log, baseline="mu.baselines.ease:EASE", over="most_items=10|100", sampler="grid")
    some = sweep(small, tmp_path / "memory")
    assert [trial.state for trial in some.trials] == ["failed", "complete"]
    assert "more than most_items=10" in some.trials[0].reason
    failing = dataclasses.replace(settings(log=log, baseline="tests.sweep.test_sweep:Failing"), over="a=1|2|3|4")
    with pytest.raises(
        NoTrialSucceeds, match=r"the first 3 trials have all failed; the last: your own code(.|\n)*ValueError: no"
    ):
        sweep(dataclasses.replace(failing, sampler="grid"), tmp_path / "failing")


class Failing:
    """A baseline that learns nothing."""

    def __init__(self, a: int = 0):
        pass

    def fit(self, log):
        raise ValueError("no")


# ---- a config


CONFIG_OVER = "optimizer.learning_rate=log(1e-3,1e-1);model.dim=8"


@pytest.fixture(scope="module")
def of_config(experiment, tmp_path_factory):
    """A sweep over rates, of three trials; and how many programs each trial found in no cache."""
    misses = []

    def counted(config, folder, **options):
        with cache_misses() as names:
            results = train(config, folder, **options)
        misses.append(len(names))
        return results

    folder = tmp_path_factory.mktemp("of_config")
    result = sweep(settings(config=experiment, over=CONFIG_OVER, halving=True), folder, count=3, train=counted)
    return result, misses


def test_trials_of_equal_shapes_share_one_compilation(of_config):
    result, misses = of_config
    assert len({trial.params["optimizer.learning_rate"] for trial in result.trials}) == 3
    assert misses[1:] == [0, 0]


def test_trials_of_a_config_are_runs_that_know_no_test(of_config):
    result, _ = of_config
    assert not list(result.folder.rglob("evaluation")) and result.trials[0].state == "complete"
    for trial in result.trials:
        place = result.folder / "trials" / trial.name
        config = read_json(place / "config.json")
        assert repr(config["optimizer"]["learning_rate"]) == trial.params["optimizer.learning_rate"]
        assert config["baselines"] == {} and (place / "evaluation_valid").is_dir() == (trial.state == "complete")
        assert [step for step, _ in trial.evaluations] == list(range(2, trial.evaluations[-1][0] + 1, 2))
        assert trial.value == max(value for _, value in trial.evaluations)


def test_a_trial_that_is_killed_inside_goes_on_where_it_was(of_config, experiment, tmp_path, monkeypatch):
    result, _ = of_config
    monkeypatch.setattr(Breaking, "at", 6)
    monkeypatch.setattr(Breaking, "what", staticmethod(fail))
    began = []

    def breaking(config, folder, **options):
        began.append(folder.name)
        config.writers = ("tests.helpers.tiny_runs:Breaking",) if len(began) == 1 else ()
        return train(config, folder, **options)

    own = settings(config=experiment, over=CONFIG_OVER, halving=True)
    with pytest.raises(OSError, match="no space left"):
        sweep(own, tmp_path, count=1, train=breaking)
    assert read_json(tmp_path / "sweep.json")["trials"][0]["state"] == "running"
    again = sweep(own, tmp_path, count=1, train=breaking)
    assert began == ["0000", "0000"] and told(again.trials) == told(result.trials)[:1]


def test_the_winner_of_a_config_learns_once_more_where_refit_says_so(of_config, experiment, tmp_path):
    folder = shutil.copytree(of_config[0].folder, tmp_path / "sweep")
    own = settings(config=experiment, over=CONFIG_OVER, halving=True)
    winner = of_config[0].summary["winner"]
    once = ConfigObjective(experiment, {**own.changes, "refit": "false"}, None, True, train)
    place = once.finish(of_config[0].trials[winner], folder / "winner", folder / "trials")
    assert place == folder / "trials" / f"{winner:04d}" and load(place).card["part"] == "test"
    assert load(place).card["step"] == of_config[0].trials[winner].step and not load(place).card["refit"]
    result = sweep(own, folder, finish=True, train=train)
    assert result.finished == {"folder": "winner", "trial": winner}
    chosen, evaluation = ChosenSteps.load(folder / "winner"), load(folder / "winner")
    assert evaluation.card["refit"] and evaluation.card["part"] == "test"
    assert chosen.step == of_config[0].trials[winner].step and not (folder / "winner" / "choose").exists()
    n_examples = read_json(folder / "winner" / "run.json")["n_examples"]
    assert evaluation.card["step"] == chosen.scaled(chosen.step, n_examples)
    # Its mixture has the weights of the trial's model: the run that chose the steps.
    assert chosen.run == f"../trials/{winner:04d}" and "mixture" in evaluation.results
    alone = MixtureWeights.load(folder / "winner").alone
    assert alone["model"] == pytest.approx(of_config[0].trials[winner].value)


def test_a_sweep_of_a_stranger_runs_nothing_that_it_names(of_config, log, tmp_path, capsys):
    folder = shutil.copytree(of_config[0].folder, tmp_path / "sweep")
    assert main([f"--workdir={folder}"]) == 2
    assert "give --config=FILE[:ARG,...] again" in capsys.readouterr().err
    for changes in ({"baseline": "os:system"}, {"over": "x=os:system|a"}, {"changes": {"split.name": "os:system"}}):
        saved = dataclasses.asdict(settings(log=log, **{"baseline": KNN, "over": "neighbours=1|2", **changes}))
        write_json(folder / "sweep.json", {"format_version": 1, "settings": saved, "config": {}, "trials": []})
        assert main([f"--workdir={folder}"]) == 2
        assert "'os:system'" in capsys.readouterr().err


def fail():
    raise OSError("no space left")


# ---- default spaces


@pytest.mark.parametrize("baseline", SPACES_OF_BASELINES)
def test_a_baseline_takes_all_of_its_default_space(baseline, log):
    over = space_of_baseline(baseline)
    check_space(objective_of(settings(log=log, baseline=baseline, over=over), None), parse_space(over))


@pytest.mark.parametrize("model", SPACES_OF_MODELS)
def test_a_config_takes_all_of_the_default_space_of_its_model(model):
    """With the rates of the optimizers that there are."""
    config = base()
    with config.ignore_type():
        config.model = {"name": model} | ({"audio": None} if "audio" in model else {})
    space = parse_space(space_of_config(resolve(config)))
    assert space["tables.learning_rate"] == Range("log", 0.00025, 0.004)
    assert ("optimizer.learning_rate" in space) == ("factor" not in model)
    for key, one in space.items():
        for text in one.ends():
            with_overrides(config, {key: text})
    schedule = {"name": "optax:warmup_cosine_decay_schedule", "init_value": 0.0, "peak_value": 0.1, "warmup_steps": 1}
    with config.ignore_type():
        config.tables = {"name": "dense"}
    assert parse_space(space_of_config(resolve(config))).keys() - space.keys() <= {"optimizer.learning_rate"}
    with config.ignore_type():
        config.optimizer.learning_rate = {**schedule, "decay_steps": 10}
    assert not any("learning_rate" in key for key in parse_space(space_of_config(resolve(config))))


# ---- the command


def test_the_command_says_what_is_wrong_before_anything_runs(log, experiment, tmp_path, capsys, monkeypatch):
    def error(*words):
        with pytest.raises(SystemExit) as stopped:
            raise SystemExit(main([f"--workdir={tmp_path / 'new'}", *words]))
        assert stopped.value.code == 2 and not (tmp_path / "new").exists()
        return capsys.readouterr().err

    config, knn = f"--config={experiment}", [f"--log={log}", f"--baseline={KNN}"]
    assert "holds no sweep to go on with" in error()
    assert "tests.sweep.test_sweep:Failing has no default space: give --over" in error(
        knn[0], "--baseline=tests.sweep.test_sweep:Failing"
    )
    assert "--over='' is empty" in error(config, "--over=")
    assert "did you mean 'dim'" in error(config, "--over=model.dmi=8|16")
    assert "config.model.dim='8.0'; it takes a whole number" in error(config, "--over=model.dim=uniform(8,16)")
    assert "config.optimizer.learning_rate=-1.0; it must be" in error(
        config, "--over=optimizer.learning_rate=uniform(-1,1)"
    )
    for key in ("split.name", "data.path", "mesh.data"):
        assert "trials that differ in it cannot be compared" in error(config, f"--over={key}=a|b")
    assert "no.py'; give a Python file" in error("--config=no.py", "--over=a=1")
    assert "did you mean 'neighbours'" in error(*knn, "--over=neighbors=1|2")
    assert "neighbours=0; it must be at least 1" in error(*knn, "--over=neighbours=int(0,9)")
    assert "a grid tries all" in error(*knn, "--over=history_decay=uniform(0.1,1)", "--sampler=grid")
    assert "--trials=9: the grid has 2 combinations" in error(
        *knn, "--over=neighbours=1|2", "--sampler=grid", "--trials=9"
    )
    assert "a baseline has no steps" in error(*knn, "--over=neighbours=1|2", "--halving")
    words = error(*knn, "--over=neighbours=1|2", "--metric=ranking/ndgc@10")
    assert "is not measured (did you mean 'valid/ranking/ndcg@10'" in words
    words = error(*knn, "--over=neighbours=1|2", "--metric=rankin/ndcg@10")
    assert "is not measured (did you mean 'valid/ranking/ndcg@10'" in words
    # Of what lists are like more is not always better: there is no best trial, so there is none at all.
    lists = "--config.evals.ranking.list_metrics=coverage,novelty"
    for sweeps, over in ((knn, "neighbours=1|2"), ([config], "model.dim=8|16")):
        words = error(*sweeps, f"--over={over}", lists, "--metric=ranking/coverage@10")
        assert "--metric='valid/ranking/coverage@10' describes lists and does not say which are better" in words
    assert "it takes a whole number from 1, or auto" in error(*knn, "--over=neighbours=1|2", "--parallel=0")
    assert "--baseline needs --log" in error(knn[1], "--over=neighbours=1|2")
    assert "give --config=FILE, or --log=LOG" in error(knn[0], "--over=neighbours=1|2")
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    assert "pip install 'mu-music[sweep]'" in error(*knn, "--over=neighbours=1|2")


def test_the_command_prints_a_table_and_how_to_go_on(log, tmp_path, capsys, monkeypatch):
    words = [
        f"--log={log}",
        f"--baseline={KNN}",
        "--over=neighbours=2|5|40",
        "--config.evals.ranking.bootstrap_samples=20",
    ]
    run = BaselineObjective.run
    monkeypatch.setattr(BaselineObjective, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        main([*words, f"--workdir={tmp_path / 'run'}", "--sampler=grid", "--parallel=1", "--finish"])
    assert f"go on with: mu sweep --workdir={tmp_path / 'run'} --parallel=1 --finish\n" in capsys.readouterr().err
    monkeypatch.setattr(BaselineObjective, "run", run)
    assert main([f"--workdir={tmp_path / 'run'}", "--trial=0"]) == 0  # alone, as a process of --parallel runs it
    assert read_json(tmp_path / "run" / "trials" / "0000" / "trial.json")["state"] == "complete"
    assert main([f"--workdir={tmp_path / 'run'}", "--trial=3"]) == 2
    assert "has begun 1 trials" in capsys.readouterr().err
    assert main([f"--workdir={tmp_path / 'run'}"]) == 0
    assert len(read_json(tmp_path / "run" / "sweep.json")["trials"]) == 3
    out = capsys.readouterr().out
    assert "trial  neighbours  valid/ranking/ndcg@10" in out and "Best: trial" in out and "Optimism" in out
    assert "The test part is untouched" in out
    page = (tmp_path / "run" / "report.html").read_text()
    assert "neighbours=40, " in page and "3 trials by grid" in page


def interrupted(*_):
    raise KeyboardInterrupt
