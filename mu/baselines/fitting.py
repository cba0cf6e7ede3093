"""A check for baselines: an error where one is used before `fit`."""

from typing import Any


def fitted(value: Any, name: str) -> Any:
    """Returns `value`; raises RuntimeError where it is None, because `fit` has not been called."""
    if value is None:
        raise RuntimeError(f"{name} has not been fitted; call fit(log) with the training log first")
    return value
