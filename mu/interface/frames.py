"""Tables of tracks, which show players in a notebook."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from mu.interface.notebook import table_html
from mu.report.audio import Piece
from mu_kernels import Hits

Players = Callable[[Sequence[int]], Mapping[int, Piece]]
"""Rows of the track table -> the beginnings of their audio, of those that have any."""
MOST_PLAYERS = 10
"""So many rows of a table have players."""
COLUMNS = ("track", "title", "artist")


class TrackFrame(pl.DataFrame):
    """A polars DataFrame with a row for each track; in a notebook its first rows have players.

    What polars makes of it, such as `frame.filter(...)`, is a plain DataFrame.

    Args:
      frame: the columns.
      rows: of the track table, one for each row of this.
      players: gives the audio, when it is shown; None where there is none.
    """

    def __init__(self, frame: Any, rows: Sequence[int] = (), players: Players | None = None):
        super().__init__(frame)
        self._rows, self._players = list(rows), players

    def _repr_html_(self, **options: Any) -> str:
        """The table, with a player beside each of the first tracks that have audio."""
        own = vars(self)  # without its own where polars made it of another
        rows, players = own.get("_rows", []), own.get("_players")
        pieces = players(rows[:MOST_PLAYERS]) if players is not None and len(rows) == len(self) else {}
        return table_html(self, [pieces.get(row) for row in rows]) if pieces else super()._repr_html_(**options)


def track_frame(
    tracks: pl.DataFrame,
    hits: Hits,
    *,
    names: Sequence[Any] | None = None,
    reasons: Mapping[str, Sequence[str | None]] | None = None,
    players: Players | None = None,
) -> TrackFrame:
    """The hits of all rows, one below the other: rank, track, title and artist where known, score.

    Args:
      tracks: the table of tracks.
      hits: the best tracks of B listeners.
      names: of these listeners, for a first column 'user'; None for none.
      reasons: further columns.
      players: gives the audio.
    """
    there = hits.ids >= 0
    rows = hits.ids[there].astype(np.int64)
    ranks = np.broadcast_to(np.arange(1, there.shape[1] + 1), there.shape)[there]
    frame = _named(tracks, rows)
    frame = frame.insert_column(0, pl.Series("rank", ranks, dtype=pl.Int64))
    frame = frame.with_columns(pl.Series("score", hits.scores[there]))
    frame = frame.with_columns(pl.Series(name, words, dtype=pl.String) for name, words in (reasons or {}).items())
    if names is not None:
        whose = [name for name, count in zip(names, hits.count, strict=True) for _ in range(count)]
        frame = frame.insert_column(0, pl.Series("user", whose))
    return TrackFrame(frame, rows.tolist(), players)


def plays_frame(
    tracks: pl.DataFrame, items: np.ndarray, times: pl.Series | None, players: Players | None
) -> TrackFrame:
    """Plays in their order: track, title and artist where known, and the column `times`.

    Args:
      tracks: the table of tracks.
      items: int [E], which was played.
      times: of the plays; None where they are not known.
      players: gives the audio.
    """
    frame = _named(tracks, items.astype(np.int64))
    return TrackFrame(frame if times is None else frame.with_columns(times), items.tolist(), players)


def _named(tracks: pl.DataFrame, rows: np.ndarray) -> pl.DataFrame:
    """The names of these tracks, of those columns that the table has."""
    return tracks.select(name for name in COLUMNS if name in tracks.columns)[rows]
