"""A run's best weights measured again, on either part, with other cut-offs or metrics."""

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mu.config.base import ConfigError, known_names
from mu.data.logs.interactions import Interactions
from mu.evals.group_tables import check_columns, group_frame, write_groups
from mu.protocols import Data, ProgressCallback
from mu.run.evaluation import Results, build_evaluators, evaluate
from mu.run.rebuild import rebuild

logger = logging.getLogger(__name__)


def evaluate_again(
    workdir: str | os.PathLike[str],
    part: str = "test",
    output: str | os.PathLike[str] | None = None,
    changes: dict[str, Any] | None = None,
    by: Sequence[str] = (),
    *,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> tuple[Results, Path]:
    """Measures the best checkpoint of a run beside the baselines of its config.

    Args:
      workdir: of the run.
      part: 'valid' or 'test'.
      output: folder of the results; None for the run's own, 'evaluation' or 'evaluation_valid'.
      changes: entries to set of the evaluators that have them, such as {'ks': (5, 50)}.
      by: columns of the listeners: groups.csv of each evaluation holds every metric in groups of these
        (`mu.evals.group_tables.group_frame`).
      progress: see `mu.run.evaluation.evaluate`.

    Returns:
      (results, their folder).

    Raises:
      ConfigError: no evaluator has such an entry, or one does not take this value; or the listeners have no such
        column.
      ValueError: a refit has learnt the validation part.
    """
    rebuilt = rebuild(workdir)
    run, config = rebuilt.run, rebuilt.run.config
    if config.refit and part == "valid":
        raise ValueError("this run learnt from the validation plays (refit); they measure nothing here")
    if by:
        _check_listeners(run.train, by)
    changed = config.copy_and_resolve_references()
    for key, value in (changes or {}).items():
        takers = [spec for spec in changed.evals.values() if key in spec]
        if not takers:
            entries = {entry for spec in changed.evals.values() for entry in spec} - {"name"}
            raise ConfigError(f"no evaluation of this run takes {key!r}{known_names(key, entries)}")
        for spec in takers:
            spec[key] = value
    evaluators = build_evaluators(dataclasses.replace(run, config=changed), part)
    folder = Path(output or Path(workdir) / ("evaluation" if part == "test" else "evaluation_valid"))
    chosen = "the last of a refit" if config.refit else f"the best by {config.best.metric}"
    logger.info(f"Measuring step {rebuilt.step:,} of {workdir}, {chosen}, on {part}.")
    measured = evaluate(run, rebuilt.state, rebuilt.step, part, folder, Path(workdir), evaluators, progress=progress)
    for name, results in measured.items() if by else ():
        assert isinstance(run.train, Interactions)
        samples, seed = evaluators[name].bootstrap_samples, config.seed
        write_groups(folder / name, group_frame(results, run.train.users, by, samples, seed))
    return measured, folder


def _check_listeners(train: Data, by: Sequence[str]) -> None:
    """Raises ConfigError where the data have no listeners, or these have not all columns."""
    if not isinstance(train, Interactions):
        raise ConfigError(f"this run is on no log of plays: there are no listeners to group by {', '.join(by)}")
    try:
        check_columns(train.users, by)
    except ValueError as error:
        raise ConfigError(str(error)) from error
