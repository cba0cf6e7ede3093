"""Names near a misspelt one, for error messages."""

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str], count: int, least: float = 0.0) -> list[str]:
    """Up to `count` of the names `known` that are most like `name`, best first, upper and lower case aside.

    Args:
      name: the misspelt one.
      known: the names to choose from.
      count: how many, at the most.
      least: likeness that they must have, between 0 and 1 (`difflib.SequenceMatcher.ratio`).
    """
    by_lower = {other.lower(): other for other in known}
    return [by_lower[key] for key in difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=least)]


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)', to follow a misspelt name in a message; nothing where no known name is like it."""
    names = closest(name, known, 1, least=0.5)
    return f" (did you mean {names[0]!r}?)" if names else ""
