"""From columns of a file to plays: every field is checked here, for every format alike."""

import dataclasses

import numpy as np
import polars as pl

from mu.data.logs.importing.clock import MISSING, Clock
from mu.data.logs.importing.outcomes import outcomes_of
from mu.data.logs.importing.sources import BadRow, Batch, shown
from mu.data.logs.interactions import FINISHED, SKIPPED


@dataclasses.dataclass(frozen=True)
class Roles:
    """The role of each column of the files; None where there is none.

    Attributes:
      user: ids of users.
      track: ids of tracks.
      time: times of plays.
      weight: weights of plays.
      duration: time played.
      length: duration of the track.
      finished: outcomes, 1 where the play was finished.
      skipped: outcomes, 1 where the play was skipped.
      event_columns: columns that become event columns of the log.
      track_attributes: columns of the files -> columns of the table of tracks.
      user_attributes: columns of the files -> columns of the table of users.
    """

    user: str
    track: str
    time: str | None = None
    weight: str | None = None
    duration: str | None = None
    length: str | None = None
    finished: str | None = None
    skipped: str | None = None
    event_columns: tuple[str, ...] = ()
    track_attributes: dict[str, str] = dataclasses.field(default_factory=dict)
    user_attributes: dict[str, str] = dataclasses.field(default_factory=dict)

    def wanted(self) -> list[str]:
        """Each column once, those of plays first."""
        plays = [self.user, self.track, self.time, self.weight, self.duration, self.length]
        names = [name for name in [*plays, self.finished, self.skipped] if name]
        return list(dict.fromkeys([*names, *self.event_columns, *self.track_attributes, *self.user_attributes]))


@dataclasses.dataclass(frozen=True)
class Plays:
    """The sound rows of a batch.

    Attributes:
      users, tracks: ids, String or integers, none missing.
      times: int64 [n] unix milliseconds, or None.
      weights: float32 [n], finite and not negative, or None.
      played: float64 [n]: time played, in the unit of the file, or None.
      length: float64 [n]: the whole length of the track, in the unit of the file, NaN where not known; or None.
      outcomes: uint8 [n] (see `mu.data.logs.interactions`), or None.
      lines: int64 [n]: where each row stands in the source, from 1.
      frame: the rows of the batch with all columns.
    """

    users: pl.Series
    tracks: pl.Series
    times: np.ndarray | None
    weights: np.ndarray | None
    played: np.ndarray | None
    length: np.ndarray | None
    outcomes: np.ndarray | None
    lines: np.ndarray
    frame: pl.DataFrame

    def where(self, keep: np.ndarray) -> "Plays":
        """The rows where `keep` (bool [n]) is true."""
        if keep.all():
            return self
        mask, kept = pl.Series(keep), {}
        for field in dataclasses.fields(self):
            values = getattr(self, field.name)
            if isinstance(values, np.ndarray):
                kept[field.name] = values[keep]
            else:
                kept[field.name] = None if values is None else values.filter(mask)
        return dataclasses.replace(self, **kept)


def check(batch: Batch, roles: Roles, clock: Clock, label: str) -> tuple[Plays, list[BadRow]]:
    """The sound rows of `batch`, and the bad ones (each once, by its first bad column), in order of line.

    Raises:
      ValueError: a column is of a type that cannot play its role (ids that are floating-point numbers, ...).
    """
    frame = batch.frame
    faults: list[tuple[str, np.ndarray, str]] = []  # column, bool [n], reason
    ids = []
    for role, name in (("user", roles.user), ("track", roles.track)):
        column = _ids(frame[name], role)
        ids.append(column)
        if column.dtype == pl.String:
            missing = (column.is_null() | (column == "").fill_null(True)).to_numpy()
        else:
            missing = column.is_null().to_numpy()
        faults.append((name, missing, "missing field"))
    times = weights = played = length = outcomes = None
    if roles.time:
        times = clock.read(frame[roles.time])
        faults.append((roles.time, _empty(frame[roles.time]), "missing field"))
        faults.append((roles.time, times == MISSING, clock.why_not()))
    if roles.weight:
        weights, weight_faults = _amounts(frame[roles.weight], "weight")
        faults += weight_faults
    if roles.duration:
        played, played_faults = _amounts(frame[roles.duration], "time played")
        faults += played_faults
    if roles.length:
        length, length_faults = _amounts(frame[roles.length], "length")
        faults += [(name, mask & ~_empty(frame[roles.length]), why) for name, mask, why in length_faults]
    for name, yes in ((roles.finished, FINISHED), (roles.skipped, SKIPPED)):
        if name:
            outcomes, unreadable = outcomes_of(frame[name], yes)
            faults.append((name, unreadable, "unreadable outcome, should be 0 or 1, true or false, or empty"))
    bad_mask = np.zeros(len(frame), bool)
    bad = list(batch.bad)
    for name, mask, reason in faults:
        new = mask & ~bad_mask
        if not new.any():
            continue
        bad_mask |= new
        for at in np.flatnonzero(new):
            value = frame[name][int(at)]
            bad.append(BadRow(label, int(batch.lines[at]), name, "" if value is None else shown(str(value)), reason))
    users, tracks = ids
    plays = Plays(users, tracks, times, weights, played, length, outcomes, batch.lines, frame).where(~bad_mask)
    if plays.weights is not None:
        plays = dataclasses.replace(plays, weights=plays.weights.astype(np.float32))
    return plays, sorted(bad, key=lambda row: row.line)


def _ids(column: pl.Series, role: str) -> pl.Series:
    """Ids as String or integers, nothing lost."""
    dtype = column.dtype
    if dtype == pl.UInt64 and column.len() and (column.max() or 0) >= 2**63:  # pyright: ignore
        return column.cast(pl.String)
    if dtype == pl.String or dtype.is_integer():
        return column
    if dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if dtype == pl.Binary:
        return column.cast(pl.String, strict=False)
    if dtype == pl.Null:
        return column.cast(pl.String)
    hint = "floating-point ids lose digits past 2**53; " if dtype.is_float() else ""
    raise ValueError(
        f"the {role} column {column.name!r} holds {dtype}; {hint}"
        "ids must be text or whole numbers: cast the column first"
    )


def _empty(column: pl.Series) -> np.ndarray:
    missing = column.is_null()
    if column.dtype == pl.String:
        missing |= (column == "").fill_null(True)
    return missing.to_numpy()


def _amounts(column: pl.Series, what: str) -> tuple[np.ndarray, list[tuple[str, np.ndarray, str]]]:
    """float64 values and what is wrong with them."""
    if not (column.dtype == pl.String or column.dtype.is_numeric() or column.dtype == pl.Null):
        raise ValueError(f"the column {column.name!r} holds {column.dtype}; as a {what} it must hold numbers")
    values = column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
    with np.errstate(over="ignore"):
        finite = np.isfinite(values.astype(np.float32))
    return values, [
        (column.name, _empty(column), "missing field"),
        (column.name, ~finite, f"unreadable {what}, should be a finite number"),
        (column.name, values < 0, f"negative {what}"),
    ]
