"""Paths in a config: absolute from the folder of `mu train`, and found again where a run was moved with its files."""

import os
from pathlib import Path

from ml_collections import ConfigDict

from mu.config.paths import anchored, paths_of, relocated


def load(path: str | os.PathLike[str], *, clips: str | os.PathLike[str] | None = None, column: str = "track"):
    return path, clips, column


NAME = f"{__name__}:load"


def config(path, clips, inner=""):
    rated = {"name": NAME, "path": inner, "column": "data"}
    return ConfigDict(
        {"data": {"name": NAME, "path": path, "clips": clips, "column": "track", "inner": rated}, "path": "kept"}
    )


def test_what_is_annotated_as_a_path_is_one():
    assert paths_of(config("log", None, "../x")) == {"config.data.path": "log", "config.data.inner.path": "../x"}
    assert paths_of(config("", "c")) == {"config.data.clips": "c"}  # nothing is no path


def test_relative_paths_become_absolute_and_nothing_else_does(tmp_path):
    there = anchored(config("log", "/abs", "../x"), tmp_path)
    assert there == config(f"{tmp_path}/log", "/abs", f"{tmp_path}/../x")
    assert anchored(there, "/elsewhere") == there


def test_a_path_that_is_gone_is_looked_for_as_far_from_the_run(tmp_path):
    then, now = tmp_path / "old" / "runs" / "a", tmp_path / "new" / "runs" / "a"
    for folder in (now, tmp_path / "new" / "log", tmp_path / "fixed"):
        folder.mkdir(parents=True)
    before = config(f"{tmp_path}/old/log", f"{tmp_path}/fixed", f"{tmp_path}/old/gone")
    after = config(f"{tmp_path}/new/log", f"{tmp_path}/fixed", f"{tmp_path}/old/gone")
    assert relocated(before, then, now) == after
    (tmp_path / "old" / "log").mkdir(parents=True)
    assert relocated(before, then, now) == before  # it is where it was


def test_a_moved_run_is_found_by_a_relative_name_too(tmp_path, monkeypatch):
    for name in ("run", "log"):
        (tmp_path / "new" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "new")
    moved = relocated(config(f"{tmp_path}/old/log", None), tmp_path / "old" / "run", Path("run"))
    assert moved.data.path == f"{tmp_path}/new/log"


def test_the_runs_that_a_run_began_from_and_is_compared_with_are_paths(tmp_path):
    earlier = {"name": "mu.run.baseline:EarlierRun", "workdir": "runs/a"}
    there = anchored(ConfigDict({"init_from": "runs/b", "baselines": {"earlier": earlier}}), tmp_path)
    assert (there.init_from, there.baselines.earlier.workdir) == (f"{tmp_path}/runs/b", f"{tmp_path}/runs/a")
