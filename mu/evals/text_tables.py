"""Cells in columns as text, for a terminal or a file."""

import io
from collections.abc import Collection, Sequence

from rich.box import Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# A line of dashes under the header and no other lines.
PLAIN = Box("    \n    \n -- \n    \n    \n    \n    \n    \n")
GAP = 2
"""Blanks between two columns."""
UNBOUNDED = 1_000_000


def text_table(
    rows: Sequence[Sequence[str]],
    left: Collection[int] = (0,),
    width: int | None = None,
    bold: Collection[tuple[int, int]] = (),
) -> str:
    """A table as text, a line under the first row.

    Args:
      rows: the header, then the rows.
      left: places of the columns that are flush left; the others are flush right.
      width: of the terminal: a wider table is cut into blocks of columns, one below the other, each with the first
        column; None for any width.
      bold: (row, column) of cells that are printed in bold, which puts escape codes around them.
    """
    blocks = []
    for columns in column_blocks(rows, width):
        part = [[row[column] for column in columns] for row in rows]
        places = {column: place for place, column in enumerate(columns)}
        own = {(row, places[column]) for row, column in bold if column in places}
        blocks.append(_rendered(part, [places[column] for column in left if column in places], own))
    return "\n\n".join(blocks)


def column_blocks(rows: Sequence[Sequence[str]], width: int | None) -> list[list[int]]:
    """The places of the columns of each block that fits a width, the first column in each, and at least one more."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is None:
        return [list(range(len(widths)))]
    blocks, used = [[0]], widths[0]
    for place, own in enumerate(widths[1:], 1):
        if used + GAP + own > width and len(blocks[-1]) > 1:
            blocks.append([0])
            used = widths[0]
        blocks[-1].append(place)
        used += GAP + own
    return blocks


def wrapped_table(rows: Sequence[Sequence[str]], left: Collection[int], width: int | None) -> str:
    """A table of sentences: columns that are flush left are wrapped where it is wider than the terminal.

    Args:
      rows: the header, then the rows.
      left: places of the columns that are flush left, and may be wrapped.
      width: of the terminal; None for any.
    """
    table = rich_table(rows, box=PLAIN, left=left, wrap=left)
    return _printed(table, width or UNBOUNDED)


def rich_table(
    rows: Sequence[Sequence[str]],
    bold: Collection[int] = (),
    box: Box | None = None,
    left: Collection[int] = (0,),
    wrap: Collection[int] = (),
) -> Table:
    """The same as a table of rich, with lines of its own.

    Args:
      rows: the header, then the rows.
      bold: numbers of the rows, from 1, that stand out.
      box: its lines; None for those of rich.
      left: see `text_table`.
      wrap: places of the columns that may be wrapped; with the lines of rich all may.
    """
    look = {} if box is None else {"box": box, "show_edge": False, "pad_edge": False, "padding": (0, 1, 0, 0)}
    table = Table(**look)
    for place, title in enumerate(rows[0]):
        fixed = box is not None and place not in wrap
        table.add_column(Text(title), justify="left" if place in left else "right", no_wrap=fixed)
    for number, row in enumerate(rows[1:], 1):
        table.add_row(*map(Text, row), style="bold" if number in bold else None)
    return table


def _rendered(rows: Sequence[Sequence[str]], left: Collection[int], bold: Collection[tuple[int, int]]) -> str:
    table = rich_table(rows[:1], box=PLAIN, left=left)
    for number, row in enumerate(rows[1:], 1):
        table.add_row(*(Text(cell, "bold" if (number, place) in bold else "") for place, cell in enumerate(row)))
    return _printed(table, UNBOUNDED, bool(bold))


def _printed(table: Table, width: int, codes: bool = False) -> str:
    """What rich prints, with escape codes for bold cells or without any."""
    colours = "standard" if codes else None
    console = Console(file=io.StringIO(), width=width, color_system=colours, force_terminal=codes, no_color=codes)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())
