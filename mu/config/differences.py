"""In what two configs differ."""

from collections.abc import Mapping
from typing import Any


def differences(saved: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys in which two nested configs differ, as 'key: saved -> now', in order of key."""
    changed: list[str] = []
    for key in sorted(set(saved) | set(now)):
        path = f"{prefix}{key}"
        old, new = saved.get(key, "(absent)"), now.get(key, "(absent)")
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed += differences(old, new, f"{path}.")
        elif old != new:
            changed.append(f"{path}: {old!r} -> {new!r}")
    return changed
