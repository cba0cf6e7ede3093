"""Timestamps in any of the usual notations as unix milliseconds."""

import datetime

import numpy as np
import polars as pl

UNITS = ("auto", "s", "ms", "iso")
# 1e11 seconds is the year 5138, 1e11 milliseconds is March 1973: nothing on the wrong side of it is a play.
MAX_SECONDS = 100_000_000_000
MAX_MILLISECONDS = MAX_SECONDS * 1000
MISSING = np.iinfo(np.int64).min
_DATE_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_ZONE = r"(?i)(Z| ?UTC|[+-]\d{2}(?::?\d{2})?)$"


class TimestampParser:
    """Parses columns of timestamps. The first batch with a readable time decides the unit 'auto' for the rest.

    Attributes:
      unit: 's', 'ms', 'iso', 'datetime' (columns of dates) or 'auto' as long as it is undecided.
    """

    def __init__(self, unit: str = "auto"):
        if unit not in UNITS:
            raise ValueError(f"time_unit is {unit!r}; it must be one of {', '.join(UNITS)}")
        self.unit = unit

    def parse(self, column: pl.Series) -> np.ndarray:
        """int64 unix milliseconds of `column`; `MISSING` where a time cannot be read."""
        if column.dtype.is_temporal():
            return self._dates(column)
        if column.dtype == pl.String and self.unit in ("auto", "iso"):
            numbers = None if self.unit == "iso" else _numbers(column)
            if numbers is None or (self.unit == "auto" and np.isnan(numbers).all()):
                times = _iso(column)
                if self.unit == "auto" and (times != MISSING).any():
                    self.unit = "iso"
                return times
        if self.unit in ("iso", "datetime"):
            return np.full(len(column), MISSING)
        return self._unix(column)

    def why_unreadable(self) -> str:
        """The message for a time that could not be read: what it should be."""
        expected = {
            "s": f"unix seconds up to {MAX_SECONDS:.0e}",
            "ms": f"unix milliseconds up to {MAX_MILLISECONDS:.0e}",
            "iso": "ISO 8601",
            "datetime": "a date",
            "auto": "unix seconds, unix milliseconds or ISO 8601",
        }
        return f"unreadable time, should be {expected[self.unit]} (see --time_unit)"

    def _dates(self, column: pl.Series) -> np.ndarray:
        if column.dtype in (pl.Time, pl.Duration) or self.unit in ("s", "ms"):
            raise ValueError(f"the time column holds {column.dtype}; it must hold dates, with --time_unit=auto or iso")
        self.unit = "datetime"
        # Datetime with a zone is stored as UTC; without one UTC is assumed. Floor, so that order is kept
        # before 1970 too.
        moments = column.cast(pl.Datetime("ms", getattr(column.dtype, "time_zone", None)))
        return moments.to_physical().fill_null(MISSING).to_numpy()

    def _unix(self, column: pl.Series) -> np.ndarray:
        """Whole numbers stay exact; fractions are rounded to the millisecond."""
        whole = column if column.dtype.is_integer() else None
        if column.dtype == pl.String:
            cast = column.cast(pl.Int64, strict=False)
            whole = cast if cast.null_count() == 0 else None
        if whole is not None:
            values = whole.cast(pl.Int64, strict=False).fill_null(MISSING).to_numpy()
            readable = values != MISSING
        else:
            values = _numbers(column)
            readable = np.isfinite(values)
        size = np.abs(np.where(readable, values, 0))
        if self.unit == "auto" and readable.any():
            self.unit = "s" if size.max() < MAX_SECONDS else "ms"
        scale, largest = (1000, MAX_SECONDS) if self.unit == "s" else (1, MAX_MILLISECONDS)
        readable &= size <= largest
        values = np.where(readable, values, 0) * scale
        if values.dtype != np.int64:
            values = np.rint(values).astype(np.int64)
        return np.where(readable, values, MISSING)


def _numbers(column: pl.Series) -> np.ndarray:
    """float64; NaN where the text is no number."""
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _iso(column: pl.Series) -> np.ndarray:
    """ISO 8601: a date, or date and time after 'T' or a space, fractions, and a zone or none (UTC)."""
    text, zone = pl.col("text"), pl.col("zone")
    # A date alone ends in -dd too, so a zone is searched for only where the text has a colon.
    timed = text.str.contains(":", literal=True)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    digits = zone.str.replace_all(r"\D", "")
    hours = digits.str.slice(0, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(2, 2).cast(pl.Int64, strict=False).fill_null(0)
    moment = pl.coalesce(pl.col("bare").str.to_datetime(one, time_unit="ms", strict=False) for one in _DATE_FORMATS)
    frame = (
        column.to_frame("text")
        .with_columns(zone=pl.when(timed).then(text.str.extract(_ZONE, 1)))
        .with_columns(bare=pl.when(zone.is_null()).then(text).otherwise(text.str.replace(_ZONE, "")))
        .with_columns(bare=pl.col("bare").str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T"))
        .select(moment.cast(pl.Int64) - sign * (hours * 60 + minutes) * 60_000)
    )
    return frame.to_series().fill_null(MISSING).to_numpy()


def parse_moment(moment: int | str, name: str) -> int:
    """One moment as unix milliseconds.

    Args:
      moment: unix milliseconds, or ISO 8601 (UTC where no zone is given).
      name: of the option, for the message.

    Raises:
      ValueError: it is neither.
    """
    if not isinstance(moment, str):
        return int(moment)
    try:
        date = datetime.datetime.fromisoformat(moment)
    except ValueError:
        raise ValueError(f"{name} is {moment!r}; it must be ISO 8601 or unix milliseconds") from None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (date - epoch) // datetime.timedelta(milliseconds=1)


def show_moment(milliseconds: int) -> str:
    """The moment as ISO 8601; the number itself where no calendar reaches."""
    try:
        return str(np.datetime64(milliseconds, "ms")) + "Z"
    except (OverflowError, ValueError):
        return str(milliseconds)
