"""Rows of a suite as a table: text for a terminal, Markdown with a column an encoder."""

from collections.abc import Mapping, Sequence
from typing import Any

from mu.evals.few_units import interval_text
from mu.evals.text_tables import text_table

Row = Mapping[str, Any]


def suite_text(rows: Sequence[Row], width: int | None) -> str:
    """One line a task and metric: value with its interval, what is drawn for it, folds, the worst one, seconds."""
    lines = [["task", "metric", "value", "drawn", "folds", "worst", "embedded", "probed"]]
    for row in rows:
        folds = [value for value in row["folds"].values() if value is not None]
        lines.append(
            [
                row["task"],
                row["metric"],
                _value(row),
                row["units"],
                f"{len(row['folds'])}",
                f"{min(folds):.3f}" if folds else "",
                f"{row['embedded_s']:.0f} s",
                f"{row['probed_s']:.0f} s",
            ]
        )
    return text_table(lines, width=width)


def markdown_table(columns: Mapping[str, Sequence[Row]]) -> str:
    """One line a task and metric, one column an encoder; the largest value of a line is bold.

    Args:
      columns: encoder -> its rows; a task that an encoder lacks is left empty.
    """
    keys: dict[tuple[str, str], Row] = {}
    for rows in columns.values():
        for row in rows:
            keys.setdefault((row["task"], row["metric"]), row)
    lines = [f"| task | metric | drawn | {' | '.join(columns)} |", f"|---|---|---|{'---|' * len(columns)}"]
    for (task, metric), first in keys.items():
        there = {
            name: row
            for name, rows in columns.items()
            for row in rows
            if (row["task"], row["metric"]) == (task, metric)
        }
        best = max(round(row["value"], 3) for row in there.values())
        cells = []
        for name in columns:
            row = there.get(name)
            text = "" if row is None else _value(row)
            value = text.partition(" ")[0]
            cells.append(text.replace(value, f"**{value}**", 1) if row and round(row["value"], 3) == best else text)
        lines.append(f"| {task} | {metric} | {first['units']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _value(row: Row) -> str:
    if row["value"] is None:
        return "undefined"
    low, high = (float("nan") if row[end] is None else row[end] for end in ("low", "high"))
    return f"{row['value']:.3f} {interval_text(low, high, '.3f')}"
