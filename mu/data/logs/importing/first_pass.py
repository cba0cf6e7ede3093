"""The first pass over the files: reads, checks and numbers every row once, and appends it to the external sort."""

import collections
import dataclasses
import logging
import re
from collections.abc import Callable

import numpy as np
import polars as pl

from mu.data.logs.importing.backward_times import BackwardTimes
from mu.data.logs.importing.bad_rows import RejectedRows, damage_named
from mu.data.logs.importing.entities import Entities, text_of
from mu.data.logs.importing.external_sort import ExternalSort
from mu.data.logs.importing.formats import NO_PART, LogSource, ReadOptions, load_format
from mu.data.logs.importing.identifiers import Identifiers
from mu.data.logs.importing.implausible_times import ImplausibleTimes
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.outcomes import OutcomeRule
from mu.data.logs.importing.rows import ColumnRoles, PlayRows, check
from mu.data.logs.importing.track_catalogue import TrackCatalogue
from mu.data.logs.timestamps import TimestampParser
from mu.data.options import OptionError

MAX_VALUES = 1 << 16
logger = logging.getLogger(__name__)


class FirstPass:
    """What is read in the first pass, apart from the plays themselves.

    Attributes:
      users: ids and attributes.
      tracks: ids and attributes.
      catalogue: the track table, or None.
      times: the parser of times, which knows their unit.
      backward: plays that are earlier than the one before.
      implausible: plays outside the years of plays.
      event_columns: the values of each event column.
      rows_in: number of rows read.
      bad: number of bad rows.
      set_aside: number of rows that are no plays of tracks, by what they are.
      short: number of plays shorter than `min_play_s`.
      light: number of the others that weigh less than `min_weight`.
      disliked: number of the others that are rated below `min_rating`.
    """

    def __init__(
        self,
        roles: ColumnRoles,
        options: LogImportOptions,
        catalogue: TrackCatalogue | None,
        rejected: RejectedRows,
    ):
        self.users = Entities("user", roles.user_attributes)
        self.tracks = Entities("track", roles.track_attributes)
        self.catalogue = catalogue
        self.times = TimestampParser(options.time_unit)
        self.backward = BackwardTimes()
        self.implausible = ImplausibleTimes()
        self.event_columns = {name: Identifiers() for name in roles.event_columns}
        self.rows_in = self.bad = self.short = self.light = self.disliked = 0
        self.set_aside = collections.Counter[str]()
        self._roles, self._options, self._rejected = roles, options, rejected
        self._play_units, self._outcome_rule = 1, None
        if roles.play_duration:
            self._play_units = _units_per_s(roles.play_duration, options.play_duration_unit, "play_duration_unit")
        if options.skip_below_s or options.skip_below_share:
            self._outcome_rule = OutcomeRule(options.skip_below_s, options.skip_below_share)
        self._table_durations, self._track_units = None, 1
        if options.skip_below_share:
            name = roles.track_duration
            if name is None:
                if catalogue is None:
                    raise OptionError(
                        "--skip_below_share needs the duration of each track: add --track_duration=NAME for a column "
                        "of the log, or --track_table=FILE for a table that has one"
                    )
                name, self._table_durations = catalogue.durations(options.track_duration, rejected)
            self._track_units = _units_per_s(name, options.track_duration_unit, "track_duration_unit")

    @property
    def skipped(self) -> int:
        """The number of plays left out because their track is not in the track table."""
        return self.catalogue.unknown_plays if self.catalogue and self._options.unknown_tracks == "skip" else 0

    @property
    def vocabularies(self) -> dict[str, list[str]]:
        """The values of each event column, in order of their codes."""
        return {name: ids.values().cast(pl.String).to_list() for name, ids in self.event_columns.items()}

    def read(
        self,
        sources: list[LogSource],
        options: ReadOptions,
        sort: ExternalSort,
        progress: Callable[[str, float], None],
    ) -> None:
        """Reads all sources.

        Raises:
          ValueError: no plays are left, an event column has more than 65,536 values, or tracks are unknown and refused.
        """
        options = dataclasses.replace(options, one_value=tuple(self._roles.of_plays()))
        min_duration = self._options.min_play_s * self._play_units
        least = np.float32(self._options.min_weight)  # as weights are stored
        part = NO_PART
        for index, source in enumerate(sources):
            if source.part != part:
                part = source.part
                self.backward.restart()
            self.times.start_file()
            with damage_named(source.name):
                for batch in load_format(source.format).batches(source, self._roles.wanted(), options):
                    plays, bad = check(batch, self._roles, self.times, source.name)
                    self._rejected.add(bad)
                    self.rows_in += len(batch.frame) + len(batch.bad) + sum(batch.set_aside.values())
                    self.set_aside.update(batch.set_aside)
                    self.bad += len(bad)
                    if min_duration and plays.play_durations is not None:
                        short = plays.play_durations < min_duration  # false where it is not known
                        self.short += int(np.count_nonzero(short))
                        plays = plays.where(~short)
                    if least and plays.weights is not None:
                        self.light += int(np.count_nonzero(plays.weights < least))
                        plays = plays.where(plays.weights >= least)
                    if self._options.min_rating is not None and plays.ratings is not None:
                        disliked = plays.ratings < self._options.min_rating
                        self.disliked += int(np.count_nonzero(disliked))
                        plays = plays.where(~disliked)
                    self._append(sort, plays, source)
                    progress("reading", (index + batch.done) / len(sources))
        if self.catalogue and self.catalogue.unknown_plays and self._options.unknown_tracks == "error":
            raise ValueError(self.catalogue.refusal(self.tracks.ids()))
        if sort.n == 0:
            light = f", {self.light} of a weight below {self._options.min_weight:g}" if least else ""
            if self._options.min_rating is not None:
                light += f", {self.disliked} rated below {self._options.min_rating:g}"
            unknown = f"{self.skipped} of tracks that are not in the track table"
            aside = "".join(f", {n} {what}" for what, n in self.set_aside.items())
            dropped = f"{self.bad} bad, {self.short} too short{light}, {unknown}{aside}"
            if self.catalogue and self.skipped:
                dropped += self.catalogue.other_forms(self.tracks.ids())
            raise ValueError(f"no plays in the input ({self.rows_in} rows read, {dropped})")

    def _append(self, sort: ExternalSort, plays: PlayRows, source: LogSource) -> None:
        items, new = self.tracks.number(plays.tracks, plays)
        if self.catalogue:
            contained = self.catalogue.contains(items, new, plays, source.name)
            if self._options.unknown_tracks == "skip":
                plays, items = plays.where(contained), items[contained]
        arrays = {"users": self.users.number(plays.users, plays)[0], "items": items}
        if plays.times is not None:
            arrays["times"] = plays.times
            self.backward.add(arrays["users"], plays, source.name)
            self.implausible.add(plays.times, plays.lines, source.name)
        if plays.weights is not None:
            arrays["weights"] = plays.weights
        if source.part != NO_PART:
            arrays["parts"] = np.full(len(plays.users), source.part, np.uint8)
        if self._outcome_rule is not None:
            arrays["outcomes"] = self._outcome_rule.apply(*self._seconds(plays, items))
        elif plays.outcomes is not None:
            arrays["outcomes"] = plays.outcomes
        codes = {name: self._codes(name, plays, source.name) for name in self.event_columns}
        sort.append(arrays, codes, {name: _numbers(plays.frame[name]) for name in self._roles.event_numbers})

    def _seconds(self, plays: PlayRows, items: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Seconds played, and seconds of the track where the outcome rule needs them."""
        assert plays.play_durations is not None
        durations = plays.track_durations
        if self._table_durations is not None:
            assert self.catalogue is not None
            rows = self.catalogue.rows[items]
            durations = np.full(len(items), np.nan)
            durations[rows >= 0] = self._table_durations[rows[rows >= 0]]
        track_s = None if durations is None else durations / self._track_units
        return plays.play_durations / self._play_units, track_s

    def _codes(self, column: str, plays: PlayRows, label: str) -> np.ndarray:
        """uint16 [n]: the values of an event column as places in its vocabulary."""
        values = text_of(plays.frame[column]).fill_null("")
        vocabulary = self.event_columns[column]
        codes, new = vocabulary.number(values)
        if (over := len(vocabulary) - MAX_VALUES) > 0:
            at = int(new[len(new) - over])
            raise ValueError(
                f"{label}, line {plays.lines[at]}, column {column}: {values[at]!r} is value {MAX_VALUES + 1:,}; an "
                f"event column has at most {MAX_VALUES:,} different values. Is this a column of categories?"
            )
        return codes.astype(np.uint16)


def _numbers(column: pl.Series) -> np.ndarray:
    """float32 [n]: the numbers of a column; NaN for none."""
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy().astype(np.float32)


def _units_per_s(name: str, unit: str, flag: str) -> int:
    """How many units of the column `name` are a second."""
    if unit == "auto":
        unit = "ms" if re.search(r"(^|_)ms|ms$|milli", name.lower()) else "s"
        logger.info("column %r is taken to be in %s (--%s to choose)", name, unit, flag)
    return 1000 if unit == "ms" else 1
