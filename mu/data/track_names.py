"""Names of tracks: how a track is shown, and which track is meant by an id or a title."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from mu.names import unknown_names

LISTED = 10
"""So many tracks of one name are listed."""


def track_titles(table: pl.DataFrame) -> list[str]:
    """'title, artist' where the table has them, else the track's id."""
    titles, artists = titles_and_artists(table)
    if "artist" not in table.columns:
        return titles
    return [f"{title}, {artist or 'unknown artist'}" for title, artist in zip(titles, artists, strict=True)]


def titles_and_artists(table: pl.DataFrame) -> tuple[list[str], list[str]]:
    """(title of each track, its id where it has none; artist of each track, '' where it has none)."""
    ids = table["track"].cast(pl.String)
    titles = table["title"].cast(pl.String).fill_null(ids) if "title" in table.columns else ids
    artists = (
        table["artist"].cast(pl.String).fill_null("")
        if "artist" in table.columns
        else pl.repeat("", len(ids), eager=True)
    )
    return titles.to_list(), artists.to_list()


class TrackNames:
    """Finds tracks by their names: an id, a title, 'title, artist' or 'artist - title'.

    An id as it is written comes first, then the others as they are written, then the others without regard to upper and
    lower case and to blanks.

    Args:
      table: of the tracks: track, perhaps title and artist.
    """

    def __init__(self, table: pl.DataFrame):
        self._table = table
        ids = table["track"].cast(pl.String).to_list()
        self._spellings = [{name: [row] for row, name in enumerate(ids)}]

    def find(self, names: str | Iterable[Any]) -> np.ndarray:
        """int32: the rows of the tracks of these names.

        Args:
          names: each a name; or one text with names separated by commas. Names may have commas themselves: of a text
            the longest name that is known is taken.

        Raises:
          ValueError: the log has no such tracks (all are named, and near ones), or several of a name, which are listed.
        """
        if isinstance(names, str):
            called = self._called_in(names)
        else:
            called = [(str(name), self._called(str(name).strip())) for name in names]
        if unknown := list(dict.fromkeys(name for name, rows in called if not rows)):
            known = [key for spelling in self._spellings[:2] for key in spelling]
            raise ValueError(unknown_names("track", unknown, known))
        for name, rows in called:
            if len(rows) > 1:
                raise ValueError(_several(name, rows, self._table))
        return np.array([rows[0] for _, rows in called], np.int32)

    def _called_in(self, text: str) -> list[tuple[str, list[int]]]:
        """(name, rows that it stands for) of each name of a text."""
        parts, called = text.split(","), []
        while parts:
            # The longest name that is known.
            for stop in range(len(parts), 0, -1):
                name = ",".join(parts[:stop]).strip()
                if rows := self._called(name):
                    break
            else:
                stop, name, rows = 1, parts[0].strip(), []
            called.append((name, rows))
            parts = parts[stop:]
        return called

    def _called(self, name: str) -> list[int]:
        """The rows that a name stands for in the first of the spellings that knows it; none where none does."""
        if name in self._spellings[0]:
            return self._spellings[0][name]
        if len(self._spellings) == 1:  # titles are looked at where a name is no id
            spoken = _rows_of(_spoken(self._table))
            self._spellings += [spoken, _rows_of((_plain(name), row) for name, rows in spoken.items() for row in rows)]
        return self._spellings[1].get(name) or self._spellings[2].get(_plain(name)) or []


def _spoken(table: pl.DataFrame) -> Iterable[tuple[str, int]]:
    """(name, row) of every title, 'title, artist' and 'artist - title'."""
    if "title" not in table.columns:
        return
    titles = table["title"].cast(pl.String).to_list()
    artists = table["artist"].cast(pl.String).to_list() if "artist" in table.columns else [None] * len(titles)
    for row, (title, artist) in enumerate(zip(titles, artists, strict=True)):
        if title:
            yield title, row
        if title and artist:
            yield f"{title}, {artist}", row
            yield f"{artist} - {title}", row


def _rows_of(named: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    """Name -> the rows that have it, each once."""
    rows: dict[str, list[int]] = defaultdict(list)
    for name, row in named:
        if row not in rows[name][-1:]:
            rows[name].append(row)
    return rows


def _plain(name: str) -> str:
    """The name without regard to upper and lower case and to blanks."""
    return re.sub(r"\s*,\s*", ", ", re.sub(r"\s+", " ", name)).strip().casefold()


def _several(name: str, rows: list[int], table: pl.DataFrame) -> str:
    """What to say of a name that several tracks have."""
    ids, titles = table["track"].cast(pl.String), track_titles(table)
    lines = [f"  {ids[row]}  {titles[row]}" for row in rows[:LISTED]]
    if len(rows) > LISTED:
        lines.append(f"  and {len(rows) - LISTED:,} more")
    return (
        f"{len(rows):,} tracks of the log are called {name!r}; give the id of one, or 'title, artist' where that is of "
        "one alone:\n" + "\n".join(lines)
    )
