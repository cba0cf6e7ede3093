"""Whether the config of a checkpoint is that of the run that takes it up."""

import inspect
import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from mu.config.base import DENSE, LATER, ConfigError
from mu.config.differences import differences
from mu.config.paths import paths_of
from mu.config.resolve import locate, takes
from mu.run.workdir import here
from mu.signatures import parameters_of

# Keys that may differ between a checkpoint and the run that takes it up: they change what is watched, not
# what is learnt. More steps are no other run, only a longer one, unless the optimizer plans by them.
MAY_DIFFER = (
    *LATER,
    "data",  # a log may move; that it is the same log is known by the hash of its split
    "log_every_steps",
    "checkpoint_every_steps",
    "profile",
    "writers",
    "baselines",
    "mesh",
    "total_steps",
)


def refuse_other_config(saved: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Raises ConfigError with the keys in which a checkpoint's config differs from this one's.

    A path is the same that leads to the same place, from the current folder and through links. A config of an earlier
    version lacks the parameters that mu or the user's own code has got since; at their defaults they are no difference.
    """
    may_differ = set(MAY_DIFFER)
    if takes(now["optimizer"], "total_steps"):  # its rate follows them: more steps are another run
        may_differ.remove("total_steps")
    if saved.get("init_from"):  # it may have been moved with the run
        saved = {**saved, **here(ConfigDict({"init_from": saved["init_from"]}), folder).to_dict()}
    paths = paths_of(ConfigDict(now))
    old, new = (
        _with_real_paths({key: c[key] for key in c if key not in may_differ}, paths, "config") for c in (saved, now)
    )
    if changed := differences(old, _without_newer_defaults(old, new)):
        raise ConfigError(
            f"{folder} holds a run with another config; choose another --workdir, or set:\n  " + "\n  ".join(changed)
        )


def _with_real_paths(config: Mapping[str, Any], paths: Container[str], where: str) -> dict[str, Any]:
    """A config with the entries at the keys `paths` absolute and their links followed."""
    changed: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            value = _with_real_paths(value, paths, f"{where}.{key}")
        elif isinstance(value, str) and value and f"{where}.{key}" in paths:
            value = os.path.realpath(value)
        changed[key] = value
    return changed


def _without_newer_defaults(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`new` without entries of its specs that the same spec of `old` lacks and that equal the parameter's default."""
    same = new.get("name", DENSE) != DENSE and old.get("name") == new["name"]
    parameters = parameters_of(locate(new["name"], "name")) if same else {}
    kept: dict[str, Any] = {}
    for key, value in new.items():
        if key in old:
            inside = isinstance(value, Mapping) and isinstance(old[key], Mapping)
            kept[key] = _without_newer_defaults(old[key], value) if inside else value
            continue
        default = parameters[key].default if key in parameters else inspect.Parameter.empty
        if value != (list(default) if isinstance(default, tuple) else default):  # JSON has lists alone
            kept[key] = value
    return kept
