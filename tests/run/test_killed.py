"""`mu train` in processes of its own, killed where nobody chose: run again, nothing tells that it happened."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.helpers.processes import environment
from tests.helpers.tiny_runs import assert_same_run, write_log

EXPERIMENT = """
from mu.config.base import base, parse_arg


def get_config(arg=None):
    arg = parse_arg(arg, tables="lazy_adam", packed=True, steps=120)
    config = base()
    config.data.path = {log!r}
    config.batches.update(window=8, rows=8, negatives=4, packed=arg.packed)
    config.model.update(dim=8, layers=1, heads=2, window=8, dropout=0.2)
    config.tables.name = arg.tables if arg.tables == "dense" else "mu.training.tables:" + arg.tables
    config.update(total_steps=arg.steps, evaluate_every_steps=24, checkpoint_every_steps=10, log_every_steps=1)
    config.best.patience = 4
    config.evals.ranking.bootstrap_samples = 20
    config.baselines = dict()
    return config
"""
PATIENCE_S = 180.0


class Runs:
    """`mu train` on one experiment, compiled once for all."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "experiment.py").write_text(EXPERIMENT.format(log=str(write_log(folder))))
        self._unbroken = {}

    def start(self, workdir, arg=""):
        config = f"--config={self.folder / 'experiment.py'}:{arg}"
        return subprocess.Popen(
            [sys.executable, "-m", "mu", "train", config, f"--workdir={workdir}"],
            env=environment() | {"MU_CACHE": str(self.folder / "cache")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, workdir, arg=""):
        process = self.start(workdir, arg)
        output, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, output
        return output

    def unbroken(self, arg=""):
        """The folder of a run that was left in peace."""
        if arg not in self._unbroken:
            workdir = self.folder / f"unbroken{len(self._unbroken)}"
            self.finish(workdir, arg)
            self._unbroken[arg] = workdir
        return self._unbroken[arg]

    def stop(self, workdir, when, number, arg=""):
        """Starts the run and signals it as soon as `when()`; returns (exit status, output)."""
        process = self.start(workdir, arg)
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None and not when() and time.monotonic() < deadline:
            time.sleep(0.0005)
        process.send_signal(number)
        output, _ = process.communicate(timeout=PATIENCE_S)
        return process.returncode, output


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("runs"))


def has_logged(workdir, step):
    """Whether the run has got to a step."""
    path = workdir / "metrics.jsonl"

    def check():
        return path.exists() and path.read_text().count('"loss"') >= step

    return check


def is_writing(workdir, least=1):
    """Whether a checkpoint is half-written, of step `least` or later."""
    folder = workdir / "checkpoints"

    def check():
        names = os.listdir(folder) if folder.is_dir() else []
        return any("tmp" in name and int(name.partition(".")[0]) >= least for name in names)

    return check


def kill_again_and_again(runs, workdir, n_times, seed, arg=""):
    """SIGKILL at random steps, at first and every other time while a checkpoint is being written; then to the end."""
    generator, killed, done = np.random.default_rng(seed), 0, 0
    for turn in range(n_times):
        least = done + int(generator.integers(1, 25))
        when = has_logged(workdir, least) if turn % 2 else is_writing(workdir, least)
        status, output = runs.stop(workdir, when, signal.SIGKILL, arg)
        assert status == -signal.SIGKILL, output
        killed += 1
        done = max(done, logged_steps(workdir))
    output = runs.finish(workdir, arg)
    assert "Going on from step" in output
    return killed


def logged_steps(workdir):
    return (workdir / "metrics.jsonl").read_text().count('"loss"')


@pytest.mark.slow  # three processes; tests/run/test_train.py breaks runs off in its own
def test_a_killed_run_that_is_run_again_equals_an_unbroken_one(runs, tmp_path):
    kill_again_and_again(runs, tmp_path, 1, seed=0, arg="steps=48")
    assert_same_run(tmp_path, runs.unbroken("steps=48"))


@pytest.mark.slow
@pytest.mark.parametrize("arg", ["", "tables=dense", "tables=row_adagrad,packed=False"])
def test_a_run_killed_again_and_again_equals_an_unbroken_one(runs, tmp_path, arg):
    kill_again_and_again(runs, tmp_path, 6, seed=len(arg), arg=arg)
    assert_same_run(tmp_path, runs.unbroken(arg))


@pytest.mark.slow
def test_sigterm_saves_and_exits_in_order(runs, tmp_path):
    status, output = runs.stop(tmp_path, has_logged(tmp_path, 33), signal.SIGTERM)
    assert status == 128 + signal.SIGTERM, output
    assert "Stopped at step" in output and "Traceback" not in output
    stopped_at = logged_steps(tmp_path)
    assert str(stopped_at) in os.listdir(tmp_path / "checkpoints")
    assert f"Going on from step {stopped_at} " in runs.finish(tmp_path)
    assert_same_run(tmp_path, runs.unbroken())


@pytest.mark.slow
def test_a_refused_config_is_said_in_one_line(runs, tmp_path):
    process = runs.start(tmp_path, "tables=lazy_adams")
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert output.startswith("mu train: config.tables.name=") and "did you mean 'lazy_adam'" in output
    assert not (tmp_path / "metrics.jsonl").exists()
