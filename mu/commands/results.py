"""Tables of results on standard output."""

import os
from collections.abc import Sequence

from mu.console import bold_is_shown, terminal_width
from mu.evals.group_tables import group_text, read_groups
from mu.evals.results import evaluations_of, load, tables
from mu.evals.table import ResultTable


def show_tables(place: str | os.PathLike[str]) -> None:
    """Prints the tables of a run's evaluations, or of those that a folder holds.

    On a terminal they fit its width, and the best value of each column is bold; elsewhere they are as in table.txt.
    """
    width = terminal_width()
    if width is None:
        print(tables(place), end="")
        return
    for folder in evaluations_of(place).values():
        one = load(folder)
        print(ResultTable(one.results, samples=one.samples, seed=one.seed).text(width, bold_is_shown()))


def show_groups(place: str | os.PathLike[str], columns: Sequence[str]) -> None:
    """Prints the first metric of each evaluation in groups of listeners, where columns are named.

    Args:
      place: the folder of evaluations.
      columns: of the listeners.
    """
    for folder in evaluations_of(place).values() if columns else ():
        first = next(iter(load(folder).results.values()))
        metric = next(name for name in first.shown or first.columns if name in first.columns)
        print(f"\n{group_text(read_groups(folder), metric, columns, terminal_width())}")
