"""A simulated music world whose truth is known: `simulate('small', seed=0)`, `World`, `Oracle`."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mu.world.oracle import Oracle
    from mu.world.settings import SIZES, Settings
    from mu.world.world import World, load, simulate

__all__ = ["SIZES", "Oracle", "Settings", "World", "load", "simulate"]

_HOMES = {
    "Oracle": "mu.world.oracle",
    "SIZES": "mu.world.settings",
    "Settings": "mu.world.settings",
    "World": "mu.world.world",
    "load": "mu.world.world",
    "simulate": "mu.world.world",
}


def __getattr__(name: str) -> object:
    """Imports a name's module at its first use, so that `import mu.world` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)
