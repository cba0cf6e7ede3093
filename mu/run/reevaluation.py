"""A run's best weights measured again, on either part, with other cut-offs or metrics."""

import dataclasses
import logging
import os
from pathlib import Path
from typing import Any

from mu.config.base import ConfigError, known_names
from mu.protocols import ProgressCallback
from mu.run.evaluation import Results, build_evaluators, evaluate
from mu.run.rebuild import rebuild

logger = logging.getLogger(__name__)


def evaluate_again(
    workdir: str | os.PathLike[str],
    part: str = "test",
    output: str | os.PathLike[str] | None = None,
    changes: dict[str, Any] | None = None,
    *,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> tuple[Results, Path]:
    """Measures the best checkpoint of a run beside the baselines of its config.

    Args:
      workdir: of the run.
      part: 'valid' or 'test'.
      output: folder of the results; None for the run's own, 'evaluation' or 'evaluation_valid'.
      changes: entries to set of the evaluators that have them, such as {'ks': (5, 50)}.
      progress: see `mu.run.evaluation.evaluate`.

    Returns:
      (results, their folder).

    Raises:
      ConfigError: no evaluator has such an entry, or one does not take this value.
      ValueError: a refit has learnt the validation part.
    """
    rebuilt = rebuild(workdir)
    run, config = rebuilt.run, rebuilt.run.config
    if config.refit and part == "valid":
        raise ValueError("this run learnt from the validation plays (refit); they measure nothing here")
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
    return measured, folder
