"""The track table beside the log: which plays are of tracks that it knows, and which of its tracks nobody played."""

import numpy as np
import polars as pl

from mu.data.logs.importing.attributes import Entities
from mu.data.logs.importing.columns import USUAL_LENGTH, must_have, usual_column
from mu.data.logs.importing.faults import Rejected
from mu.data.logs.importing.identifiers import Identifiers
from mu.data.logs.importing.rows import Plays
from mu.data.logs.importing.sources import BadRow
from mu.data.logs.importing.tables import Table

EXAMPLES = 3


class Catalogue:
    """The table's row of each track of the log.

    Attributes:
      table: the track table.
      rows: int32 by dense id of the log: the row in the table, -1 where it does not know the track.
      unknown_plays: plays so far of tracks that the table does not know.
    """

    def __init__(self, table: Table):
        self.table = table
        self.rows = np.empty(0, np.int32)
        self.unknown_plays = 0
        self._examples: list[str] = []
        self._ids = Identifiers()
        self._ids.number(table.ids)

    @property
    def unknown_tracks(self) -> int:
        """How many tracks of the log the table does not know."""
        return int(np.count_nonzero(self.rows < 0))

    def known(self, tracks: np.ndarray, new: np.ndarray, plays: Plays, label: str) -> np.ndarray:
        """bool [n]: which of the next plays are of tracks of the table.

        Args:
          tracks: int32 [n], dense ids.
          new: where in them there are tracks for the first time, in order of their ids.
        """
        self._note(plays.tracks.gather(new))
        known = self.rows[tracks] >= 0
        self.unknown_plays += int(np.count_nonzero(~known))
        for at in new[~known[new]][: EXAMPLES - len(self._examples)]:
            self._examples.append(f"{plays.tracks[int(at)]!r} ({label}, line {plays.lines[at]})")
        return known

    def complete(self, tracks: Entities) -> None:
        """Numbers the tracks of the table that have none: after those of the log, in the table's order."""
        self._note(self.table.ids.gather(tracks.add(self.table.ids)))

    def _note(self, new: pl.Series) -> None:
        """Looks up the ids of the next tracks of the log, which the table has not been asked for before."""
        found, _ = self._ids.number(new)
        self.rows = np.append(self.rows, np.where(found < len(self.table.ids), found, np.int32(-1)))

    def in_order(self) -> np.ndarray:
        """int64: the dense ids of the table's tracks that have one, in the table's order."""
        there = np.flatnonzero(self.rows >= 0)
        return there[np.argsort(self.rows[there])]

    def refusal(self) -> str:
        """Why a log with unknown tracks is refused."""
        return (
            f"{self.unknown_plays:,} plays are of {self.unknown_tracks:,} tracks that {self.table.label} does not "
            f"know: {', '.join(self._examples)}{', ...' if self.unknown_tracks > EXAMPLES else ''}. Complete the "
            "table, or say --unknown_tracks=skip to leave such plays out, =keep to take them without attributes"
        )

    def lengths(self, name: str | None, rejected: Rejected) -> tuple[str, np.ndarray]:
        """The column of the tracks' lengths, and float64 by row of the table: what it holds, NaN where nothing.

        Raises:
          ValueError: there is no such column; BadRowError: a length is no number of 0 or more.
        """
        names = self.table.attributes.columns
        name = must_have(name, names, "length", self.table.label) if name else usual_column(USUAL_LENGTH, names)
        if name is None:
            raise ValueError(
                f"--skip_below_share needs the length of each track: say --length=NAME; {self.table.label} has: "
                f"{', '.join(names)}"
            )
        texts = self.table.attributes[name]
        values = texts.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().copy()
        bad = texts.is_not_null().to_numpy() & ~((values >= 0) & np.isfinite(values))
        values[bad] = np.nan
        reason = "unreadable length, should be a number of 0 or more"
        lines = self.table.lines
        rejected([BadRow(self.table.label, int(lines[at]), name, texts[int(at)], reason) for at in np.flatnonzero(bad)])
        return name, values
