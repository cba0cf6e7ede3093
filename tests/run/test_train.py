"""Whole runs in this process: stopped anywhere they go on as if they had not been; what must not go on is refused."""

import json
import math
import os
import shutil
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mu.train
from mu.config.base import ConfigError
from mu.files import read_json
from mu.locks import Locked, writing
from mu.run.evaluation import build_evaluator, build_evaluators, evaluate, model_of
from mu.run.initialise import initialise
from mu.run.rebuild import rebuild
from mu.run.reevaluation import evaluate_again
from mu.run.saved_inputs import INFERENCE, load_inputs
from mu.run.validation import Validation
from mu.run.workdir import best_step, open_data, run_config
from mu.train import forget
from mu.training.checkpoint import Checkpoints
from mu.training.finite import NotFinite, all_finite, check_finite
from mu.training.state import weights
from tests.helpers.tiny_runs import (
    Breaking,
    assert_same_run,
    logged,
    tiny_config,
    train,
    weights_of,
    write_log,
)

BREAKING = ("tests.helpers.tiny_runs:Breaking",)
# Dropout and early stopping are on: both must be found again where they were.
OPTIONS = {"model__dropout": 0.2, "best__patience": 2}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"))


@pytest.fixture(scope="module")
def unbroken(log, tmp_path_factory):
    """(folder, results) of a run that was left in peace."""
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, train(tiny_config(log, **OPTIONS), folder)


def copied(unbroken, tmp_path):
    shutil.copytree(unbroken[0], tmp_path / "run")
    return tmp_path / "run"


def break_at(monkeypatch, step, what):
    monkeypatch.setattr(Breaking, "at", step)
    monkeypatch.setattr(Breaking, "what", staticmethod(what))


def fail():
    raise OSError("no space left")


# ---- a run


def test_a_run_learns_and_says_what_it_was(unbroken, log):
    folder, results = unbroken
    lines = logged(folder)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 13))
    assert [line["step"] for line in lines if "valid/ranking/ndcg@10" in line] == [6, 12]
    assert lines[-2]["loss"] < lines[0]["loss"]
    config = read_json(folder / "config.json")
    assert config == json.loads(tiny_config(log, **OPTIONS).to_json())
    run = read_json(folder / "run.json")
    assert run["mesh"] == {"data": 1, "model": 1} and len(run["devices"]) == 1
    assert run["data_card"]["tracks"] == 40 and run["versions"]["jax"] == jax.__version__
    assert {"python", "commit", "data_hash", "split", "command", "started", "ended"} <= run.keys()
    assert run["workdir"] == str(folder) and run["own_modules"] == {} and run["duration_s"] > 0
    assert run["epoch_steps"] == math.ceil(rebuild(folder).run.batches.n_examples / 8)
    state = weights_of(folder)
    learnt = [
        array.size for name, array in state.items() if name.startswith(("['params']", "['tables']['items']['rows']"))
    ]
    assert run["parameters"] == sum(learnt) and run["parameters_in_tables"] == 40 * 8
    if os.name != "nt":
        assert run["peak_memory_bytes"]["host"] > 1 << 20
    assert set(results["ranking"]) == {"model"} and (folder / "evaluation").is_dir()


def test_the_same_command_again_only_tests_again(unbroken, log, tmp_path):
    """It learns no more, and writes what a run of before has not kept of its data."""
    folder = copied(unbroken, tmp_path)
    shutil.rmtree(folder / INFERENCE)
    results = train(tiny_config(log, **OPTIONS), folder)
    assert results["ranking"]["model"].values() == unbroken[1]["ranking"]["model"].values()
    assert_same_run(folder, unbroken[0])
    assert load_inputs(folder).log.n_plays == load_inputs(unbroken[0]).log.n_plays > 0


