"""Three tiles at the top of a page: a number, its interval, the best baseline beside it, and what is above both."""

import dataclasses
import math
from collections.abc import Sequence

from mu.evals.leaders import ORACLE
from mu.evals.nouns import counted
from mu.report.columns import Column, words_of
from mu.report.comparison import Comparison
from mu.report.numbers import interval, number

MOST = 3
FIRST = ("discovery", "day 0", "days 1-6")
"""Sections of plays that come first; others follow in the order of the evaluation."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """A metric of the model.

    Attributes:
      title: the section or target; the metric where there are none.
      metric: its name where the title is another, else empty.
      value: of the model.
      interval: of the value.
      units: how many it is of: '367 plays'.
      outcome: 'above', 'level with' or 'below' the best baseline, by the paired interval; empty without baseline.
      baseline: the best, in words; empty where there is none.
      baseline_value: its value.
      reference: the oracle or the best published row; empty where there is none.
      reference_value: its value.
    """

    title: str
    metric: str
    value: str
    interval: str
    units: str
    outcome: str = ""
    baseline: str = ""
    baseline_value: str = ""
    reference: str = ""
    reference_value: str = ""


def tiles(compared: Comparison) -> list[Tile]:
    """Up to three tiles: of sections or targets, then other metrics of the first, where the model has a value."""
    columns: Sequence[Column] = compared.columns
    first = [column for section in FIRST for column in columns if column.section == section]
    ordered = [*first, *(column for column in columns if column not in first), *compared.more]
    ordered = [column for column in ordered if math.isfinite(compared.estimate(column).value)]
    return [_tile(compared, column) for column in ordered[:MOST]]


def _tile(compared: Comparison, column: Column) -> Tile:
    places, estimate, rivals = compared.places(column), compared.estimate(column), compared.beside(column)
    best, reference = (rivals[0] if rivals else None), _reference(compared, column)
    if column.descriptive:  # the largest value is not the best
        best = reference = None
    return Tile(
        title=column.title,
        metric="" if column.title == column.metric else column.metric,
        value=number(estimate.value, places),
        interval=interval(estimate.low, estimate.high, places),
        units=counted(column.n_units, compared.result.unit),
        outcome="" if best is None else best.outcome,
        baseline="" if best is None else words_of(best.other),
        baseline_value="" if best is None else number(best.other_value, places),
        reference="" if reference is None else reference[0],
        reference_value="" if reference is None else number(reference[1], places),
    )


def _reference(compared: Comparison, column: Column) -> tuple[str, float] | None:
    """The oracle, or the best published row: (its name, its value)."""
    oracle = compared.against(column, ORACLE)
    if oracle is not None:
        return words_of(ORACLE), oracle.other_value
    published = compared.published_in(column)
    return next(((f"{label}, published", value) for label, value in published.items()), None)
