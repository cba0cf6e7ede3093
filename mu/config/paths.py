"""The paths in a config: which they are, and how they are found from another folder than that of `mu train`."""

import os
import typing
from collections.abc import Callable
from typing import Any

from ml_collections import ConfigDict

from mu.config.base import KEYS, Config
from mu.config.resolve import hints_of, locate


def anchored(config: Config, folder: str | os.PathLike[str]) -> Config:
    """The config with absolute paths, relative ones being from `folder`.

    A path is what the object that a spec names annotates with `os.PathLike`.
    """
    # Links are not followed, and '..' stays: where it leads is for the system to say.
    return _with_paths(config, lambda path, _: os.path.join(folder, path), "config")


def relocated(config: Config, then: str | os.PathLike[str], now: str | os.PathLike[str]) -> Config:
    """The config of a run that was moved: a path that is gone is looked for as far from the run as it was.

    Args:
      config: with absolute paths, or a part of it.
      then: the folder of the run when it was trained.
      now: the folder of the run.
    """

    def moved(path: str, _: str) -> str:
        if os.path.exists(path) or not os.path.isabs(path):
            return path
        beside = os.path.join(os.path.abspath(now), os.path.relpath(path, then))
        return os.path.normpath(beside) if os.path.exists(beside) else path

    return _with_paths(config, moved, "config")


def paths_of(config: Config) -> dict[str, str]:
    """{'config.init_from': 'runs/first'}: the paths in a config, or in a part of it, by their keys."""
    paths: dict[str, str] = {}

    def add(path: str, key: str) -> str:
        paths[key] = path
        return path

    _with_paths(config, add, "config")
    return paths


def _with_paths(config: Config, change: Callable[[str, str], str], where: str) -> Config:
    name = config.get("name")
    hints = hints_of(locate(name, f"{where}.name")) if isinstance(name, str) and ":" in name else {}
    if where == "config":
        hints |= KEYS
    changed: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            changed[key] = _with_paths(value, change, f"{where}.{key}")
        elif isinstance(value, str) and value and _is_path(hints.get(key)):
            changed[key] = change(value, f"{where}.{key}")
        else:
            changed[key] = value
    return ConfigDict(changed)


def _is_path(annotation: Any) -> bool:
    """Whether an annotation, or one of those that it unites, is `os.PathLike`."""
    parts = (annotation, *typing.get_args(annotation))
    return any(part is os.PathLike or typing.get_origin(part) is os.PathLike for part in parts)
