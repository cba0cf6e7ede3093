"""What a task of a suite is: a data set on disk, and what a probe predicts of it under which folds."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mu.embedding.probe import ProbeOptions


@dataclasses.dataclass(frozen=True)
class Recordings:
    """A data set: a folder with sound and a table.

    Attributes:
      name: of its import, a file name.
      folder: below the folder of all data.
      table: of its files, a CSV in `folder` with the column 'file'.
      origin: where it comes from, and its licence, in words.
      prepare: the table that is imported, from the table that is there; None for the same.
      group: column whose equal values belong together; None for what the import finds.
    """

    name: str
    folder: str
    table: str
    origin: str
    prepare: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    group: str | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """Attributes of recordings that a probe predicts.

    Attributes:
      name: of the task, a file name.
      recordings: the data set.
      predicts: columns and folds (`mu.embedding.probe.ProbeOptions`); head and seeds are the suite's.
      metrics: those of the table, such as 'genre/accuracy'.
      protocol: the folds in words.
      first_s: seconds of each recording that are embedded; None for all.
    """

    name: str
    recordings: Recordings
    predicts: ProbeOptions
    metrics: tuple[str, ...]
    protocol: str
    first_s: float | None = None


@dataclasses.dataclass(frozen=True)
class Retrieval:
    """Recordings that are found again by the nearness of their vectors; nothing is learnt.

    Attributes:
      name: of the task, a file name.
      recordings: the data set.
      same: column whose equal values are to be found: of a recording, the others with its value.
      protocol: what is measured, in words.
      first_s: seconds of each recording that are embedded; None for all.
    """

    name: str
    recordings: Recordings
    same: str
    protocol: str
    first_s: float | None = None


AnyTask = Task | Retrieval


def check_tasks(tasks: Any, name: str) -> tuple[AnyTask, ...]:
    """The tasks of a suite.

    Raises:
      ValueError: it is no sequence of tasks, it is empty, or two have one name.
    """
    if not isinstance(tasks, Sequence) or not all(isinstance(task, AnyTask) for task in tasks):
        raise ValueError(f"suite {name}: it takes a sequence of mu.suite.task:Task or Retrieval")
    names = [task.name for task in tasks]
    if not names:
        raise ValueError(f"suite {name} has no tasks")
    if twice := [one for one in names if names.count(one) > 1]:
        raise ValueError(f"suite {name} has two tasks of the name {twice[0]!r}")
    return tuple(tasks)


def missing_data(tasks: Iterable[AnyTask], data: Path) -> str:
    """Which data sets are not below `data`, where they are sought, and where they come from; '' for none."""
    lines = {}
    for task in tasks:
        table = data / task.recordings.folder / task.recordings.table
        if not table.is_file():
            lines[task.recordings.folder] = f"  {table} (task {task.name}): {task.recordings.origin}"
    return "\n".join(lines.values())
