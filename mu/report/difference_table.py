"""The table of paired differences: every run less the first, in each section or metric."""

import dataclasses
import math
from collections.abc import Sequence

from mu.evals.paired import LEVEL, paired
from mu.report.columns import words_of
from mu.report.comparison import Comparison
from mu.report.numbers import decimals, signed, signed_interval


@dataclasses.dataclass(frozen=True)
class DifferenceCell:
    """A paired difference.

    Attributes:
      title: of the column, for cards on a phone.
      value: '+0.013'.
      interval: '[+0.004, +0.022]'.
      clear: whether the interval lies on one side of 0.
    """

    title: str
    value: str
    interval: str
    clear: bool


@dataclasses.dataclass(frozen=True)
class DifferenceTable:
    """Differences to one run.

    Attributes:
      base: the run that is subtracted.
      header: titles of the columns.
      rows: (run, its cells).
      how_to_read: sentences below it.
    """

    base: str
    header: Sequence[str]
    rows: Sequence[tuple[str, Sequence[DifferenceCell]]]
    how_to_read: str


def difference_table(
    compared: Comparison, base: str, others: Sequence[str], samples: int, seed: int
) -> DifferenceTable:
    """Each of `others` less `base`, in every column of the table of values.

    Args:
      compared: that has the results.
      base: a name in it.
      others: likewise.
      samples: of the intervals.
      seed: of the intervals.
    """
    columns = compared.table_columns
    rows = []
    for name in others:
        pairs = paired(compared.results, name, [base], [column.name for column in columns], samples, seed)
        cells = []
        for column in columns:
            one = next(iter(pairs[column.name]), None)
            if one is None:
                cells.append(DifferenceCell(column.title, "not defined", "", clear=False))
                continue
            ends = [end for end in (one.low, one.high) if math.isfinite(end)]
            places = decimals(one.difference, *ends)
            interval = signed_interval(one.low, one.high, places)
            cells.append(
                DifferenceCell(column.title, signed(one.difference, places), interval, clear=one.outcome != LEVEL)
            )
        rows.append((words_of(name), cells))
    unit = compared.result.unit
    words = (
        f"What each run has more than {words_of(base)}, {unit} by {unit}, then averaged, with the 95 % interval of the "
        "paired difference; bold where it does not hold 0. All this speaks of these trained models: how much another "
        "seed would change them, only runs with other seeds can say."
    )
    return DifferenceTable(words_of(base), [column.title for column in columns], rows, words)
