"""Races of commands on one folder: who comes second is refused in one line, and the folder is whole."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from mu.data.logs.interactions import load
from tests.helpers.audio_files import sound, write
from tests.helpers.processes import environment
from tests.helpers.tiny_runs import assert_same_run, write_log
from tests.helpers.trials import seeds, trial

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="flock of POSIX")]
PATIENCE_S = 180
EXPERIMENT = """
from mu.config.base import base

def get_config(arg=None):
    config = base()
    config.data.path = {log!r}
    config.batches.update(window=8, rows=8, negatives=4)
    config.model.update(dim=8, layers=1, heads=2, window=8)
    config.update(total_steps=20, evaluate_every_steps=10, checkpoint_every_steps=2, log_every_steps=1)
    config.evals.ranking.bootstrap_samples = 20
    config.baselines = dict()
    return config
"""
# Name -> (words behind `mu`, what else a loser may be told: that the winner has ended before it began).
COMMANDS = {
    "import": ("import {folder}/plays.csv --output={out}", "exists"),
    "import over": ("import {folder}/plays.csv --output={out} --overwrite", ""),
    "import-audio": ("import-audio {folder}/audio --output={out} --workers=1 --store", ""),
    "world": ("world --size=tiny --output={out}", "is not empty"),
    "train": ("train --config={folder}/experiment.py --workdir={out}", ""),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("races")
    (folder / "experiment.py").write_text(EXPERIMENT.format(log=str(write_log(folder))))
    for number in range(6):
        write(folder / "audio" / f"{number}.wav", sound(0.5, 8000, seed=number), 8000)
    return folder


def start(words):
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "mu", *words], env=environment(), **pipes)


def contents(path):
    """Names below a folder -> their bytes, without the journal of a scan, which holds clocks."""
    files = (one for one in sorted(path.rglob("*")) if one.is_file() and one.name != "scan.jsonl")
    return {str(one.relative_to(path)): one.read_bytes() for one in files}


@pytest.mark.parametrize("name", COMMANDS)
def test_races(folder, tmp_path, name):
    words, ended = COMMANDS[name]

    def words_to(out):
        return words.format(folder=folder, out=out).split()

    good = tmp_path / "good" / "out"  # as deep as the others: a card holds the way from it to the audio
    alone = start(words_to(good))
    _, said = alone.communicate(timeout=PATIENCE_S)
    assert alone.returncode == 0, said
    for seed in seeds(1):
        generator, out = random.Random(f"{name} {seed}"), tmp_path / f"race{seed}" / "out"
        out.parent.mkdir()
        with trial(seed, out.parent, limit_s=2 * PATIENCE_S):
            processes = []
            for _ in range(2 if seed % 2 else 4):
                processes.append(start(words_to(out)))
                time.sleep(generator.uniform(0, 0.3))
            answers = [(process, *process.communicate(timeout=PATIENCE_S)) for process in processes]
            assert any(process.returncode == 0 for process, _, _ in answers), answers
            for process, _, said in answers:
                if process.returncode:
                    lines = [line for line in said.splitlines() if line.startswith(f"mu {words.split()[0]}:")]
                    assert len(lines) == 1 and "Traceback" not in said, said
                    assert "being written by" in lines[0] or (ended and ended in lines[0]), said
            if name == "train":
                assert_same_run(out, good)
            else:
                assert contents(out) == contents(good)
            assert os.listdir(out.parent) == ["out"], "a lock or a half-written folder stayed"
            assert not [one for one in os.listdir(out) if one.endswith(".lock")]


def test_a_writer_that_stands_still_keeps_others_out_until_it_dies(folder, tmp_path):
    """SIGSTOP, then SIGKILL: the lock is its own as long as it lives, and nobody's after."""
    words = ["import", str(folder / "plays.csv"), f"--output={tmp_path / 'out'}"]
    for seed in seeds(2):
        with trial(seed, tmp_path, limit_s=2 * PATIENCE_S):
            first = start([*words, "--overwrite"])
            lock = tmp_path / ".out.lock"
            while first.poll() is None and not (lock.exists() and lock.stat().st_size):
                time.sleep(0.0005)
            first.send_signal(signal.SIGSTOP)
            if lock.exists():
                second = start([*words, "--overwrite"])
                _, said = second.communicate(timeout=PATIENCE_S)
                assert second.returncode == 1 and said.count("\n") == 1 and f"process {first.pid} on" in said, said
            first.kill()
            first.communicate(timeout=PATIENCE_S)
            third = start([*words, "--overwrite"])
            _, said = third.communicate(timeout=PATIENCE_S)
            assert third.returncode == 0, said
            assert load(tmp_path / "out").card["events"] > 0 and os.listdir(tmp_path) == ["out"]
