"""Training from Python."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from ml_collections import ConfigDict

from mu.config.base import ConfigError, base
from mu.config.overrides import load, with_overrides
from mu.data.logs.interactions import Interactions
from mu.interface.run import Run
from mu.train import train as train_run

WHOLE = ("baselines", "evals", "policy", "published")
"""Keys whose value is replaced as a whole; of others a mapping sets the keys that it has."""


def train(config: Any, workdir: str | os.PathLike[str], **overrides: Any) -> Run:
    """See `mu.api.train`."""
    if isinstance(config, str | os.PathLike):
        resolved = load(os.fspath(config), _flat(overrides))
    elif isinstance(config, ConfigDict):
        resolved = with_overrides(config, _flat(overrides))
    elif isinstance(config, Mapping):
        resolved = with_overrides(base(), _flat({**config, **overrides}))
    else:
        raise ConfigError(
            f"config is a {type(config).__name__}; it takes the path of a config, a ConfigDict, or a mapping of keys"
        )
    train_run(resolved, workdir)
    return Run(workdir)


def _flat(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """{'model.dim': 64} from {'model': {'dim': 64}} or {'model.dim': 64}; a log as `data` is the folder it lies in."""
    return dict(_entries(overrides, ""))


def _entries(overrides: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in overrides.items():
        path = f"{prefix}{key}"
        if isinstance(value, Interactions):
            if value.folder is None:
                raise ConfigError(f"{path}: this log lies in no folder; give one of `import_log`")
            yield f"{path}.path", str(value.folder)
        elif isinstance(value, Mapping | ConfigDict) and path not in WHOLE:
            yield from _entries(dict(value), f"{path}.")
        else:
            yield path, os.fspath(value) if isinstance(value, os.PathLike) else value
