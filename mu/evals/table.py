"""Tables of results: for a terminal, for a file, for a notebook."""

import html
import io
import math
from collections.abc import Collection, Mapping, Sequence

from rich.box import Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mu.evals.few_units import FEW, interval_text
from mu.evals.left_out import left_out_sentences
from mu.evals.result import Estimate, Result

# Wider tables are turned round where that makes them narrower: metrics down, recommenders across.
WIDTH = 120
# A line of dashes under the header and no other lines.
PLAIN = Box("    \n    \n -- \n    \n    \n    \n    \n    \n")


def text_table(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Cells in columns as plain text, a line under the first row.

    Args:
      rows: the header, then the rows.
      left: places of the columns that are flush left; the others are flush right.
    """
    console = Console(file=io.StringIO(), width=1_000_000, color_system=None, force_terminal=False)
    table = rich_table(rows, box=PLAIN, left=left)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def rich_table(
    rows: Sequence[Sequence[str]], bold: Collection[int] = (), box: Box | None = None, left: Collection[int] = (0,)
) -> Table:
    """The same as a table of rich, with lines of its own.

    Args:
      rows: the header, then the rows.
      bold: numbers of the rows, from 1, that stand out.
      box: its lines; None for those of rich.
      left: see `text_table`.
    """
    look = {} if box is None else {"box": box, "show_edge": False, "pad_edge": False, "padding": (0, 1, 0, 0)}
    table = Table(**look)
    for place, title in enumerate(rows[0]):
        table.add_column(Text(title), justify="left" if place in left else "right", no_wrap=box is not None)
    for number, row in enumerate(rows[1:], 1):
        table.add_row(*map(Text, row), style="bold" if number in bold else None)
    return table


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
        """The table as plain text, and a line that says over what the intervals are."""
        rows = [self.header(), *([name, *map(self._cell, row)] for name, row in self._estimates())]
        text = text_table(rows)
        if _width(text) > WIDTH and not self.by_section:
            turned = text_table([list(column) for column in zip(*rows, strict=True)])
            text = min(text, turned, key=_width)
        return f"{text}\n{self.note()}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table for notebooks."""
        lines = ["<tr>" + "".join(f"<th>{html.escape(title)}</th>" for title in self.header()) + "</tr>"]
        for name, row in self._estimates():
            cells = []
            for estimate in row:
                value, _, interval = self._cell(estimate).partition(" ")
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
        return [f"{next(iter(self._metrics))}, {self._first.unit}s", *sections]

    def note(self) -> str:
        """The lines below the table: number of units, what the intervals are over, what was left out."""
        first = self._first
        few = ", wider because they are few" if first.n_clusters < FEW else ""
        intervals = f"brackets: 95 % bootstrap interval over {first.resampled}{few}"
        lines = (f"{len(first):,} {first.unit}s; {intervals}", *left_out_sentences(first.counts), *first.notes)
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


def _width(text: str) -> int:
    return len(text.partition("\n")[0])
