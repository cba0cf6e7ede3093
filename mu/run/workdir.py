"""The files of a run: its config, its best checkpoint, and the data that it was trained on."""

import os
from collections.abc import Container
from pathlib import Path

from ml_collections import ConfigDict

from mu import trust
from mu.config.base import Config, ConfigError
from mu.config.paths import paths_of, relocated
from mu.config.resolve import build, resolve
from mu.files import read_json
from mu.protocols import Data, Split
from mu.training.saved_checkpoints import SavedCheckpoints

RECORD = "run.json"


def run_config(workdir: str | os.PathLike[str], specs: Container[str] | None = None) -> Config:
    """The resolved config of a run.

    Args:
      workdir: of the run.
      specs: the only specs to be checked, and their modules imported; None for all (`mu.config.resolve.resolve`).

    Raises:
      FileNotFoundError: `workdir` holds no run.
      ConfigError: the config cannot be run by this version, or names what is neither mu's nor of a package that the
        user trusts.
    """
    file = Path(workdir) / "config.json"
    if not file.is_file():
        raise FileNotFoundError(f"{workdir} holds no run (config.json is missing); make one with `mu train`")
    document = read_json(file)
    if not isinstance(document, dict):
        raise ConfigError(f"{file} holds a {type(document).__name__}, not the config of a run; train the run again")
    try:
        trust.refuse_untrusted(document, file)
    except trust.Untrusted as error:
        raise ConfigError(str(error)) from None
    config = resolve(ConfigDict(document), specs)
    return config if specs is not None else here(config, workdir)


def here(config: Config, workdir: str | os.PathLike[str]) -> Config:
    """The config of a run, or a part of it, with the paths at which its files lie if they were moved with the run."""
    record = Path(workdir) / RECORD
    then = read_json(record).get("workdir") if record.is_file() else None
    return config if then is None else relocated(config, then, workdir)


def best_step(checkpoints: SavedCheckpoints, refit: bool, workdir: str | os.PathLike[str]) -> int:
    """The step of a run's best checkpoint: the last of a refit.

    Raises:
      FileNotFoundError: the run has not been evaluated yet.
    """
    steps = checkpoints.steps()
    if not steps:
        raise FileNotFoundError(f"{workdir} has no checkpoint yet; let `mu train` reach its first")
    best = steps[-1] if refit else checkpoints.note(steps[-1])["progress"]["best_step"]
    if best is None:
        raise FileNotFoundError(f"{workdir} has no evaluated checkpoint yet; let `mu train` reach its first evaluation")
    return best


def open_data(config: Config, workdir: str | os.PathLike[str]) -> Data:
    """The data of a run: its log, or its clips.

    Raises:
      FileNotFoundError: they are gone.
    """
    data = here(config.data, workdir)
    try:
        return build(data)
    except OSError as error:
        relative = [path for path in paths_of(data).values() if not os.path.isabs(path)]
        where = f"; {relative[0]} is looked for from the folder {os.getcwd()}" if relative else ""
        raise FileNotFoundError(
            f"the data that {workdir} was trained on is needed and cannot be opened: {error}{where}. Move it back, or "
            f"together with the run, or set its path in {Path(workdir) / 'config.json'}, under data, and delete the "
            "line of the sha256 there"
        ) from error


def open_split(config: Config, data: Data, split_hash: str, workdir: str | os.PathLike[str]) -> Split:
    """The parts of a run's data.

    Raises:
      ValueError: data or split are no longer those that the run was trained on.
    """
    split: Split = build(config.split, data)
    refuse_other_split(split, split_hash, workdir)
    return split


def refuse_other_split(split: Split, split_hash: str, workdir: str | os.PathLike[str]) -> None:
    """Raises ValueError where a split is not the one that a run was trained on: its ids mean other things."""
    if split.hash != split_hash:
        raise ValueError(
            f"the data or split that {workdir} was trained on has changed; "
            "choose another --workdir, or bring the data back"
        )
