"""Ranges of settings, declared next to each parameter: `dim: Count = 64`, or `lag: Annotated[int, AtLeast(2)] = 2`.

What reads settings (a config, a command's flags, a dataclass of options) holds every value against its annotation with
`faults`, before anything runs. The annotations change nothing for who calls the function or class from Python.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

LARGEST = 2**31 - 1
"""No number of mu is larger where its range says nothing else: counts fit int32, and the squares of numbers float32."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """The numbers from `low` to `high`; all of them finite.

    Attributes:
      low: the smallest.
      high: the largest.
      above: `low` itself is outside.
      below: `high` itself is outside.
    """

    low: float
    high: float = LARGEST
    above: bool = False
    below: bool = False

    def fault(self, value: float) -> str | None:
        """'it must be at least 1', or None where the value is inside."""
        if isinstance(value, float) and not math.isfinite(value):
            return "it must be a finite number"
        if value < self.low or (self.above and value == self.low):
            return f"it must be {'above' if self.above else 'at least'} {self.low:g}"
        if value > self.high or (self.below and value == self.high):
            return f"it must be {'below' if self.below else 'at most'} {_shown(self.high)}"
        return None


def AtLeast(low: float) -> Bounds:
    """`low` and what is larger."""
    return Bounds(low)


def Above(low: float) -> Bounds:
    """What is larger than `low`."""
    return Bounds(low, above=True)


def Between(low: float, high: float) -> Bounds:
    """From `low` to `high`, both included."""
    return Bounds(low, high)


@dataclasses.dataclass(frozen=True)
class AllOr:
    """One number with a meaning of its own, beside those of a range.

    Attributes:
      value: the number.
      bounds: of the others.
    """

    value: int
    bounds: Bounds

    def fault(self, value: float) -> str | None:
        """'it must be -1 or at least 1', or None where the value is either."""
        fault = self.bounds.fault(value)
        return None if value == self.value or fault is None else fault.replace("be ", f"be {self.value} or ", 1)


@dataclasses.dataclass(frozen=True)
class Ordered:
    """Two numbers of a range, the smaller first.

    Attributes:
      bounds: of both.
    """

    bounds: Bounds

    def fault(self, value: Any) -> str | None:
        """'it must be two numbers, the smaller first', or what is wrong with one of them."""
        if len(value) != 2 or any(isinstance(x, bool) or not isinstance(x, int | float) for x in value):
            return "it must be two numbers, the smaller first"
        wrong = next(filter(None, map(self.bounds.fault, value)), None)
        if wrong is not None:
            return wrong.replace("it", "each", 1)
        return None if value[0] <= value[1] else "it must be two numbers, the smaller first"


@dataclasses.dataclass(frozen=True)
class Beside:
    """A rule between a parameter and another of the same signature, each of which is a number.

    Attributes:
      other: name of the other parameter.
      holds: (value, other's value) -> whether they go together.
      words: of the message, before the other: 'it must divide'.
      after: of the message, after the other.
    """

    other: str
    holds: Callable[[Any, Any], bool]
    words: str
    after: str = ""


def Divides(other: str) -> Beside:
    """The other is a multiple of it."""
    return Beside(other, lambda value, whole: whole % value == 0, "it must divide")


def NotAbove(other: str) -> Beside:
    """It is at most the other."""
    return Beside(other, lambda value, limit: value <= limit, "it must be at most")


def Below(other: str) -> Beside:
    """It is less than the other."""
    return Beside(other, lambda value, limit: value < limit, "it must be below")


def LeavesSome(other: str) -> Beside:
    """The two shares leave something for a third part."""
    return Beside(other, lambda one, two: one + two < 1, "it and", "leave nothing for training")


@dataclasses.dataclass(frozen=True)
class ArgumentsOf:
    """A dict of keyword arguments of a class: each is held against the class's own annotations.

    Attributes:
      target: the class.
    """

    target: Callable[..., Any]


Count = Annotated[int, AtLeast(1)]
CountOrZero = Annotated[int, AtLeast(0)]
Size = Annotated[int, Between(1, 65_536)]
"""Of a layer, or a number of layers."""
Seed = Annotated[int, Between(0, 2**32 - 1)]
Precision = Literal["float32", "bfloat16"]
"""Of a computation, by the name of its dtype."""
Positive = Annotated[float, Above(0)]
NonNegative = Annotated[float, AtLeast(0)]
Share = Annotated[float, Between(0, 1)]
Rate = Annotated[float, Bounds(0, 1, below=True)]
"""A share of what is left out, in [0, 1)."""
PartialShare = Annotated[float, Bounds(0, 1, above=True, below=True)]
"""A share that leaves something on either side, in (0, 1)."""
Threads = Annotated[int, Between(1, 1_024)]
Folds = Annotated[int, Between(2, 10_000)]
Decay = Annotated[float, Bounds(0, 1, above=True)]
"""A factor in (0, 1]."""
Seconds = Annotated[float, Bounds(0, 86_400, above=True)]
"""A duration of sound: up to a day."""
SampleRate = Annotated[int, Between(100, 1_000_000)]
"""In Hz."""


def or_none(annotation: Any) -> Any:
    """What the annotation takes, or None; for tables of annotations, where type checkers do not take `|`."""
    return annotation | None


def faults(value: Any, annotation: Any, where: str, taker: str = "it") -> Iterator[str]:
    """What is wrong with a value of a parameter: 'model.dim=0; it must be at least 1', one for each fault.

    Args:
      value: as it stands in a config, a flag or a dataclass.
      annotation: of the parameter; what is not known here takes anything but NaN.
      where: what the messages call it.
      taker: what the messages call that which takes it.
    """
    if isinstance(value, float) and math.isnan(value):
        yield f"{where}={value!r}; it must be a finite number"
        return
    if not _has_type(value, annotation):
        yield f"{where}={value!r}; {taker} takes {described(annotation)}"
        return
    base, ranges = _parts(annotation)
    while _is_union(base):
        base, more = _parts(next(option for option in typing.get_args(base) if _has_type(value, option)))
        ranges = [*ranges, *more]
    for one in ranges:
        if value is not None and not isinstance(one, ArgumentsOf | Beside) and (wrong := one.fault(value)):
            yield f"{where}={value!r}; {wrong}"
    inside = typing.get_args(base)
    if isinstance(value, tuple | list) and len(inside) > 0:
        repeated = inside[-1] is Ellipsis or len(inside) == 1
        if not repeated and len(inside) != len(value):
            yield f"{where}={value!r}; {taker} takes {len(inside)} values"
            return
        for place, element in enumerate(value):
            yield from faults(element, inside[0 if repeated else place], f"{where}[{place}]", taker)
    elif isinstance(value, Mapping) and len(inside) == 2:
        for key, element in value.items():
            yield from faults(element, inside[1], f"{where}.{key}", taker)


def faults_of(
    values: Mapping[str, Any], annotations: Mapping[str, Any], prefix: str = "", taker: str = "it"
) -> list[str]:
    """What is wrong with the values of one signature, in its order: `faults` of each.

    Args:
      values: parameter -> value; what has no annotation is passed over.
      annotations: parameter -> annotation; each has a value.
      prefix: before the names in the messages: '--'.
      taker: see `faults`.
    """
    return [line for name, hint in annotations.items() for line in faults(values[name], hint, f"{prefix}{name}", taker)]


def faults_beside(values: Mapping[str, Any], annotations: Mapping[str, Any], where: str) -> Iterator[str]:
    """What is wrong between the values of one signature: 'model.heads=3; it must divide model.dim=8'.

    Args:
      values: parameter -> value; what is missing or no number is passed over.
      annotations: parameter -> annotation.
      where: what the messages call the object.
    """
    for name, annotation in annotations.items():
        for rule in ranges_of(annotation):
            if isinstance(rule, Beside):
                value, other = values.get(name), values.get(rule.other)
                numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (value, other))
                if numbers and not rule.holds(value, other):
                    after = rule.after and f" {rule.after}"
                    yield f"{where}.{name}={value!r}; {rule.words} {where}.{rule.other}={other!r}{after}"


def described(annotation: Any) -> str:
    """The type of an annotation, without its range: 'int | None'."""
    base, _ = _parts(annotation)
    if _is_union(base):
        return " | ".join(map(described, typing.get_args(base)))
    if base is type(None):
        return "None"
    origin, inside = typing.get_origin(base), typing.get_args(base)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, inside))
    if isinstance(origin, type) and issubclass(origin, Callable):
        return "a function"
    if origin is not None and inside:
        return f"{origin.__name__}[{', '.join('...' if x is Ellipsis else described(x) for x in inside)}]"
    return base.__name__ if isinstance(base, type) else str(base).replace("typing.", "")


def ranges_of(annotation: Any) -> list[Any]:
    """Every range that an annotation declares, those of its elements and of the options of a union too."""
    base, ranges = _parts(annotation)
    return [*ranges, *(one for inside in typing.get_args(base) for one in ranges_of(inside))]


def _parts(annotation: Any) -> tuple[Any, list[Any]]:
    """The type and its ranges; what others have put into an `Annotated` is passed over."""
    if typing.get_origin(annotation) is not Annotated:
        return annotation, []
    base, *metadata = typing.get_args(annotation)
    return base, [one for one in metadata if isinstance(one, Bounds | AllOr | Ordered | Beside | ArgumentsOf)]


def _is_union(annotation: Any) -> bool:
    return isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union


def _has_type(value: Any, annotation: Any) -> bool:
    """Whether a value is of an annotation's type, its range aside; unknown annotations take anything."""
    base, _ = _parts(annotation)
    if _is_union(base):
        return any(_has_type(value, option) for option in typing.get_args(base))
    if base is None or base is type(None):
        return value is None
    if base is bool:
        return isinstance(value, bool)
    if base is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if base is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if base is str:
        return isinstance(value, str)
    origin = typing.get_origin(base) or base
    if origin is typing.Literal:
        return any(value == word and type(value) is type(word) for word in typing.get_args(base))
    if not isinstance(origin, type):
        return True
    if issubclass(origin, Mapping):
        return isinstance(value, Mapping)
    if issubclass(origin, Callable):
        return callable(value)
    if issubclass(origin, Sequence):
        return isinstance(value, tuple | list)
    return True


def _shown(number: float) -> str:
    return f"{int(number)}" if number == int(number) else f"{number:g}"
