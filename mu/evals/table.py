"""Tables of results: for a terminal, for a file, for a notebook."""

import functools
import html
import math
from collections.abc import Mapping, Sequence

from mu.evals.bar import bar_sentences
from mu.evals.few_units import FEW, interval_text
from mu.evals.leaders import Leaders, contestants, leaders
from mu.evals.left_out import left_out_sentences
from mu.evals.nouns import counted, plural
from mu.evals.result import Estimate, Result
from mu.evals.text_tables import column_blocks, text_table

# Wider tables are turned round where that makes them narrower: metrics down, recommenders across.
WIDTH = 120
LEVEL = "="
"""Behind a value that cannot be told from the best of its column."""


class ResultTable:
    """Values with 95 % bootstrap intervals, one line a recommender, one column a metric.

    A metric of several sections ('day 0/recall@20', 'discovery/recall@20') has a column a section, with the number of
    its units.

    Args:
      results: name of the recommender or predictor -> its result; all of one evaluator.
      names: metrics that are shown; None for those that the results say.
      samples: of the bootstrap.
      seed: of the bootstrap.
    """

    def __init__(
        self, results: Mapping[str, Result], names: Sequence[str] | None = None, samples: int = 1000, seed: int = 0
    ):
        self._results, self._samples, self._seed = results, samples, seed
        self._first = next(iter(results.values()))
        self.names = list(names or self._first.shown or self._first.names)
        self._metrics = {name.rpartition("/")[2] for name in self.names}

    def __str__(self) -> str:
        """The table as plain text, and lines that say over what the intervals are and which values are level."""
        return self.text()

    def text(self, width: int | None = None, bold: bool = False) -> str:
        """The table as text that fits a width: turned round, or in blocks of columns, where it does not otherwise.

        Args:
          width: of the terminal; None for a file, where a table of sections is as wide as it is: in pieces it reads
            badly. Others fit `WIDTH`.
          bold: whether the best value of each column is bold, by escape codes.
        """
        rows, best = self._rows()
        turned = [list(column) for column in zip(*rows, strict=True)]
        bound = WIDTH if width is None and not self.by_section else width
        if not self.by_section and len(column_blocks(rows, bound)) > len(column_blocks(turned, bound)):
            rows, best = turned, {(column, row) for row, column in best}
        return f"{text_table(rows, width=bound, bold=best if bold else ())}\n{self.note()}"

    def _rows(self) -> tuple[list[list[str]], set[tuple[int, int]]]:
        """(header and rows as text, (row, column) of the best values)."""
        rows, places = [self.header()], set()
        for number, (name, row) in enumerate(self._estimates(), 1):
            cells = [name]
            for column, estimate in enumerate(row, 1):
                # Behind other values of the column a blank, so that numbers stand below each other.
                ahead = self._leaders[estimate.name]
                sign = LEVEL if name in ahead.level else " " if ahead.level else ""
                cells.append(f"{self._cell(estimate)}{sign}")
                if name == ahead.best:
                    places.add((number, column))
            rows.append(cells)
        return rows, places

    @functools.cached_property
    def _leaders(self) -> dict[str, Leaders]:
        """Metric -> who is ahead in it; nobody where there is no rival."""
        if len(contestants(self._results)) < 2:
            return dict.fromkeys(self.names, Leaders("", ()))
        return leaders(self._results, self.names, self._samples, self._seed)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table for notebooks."""
        lines = ["<tr>" + "".join(f"<th>{html.escape(title)}</th>" for title in self.header()) + "</tr>"]
        for name, row in self._estimates():
            cells = []
            for estimate in row:
                value, _, interval = self._cell(estimate).partition(" ")
                if name == self._leaders[estimate.name].best:
                    value = f"<b>{value}</b>"
                elif name in self._leaders[estimate.name].level:
                    value += f" {LEVEL}"
                cells.append(f"<td>{value}<br><small style='white-space: nowrap'>{interval}</small></td>")
            lines.append(f"<tr><th>{html.escape(name)}</th>{''.join(cells)}</tr>")
        return f"<table>{''.join(lines)}</table><p>{html.escape(self.note())}</p>"

    @property
    def by_section(self) -> bool:
        """Whether the columns are sections of one metric."""
        return len(self._metrics) == 1 < len(self.names)

    def header(self) -> list[str]:
        """Titles of the columns."""
        if not self.by_section:
            return ["", *self.names]
        sections = (f"{name.rpartition('/')[0]}, {self._first.n_units(name):,}" for name in self.names)
        return [f"{next(iter(self._metrics))}, {plural(self._first.unit)}", *sections]

    def note(self) -> str:
        """The lines below the table: number of units, what the intervals are over, the model beside the best baseline,
        what was left out."""
        first = self._first
        few = ", wider because they are few" if first.n_clusters < FEW else ""
        intervals = f"brackets: 95 % bootstrap interval over {first.resampled}{few}"
        level = [f"{LEVEL} behind a value: level with the best of its column, the paired 95 % interval holds 0"]
        lines = (
            f"{counted(len(first), first.unit)}; {intervals}",
            *(level if any(ahead.level for ahead in self._leaders.values()) else ()),
            *bar_sentences(self._results, self.names, self._samples, self._seed),
            *left_out_sentences(first.counts),
            *first.notes,
        )
        return ".\n".join(lines) + "."

    def _estimates(self) -> list[tuple[str, list[Estimate]]]:
        lines = []
        for name, result in self._results.items():
            rows = {estimate.name: estimate for estimate in result.summary(self._samples, self._seed)}
            lines.append((name, [rows[metric] for metric in self.names]))
        return lines

    def _cell(self, estimate: Estimate) -> str:
        """'0.1234 [0.1200, 0.1268]'; of sections, which are many, '.123 [.120 .127]'."""
        if not self.by_section:
            return f"{estimate.value:.4f} {interval_text(estimate.low, estimate.high)}"
        if not math.isfinite(estimate.low):
            return f"{estimate.value:.3f} [unknown]".removeprefix("0")
        value, low, high = (f"{number:.3f}".removeprefix("0") for number in estimate[1:])
        return f"{value} [{low} {high}]"