def test_what_is_tested_are_the_best_weights_by_evaluators_of_the_test_alone(unbroken, tmp_path, monkeypatch):
    restored = rebuild(unbroken[0])
    setup, state, step = restored.run, restored.state, restored.step
    measured = build_evaluators(setup, "test")["ranking"].run(model_of(setup, *weights(state)))
    assert measured.values() == unbroken[1]["ranking"]["model"].values()
    metric = "valid/ranking/ndcg@10"
    values = {line["step"]: line[metric] for line in logged(unbroken[0]) if metric in line}
    assert step == max(values, key=values.get)
    parts = []
    built = build_evaluator
    monkeypatch.setattr("mu.run.evaluation.build_evaluator", lambda *one: parts.append(one[-1]) or built(*one))
    again = evaluate(setup, state, step, "test", tmp_path)
    assert again["ranking"]["model"].values() == measured.values() and parts == ["test"]


# ---- stopped and taken up again


def test_a_run_that_fails_anywhere_and_goes_on_equals_an_unbroken_one(unbroken, log, tmp_path, monkeypatch):
    config = tiny_config(log, writers=BREAKING, **OPTIONS)
    for step in (2, 4, 8):  # before the first checkpoint (3), after it, and past an evaluation (6)
        break_at(monkeypatch, step, fail)
        with pytest.raises(OSError, match="no space left"):
            train(config, tmp_path)
    results = train(tiny_config(log, **OPTIONS), tmp_path)
    assert_same_run(tmp_path, unbroken[0])
    assert results["ranking"]["model"].values() == unbroken[1]["ranking"]["model"].values()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_leaves_in_order(unbroken, log, tmp_path, monkeypatch, number):
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    break_at(monkeypatch, 4, lambda: os.kill(os.getpid(), number))
    with pytest.raises(SystemExit) as stopped:
        train(tiny_config(log, writers=BREAKING, **OPTIONS), tmp_path)
    assert stopped.value.code == 128 + number
    assert int(weights_of(tmp_path)["['step']"]) in (4, 5)
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers
    train(tiny_config(log, **OPTIONS), tmp_path)
    assert_same_run(tmp_path, unbroken[0])


def test_a_second_ctrl_c_leaves_at_once(log, tmp_path, monkeypatch):
    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    break_at(monkeypatch, 4, twice)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(log, writers=BREAKING, **OPTIONS), tmp_path)


