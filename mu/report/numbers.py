"""Numbers in sentences and tables of a page: as many decimals as their size asks for, with their intervals."""

import math

from mu.evals.few_units import interval_text


def decimals(*values: float) -> int:
    """4 where all values are below 0.1, else 3: two or three digits that say something."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 4 if 0 < largest < 0.1 else 3


def number(value: float, places: int) -> str:
    """'0.115'; 'not defined' for NaN."""
    return f"{value:.{places}f}" if math.isfinite(value) else "not defined"


def signed(value: float, places: int) -> str:
    """'+0.013', and '0.000' for what rounds to it."""
    text = f"{value:+.{places}f}"
    return text[1:] if float(text) == 0 else text


def interval(low: float, high: float, places: int) -> str:
    """'[0.111, 0.121]', '[unknown]' where there is none."""
    return interval_text(low, high, f".{places}f")


def signed_interval(low: float, high: float, places: int) -> str:
    """'[-0.006, +0.007]', '[unknown]' where there is none."""
    return interval_text(low, high, f"+.{places}f")


def listed(words: list[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
