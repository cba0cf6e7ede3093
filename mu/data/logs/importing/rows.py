"""From columns of a file to plays: every field is checked here, in the same way for all formats."""

import dataclasses

import numpy as np
import polars as pl

from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.formats import RowBatch
from mu.data.logs.importing.outcomes import outcomes_of
from mu.data.logs.importing.text_files import printable
from mu.data.logs.interactions import FINISHED, SKIPPED
from mu.data.logs.time_notations import MISSING
from mu.data.logs.timestamps import TimestampParser
from mu.data.tables import ColumnError

Fault = tuple[str, np.ndarray, str]
"""Name of a column, bool [n]: the rows where it is bad, and the reason."""


@dataclasses.dataclass(frozen=True)
class ColumnRoles:
    """The role of each column of the files; None for a role without a column.

    Attributes:
      user: ids of users.
      track: ids of tracks.
      listener: id of the only user, for logs without a column `user`.
      time: times of plays.
      weight: weights of plays.
      rating: ratings, read for a rule.
      play_duration: time played.
      track_duration: duration of the track.
      finished: outcomes, 1 where the play was finished.
      skipped: outcomes, 1 where the play was skipped.
      event_columns: columns that become event columns of the log.
      event_numbers: columns that become numbers of plays of the log.
      track_attributes: columns of the files -> columns of the table of tracks.
      user_attributes: columns of the files -> columns of the table of users.
    """

    user: str
    track: str
    listener: str | None = None
    time: str | None = None
    weight: str | None = None
    rating: str | None = None
    play_duration: str | None = None
    track_duration: str | None = None
    finished: str | None = None
    skipped: str | None = None
    event_columns: tuple[str, ...] = ()
    event_numbers: tuple[str, ...] = ()
    track_attributes: dict[str, str] = dataclasses.field(default_factory=dict)
    user_attributes: dict[str, str] = dataclasses.field(default_factory=dict)

    def of_plays(self) -> list[str]:
        """The columns to read that hold one value a play."""
        user = None if self.listener else self.user
        durations = [self.play_duration, self.track_duration]
        plays = [user, self.track, self.time, self.weight, self.rating, *durations, self.finished, self.skipped]
        return [name for name in plays if name]

    def wanted(self) -> list[str]:
        """The columns to read, each once, those of plays first."""
        more = [*self.event_columns, *self.event_numbers, *self.track_attributes, *self.user_attributes]
        return list(dict.fromkeys([*self.of_plays(), *more]))


@dataclasses.dataclass(frozen=True)
class PlayRows:
    """The rows of a batch without faults.

    Attributes:
      users: ids, String or integers, none missing.
      tracks: ids, String or integers, none missing.
      times: int64 [n] unix milliseconds, or None.
      weights: float32 [n], finite and not negative, or None.
      ratings: float64 [n], finite, or None.
      play_durations: float64 [n], time played, in the unit of the file, NaN where not known; or None.
      track_durations: float64 [n], in the unit of the file, NaN where not known; or None.
      outcomes: uint8 [n] (see `mu.data.logs.interactions`), or None.
      lines: int64 [n], where each row is in the source, from 1.
      frame: the same rows with all columns that were read.
    """

    users: pl.Series
    tracks: pl.Series
    times: np.ndarray | None
    weights: np.ndarray | None
    ratings: np.ndarray | None
    play_durations: np.ndarray | None
    track_durations: np.ndarray | None
    outcomes: np.ndarray | None
    lines: np.ndarray
    frame: pl.DataFrame

    def where(self, keep: np.ndarray) -> "PlayRows":
        """The rows where `keep` (bool [n]) is true."""
        if keep.all():
            return self
        mask, fields = pl.Series(keep), {}
        for field in dataclasses.fields(self):
            values = getattr(self, field.name)
            if isinstance(values, np.ndarray):
                fields[field.name] = values[keep]
            else:
                fields[field.name] = None if values is None else values.filter(mask)
        return dataclasses.replace(self, **fields)


