"""The track table as the catalogue: which tracks of the log are in it, and which of its tracks have no plays."""

import numpy as np
import polars as pl

from mu.data.logs.id_forms import find_other_forms
from mu.data.logs.importing.bad_rows import BadRow, RejectedRows
from mu.data.logs.importing.columns import USUAL_TRACK_DURATION, require_column, shown, usual_column
from mu.data.logs.importing.entities import Entities
from mu.data.logs.importing.entity_tables import EntityTable
from mu.data.logs.importing.identifiers import Identifiers
from mu.data.logs.importing.rows import PlayRows
from mu.data.options import OptionError

EXAMPLES = 3


class TrackCatalogue:
    """The row of the track table of each track of the log.

    Attributes:
      table: the track table.
      rows: int32 by dense id of the log: the row in the table, -1 for tracks that are not in it.
      unknown_plays: plays so far of tracks that are not in the table.
    """

    def __init__(self, table: EntityTable):
        self.table = table
        self.rows = np.empty(0, np.int32)
        self.unknown_plays = 0
        self._examples: list[str] = []
        self._ids = Identifiers()
        self._ids.number(table.ids)

    @property
    def unknown_tracks(self) -> int:
        """The number of tracks of the log that are not in the table."""
        return int(np.count_nonzero(self.rows < 0))

    def contains(self, tracks: np.ndarray, new: np.ndarray, plays: PlayRows, label: str) -> np.ndarray:
        """bool [n]: which of the next plays are of tracks of the table.

        Args:
          tracks: int32 [n], dense ids.
          new: the positions of new tracks in `tracks`, in order of their ids.
          plays: the plays.
          label: of their file.
        """
        self._look_up(plays.tracks.gather(new))
        contained = self.rows[tracks] >= 0
        self.unknown_plays += int(np.count_nonzero(~contained))
        for at in new[~contained[new]][: EXAMPLES - len(self._examples)]:
            self._examples.append(f"{plays.tracks[int(at)]!r} ({label}, line {plays.lines[at]})")
        return contained

    def add_unplayed(self, tracks: Entities) -> None:
        """Numbers the tracks of the table without plays: after those of the log, in the order of the table."""
        self._look_up(self.table.ids.gather(tracks.add(self.table.ids)))

    def _look_up(self, new: pl.Series) -> None:
        """Appends the rows of the next new tracks of the log."""
        rows, _ = self._ids.number(new)
        self.rows = np.append(self.rows, np.where(rows < len(self.table.ids), rows, np.int32(-1)))

    def in_table_order(self) -> np.ndarray:
        """int64: the dense ids of the tracks that are in the table, in its order."""
        contained = np.flatnonzero(self.rows >= 0)
        return contained[np.argsort(self.rows[contained])]

    def other_forms(self, ids: pl.Series) -> str:
        """What to add to a message on unknown tracks where the table has them in another form; `ids` by dense id."""
        others = find_other_forms(ids.filter(pl.Series(self.rows < 0)), self.table.ids)
        return f"; {others}" if others else ""

    def refusal(self, ids: pl.Series) -> str:
        """The message for a log, with these `ids` by dense id, that is refused for its unknown tracks."""
        examples = ", ".join(self._examples) + (", ..." if self.unknown_tracks > EXAMPLES else "")
        return (
            f"{self.unknown_plays:,} plays are of {self.unknown_tracks:,} tracks that are not in {self.table.label}: "
            f"{examples}{self.other_forms(ids)}. Complete the table, or add --unknown_tracks=skip to leave out such "
            "plays, --unknown_tracks=keep to keep them without attributes"
        )

    def durations(self, name: str | None, rejected: RejectedRows) -> tuple[str, np.ndarray]:
        """The column of track durations.

        Args:
          name: of the column; None searches for a usual name.
          rejected: takes rows with a bad duration.

        Returns:
          The name of the column, and float64 by row of the table; NaN where the duration is missing.

        Raises:
          OptionError: there is no such column.
          BadRowError: a duration is no number of 0 or more.
        """
        names = self.table.attributes.columns
        if name:
            column = require_column(name, names, "track_duration", self.table.label)
        else:
            column = usual_column(USUAL_TRACK_DURATION, names)
        if column is None:
            raise OptionError(
                f"--skip_below_share needs the duration of each track: add --track_duration=NAME; {self.table.label} "
                f"has: {shown(names)}"
            )
        texts = self.table.attributes[column]
        values = texts.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().copy()
        bad = texts.is_not_null().to_numpy() & ~((values >= 0) & np.isfinite(values))
        values[bad] = np.nan
        reason = "unreadable track duration, should be a number of 0 or more"
        label, lines = self.table.label, self.table.lines
        rejected.add([BadRow(label, int(lines[at]), column, texts[int(at)], reason) for at in np.flatnonzero(bad)])
        return column, values
