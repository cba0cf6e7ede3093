"""Several trials at once: the same whatever order they end in, and as many as fit the memory."""

import dataclasses
import os
import signal

import pytest

from mu.sweep import parallel
from mu.sweep.parallel import fitting, run_parallel, write_ended
from mu.sweep.space import parse_space
from mu.sweep.trial import Trial
from mu.sweep.trials import NoTrialSucceeds, Plan

SPACE = parse_space("x=uniform(0,1)")


class Process:
    """A process that has ended after it was asked `polls` times, by a function of its trial."""

    def __init__(self, polls, end):
        self._polls, self._end, self.returncode, self.signals = polls, end, None, []

    def poll(self):
        self._polls -= 1
        if self._polls <= 0 and self.returncode is None:
            self.returncode = self._end()
        return self.returncode

    def send_signal(self, number):
        self.signals.append(number)

    def wait(self):
        self.returncode = -signal.SIGTERM


def run(tmp_path, polls, end, lag=3, count=16):
    """(trials, numbers in the order of their beginning, the most at once, processes)."""
    began, at_once, processes = [], [], []

    def folder_of(trial):
        return tmp_path / trial.name

    def launch(trial):
        began.append(trial.number)
        processes.append(Process(polls(trial.number), lambda: end(trial, folder_of(trial))))
        at_once.append(sum(process.returncode is None for process in processes))
        return processes[-1]

    plan = Plan(space=SPACE, sampler="tpe", seed=0, count=count, lag=lag)
    trials = run_parallel(plan, [], folder_of, lambda trials: None, launch, lambda *_: None)
    return trials, began, max(at_once), processes


def ends_well(trial, folder):
    value = 1 - abs(float(trial.params["x"]) - 0.7)
    write_ended(dataclasses.replace(trial, state="complete", value=value), folder)
    return 0


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(parallel, "POLL_S", 0)


def test_trials_are_the_same_in_whatever_order_they_end(tmp_path):
    trials, began, at_once, _ = run(tmp_path / "a", lambda number: 1, ends_well)
    others, _, _, _ = run(tmp_path / "b", lambda number: 1 + number * 7 % 5, ends_well)
    assert trials == others and began == list(range(16)) and at_once == 3
    alone, _, most, _ = run(tmp_path / "c", lambda number: 1, ends_well, lag=1)
    assert most == 1 and alone[:10] == trials[:10]  # then TPE knows of more trials
    assert alone != trials


def test_an_error_or_a_signal_ends_the_others_in_order(tmp_path):
    started = []

    def interrupted(trial, folder):
        raise KeyboardInterrupt

    def launch(trial):
        started.append(Process(1 if trial.number == 2 else 99, lambda: interrupted(trial, tmp_path)))
        return started[-1]

    plan = Plan(space=SPACE, sampler="random", seed=0, count=5, lag=3)
    with pytest.raises(KeyboardInterrupt):
        run_parallel(plan, [], lambda trial: tmp_path, lambda trials: None, launch, lambda *_: None)
    assert [process.signals for process in started] == 3 * [[signal.SIGTERM]]
    with pytest.raises(RuntimeError, match=r"trial 0 ended with status 1 and no result; it says why in .*log\.txt"):
        run(tmp_path / "status", lambda number: 1, lambda trial, folder: 1)

    def fails(trial, folder):
        write_ended(dataclasses.replace(trial, state="failed", reason="no"), folder)
        return 0

    with pytest.raises(NoTrialSucceeds, match="the first 3 trials have all failed; the last: no"):
        run(tmp_path / "fails", lambda number: 1, fails)


def test_a_process_says_what_it_did_in_its_folder(tmp_path):
    process = parallel.launched(["sh", "-c", "echo $XLA_PYTHON_CLIENT_MEM_FRACTION"], tmp_path / "trial", 3)
    assert process.wait() == 0 and (tmp_path / "trial" / "log.txt").read_text() == "0.300\n"


def test_as_many_run_at_once_as_fit(monkeypatch):
    trial = Trial(number=0, params={}, peak_memory_bytes=2 << 30)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    for free, share, count in ((None, None, 1), (1 << 30, None, 1), (10 << 30, None, 4), (64 << 30, None, 8)):
        monkeypatch.setattr(parallel, "free_bytes", lambda free=free: free)
        assert fitting(dataclasses.replace(trial, device_share=share)) == count
    assert fitting(dataclasses.replace(trial, device_share=0.3)) == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    assert fitting(trial) == 1
