"""Long lives of one process: descriptors, threads and memory stay as they were, however often something is done."""

import contextlib
import gc
import io
import os
from pathlib import Path

import pytest

from mu.cli import main
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from tests.conftest import resident_bytes
from tests.helpers.tiny_runs import tiny_config, train, write_log
from tests.helpers.trials import seeds

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")]
GROWTH_BYTES = 64 << 20
N_CHECKPOINTS = 1000


class Watch:
    """Counts descriptors, threads and memory of this process at each call."""

    def __init__(self):
        self.descriptors, self.threads, self.memory = [], [], []

    def look(self):
        self.descriptors.append(len(os.listdir("/proc/self/fd")))
        self.threads.append(len(os.listdir("/proc/self/task")))
        self.memory.append(resident_bytes())

    def check(self):
        """The last third has no more of anything than the second; the first may fill caches and pools."""
        third = len(self.memory) // 3
        assert third > 3
        for counts in (self.descriptors, self.threads):
            assert max(counts[2 * third :]) <= max(counts[third : 2 * third]), counts
        growth = min(self.memory[2 * third :]) - min(self.memory[third : 2 * third])
        assert growth < GROWTH_BYTES, f"{growth:,} bytes more: {self.memory}"


class Watching:
    """A writer of a run that looks whenever something is logged."""

    watch = Watch()

    def __init__(self, folder, step):
        del folder, step

    def write(self, step, values):
        if "loss" in values:
            gc.collect()
            type(self).watch.look()

    def close(self):
        pass


def test_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr(Watching, "watch", Watch())
    steps = round(len(seeds(N_CHECKPOINTS)))
    config = tiny_config(
        write_log(tmp_path),
        total_steps=steps,
        checkpoint_every_steps=1,
        evaluate_every_steps=steps,
        log_every_steps=steps // 50,
        writers=("tests.slow.test_flat:Watching",),
    )
    train(config, tmp_path / "run")
    Watching.watch.check()


def test_imports_and_recommendations(tmp_path):
    log, watch = write_log(tmp_path), Watch()
    train(tiny_config(log, total_steps=6), tmp_path / "run")
    for _ in range(len(seeds(40))):
        import_log([str(tmp_path / "plays.csv")], tmp_path / "again", LogImportOptions(), overwrite=True)
        with contextlib.redirect_stdout(io.StringIO()):
            assert main(["recommend", str(tmp_path / "run"), "--user=u3"]) == 0
            assert main(["recommend", str(tmp_path / "run"), "--history=t1,t2"]) == 0
        gc.collect()
        watch.look()
    watch.check()
