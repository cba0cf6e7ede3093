"""Checks of baselines: of options when one is made, of the log that it is fitted to, and of a use before `fit`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mu.protocols import Log
from mu.ranges import faults_of
from mu.signatures import hints_of


def check_options(model: type, values: Mapping[str, Any]) -> None:
    """Holds options against the annotations of a constructor (`mu.ranges`); NumPy's numbers count as Python's.

    Args:
      model: the class whose constructor it is.
      values: by name, such as `locals()` at its start; what has no annotation is passed over.

    Raises:
      ValueError: names each option that is wrong, its value and what it takes, a line each.
    """
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    hints = {name: hint for name, hint in hints_of(model).items() if name in plain}
    if wrong := faults_of(plain, hints, taker=model.__name__):
        raise ValueError("\n".join(wrong))


def require_times(plays: Log, name: str, instead: str) -> None:
    """Raises ValueError where the order of plays is known and not their times: says what to use instead."""
    if not plays.has_times:
        raise ValueError(
            f"{name} needs the times of plays, and these have an order alone: import the log with --time, or use "
            f"{instead}"
        )


def fitted(value: Any, name: str) -> Any:
    """Returns `value`; raises RuntimeError where it is None, because `fit` has not been called."""
    if value is None:
        raise RuntimeError(f"{name} has not been fitted; call fit(log) with the training log first")
    return value
