"""Names: objects by their path, the nearest known name of a misspelt one, and the words for true and false."""

import difflib
import importlib
from collections.abc import Iterable, Sequence
from typing import Any

LISTED = 10
"""So many unknown names are listed."""


def closest(name: str, choices: Iterable[str], count: int, least: float = 0.0) -> list[str]:
    """Up to `count` of the names `choices` that are most like `name`, best first, upper and lower case aside.

    Args:
      name: the misspelt one.
      choices: the names to choose from.
      count: how many, at the most.
      least: likeness that they must have, between 0 and 1 (`difflib.SequenceMatcher.ratio`).
    """
    by_lower = {other.lower(): other for other in choices}
    return [by_lower[key] for key in difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=least)]


def nearest(name: str, choices: Iterable[str]) -> str:
    """' (did you mean ...?)', to follow a misspelt name in a message; nothing where no known name is like it."""
    names = closest(name, choices, 1, least=0.5)
    return f" (did you mean {names[0]!r}?)" if names else ""


def unknown_names(what: str, names: Sequence[str], choices: Sequence[str]) -> str:
    """'the log has no listener 'u111'; near it: u11', a line for each of several names, the first `LISTED` of many.

    Args:
      what: a listener, a track.
      names: that are not there.
      choices: that are.
    """
    lines = [
        f"the log has no {what} {name!r}; near it: {', '.join(closest(name, choices, 3))}" for name in names[:LISTED]
    ]
    if len(names) > LISTED:
        lines.append(f"and {len(names) - LISTED:,} more {what}s that it does not have")
    return "\n".join(lines)


def as_boolean(text: str) -> bool | None:
    """What a word says, upper and lower case aside: true, yes, on, 1, or false, no, off, 0; None where neither."""
    return {**dict.fromkeys(("true", "yes", "on", "1"), True), **dict.fromkeys(("false", "no", "off", "0"), False)}.get(
        text.strip().lower()
    )


def is_path(text: str) -> bool:
    """Whether a text has the form 'package.module:attribute'."""
    module, _, attribute = text.partition(":")
    return all(map(str.isidentifier, [*module.split("."), attribute]))


def locate(path: str) -> Any:
    """The object at 'package.module:attribute'.

    Raises:
      ValueError: no such path, module or attribute; names the nearest attribute. A broken import inside the module is
        raised as it is.
    """
    if not is_path(path):
        raise ValueError(f"{path!r}: it takes 'package.module:attribute'")
    name, _, attribute = path.partition(":")
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        advice = "" if name.startswith("mu.") else " (run the command in its folder, or add that to PYTHONPATH)"
        raise ValueError(f"{path!r}: there is no module {error.name!r}{advice}") from None
    try:
        return getattr(module, attribute)
    except AttributeError:
        public = [other for other in vars(module) if not other.startswith("_")]
        raise ValueError(f"{path!r}: {name} has no {attribute!r}{nearest(attribute, public)}") from None


def path_of(cls: type) -> str:
    """'package.module:Class', at which `locate` gives the class.

    Raises:
      ValueError: it does not: the class was made inside a function or another class.
    """
    path = f"{cls.__module__}:{cls.__qualname__}"
    if "." in cls.__qualname__:
        raise ValueError(f"{path} cannot be imported by that path: move the class to the top of its module")
    return path
