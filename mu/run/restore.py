"""A run that was trained before: its objects and its best weights, on one device."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from mu.config.base import ConfigError
from mu.config.resolve import build, resolve, takes
from mu.files import read_json
from mu.run.build import Run, build_run
from mu.training.checkpoint import Checkpoints, differences
from mu.training.sharding import make_mesh
from mu.training.state import State

# Keys that may differ between a checkpoint and the run that takes it up: they change what is watched, not
# what is learnt. More steps are no other run, only a longer one, unless the optimizer plans by them.
MAY_DIFFER = (
    "data",  # a log may move; that it is the same log is known by the hash of its split
    "log_every_steps",
    "checkpoint_every_steps",
    "profile",
    "writers",
    "baselines",
    "mesh",
    "total_steps",
)


@dataclasses.dataclass(frozen=True)
class Restored:
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


def restore(workdir: str | os.PathLike[str]) -> Restored:
    """The best checkpoint of a run, on one device, whatever mesh it was trained on.

    Raises:
      FileNotFoundError: `workdir` holds no run, or one without an evaluated checkpoint.
      ValueError: the data are no longer those that the run was trained on.
    """
    folder = Path(workdir)
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"{folder} holds no run (config.json is missing); make one with `mu train`")
    config = resolve(ConfigDict(read_json(folder / "config.json")))
    checkpoints = Checkpoints(folder / "checkpoints")
    steps = checkpoints.steps()
    best = None
    if steps:
        best = steps[-1] if config.refit else checkpoints.note(steps[-1])["progress"]["best_step"]
    if best is None:
        raise FileNotFoundError(f"{folder} has no evaluated checkpoint yet; let `mu train` reach its first evaluation")
    run = build_run(config, make_mesh(data=1, model=1, devices=jax.devices()[:1]))
    refuse_other_data(checkpoints.note(best), run, folder)
    state = checkpoints.load(best, run.plan.shapes)
    checkpoints.close()
    return Restored(folder, run, state, best)


def open_data(workdir: str | os.PathLike[str]) -> Any:
    """The data of a run: its log, or its clips.

    Raises:
      OSError: they are gone.
      ConfigError: they cannot be opened by this version.
    """
    return build(ConfigDict(read_json(Path(workdir) / "config.json")["data"]))  # resolved when it was written


def refuse_other_data(note: Mapping[str, Any], run: Run, folder: Path) -> None:
    """Raises ValueError where a checkpoint's note names another split or other data: its ids mean other things."""
    if note["split"] != run.split.hash:
        raise ValueError(
            f"the data or split that {folder} was trained on has changed; "
            "choose another --workdir, or bring the data back"
        )


def refuse_other_config(saved: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Raises ConfigError with the keys in which a checkpoint's config differs from this one's."""
    may_differ = set(MAY_DIFFER)
    if takes(now["optimizer"], "total_steps"):  # its rate follows them: more steps are another run
        may_differ.remove("total_steps")
    old, new = ({key: c[key] for key in c if key not in may_differ} for c in (saved, now))
    found = differences(old, new)
    if found:
        raise ConfigError(
            f"{folder} holds a run with another config; choose another --workdir, or set:\n  " + "\n  ".join(found)
        )
