"""The first pass over the files: every row once, checked, numbered, appended to the external sort."""

import re
from collections.abc import Callable

import numpy as np
import polars as pl

from mu.data.logs.importing.attributes import Entities, text_of
from mu.data.logs.importing.catalogue import Catalogue
from mu.data.logs.importing.clock import Clock
from mu.data.logs.importing.external_sort import ExternalSort
from mu.data.logs.importing.faults import Rejected, readable
from mu.data.logs.importing.identifiers import Identifiers
from mu.data.logs.importing.options import Options
from mu.data.logs.importing.order import Order
from mu.data.logs.importing.outcomes import Judge
from mu.data.logs.importing.readers import reader
from mu.data.logs.importing.rows import Plays, Roles, check
from mu.data.logs.importing.sources import NO_PART, Settings, Source

MOST_VALUES = 1 << 16
Say = Callable[[str], None]


class Reading:
    """What the first pass finds out.

    Attributes:
      users, tracks: ids and attributes.
      catalogue: the track table, or None.
      clock: how times are written.
      order: clocks that run backwards.
      event_columns: the values of each event column.
      rows_in, bad, short: rows read; those that are bad; those that are shorter than `min_play_s`.
    """

    def __init__(self, roles: Roles, options: Options, catalogue: Catalogue | None, rejected: Rejected, say: Say):
        self.users = Entities("user", roles.user_attributes)
        self.tracks = Entities("track", roles.track_attributes)
        self.catalogue = catalogue
        self.clock = Clock(options.time_unit)
        self.order = Order()
        self.event_columns = {name: Identifiers() for name in roles.event_columns}
        self.rows_in = self.bad = self.short = 0
        self._roles, self._options, self._rejected = roles, options, rejected
        self._played_units, self._judge = 1, None
        if roles.duration:
            self._played_units = _units_per_s(roles.duration, options.duration_unit, "duration_unit", say)
        if options.skip_below_s or options.skip_below_share:
            self._judge = Judge(options.skip_below_s, options.skip_below_share)
        self._table_lengths, self._length_units = None, 1
        if options.skip_below_share:
            name = roles.length
            if name is None:
                if catalogue is None:
                    raise ValueError(
                        "--skip_below_share needs the length of each track: say --length=NAME for a column of the log, "
                        "or --track_table=FILE for a table that has one"
                    )
                name, self._table_lengths = catalogue.lengths(options.length, rejected)
            self._length_units = _units_per_s(name, options.length_unit, "length_unit", say)

    @property
    def skipped(self) -> int:
        """Plays left out because the track table does not know their track."""
        return self.catalogue.unknown_plays if self.catalogue and self._options.unknown_tracks == "skip" else 0

    def read(
        self, sources: list[Source], settings: Settings, sort: ExternalSort, progress: Callable[[str, float], None]
    ) -> None:
        """Reads all.

        Raises:
          ValueError: no plays are left, an event column has more than 65,536 values, or there are
            unknown tracks, which were refused.
        """
        least = self._options.min_play_s * self._played_units
        part = NO_PART
        for index, source in enumerate(sources):
            if source.part != part:
                part = source.part
                self.order.restart()
            with readable(source.label):
                for batch in reader(source).batches(source, self._roles.wanted(), settings):
                    plays, bad = check(batch, self._roles, self.clock, source.label)
                    self._rejected(bad)
                    self.rows_in += len(batch.frame) + len(batch.bad)
                    self.bad += len(bad)
                    if least and plays.played is not None:
                        long = plays.played >= least
                        self.short += int(np.count_nonzero(~long))
                        plays = plays.where(long)
                    self._append(sort, plays, source)
                    progress("reading", (index + batch.done) / len(sources))
        if self.catalogue and self.catalogue.unknown_plays and self._options.unknown_tracks == "error":
            raise ValueError(self.catalogue.refusal())
        if sort.n == 0:
            dropped = f"{self.bad} bad, {self.short} too short, {self.skipped} of tracks unknown to the track table"
            raise ValueError(f"no plays in the input ({self.rows_in} rows read, {dropped})")

    def _append(self, sort: ExternalSort, plays: Plays, source: Source) -> None:
        items, new = self.tracks.number(plays.tracks, plays)
        if self.catalogue:
            known = self.catalogue.known(items, new, plays, source.label)
            if self._options.unknown_tracks == "skip":
                plays, items = plays.where(known), items[known]
        arrays = {"users": self.users.number(plays.users, plays)[0], "items": items}
        if plays.times is not None:
            arrays["times"] = plays.times
            self.order(arrays["users"], plays, source.label)
        if plays.weights is not None:
            arrays["weights"] = plays.weights
        if source.part != NO_PART:
            arrays["parts"] = np.full(len(plays.users), source.part, np.uint8)
        if self._judge is not None:
            arrays["outcomes"] = self._judge(*self._seconds(plays, items))
        elif plays.outcomes is not None:
            arrays["outcomes"] = plays.outcomes
        sort.append(arrays, {name: self._codes(name, plays, source.label) for name in self.event_columns})

    def _seconds(self, plays: Plays, items: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """What the judge asks for: seconds played and, by option, seconds of the track."""
        assert plays.played is not None
        length = plays.length
        if self._table_lengths is not None:
            assert self.catalogue is not None
            rows = self.catalogue.rows[items]
            length = np.full(len(items), np.nan)
            length[rows >= 0] = self._table_lengths[rows[rows >= 0]]
        return plays.played / self._played_units, None if length is None else length / self._length_units

    def _codes(self, column: str, plays: Plays, label: str) -> np.ndarray:
        """uint16 [n]: the values of an event column as places in its vocabulary."""
        values = text_of(plays.frame[column]).fill_null("")
        vocabulary = self.event_columns[column]
        codes, new = vocabulary.number(values)
        if (over := len(vocabulary) - MOST_VALUES) > 0:
            at = int(new[len(new) - over])
            raise ValueError(
                f"{label}, line {plays.lines[at]}, column {column}: {values[at]!r} is value {MOST_VALUES + 1:,}; an "
                f"event column has at most {MOST_VALUES:,} different values. Is this a column of categories?"
            )
        return codes.astype(np.uint16)

    def vocabularies(self) -> dict[str, list[str]]:
        """The values of each event column, in order of their codes."""
        return {name: ids.values().cast(pl.String).to_list() for name, ids in self.event_columns.items()}


def _units_per_s(name: str, unit: str, flag: str, say: Say) -> int:
    """How many units of the column `name` are a second."""
    if unit == "auto":
        unit = "ms" if re.search(r"(^|_)ms|ms$|milli", name.lower()) else "s"
        say(f"column {name!r} is taken to be in {unit} (--{flag} to choose)")
    return 1000 if unit == "ms" else 1
