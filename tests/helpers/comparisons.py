"""Results with known values for what pages say of them."""

import json

import numpy as np

from mu.evals.result import Result
from mu.evals.results import save
from mu.files import write_json
from mu.report.comparison import comparison


def half_ones(n, ones):
    """float64 [n]: so many ones, evenly spread, the rest zeros."""
    values = np.zeros(n)
    values[np.linspace(0, n - 1, ones).astype(np.int64)] = 1.0
    return values


def user_result(**columns):
    """A result of users by metric: 'recall' is 'recall@10'."""
    values = {f"{name}@10": np.asarray(column, np.float64) for name, column in columns.items()}
    return Result("user", np.arange(len(next(iter(values.values())))), values)


def play_result(sections, plays_of_each=4, **more):
    """A result of plays, every `plays_of_each` of one user: section -> recall@20 of its plays, the rest undefined."""
    n = sum(len(values) for values in sections.values())
    columns, start = {}, 0
    for section, values in sections.items():
        column = columns[f"{section}/recall@20"] = np.full(n, np.nan)
        column[start : start + len(values)] = values
        start += len(values)
    clusters = np.arange(n) // plays_of_each
    return Result("play", np.arange(n), columns, "user", clusters, shown=tuple(columns), **more)


def compared(results, **more):
    """The comparison of results with intervals of 200 draws."""
    rows = {name: {one.name: one for one in result.summary(200)} for name, result in results.items()}
    return comparison(results, rows, samples=200, **more)


def write_run(folder, results, evaluation="ranking", samples=200, **config):
    """The files of a run that a page of several runs reads, with these results and no model."""
    save(folder / "evaluation" / evaluation, results, {"step": 10, "part": "test"}, samples=samples)
    document = {
        "title": "A run",
        "published": None,
        "seed": 0,
        "model": {"name": "mu.models.sasrec:SASRec", "dim": 64},
        "task": {"name": "mu.tasks.retrieval:Retrieval"},
        "split": {"name": "mu.data.logs.splits:leave_one_out"},
        "best": {"metric": "valid/ranking/recall@10", "patience": None},
        "refit": False,
        "total_steps": 10,
    }
    write_json(folder / "config.json", document | config)
    machine = {"machine": "x86_64", "cpus": 2, "devices": ["cpu:0"], "python": "3.11"}
    versions = {"versions": {"jax": "0.10", "flax": "0.12"}, "commit": "abc", "started": "2026-01-01T00:00:00+00:00"}
    write_json(folder / "run.json", {**machine, **versions, "parameters": 1234, "duration_s": 12.0})
    lines = [{"step": step, "loss": 1 / step, "valid/ranking/recall@10": step / 100} for step in (1, 5, 10)]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder
