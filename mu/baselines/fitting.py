"""What baselines share: the refusal of one that has not been fitted."""

from typing import Any


def fitted(value: Any, name: str) -> Any:
    """`value`, unless it is None: then `fit` has not been called."""
    if value is None:
        raise RuntimeError(f"{name} has not been fitted; call fit(log) with the training log first")
    return value
