"""The Python interface: whole runs, logs and baselines by name. Imports are lazy: `import mu.api` costs nothing."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mu.data.logs.interactions import Interactions
    from mu.interface.fitted import FittedBaseline
    from mu.interface.run import Run


def open_run(workdir: str | os.PathLike[str]) -> "Run":
    """A run of `mu train`: `.recommend`, `.similar`, `.audience`, `.explain`, `.evaluate`, `.report`.

    Args:
      workdir: its folder.

    Raises:
      FileNotFoundError: it holds no run, or one without an evaluated checkpoint.
      ConfigError: the config cannot be run by this version of mu.
    """
    from mu.gc_pause import gc_paused

    with gc_paused(stays="mu.interface.run" not in sys.modules):
        from mu.interface.run import Run

        return Run(workdir)


def import_log(
    data: Any, output: str | os.PathLike[str] | None = None, *, overwrite: bool = False, **options: Any
) -> "Interactions":
    """Imports plays, as `mu import` does, with all its rules.

    Args:
      data: a data frame of polars, pandas or Arrow; a file or several; or 'tfds:NAME'.
      output: the folder to make; None for a temporary one, which is removed with the last log that lies in it.
      overwrite: replace an imported log at `output`.
      **options: of the import (`mu.data.logs.importing.options.LogImportOptions`): user, track, time, title, weight,
        track_table, event_columns, k_core, ...

    Returns:
      The log: arrays on disk, tables of users and tracks, and a card with what was read and dropped.

    Raises:
      OptionError: there is no such option, or it does not fit the data.
      FileExistsError: `output` exists.
      BadRowError: a row cannot be read; its number is that of the row in the frame.
      TypeError: `data` is neither files nor a data frame.
    """
    from mu.interface.logs import import_log

    return import_log(data, output, overwrite=overwrite, **options)


def train(
    config: "str | os.PathLike[str] | Mapping[str, Any]", workdir: str | os.PathLike[str], **overrides: Any
) -> "Run":
    """Trains a run, or goes on where it stopped, evaluates it beside its baselines, and opens it.

    Args:
      config: the path of a config, 'file.py[:arg,...]'; a config; or keys to set of `mu.config.base.base()`.
      workdir: the run's folder, made if missing.
      **overrides: keys to set: `total_steps=500`, `model={'dim': 128}`, `**{'model.dim': 128}`; `data=log` trains on a
        log of `import_log`, of which the run keeps the path alone. `baselines`, `evals`, `policy` and `published` are
        replaced as a whole.

    Raises:
      ConfigError: the config cannot be run, or differs from the one that the folder holds.
      mu.training.finite.NotFinite: loss or gradient is no number.
    """
    from mu.interface.training import train

    return train(config, workdir, **overrides)


def fit(baseline: Any, log: "Interactions | str | os.PathLike[str]", **options: Any) -> "FittedBaseline":
    """Fits a baseline to a whole log: `.recommend` and `.similar` by names, `.recommender` by ids and arrays.

    Args:
      baseline: a class such as `mu.baselines.item_knn.ItemKNN`, its path 'package.module:Class', or an object of one.
      log: of `import_log`, or the folder of one.
      **options: for the class.

    Raises:
      ValueError: the baseline or an option is not known, a value is out of range, or it cannot learn from such a log.
    """
    from mu.interface.fitted import fit

    return fit(baseline, log, **options)


def write_report(
    run: str | os.PathLike[str], output: str | os.PathLike[str], evaluation: str | None = None
) -> list[str]:
    """Writes the page of a run, one HTML file, and returns what is missing from it and why.

    Args:
      run: a run of `mu train`, or a folder of `mu crossvalidate` or of one of its seeds.
      output: the file; its folder is made if need be.
      evaluation: the name of the evaluation that the page shows; None where the run has one.

    Raises:
      FileNotFoundError: there is no such run, or it has no evaluation.
      IsADirectoryError: `output` is a folder.
      Locked: another process writes the page.
      ValueError: there is no page of such a run, it has several evaluations and no name chooses, or this version of mu
        cannot run its config.
    """
    from mu.interface.pages import write_page

    return write_page(Path(run), output, evaluation)


def write_comparison(
    runs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    evaluation: str | None = None,
    table: str | os.PathLike[str] | None = None,
) -> None:
    """Writes the page of several runs beside each other, one HTML file.

    Args:
      runs: two or more runs of `mu train`, or seeds' folders of `mu crossvalidate`.
      output: the file; its folder is made if need be.
      evaluation: the name of the evaluation that is compared; None where the runs share one.
      table: a file for the table of the page too, see `write_table`; None for none.

    Raises:
      FileNotFoundError: a folder holds no run, or no evaluation.
      IsADirectoryError: `output` or `table` is a folder.
      Locked: another process writes the page.
      ValueError: the runs were not measured on the same units, task, truth and clusters, which names what differs, or
        they share several evaluations or none.
    """
    from mu.interface.pages import write_comparison

    write_comparison(runs, output, evaluation, table)


def write_table(
    runs: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], evaluation: str | None = None
) -> None:
    """Writes the results of a run, or of several beside each other, as a table with intervals.

    Args:
      runs: one or more, see `write_comparison`.
      output: the file: '.csv' has every metric, a line each; '.tex' the table of the page.
      evaluation: see `write_comparison`.

    Raises:
      FileNotFoundError: a folder holds no run, or no evaluation.
      IsADirectoryError: `output` is a folder.
      Locked: another process writes the file.
      ValueError: see `write_comparison`; or the file ends otherwise.
    """
    from mu.interface.pages import write_table

    write_table(runs, output, evaluation)