def check(batch: RowBatch, roles: ColumnRoles, parser: TimestampParser, label: str) -> tuple[PlayRows, list[BadRow]]:
    """Checks the fields of a batch.

    Returns:
      The rows without faults, and the bad rows (each once, by its first bad column) in order of line.

    Raises:
      ColumnError: a column has a type that does not fit its role (ids that are floating-point numbers, ...).
    """
    if roles.listener:
        batch = dataclasses.replace(batch, frame=batch.frame.with_columns(pl.lit(roles.listener).alias(roles.user)))
    frame = batch.frame
    users, faults = _ids(frame[roles.user], "user")
    tracks, track_faults = _ids(frame[roles.track], "track")
    faults += track_faults
    times = weights = ratings = play_durations = track_durations = outcomes = None
    if roles.time:
        times = parser.parse(frame[roles.time])
        faults.append((roles.time, _empty(frame[roles.time]), "missing field"))
        faults.append((roles.time, times == MISSING, parser.why_unreadable()))
    if roles.weight:
        weights, weight_faults = _amounts(frame[roles.weight], "weight")
        faults += weight_faults
    if roles.rating:
        ratings, rating_faults = _amounts(frame[roles.rating], "rating")
        faults += rating_faults[:2]  # it may be negative
    if roles.play_duration:
        play_durations, play_faults = _amounts(frame[roles.play_duration], "play duration")
        faults += _but_empty(play_faults, frame[roles.play_duration])
    if roles.track_duration:
        track_durations, track_faults = _amounts(frame[roles.track_duration], "track duration")
        faults += _but_empty(track_faults, frame[roles.track_duration])
    for name, yes in ((roles.finished, FINISHED), (roles.skipped, SKIPPED)):
        if name:
            outcomes, unreadable = outcomes_of(frame[name], yes)
            faults.append((name, unreadable, "unreadable outcome, should be 0 or 1, true or false, or empty"))
    for name in roles.event_numbers:
        _, (_, unreadable, _) = _amounts(frame[name], "number")
        faults += _but_empty([unreadable], frame[name])
    bad_mask, bad = _bad_rows(batch, faults, label)
    amounts = (weights, ratings, play_durations, track_durations)
    plays = PlayRows(users, tracks, times, *amounts, outcomes, batch.lines, frame)
    plays = plays.where(~bad_mask)
    if plays.weights is not None:
        plays = dataclasses.replace(plays, weights=plays.weights.astype(np.float32))
    return plays, bad


def _bad_rows(batch: RowBatch, faults: list[Fault], label: str) -> tuple[np.ndarray, list[BadRow]]:
    """bool [n]: the rows with any fault; and all bad rows of the batch, in order of line."""
    mask = np.zeros(len(batch.frame), bool)
    bad = list(batch.bad)
    for name, where, reason in faults:
        new = where & ~mask
        mask |= new
        for at in np.flatnonzero(new):
            value = batch.frame[name][int(at)]
            text = "" if value is None else printable(str(value))
            bad.append(BadRow(label, int(batch.lines[at]), name, text, reason))
    return mask, sorted(bad, key=lambda row: row.line)


def _ids(column: pl.Series, role: str) -> tuple[pl.Series, list[Fault]]:
    """Ids as String or integers, without loss, and the rows where they are missing."""
    dtype = column.dtype
    if dtype == pl.UInt64 and column.len() and (column.max() or 0) >= 2**63:  # pyright: ignore
        ids = column.cast(pl.String)
    elif dtype == pl.String or dtype.is_integer():
        ids = column
    elif dtype in (pl.Categorical, pl.Enum, pl.Null):
        ids = column.cast(pl.String)
    else:
        hint = "floating-point ids lose digits past 2**53; " if dtype.is_float() else ""
        raise ColumnError(
            f"the {role} column {column.name!r} holds {dtype}; {hint}"
            "ids must be text or whole numbers: cast the column first"
        )
    return ids, [(column.name, _empty(ids), "missing field")]


def _empty(column: pl.Series) -> np.ndarray:
    missing = column.is_null()
    if column.dtype == pl.String:
        missing |= (column == "").fill_null(True)
    return missing.to_numpy()


def _but_empty(faults: list[Fault], column: pl.Series) -> list[Fault]:
    """The faults of a column whose empty fields are unknown, not bad."""
    empty = _empty(column)
    if column.dtype.is_float():
        empty |= column.is_nan().fill_null(True).to_numpy()
    return [(name, bad & ~empty, reason) for name, bad, reason in faults]


def _amounts(column: pl.Series, what: str) -> tuple[np.ndarray, list[Fault]]:
    """float64 values, and their faults."""
    if not (column.dtype == pl.String or column.dtype.is_numeric() or column.dtype == pl.Null):
        raise ColumnError(f"the column {column.name!r} holds {column.dtype}; as a {what} it must hold numbers")
    values = column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32))
    return values, [
        (column.name, _empty(column), "missing field"),
        (column.name, ~finite, f"unreadable {what}, should be a finite number"),
        (column.name, values < 0, f"negative {what}"),
    ]
