"""Ranges: what is inside passes without a word, and what is wrong is named with its place, value and range."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest

from mu.ranges import (
    Above,
    AllOr,
    AtLeast,
    Below,
    Between,
    Count,
    Divides,
    LeavesSome,
    NonNegative,
    NotAbove,
    Ordered,
    PartialShare,
    Positive,
    Rate,
    Seed,
    Share,
    described,
    faults,
    faults_beside,
    ranges_of,
)

Schedule = Callable[[int], float]


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        (1, Count),
        (2**31 - 1, Count),
        (0, Seed),
        (2**32 - 1, Seed),
        (1e-300, Positive),
        (1, Positive),  # whole numbers are numbers
        (0.0, NonNegative),
        (0, Share),
        (1, Share),
        (0.999, Rate),
        (0.5, PartialShare),
        (None, Count | None),
        (3, Count | None),
        (None, Annotated[int | None, AtLeast(1)]),
        (3, Annotated[Count | None, Below("other")]),
        (-1, Annotated[int, AllOr(-1, AtLeast(1))]),
        ((1, 5), tuple[Count, ...]),
        ([], tuple[Count, ...]),
        ([-3.0, 3], Annotated[tuple[float, float], Ordered(Between(-9, 9))]),
        ({"a": 0.5}, Mapping[str, Share]),
        ("dot", Literal["dot", "cosine"]),
        (("a", "b"), Sequence[str]),
        (0.1, Positive | Schedule),
        (math.sqrt, Positive | Schedule),
        (math.inf, float),  # of a parameter without a range
        (object(), Any),
        (5, "an annotation that nobody knows"),
    ],
)
def test_what_is_inside_has_no_fault(value, annotation):
    assert list(faults(value, annotation, "key")) == []


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        (0, Count, "key=0; it must be at least 1"),
        (2**31, Count, "key=2147483648; it must be at most 2147483647"),
        (1.0, Count, "key=1.0; it takes int"),
        (True, Count, "key=True; it takes int"),
        ("1", Count, "key='1'; it takes int"),
        (None, Count, "key=None; it takes int"),
        (True, Positive, "key=True; it takes float"),
        (0.0, Positive, "key=0.0; it must be above 0"),
        (-0.1, NonNegative, "key=-0.1; it must be at least 0"),
        (1e30, Positive, "key=1e+30; it must be at most 2147483647"),
        (math.inf, Positive, "key=inf; it must be a finite number"),
        (-math.inf, NonNegative, "key=-inf; it must be a finite number"),
        (math.nan, Positive | None, "key=nan; it must be a finite number"),
        (math.nan, float, "key=nan; it must be a finite number"),
        (1.5, Share, "key=1.5; it must be at most 1"),
        (1.0, Rate, "key=1.0; it must be below 1"),
        (0.0, PartialShare, "key=0.0; it must be above 0"),
        (0, Count | None, "key=0; it must be at least 1"),
        (0, Annotated[Count | None, Below("other")], "key=0; it must be at least 1"),
        ("1", Count | None, "key='1'; it takes int | None"),
        (1, Annotated[float, Above(1)], "key=1; it must be above 1"),
        (0, Annotated[int, AllOr(-1, AtLeast(1))], "key=0; it must be -1 or at least 1"),
        (5, tuple[Count, ...], "key=5; it takes tuple[int, ...]"),
        ((1, 0), tuple[Count, ...], "key[1]=0; it must be at least 1"),
        ((1.0,), tuple[float, float], "key=(1.0,); it takes 2 values"),
        ((1.0, 2.0, 3.0), Annotated[tuple[float, float], Ordered(AtLeast(0))], "two numbers, the smaller first"),
        ((2.0, 1.0), Annotated[tuple[float, float], Ordered(AtLeast(0))], "two numbers, the smaller first"),
        ((-1.0, 1.0), Annotated[tuple[float, float], Ordered(AtLeast(0))], "each must be at least 0"),
        ({"a": -1}, Mapping[str, NonNegative], "key.a=-1; it must be at least 0"),
        ([1], Mapping[str, NonNegative], "key=[1]; it takes Mapping[str, float]"),
        ("dott", Literal["dot", "cosine"], "key='dott'; it takes one of dot, cosine"),
        ("genre", Sequence[str], "key='genre'; it takes Sequence[str]"),
        (-0.1, Positive | Schedule, "key=-0.1; it must be above 0"),
        ("fast", Positive | Schedule, "key='fast'; it takes float | a function"),
    ],
)
def test_what_is_outside_is_named(value, annotation, message):
    lines = list(faults(value, annotation, "key"))
    assert message in lines[0] and not any("\n" in line for line in lines)


def test_every_fault_is_named():
    assert list(faults((0, 3, -1), tuple[Count, ...], "ks")) == [
        "ks[0]=0; it must be at least 1",
        "ks[2]=-1; it must be at least 1",
    ]


@pytest.mark.parametrize(
    ("values", "annotation", "message"),
    [
        ({"a": 3, "b": 8}, Annotated[int, Divides("b")], "it.a=3; it must divide it.b=8"),
        ({"a": 4, "b": 8}, Annotated[int, Divides("b")], None),
        ({"a": 9.0, "b": 8}, Annotated[float, NotAbove("b")], "it.a=9.0; it must be at most it.b=8"),
        ({"a": 8, "b": 8}, Annotated[int, NotAbove("b")], None),
        ({"a": 8, "b": 8}, Annotated[int, Below("b")], "it.a=8; it must be below it.b=8"),
        ({"a": 0.5, "b": 0.5}, Annotated[Share | None, LeavesSome("b")], "it.a=0.5; it and it.b=0.5 leave nothing for"),
        ({"a": None, "b": 0.5}, Annotated[Share | None, LeavesSome("b")], None),
        ({"a": 8, "b": None}, Annotated[int, Below("b")], None),
        ({"a": 8}, Annotated[int, Below("b")], None),
    ],
)
def test_rules_between_two_parameters_name_both(values, annotation, message):
    lines = list(faults_beside(values, {"a": annotation, "b": int}, "it"))
    assert (not lines) if message is None else message in lines[0]


def test_the_taker_is_named_where_it_is_known():
    assert list(faults("wide", Count, "model.dim", "my.models:Mine")) == ["model.dim='wide'; my.models:Mine takes int"]


def test_ranges_are_found_inside_and_are_no_part_of_the_type():
    assert ranges_of(tuple[Count, ...] | None) == [AtLeast(1)] and ranges_of(int | None) == []
    assert described(tuple[Count, ...] | None) == "tuple[int, ...] | None"
