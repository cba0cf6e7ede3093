"""The table of a run, or of several, as a file: CSV with every metric, LaTeX with the table of the page."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from mu.report.comparison import Comparison
from mu.report.comparison_table import BEST, LEVEL, ComparisonCell, comparison_table

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
"""Sign -> what LaTeX prints it by."""


def csv_table(compared: Comparison) -> str:
    """Every metric of every row, a line each: row, section, metric, value, ends of the interval, number of units."""
    lines = [
        {
            "row": name,
            "section": metric.rpartition("/")[0],
            "metric": metric.rpartition("/")[2],
            "value": _number(row[metric].value),
            "low": _number(row[metric].low),
            "high": _number(row[metric].high),
            "units": result.n_units(metric),
        }
        for name, result in compared.results.items()
        for row in (compared.rows[name],)
        for metric in result.names
    ]
    lines += [
        {"row": f"{label}, published", "section": section, "metric": name, "value": float(value)}
        for label, row in compared.published.items()
        for metric, value in row.items()
        for section, _, name in (metric.rpartition("/"),)
    ]
    types = dict.fromkeys(("row", "section", "metric"), pl.String) | dict.fromkeys(("value", "low", "high"), pl.Float64)
    return pl.DataFrame(lines, schema={**types, "units": pl.Int64}).write_csv()


def latex_table(compared: Comparison) -> str:
    """The table of the page as a `tabular`, which needs the package booktabs; the best bold, what is level marked."""
    table = comparison_table(compared)
    titles = " & ".join(["", *(latex(title) for title, _ in table.header)])
    below = " & ".join(["", *(rf"{{\footnotesize {latex(small)}}}" for _, small in table.header)])
    rows = [" & ".join([latex(row.name), *map(_cell, row.cells)]) for row in table.rows]
    lines = [
        r"% needs \usepackage{booktabs}; bold: the best of a column, $\approx$: level with it (paired 95 % interval)",
        rf"\begin{{tabular}}{{l{'r' * len(table.header)}}}",
        r"\toprule",
        rf"{titles} \\",
        rf"{below} \\",
        r"\midrule",
        *(rf"{row} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


FORMATS: Mapping[str, Callable[[Comparison], str]] = {".csv": csv_table, ".tex": latex_table}
"""Suffix of a file -> the text of it."""


def table_format(file: str | os.PathLike[str]) -> Callable[[Comparison], str]:
    """What makes the text of a file of this name.

    Raises:
      ValueError: its suffix is none of `FORMATS`.
    """
    suffix = Path(file).suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"the table {os.fspath(file)!r} must end in {' or '.join(FORMATS)}")
    return FORMATS[suffix]


def latex(text: str) -> str:
    """A text with the signs escaped that mean something to LaTeX."""
    return "".join(LATEX.get(sign, sign) for sign in text)


def _cell(cell: ComparisonCell) -> str:
    if not cell.value:
        return ""
    value = rf"\textbf{{{cell.value}}}" if cell.mark == BEST else cell.value + r"$^\approx$" * (cell.mark == LEVEL)
    return value + (rf" {{\footnotesize {cell.interval}}}" if cell.interval else "")


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
