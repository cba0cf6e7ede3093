"""What `mu recommend` prints: text for people, JSON and CSV for programs."""

import dataclasses
from typing import Any

from mu.console import printable, terminal_width
from mu.evals.nouns import counted
from mu.evals.text_tables import wrapped_table
from mu.files import json_text

SHOWN_HISTORY = 8
REASONS = ("reason_1", "reason_2")
NUMBERS = ("rank", "score", "times_mean")


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """A table and the words around it.

    Attributes:
      frame: polars, a row for each track, listener or recording, best first.
      heading: the line above it.
      means: what its numbers mean.
      history: polars, what was played before, oldest first; None where it does not matter.
    """

    frame: Any
    heading: str
    means: str
    history: Any = None


def as_text(answer: Answer) -> str:
    """The end of the history, the table, and a line that says what its numbers mean."""
    lines = []
    if answer.history is not None:
        count = len(answer.history)
        lines += [f"After {counted(count, 'play')}, the last of them"]
        lines += [f"  {_title(row)}" for row in answer.history.tail(SHOWN_HISTORY).iter_rows(named=True)]
    columns = [name for name in answer.frame.columns if name not in REASONS]
    if "title" in columns:
        columns.remove("track")  # people read titles; of a track without one its id
    reasons = [name for name in REASONS if name in answer.frame.columns]
    rows = [[*columns, "why"] if reasons else columns]
    for row in answer.frame.iter_rows(named=True):
        why = ["; ".join(row[name] for name in reasons if row[name])] if reasons else []
        shown = {**row, "title": row.get("title") or row.get("track")}
        rows.append([*(_text(shown[name]) for name in columns), *why])
    left = [place for place, name in enumerate(rows[0]) if name not in NUMBERS]
    lines += [answer.heading, wrapped_table(rows, left, terminal_width()), answer.means]
    return printable("\n".join(lines))


def as_json(answer: Answer) -> str:
    """An object: 'heading', 'means' and 'rows', a list of objects."""
    return json_text({"heading": answer.heading, "means": answer.means, "rows": answer.frame.to_dicts()})


def as_csv(answer: Answer) -> str:
    """The table alone, the first line names the columns."""
    return answer.frame.write_csv().rstrip("\n")


def _title(row: dict[str, Any]) -> str:
    """'title, artist' of a track, as far as the log has them."""
    title = row.get("title") or row["track"]
    return f"{title}, {row['artist']}" if row.get("artist") else str(title)


def _text(value: Any) -> str:
    """A cell: numbers with two decimals, nothing for null."""
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
