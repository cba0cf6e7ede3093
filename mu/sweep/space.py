"""The space of a sweep, `--over="optimizer.learning_rate=log(1e-4,1e-2);model.dim=64|128"`, and its grammar."""

import dataclasses
import itertools
import math
import re
from collections.abc import Iterator, Mapping

from mu.config.base import ConfigError

GRAMMAR = "choices a|b|c, log(low,high), uniform(low,high) or int(low,high)"
KINDS = ("log", "uniform", "int")
_CALL = re.compile(r"(\w+)\((.*)\)")
_DIGITS = 4
"""Of a number that is drawn from a range, behind those that all its numbers share: more are not worth their place."""


@dataclasses.dataclass(frozen=True)
class Choices:
    """One of several values.

    Attributes:
      texts: the values as `--config.KEY=` takes them.
    """

    texts: tuple[str, ...]

    def ends(self) -> tuple[str, ...]:
        """The values that are checked before anything runs: all."""
        return self.texts


@dataclasses.dataclass(frozen=True)
class Range:
    """A number between two, both included.

    Attributes:
      kind: 'log' (its logarithm is uniform), 'uniform', or 'int' (a whole number, each as likely).
      low: the smallest.
      high: the largest.
    """

    kind: str
    low: float
    high: float

    def ends(self) -> tuple[str, ...]:
        """The values that are checked before anything runs: the smallest and the largest."""
        return self.text(self.low), self.text(self.high)

    def text(self, value: float) -> str:
        """A value as `--config.KEY=` takes it, inside of the range, with few digits."""
        if self.kind == "int":
            return str(int(value))
        # Of a narrow range, such as 0.99 to 0.9999, the first digits are the same in all values.
        same = math.floor(math.log10(max(abs(self.low), abs(self.high)) / (self.high - self.low)))
        return repr(min(max(float(f"{value:.{_DIGITS + max(same, 0)}g}"), self.low), self.high))


Space = Mapping[str, Choices | Range]
"""Key of a config, or option of a baseline -> what it may be."""


def parse_space(text: str) -> dict[str, Choices | Range]:
    """The space that `--over` describes: 'key=values;key=values'.

    Raises:
      ConfigError: it is empty, or a part of it cannot be read; names every such part.
    """
    space: dict[str, Choices | Range] = {}
    faults: list[str] = []
    for part in filter(None, map(str.strip, text.split(";"))):
        key, equals, values = (word.strip() for word in part.partition("="))
        if not equals or not key:
            faults.append(f"--over: {part!r} names no key: KEY={GRAMMAR}")
        elif key in space:
            faults.append(f"--over: {key} is there twice")
        else:
            try:
                space[key] = _dimension(values)
            except ConfigError as error:
                faults.append(f"--over: {key}={values}: {error}")
    if faults:
        raise ConfigError("\n".join(faults))
    if not space:
        raise ConfigError(f"--over={text!r} is empty: give KEY={GRAMMAR}, several separated by ;")
    return space


def _dimension(text: str) -> Choices | Range:
    call = _CALL.fullmatch(text)
    if call is None:
        texts = tuple(map(str.strip, text.split("|")))
        if not all(texts):
            raise ConfigError(f"a choice is empty; it takes {GRAMMAR}")
        if len(set(texts)) < len(texts):
            raise ConfigError("a choice is there twice")
        return Choices(texts)
    kind, inside = call.groups()
    if kind not in KINDS:
        raise ConfigError(f"there is no {kind}(...); it takes {GRAMMAR}")
    try:
        low, high = (int(one) if kind == "int" else float(one) for one in inside.split(","))
    except ValueError:
        numbers = "whole numbers" if kind == "int" else "numbers"
        raise ConfigError(f"{kind} takes two {numbers}, {kind}(low,high)") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError("low must be below high, and both finite")
    if kind == "log" and low <= 0:
        raise ConfigError("a logarithm needs numbers above 0")
    return Range(kind, low, high)


def grid(space: Space) -> Iterator[dict[str, str]]:
    """Every combination of a space of choices and whole numbers, the last key changing fastest.

    Raises:
      ConfigError: a range has no end of values.
    """
    values = [
        one.texts if isinstance(one, Choices) else tuple(map(str, range(int(one.low), int(one.high) + 1)))
        for one in _with_an_end(space)
    ]
    return (dict(zip(space, combination, strict=True)) for combination in itertools.product(*values))


def grid_size(space: Space) -> int:
    """How many combinations a space has; see `grid`."""
    sizes = (len(one.texts) if isinstance(one, Choices) else int(one.high - one.low) + 1 for one in _with_an_end(space))
    return math.prod(sizes)


def _with_an_end(space: Space) -> list[Choices | Range]:
    for key, one in space.items():
        if isinstance(one, Range) and one.kind != "int":
            raise ConfigError(
                f"--over: {key}={one.kind}(...) has no end of values, and a grid tries all: give choices a|b|c, or "
                "--sampler=random"
            )
    return list(space.values())