class Interrupting:
    """Ctrl-C comes while it is deleted, where Python ignores what a handler raises."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_ctrl_c_that_python_ignores_ends_a_run_before_its_first_step(log, tmp_path, monkeypatch):
    def interrupted(run):
        Interrupting()
        return initialise(run)

    monkeypatch.setattr("mu.train.initialise", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_config(log), tmp_path)
    assert not (tmp_path / "metrics.jsonl").exists() or logged(tmp_path) == []


def last_loss(folder):
    return [line["loss"] for line in logged(folder) if "loss" in line][-1]


def test_a_run_may_go_on_for_longer_and_be_watched_otherwise(unbroken, log, tmp_path):
    folder = copied(unbroken, tmp_path)
    train(tiny_config(log, total_steps=15, log_every_steps=2, checkpoint_every_steps=5, **OPTIONS), folder)
    lines = logged(folder)
    assert lines[:14] == logged(unbroken[0]) and [line["step"] for line in lines[14:]] == [14, 15, 15]


@pytest.mark.slow
def test_a_run_may_go_on_on_another_mesh(unbroken, log, tmp_path):
    folders = [copied(unbroken, tmp_path / name) for name in ("one", "eight")]
    train(tiny_config(log, total_steps=15, **OPTIONS), folders[0])
    mu.train.train(tiny_config(log, total_steps=15, mesh__data=4, mesh__model=2, **OPTIONS), folders[1])
    np.testing.assert_allclose(last_loss(folders[1]), last_loss(folders[0]), rtol=1e-5)


# ---- what is refused


def test_another_config_is_refused_with_the_keys_that_differ(unbroken, log, tmp_path):
    folder = copied(unbroken, tmp_path)
    half_written = folder / "checkpoints" / "99.orbax-checkpoint-tmp"  # as of a run that is still going on there
    half_written.mkdir()
    before = (folder / "config.json").read_text()
    other = tiny_config(log, **{**OPTIONS, "seed": 3, "model__dropout": 0.3, "total_steps": 24})
    with pytest.raises(ConfigError) as refused:
        train(other, folder)
    message = str(refused.value)
    assert "model.dropout: 0.2 -> 0.3" in message and "seed: 0 -> 3" in message
    assert message.count("->") == 2  # more steps are no other run
    assert (folder / "config.json").read_text() == before and half_written.exists()
    assert_same_run(folder, unbroken[0])


def test_another_log_at_the_same_place_is_refused(unbroken, log, tmp_path):
    folder, moved = copied(unbroken, tmp_path), tmp_path / "log"
    shutil.copytree(log, moved)
    config = read_json(folder / "config.json")
    items = np.load(moved / "items.npy")
    np.save(moved / "items.npy", items[::-1].copy())
    (moved / "hashes.json").unlink()  # another log, and no damaged one
    note_of = mu.train.Checkpoints.note

    def same_path(self, step):
        return {**note_of(self, step), "config": {**config, "data": {**config["data"], "path": str(moved)}}}

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ValueError, match="has changed"):
        patch.setattr(mu.train.Checkpoints, "note", same_path)
        train(tiny_config(moved, **OPTIONS), folder)


def test_a_metric_that_is_not_measured_is_refused(log, tmp_path):
    with pytest.raises(ConfigError, match=r"metric='valid/ranking/ndcg@11' .*did you mean 'valid/ranking/ndcg@10'"):
        train(tiny_config(log, best__metric="valid/ranking/ndcg@11"), tmp_path)
    lists = {"evals__ranking__list_metrics": ("novelty",), "best__metric": "valid/ranking/novelty@10"}
    with pytest.raises(ConfigError, match=r"metric='valid/ranking/novelty@10' describes lists"):
        train(tiny_config(log, **lists), tmp_path)
    assert not (tmp_path / "config.json").exists()


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ({"name": "mu.baselines.pctm:PCTM", "attributes": ("mood",)}, "config.baselines.one: .* no column 'mood'"),
        ({"name": "mu.baselines.context_popularity:ContextPopularity", "column": "device"}, "column='device'; event"),
        ({"name": "mu.baselines.simple:GroupPopularity", "column": "label"}, "the tracks have no column 'label'"),
        ({"name": "mu.baselines.content:ContentNeighbours"}, "the log has no sound to take MFCCs of"),
    ],
)
def test_what_a_baseline_lacks_in_the_data_is_said_before_training(log, tmp_path, baseline, message):
    with pytest.raises(ValueError, match=message):
        train(tiny_config(log, baselines={"one": baseline}), tmp_path)
    assert not (tmp_path / "config.json").exists() and not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task__loss": "full_softmax"}, "needs every item's row at every step: tables.name='dense'"),
        ({"batches__negatives": 0}, "needs batches.negatives of at least 1"),
        ({"gradient_accumulation_steps": 3}, "gradient_accumulation_steps=3 does not divide the batch of 8"),
        ({"batches__window": 16}, "rows of 16 plays, but window=8 learned positions"),
        ({"batches__rows": 1000}, "fewer than one batch of 1000"),
        ({"sharding__rows": "modle"}, "sharding.rows='modle'"),
        ({"ema_decay": 0.9}, "ema_decay needs dense tables"),
    ],
)
def test_what_does_not_fit_together_is_refused(log, tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        train(tiny_config(log, **changes), tmp_path)


def test_a_microbatch_must_divide_over_the_mesh(log, tmp_path):
    with pytest.raises(ConfigError, match=r"mesh.data=8 does not divide the \(micro\)batch of 4 examples"):
        mu.train.train(tiny_config(log, gradient_accumulation_steps=2), tmp_path)


def test_a_run_without_an_evaluation_to_go_by_is_refused(log, tmp_path, monkeypatch):
    break_at(monkeypatch, 3, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit):
        train(tiny_config(log, writers=BREAKING, **OPTIONS), tmp_path)
    with pytest.raises(ConfigError, match="nothing evaluated yet: set more steps"):
        train(tiny_config(log, total_steps=3, **OPTIONS), tmp_path)
    with pytest.raises(FileNotFoundError, match="no evaluated checkpoint yet"):
        rebuild(tmp_path)


# ---- not finite


def assert_stopped(config, folder, words, last_step):
    """Says `words`; the last line is of `last_step`, the last checkpoint the one before, and it is good."""
    with pytest.raises(NotFinite, match=words):
        train(config, folder)
    assert [line["step"] for line in logged(folder) if "loss" in line] == list(range(1, last_step + 1))
    assert all(np.isfinite(array).all() for array in weights_of(folder).values())
    restored = rebuild(folder)
    state, step = restored.state, restored.step
    assert step == int(state["step"]) == 6 and all_finite(state)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(log, tmp_path):
    batches = {**tiny_config(log).batches.to_dict(), "name": "tests.helpers.tiny_runs:Poisoned"}
    config = tiny_config(log, batches=batches, **OPTIONS)
    for _ in range(2):  # taken up again it fails at the same step
        assert_stopped(config, tmp_path, r"^step 9: loss nan.* the checkpoint of step 6 is kept", last_step=8)


def test_a_run_that_stops_before_its_first_checkpoint_says_so(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(NotFinite, match=r"^step 1: loss nan.*there is no checkpoint yet"):
        check_finite(1, {"finite": jnp.array(False), "loss": jnp.nan, "grad_norm": jnp.inf}, checkpoints)
    checkpoints.close()
    with pytest.raises(FileNotFoundError, match="has no checkpoint yet; let `mu train` reach its first"):
        best_step(checkpoints, False, tmp_path)


@pytest.mark.slow
def test_weights_that_an_absurd_rate_blew_up_are_not_saved(log, tmp_path):
    """The gradient of step 9 is finite; the weights it is applied to are not."""
    rate = {"name": "tests.helpers.tiny_runs:explodes", "at": 8}
    config = tiny_config(log, tables={"name": "mu.training.tables:lazy_adam", "learning_rate": rate}, **OPTIONS)
    assert_stopped(config, tmp_path, "^step 9: the weights are no longer finite", last_step=8)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_found(value):
    good = {"rows": jnp.ones((4, 3)), "step": jnp.int32(5), "half": jnp.ones(2, jnp.bfloat16)}
    assert all_finite(good)
    for name in ("rows", "half"):
        assert not all_finite({**good, name: good[name].at[1].set(value)})


# ---- early stopping


def scripted(monkeypatch, values):
    """The validation metric takes these values in turn."""
    left = iter(values)
    monkeypatch.setattr(Validation, "measure", lambda self, state: {"ranking/ndcg@10": next(left)})


def test_a_run_stops_out_of_patience_and_tests_its_best(log, tmp_path, monkeypatch):
    config = tiny_config(log, **{**OPTIONS, "evaluate_every_steps": 2, "total_steps": 40})
    scripted(monkeypatch, [0.1, 0.3, 0.2, 0.3, 0.9])  # equally good is not better: the first stays the best
    results = train(config, tmp_path)
    assert [line["step"] for line in logged(tmp_path) if "valid/ranking/ndcg@10" in line] == [2, 4, 6, 8]
    restored = rebuild(tmp_path)
    setup, state, step = restored.run, restored.state, restored.step
    assert step == 4 and int(state["step"]) == 4
    assert sorted(int(path.name) for path in (tmp_path / "checkpoints").iterdir()) == [4, 8]  # the best and the latest
    measured = build_evaluators(setup, "test")["ranking"].run(model_of(setup, *weights(state)))
    assert measured.values() == results["ranking"]["model"].values()
    # Taken up again it stays stopped.
    lines = logged(tmp_path)
    again = train(config, tmp_path)
    assert logged(tmp_path) == lines and again["ranking"]["model"].values() == results["ranking"]["model"].values()


def test_patience_is_counted_across_an_interruption(log, tmp_path, monkeypatch):
    changes = {**OPTIONS, "evaluate_every_steps": 2, "total_steps": 40}
    scripted(monkeypatch, [0.5, 0.4, 0.3])
    break_at(monkeypatch, 5, fail)
    with pytest.raises(OSError):
        train(tiny_config(log, writers=BREAKING, **changes), tmp_path)
    train(tiny_config(log, **changes), tmp_path)
    assert logged(tmp_path)[-1]["step"] == 6 and rebuild(tmp_path).step == 2


# ---- the profiler


def traces(folder):
    return list((folder / "profile").rglob("*.xplane.pb"))


def test_a_profile_is_written_and_ends_with_the_run(log, tmp_path, monkeypatch):
    """Also where the run ends first; taken up again inside its window, it goes on without one."""
    config = tiny_config(log, profile={"start": 2, "steps": 4}, writers=BREAKING, **OPTIONS)
    break_at(monkeypatch, 4, fail)
    with pytest.raises(OSError):
        train(config, tmp_path)
    assert len(traces(tmp_path)) == 1
    break_at(monkeypatch, 8, fail)
    with pytest.raises(OSError):
        train(config, tmp_path)
    assert len(traces(tmp_path)) == 1 and logged(tmp_path)[-1]["step"] == 8


@pytest.mark.slow
def test_a_profile_covers_its_window(log, tmp_path):
    train(tiny_config(log, profile={"start": 2, "steps": 3}, **OPTIONS), tmp_path)
    assert len(traces(tmp_path)) == 1


# ---- refit


def test_a_refit_learns_from_validation_too_and_tests_its_last_weights(log, tmp_path):
    config = tiny_config(log, refit=True)
    results = train(config, tmp_path)
    restored = rebuild(tmp_path)
    setup, step = restored.run, restored.step
    assert step == config.total_steps
    assert len(setup.train) == len(setup.split.train) + len(setup.split.valid)
    assert setup.batches.n_examples and setup.batches.log is setup.train
    assert not any("valid/ranking/ndcg@10" in line for line in logged(tmp_path))
    # Tracks that only validation plays know are no longer cold.
    known = np.zeros(setup.data.n_items, bool)
    known[setup.train.items] = True
    assert results["ranking"]["model"].counts["cold targets"] == int((~known[setup.split.test.items]).sum())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baselines": {"model": {"name": "mu.baselines.popularity:Popularity"}}}, r"config\.baselines\.model"),
        ({"policy": {"name": "mu.inference.policy:new_release_boost", "metric": "x"}}, "knows the time of a play"),
        (
            {"baselines": {"p": {"name": "mu.baselines.pctm:PCTM", "distance": "gaps", "gap_minutes": (60.0, 10.0)}}},
            r"config\.baselines\.p: gap_minutes=\(60\.0, 10\.0\); they must ascend",
        ),
    ],
)
def test_what_could_not_be_evaluated_is_refused_before_anything_is_trained(log, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        train(tiny_config(log, **changes), tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_a_refit_cannot_be_stopped_by_what_it_learns_from(log, tmp_path):
    with pytest.raises(ConfigError, match=r"or best\.patience=None"):
        train(tiny_config(log, refit=True, best__patience=2), tmp_path)


def test_a_workdir_that_can_hold_no_checkpoint_is_refused(log, tmp_path):
    with pytest.raises(
        ConfigError, match=r"--workdir=.*run\[lr=1e-2\]: no checkpoints can be written .* because of \[ in"
    ):
        mu.train.train(tiny_config(log), tmp_path / "run[lr=1e-2]")
    assert os.listdir(tmp_path) == []


# ---- one writer, and what stays


def test_a_second_run_in_one_workdir_is_refused(unbroken, log, tmp_path):
    folder = copied(unbroken, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    with writing(folder), pytest.raises(Locked, match=rf"run is being written by process {os.getpid()} on "):
        train(tiny_config(log, **OPTIONS), folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before
    with writing(tmp_path / "other"), pytest.raises(Locked):
        evaluate(rebuild(folder).run, rebuild(folder).state, 6, "test", tmp_path / "other")


@pytest.mark.parametrize(
    "changes",
    [
        {"best__metric": "valid/nothing"},
        {"init_from": "nowhere"},
        {"data__path": "nowhere"},
        {"batches__rows": 1000},
    ],
)
def test_a_run_that_is_refused_leaves_nothing(log, tmp_path, changes):
    (tmp_path / "there").mkdir()
    for workdir in (tmp_path / "a" / "run", tmp_path / "there"):
        with pytest.raises((ValueError, FileNotFoundError)):
            train(tiny_config(log, **changes), workdir)
    assert os.listdir(tmp_path) == ["there"] and os.listdir(tmp_path / "there") == []


def test_a_run_that_fails_before_anything_is_logged_leaves_nothing(log, tmp_path):
    with pytest.raises(OSError, match="no space left"):
        train(tiny_config(log, writers=("tests.run.test_train:full",)), tmp_path)
    assert os.listdir(tmp_path) == []


def full(folder, step):
    del step
    assert (folder / "config.json").is_file()
    fail()


def test_what_was_in_the_folder_stays_when_a_run_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "metrics.jsonl").write_text("{}")
    forget(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["checkpoints", "metrics.jsonl", "notes.txt"]


def test_a_run_moved_with_its_log_works_from_any_folder(log, tmp_path, monkeypatch):
    """It was trained with a path relative to a folder that is no longer the current one."""
    (tmp_path / "old").mkdir()
    shutil.copytree(log, tmp_path / "old" / "log")
    monkeypatch.chdir(tmp_path / "old")
    results = train(tiny_config("log", total_steps=6), "runs/a")
    monkeypatch.chdir("/")
    assert results["ranking"]["model"].values() == again_of(tmp_path / "old" / "runs" / "a", tmp_path / "first")
    (tmp_path / "old").rename(tmp_path / "new")
    assert results["ranking"]["model"].values() == again_of(tmp_path / "new" / "runs" / "a", tmp_path / "second")
    (tmp_path / "new" / "log").rename(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"no log at .*old/log.* set its path in .*new/runs/a/config\.json"):
        open_data(run_config(tmp_path / "new" / "runs" / "a"), tmp_path / "new" / "runs" / "a")


def again_of(workdir, output):
    return evaluate_again(workdir, output=output)[0]["ranking"]["model"].values()


def test_a_module_that_has_changed_is_said_when_a_run_goes_on(unbroken, log, tmp_path, caplog):
    folder = copied(unbroken, tmp_path)
    record = read_json(folder / "run.json")
    config = tiny_config(log, writers=BREAKING, **OPTIONS)
    (folder / "run.json").write_text(json.dumps(record | {"own_modules": {"tests.helpers.tiny_runs": "sha256 0"}}))
    with caplog.at_level("WARNING", logger="mu"):
        train(config, folder)
        train(config, folder)
    messages = [one.getMessage() for one in caplog.records if "has changed since" in one.getMessage()]
    assert messages == [
        f"{folder}: tests.helpers.tiny_runs has changed since this run was last trained; "
        "from here on it learns by the new code"
    ]
    after = read_json(folder / "run.json")
    assert after["duration_s"] > record["duration_s"] and after["started"] == record["started"]
