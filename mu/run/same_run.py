"""Whether the config of a checkpoint is that of the run that takes it up."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mu.config.base import ConfigError
from mu.config.resolve import takes
from mu.training.checkpoint import differences

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


def refuse_other_config(saved: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Raises ConfigError with the keys in which a checkpoint's config differs from this one's."""
    may_differ = set(MAY_DIFFER)
    if takes(now["optimizer"], "total_steps"):  # its rate follows them: more steps are another run
        may_differ.remove("total_steps")
    old, new = ({key: c[key] for key in c if key not in may_differ} for c in (saved, now))
    if changed := differences(old, new):
        raise ConfigError(
            f"{folder} holds a run with another config; choose another --workdir, or set:\n  " + "\n  ".join(changed)
        )
