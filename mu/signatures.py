"""What a class or function takes: its parameters, and their annotations."""

import inspect
import typing
from collections.abc import Callable
from typing import Any


def parameters_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The parameters of a function or class by name; `*args` and `**kwargs` under their own names."""
    if not inspect.isclass(target) or target.__init__ is object.__init__:
        return dict(inspect.signature(target).parameters)
    # Of a class its own __init__: a metaclass with a __call__ (flax.nnx) hides it from inspect.signature.
    _, *parameters = inspect.signature(target.__init__).parameters.items()
    return dict(parameters)


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a target's parameters, with their ranges (`mu.ranges`); none that cannot be evaluated."""
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
    except (NameError, TypeError):  # a signature whose annotations cannot be evaluated is not checked
        return {}
