"""A trained run with all its objects, its data among them: to measure it again, or to start from its weights."""

import dataclasses
import os
from pathlib import Path

import jax

from mu.run.build import Run, build_run
from mu.run.workdir import best_step, refuse_other_split, run_config
from mu.training.checkpoint import Checkpoints
from mu.training.sharding import make_mesh
from mu.training.state import State


@dataclasses.dataclass(frozen=True)
class RebuiltRun:
    """A run with the state of its best checkpoint.

    Attributes:
      folder: the workdir.
      run: the objects that its config builds.
      state: of its best checkpoint.
      step: at which that was saved.
    """

    folder: Path
    run: Run
    state: State
    step: int


def rebuild(workdir: str | os.PathLike[str]) -> RebuiltRun:
    """The objects of a run and its best checkpoint, on one device, whatever mesh it was trained on.

    Raises:
      FileNotFoundError: `workdir` holds no run, or one without an evaluated checkpoint.
      ValueError: the data are no longer those that the run was trained on.
    """
    folder = Path(workdir)
    config = run_config(folder)
    checkpoints = Checkpoints(folder / "checkpoints")
    try:
        step = best_step(checkpoints, config.refit, folder)
        run = build_run(config, make_mesh(data=1, model=1, devices=jax.devices()[:1]))
        refuse_other_split(run.split, checkpoints.note(step)["split"], folder)
        return RebuiltRun(folder, run, checkpoints.load(step, run.plan.shapes), step)
    finally:
        checkpoints.close()
