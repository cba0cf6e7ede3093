"""The keys in which the configs of runs differ, and what each of them says."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

ABSENT = "absent"


def config_differences(configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """(dotted key, what each config says) of every key in which they differ, in the order of the first config.

    Args:
      configs: config.json of each run.
    """
    flat = [dict(_leaves(config)) for config in configs]
    keys = dict.fromkeys(key for one in flat for key in one)
    rows = [(key, [one.get(key, ABSENT) for one in flat]) for key in keys]
    return [(key, values) for key, values in rows if len(set(values)) > 1]


def _leaves(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """(dotted key, value as text) of everything that is no dict."""
    leaves = []
    for key, value in config.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            leaves += _leaves(value, f"{path}.")
        else:
            leaves.append((path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))
    return leaves
