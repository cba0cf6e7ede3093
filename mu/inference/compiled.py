"""Functions of a model, compiled once for the same model: each evaluation of a training run has other parameters."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

# Models whose programs stay compiled.
LATEST = 8
R = TypeVar("R")


class _Same:
    """A value as a key: equal to itself alone. Graphs of modules have no hash of their own."""

    def __init__(self, value: Any):
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def once(function: Callable[..., R]) -> Callable[..., R]:
    """`function`, called once for the same objects; the results for the `LATEST` are kept.

    Args:
      function: makes jitted functions of the objects that it closes over, such as the graph of a model.
    """
    cached = functools.lru_cache(LATEST)(lambda *keys: function(*(key.value for key in keys)))

    @functools.wraps(function)
    def call(*parts: Any) -> R:
        return cached(*map(_Same, parts))

    return call
