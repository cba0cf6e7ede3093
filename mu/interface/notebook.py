"""HTML for notebooks: tables with players beside their rows."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mu.report.audio import Piece


def table_html(frame: pl.DataFrame, pieces: Sequence[Piece | None]) -> str:
    """A table with a player in each row that has a piece of audio.

    Args:
      frame: the columns.
      pieces: for each row the audio that is played, or None.
    """
    header = "".join(f"<th>{html.escape(name)}</th>" for name in frame.columns)
    lines = [f"<tr>{header}<th></th></tr>"]
    for row, piece in zip(frame.iter_rows(), pieces, strict=True):
        cells = "".join(f"<td>{html.escape(_text(value))}</td>" for value in row)
        lines.append(f"<tr>{cells}<td>{'' if piece is None else player_html(piece)}</td></tr>")
    return f"<table>{''.join(lines)}</table>"


def player_html(piece: Piece) -> str:
    """A player of a piece of audio."""
    return f'<audio controls preload="none" src="{piece.address}"></audio>'


def facts_html(title: str, facts: Mapping[str, str]) -> str:
    """A title, and a line for each fact."""
    lines = (f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in facts.items())
    return f"<p><b>{html.escape(title)}</b></p><table>{''.join(lines)}</table>"


def _text(value: Any) -> str:
    """A value of a cell: numbers with three decimals, nothing for null."""
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
