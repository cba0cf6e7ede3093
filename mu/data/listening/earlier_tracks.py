"""The earlier tracks of each track's artist: what a service knows of a track on the day of its release."""

import numpy as np
import polars as pl

from mu.data.logs.attributes import UNKNOWN_RELEASE, column_of


def codes_of(table: pl.DataFrame, column: str) -> np.ndarray:
    """int32 [n]: equal for rows with equal values of a column, -1 where there is none; errors of `column_of`."""
    codes = names_in(table, column).rank("dense").cast(pl.Int32) - 1
    return codes.fill_null(-1).to_numpy()


def names_in(table: pl.DataFrame, column: str) -> pl.Series:
    """The values of a column as text without space around it, null where there is none; errors of `column_of`."""
    values = column_of(table, column).cast(pl.String).str.strip_chars()
    return values.set(values == "", None)


def earlier_tracks(artists: np.ndarray, released_ms: np.ndarray, played: np.ndarray, count: int) -> np.ndarray:
    """The latest tracks of the same artist that came out before each track and have been played, latest first.

    A track without a date may have come out later: it is no track's earlier one, and has none.

    Tracks that came out at one moment are not earlier than each other: on the day of an album none of its tracks has
    been played.

    Args:
      artists: int32 [V], -1 for none.
      released_ms: int64 [V], -1 for tracks without a date.
      played: bool [V].
      count: N, how many at most.

    Returns:
      int32 [V, N], -1 where there are fewer.
    """
    order = np.lexsort((released_ms, artists))
    known = (artists >= 0) & (released_ms != UNKNOWN_RELEASE)
    order = order[(played & known)[order]]
    # Artist and date as one ascending number, so that one search finds where each track's earlier ones end.
    _, dates = np.unique(released_ms, return_inverse=True)
    keys = artists.astype(np.int64) * (int(dates.max(initial=0)) + 1) + dates
    end = np.searchsorted(keys[order], keys)
    places = end[:, None] - 1 - np.arange(count)
    tracks = order[np.maximum(places, 0)] if len(order) else np.zeros_like(places)
    there = (places >= 0) & (artists[tracks] == artists[:, None]) & known[:, None]
    return np.where(there, tracks, -1).astype(np.int32)
