"""The keys in which the configs of runs differ, and what each of them says."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mu.report.read import spec_words

ABSENT = "absent"
OF_PAGES = ("title", "published")
"""Keys that change what a page says, and nothing of the run."""


def config_differences(configs: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """(dotted key, what each config says) of every key in which they differ, in the order of the first config.

    Specs of different names are one row, with their plain values.

    Args:
      configs: config.json of each run.
    """
    return _differences([{key: config[key] for key in config if key not in OF_PAGES} for config in configs], "")


def _differences(configs: Sequence[Mapping[str, Any]], prefix: str) -> list[tuple[str, list[str]]]:
    rows = []
    for key in dict.fromkeys(key for config in configs for key in config):
        values = [config.get(key, ABSENT) for config in configs]
        if all(value == values[0] for value in values):
            continue
        if all(isinstance(value, Mapping) for value in values) and len({value.get("name") for value in values}) == 1:
            rows += _differences(values, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", [_text(value) for value in values]))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and "name" in value:
        return spec_words(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
