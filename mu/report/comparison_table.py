"""The table of a page: recommenders or predictors as rows, the best first, and sections or metrics as columns."""

import dataclasses
import math
from collections.abc import Sequence

from mu.evals.few_units import FEW
from mu.evals.leaders import ORACLE
from mu.evals.left_out import left_out_sentences
from mu.evals.nouns import counted, plural
from mu.report.columns import Column, words_of
from mu.report.comparison import RUN, Comparison
from mu.report.numbers import interval, number

BEST, LEVEL = "best", "level"


@dataclasses.dataclass(frozen=True)
class ComparisonCell:
    """A value of a row.

    Attributes:
      title: of the column, for cards on a phone.
      value: in figures; empty where a published row does not say it.
      interval: '[0.111, 0.121]'; empty for published rows.
      mark: 'best' of the column, 'level' with the best, or ''.
    """

    title: str
    value: str
    interval: str = ""
    mark: str = ""


@dataclasses.dataclass(frozen=True)
class ComparisonRow:
    """A recommender, predictor or published row.

    Attributes:
      name: in words.
      kind: 'model', 'baseline', 'reference' (the oracle, published rows).
      cells: one a column.
    """

    name: str
    kind: str
    cells: Sequence[ComparisonCell]


@dataclasses.dataclass(frozen=True)
class ComparisonTable:
    """The table of a page.

    Attributes:
      label: what it shows.
      header: (title, what is below it in small) of each column of values.
      rows: by the value in the first column, the largest first.
      how_to_read: sentences below it.
      left_out: what the evaluation left out, and its notes, a sentence each.
    """

    label: str
    header: Sequence[tuple[str, str]]
    rows: Sequence[ComparisonRow]
    how_to_read: str
    left_out: Sequence[str]


def comparison_table(compared: Comparison) -> ComparisonTable:
    """Every row of the evaluation and every published row, by the first metric; sections, or metrics, as columns."""
    columns = compared.table_columns
    main, unit = columns[0], compared.result.unit
    rows = [(row[main.name].value, _row(compared, columns, name)) for name, row in compared.rows.items()]
    rows += [_published(compared, columns, label) for label in compared.published]
    rows.sort(key=lambda row: math.inf if math.isnan(row[0]) else -row[0])
    result = compared.result
    return ComparisonTable(
        label=f"{main.metric} of every recommender" if unit in ("user", "play") else "Every predictor",
        header=[(column.title, _below(column, unit)) for column in columns],
        rows=[row for _, row in rows],
        how_to_read=_how_to_read(compared, main),
        left_out=[f"{sentence}." for sentence in (*left_out_sentences(result.counts), *result.notes)],
    )


def _row(compared: Comparison, columns: Sequence[Column], name: str) -> ComparisonRow:
    cells = []
    for column in columns:
        estimate, places, ahead = (
            compared.rows[name][column.name],
            compared.places(column),
            compared.leaders[column.name],
        )
        mark = BEST if name == ahead.best else LEVEL if name in ahead.level else ""
        ends = interval(estimate.low, estimate.high, places) if math.isfinite(estimate.value) else ""
        cells.append(ComparisonCell(column.title, number(estimate.value, places), ends, mark))
    is_model = name == compared.subject or (compared.rival == RUN and name in compared.rivals)
    kind = "model" if is_model else "reference" if name == ORACLE else "baseline"
    return ComparisonRow(words_of(name), kind, cells)


def _published(compared: Comparison, columns: Sequence[Column], label: str) -> tuple[float, ComparisonRow]:
    values = [compared.published_in(column).get(label) for column in columns]
    cells = [
        ComparisonCell(column.title, "" if value is None else number(value, compared.places(column)))
        for column, value in zip(columns, values, strict=True)
    ]
    return math.nan if values[0] is None else values[0], ComparisonRow(f"{label}, published", "reference", cells)


def _below(column: Column, unit: str) -> str:
    units = counted(column.n_units, unit)
    return units if column.title == column.metric else f"{column.metric}, {units}"


def _how_to_read(compared: Comparison, main: Column) -> str:
    result = compared.result
    over = counted(result.n_clusters, result.drawn_noun)
    if result.n_clusters < len(result):
        over += f", whose {plural(result.unit)} are drawn together"
    few = ", wider because they are few" if result.n_clusters < FEW else ""
    where = f" {main.phrase}" if main.phrase else ""
    better = (
        "larger is better. Bold: the best of a column. ≈: level with the best, for the 95 % interval of their paired "
        "difference holds 0."
    )
    if main.descriptive:
        better = "these metrics describe lists, and larger is not always better: no row is marked as best."
    words = [
        f"Rows are in the order of {main.metric}{where}; {better}",
        f"Brackets: 95 % bootstrap interval over {over}{few}. Brackets of two rows may overlap where their paired "
        f"difference is clear, since both are of the same {plural(result.unit)}.",
    ]
    if ORACLE in compared.rows:
        words.append("The oracle knows the truth of the simulated world; it is a reference and never marked as best.")
    if compared.published:
        words.append("Published rows are as their authors give them, without an interval, and are no part of this run.")
    return " ".join(words)
