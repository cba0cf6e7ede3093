"""Timestamps in any of the usual notations as unix milliseconds."""

import datetime

import numpy as np
import polars as pl

from mu.data.tables import ColumnError

UNITS = {
    "auto": "unix seconds, unix milliseconds or ISO 8601",
    "s": "unix seconds",
    "ms": "unix milliseconds",
    "us": "unix microseconds",
    "ns": "unix nanoseconds",
    "iso": "ISO 8601",
    "digits": "YYYYMMDD, YYYYMMDDhh, YYYYMMDDhhmm or YYYYMMDDhhmmss",
    "excel": "days since 1899-12-30, as spreadsheets count them",
    "datetime": "a date",
}
# From 1973 on, the times of each unit lie between these powers of ten, and no two units share a magnitude. Smaller
# numbers, down to 0 and below, are read in the unit of the others.
SMALLEST = {"s": 10**8, "ms": 10**11, "us": 10**14, "ns": 10**17}
LARGEST = {"s": 10**11, "ms": 10**14, "us": 10**17, "ns": np.iinfo(np.int64).max}
PER_MS = {"ms": 1, "us": 1000, "ns": 1_000_000}
DAY_MS = 86_400_000
EXCEL_EPOCH = 25_569  # 1970-01-01
EXCEL_PLAYS = (32_874, 54_789)  # 1990 to 2050: a column all inside is one of spreadsheet days
EXCEL_DAYS = (18_264, 73_416)  # 1950 to 2101: days outside are stragglers
DIGIT_YEARS = (1900, 2100)
SAMPLE = 20_000  # values of a batch from which the unit is decided
BULK = 100  # times of one batch that suffice to say that the unit chosen before does not fit the file
MISSING = np.iinfo(np.int64).min
_DATE_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_ZONE = r"(?i)( ?(?:Z|UTC|GMT)| ?[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)$"


class TimestampParser:
    """Parses columns of timestamps.

    With the unit 'auto' the first batch of a file with readable times decides how its times are read: as most of them
    are written. Times in another notation are unreadable.

    Attributes:
      unit: a key of `UNITS`, of the file that is read; 'auto' as long as it is undecided.
      read: the units in which times were read, in order of appearance.
    """

    def __init__(self, unit: str = "auto"):
        if unit not in UNITS:
            raise ValueError(f"time_unit is {unit!r}; it must be one of {', '.join(UNITS)}")
        self.unit, self.read = unit, dict[str, None]()
        self._auto = unit == "auto"

    def start_file(self) -> None:
        """Forgets the unit that 'auto' found: another file may have another one."""
        if self._auto:
            self.unit = "auto"

    def parse(self, column: pl.Series) -> np.ndarray:
        """int64 unix milliseconds of `column`; `MISSING` where a time cannot be read.

        Raises:
          ColumnError: the type of the column is none of times, or 'auto' cannot tell their unit.
        """
        dtype = column.dtype
        if dtype.is_temporal():
            self.read["datetime"] = None
            return self._dates(column)
        if dtype in (pl.Float32, pl.Float16):
            raise ColumnError(
                f"the time column {column.name!r} holds {dtype}, in which seconds of today are 128 apart; "
                "write it as whole numbers, Float64 or dates"
            )
        if not (dtype in (pl.String, pl.Null) or dtype.is_integer() or dtype.is_float() or dtype.is_decimal()):
            raise ColumnError(f"the time column {column.name!r} holds {dtype}; it must hold numbers, text or dates")
        times = self._parse(column, self._decide(column) if self.unit == "auto" else self.unit)
        if self._auto and self.unit != "auto" and np.count_nonzero(times == MISSING) > len(times) // 2 >= BULK // 2:
            other = self._decide(column)
            if other not in (self.unit, "auto"):
                raise ColumnError(
                    f"the times of column {column.name!r} were read as {UNITS[self.unit]} so far, but most of the "
                    f"next ones are {UNITS[other]}; write all of them alike, or import such files apart"
                )
        return times

    def why_unreadable(self) -> str:
        """The message for a time that could not be read: what it should be."""
        bulk = " as most times of the file" if self._auto and self.unit != "auto" else ""
        limit = f" below {LARGEST[self.unit]:.0e}" if self.unit in ("s", "ms", "us") and not self._auto else ""
        return f"unreadable time, should be {UNITS[self.unit]}{limit}{bulk} (see --time_unit)"

    def _parse(self, column: pl.Series, unit: str) -> np.ndarray:
        if unit in ("auto", "iso"):
            times = _iso(column) if column.dtype == pl.String else np.full(len(column), MISSING)
        elif unit == "digits":
            times = _digits(_whole(column))
        elif unit == "excel":
            times = self._excel(_numbers(column))
        elif unit == "datetime":
            times = np.full(len(column), MISSING)
        else:
            times = self._unix(column, unit)
        if unit != "auto" and (times != MISSING).any():
            self.unit = unit
            self.read[unit] = None
        return times

    def _decide(self, column: pl.Series) -> str:
        """The unit of most values of the column; 'auto' if none is a time.

        Raises:
          ColumnError: the values may be days of a spreadsheet or seconds.
        """
        column = column.drop_nulls()
        column = column.gather_every(1 + len(column) // SAMPLE)
        numbers = _numbers(column)
        numbers = numbers[np.isfinite(numbers)]
        values = numbers[numbers != 0]  # a 0 stands for an unknown time, in any notation
        texts = _iso(column) if column.dtype == pl.String and len(numbers) < len(column) else np.empty(0, np.int64)
        if np.count_nonzero(texts != MISSING) >= max(len(values), 1):
            return "iso"
        if not len(numbers):
            return "auto"
        if _are_digits(values):
            return "digits"
        first, last = EXCEL_PLAYS
        if len(values) and np.count_nonzero((values >= first) & (values < last)) >= 0.9 * len(values):
            if (values % 1 != 0).any():
                return "excel"
            raise ColumnError(
                f"the times of column {column.name!r}, such as {column[0]}, may be days as spreadsheets "
                "count them, or seconds: add --time_unit=excel or --time_unit=s"
            )
        places = np.searchsorted(list(SMALLEST.values()), np.abs(values), side="right")
        counts = np.bincount(places, minlength=len(SMALLEST) + 1)[1:]
        if not counts.any():
            return next((unit for unit in self.read if unit in SMALLEST), "s")
        return list(SMALLEST)[int(counts.argmax())]

    def _dates(self, column: pl.Series) -> np.ndarray:
        if column.dtype in (pl.Time, pl.Duration) or not (self._auto or self.unit in ("iso", "datetime")):
            raise ColumnError(f"the time column holds {column.dtype}; it must hold dates, with --time_unit=auto or iso")
        # Datetime with a zone is stored as UTC; without one UTC is assumed. Floor, so that order is kept
        # before 1970 too.
        moments = column.cast(pl.Datetime("ms", getattr(column.dtype, "time_zone", None)))
        return moments.to_physical().fill_null(MISSING).to_numpy()

    def _excel(self, values: np.ndarray) -> np.ndarray:
        first, last = EXCEL_DAYS if self._auto else (0, 2_958_466)
        readable = (values >= first) & (values < last)
        milliseconds = (np.where(readable, values, EXCEL_EPOCH) - EXCEL_EPOCH) * DAY_MS
        return np.where(readable, np.rint(milliseconds).astype(np.int64), MISSING)

    def _unix(self, column: pl.Series, unit: str) -> np.ndarray:
        """Whole numbers stay exact; fractions are rounded to the millisecond."""
        whole = column if column.dtype.is_integer() else None
        if column.dtype == pl.String:
            cast = column.cast(pl.Int64, strict=False)
            whole = cast if cast.null_count() == 0 else None
        values = _numbers(column) if whole is None else _whole(whole)
        readable = np.isfinite(values) if whole is None else values != MISSING
        values = np.where(readable, values, 0)
        size = np.abs(values)
        readable &= size < LARGEST[unit]
        if self._auto:
            readable &= (size >= SMALLEST[unit]) | (size < SMALLEST["s"])
        values = np.where(readable, values, 0)
        if unit == "s":
            values = values * 1000
        elif whole is None:
            values = values / PER_MS[unit]
        else:
            values = values // PER_MS[unit]
        if values.dtype != np.int64:
            values = np.rint(values).astype(np.int64)
        return np.where(readable, values, MISSING)


def _numbers(column: pl.Series) -> np.ndarray:
    """float64; NaN where the text is no number."""
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def _whole(column: pl.Series) -> np.ndarray:
    """int64; `MISSING` where the value is no whole number that fits."""
    if not column.dtype.is_integer():
        numbers = _numbers(column)
        fits = np.abs(numbers) < 2**53
        numbers = np.where(fits, numbers, 0)
        return np.where(fits & (numbers % 1 == 0), numbers.astype(np.int64), MISSING)
    return column.cast(pl.Int64, strict=False).fill_null(MISSING).to_numpy()


def _are_digits(values: np.ndarray) -> bool:
    """Whether most of `values` (float64, finite) are dates written as digits, which are no plausible unix times."""
    size = np.where((values >= 10**7) & (values < 10**14) & (values % 1 == 0), values, 0).astype(np.int64)
    years = size // 10 ** np.maximum(np.floor(np.log10(np.maximum(size, 1))).astype(np.int64) - 3, 0)
    valid = (_digits(size) != MISSING) & (years >= DIGIT_YEARS[0]) & (years <= DIGIT_YEARS[1])
    # Ten digits are seconds of the years 2030 to 2036 as well: there all of them must be dates.
    if ((size >= 10**9) & (size < 10**10)).any():
        return bool(valid.all())
    return bool(np.count_nonzero(valid) > len(values) / 2)


def _digits(values: np.ndarray) -> np.ndarray:
    """Unix milliseconds of dates written as whole numbers of 8, 10, 12 or 14 digits; `MISSING` for others."""
    padded = np.zeros(len(values), np.int64)
    for n_digits in (8, 10, 12, 14):
        fits = (values >= 10 ** (n_digits - 1)) & (values < 10**n_digits)
        padded[fits] = values[fits] * 10 ** (14 - n_digits)
    date, clock = np.divmod(padded, 1_000_000)
    year, date = np.divmod(date, 10_000)
    month, day = np.divmod(date, 100)
    hour, clock = np.divmod(clock, 10_000)
    minute, second = np.divmod(clock, 100)
    valid = (padded > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    months = (year - 1970) * 12 + month - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]") + (day - 1)
    valid &= days.astype("datetime64[M]").astype(np.int64) == months
    seconds = days.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second
    return np.where(valid, seconds * 1000, MISSING)


def _iso(column: pl.Series) -> np.ndarray:
    """ISO 8601: a date, or date and time after 'T' or a space, fractions, and a zone or none (UTC)."""
    text, zone = pl.col("text"), pl.col("zone")
    # A date alone ends in -dd too, so a zone is searched for only where the text has a colon.
    timed = text.str.contains(":", literal=True)
    sign = pl.when(zone.str.contains("-", literal=True)).then(-1).otherwise(1)
    digits = zone.str.replace_all(r"\D", "")
    hours = digits.str.slice(0, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(2, 2).cast(pl.Int64, strict=False).fill_null(0)
    frame = (
        column.to_frame("text")
        .with_columns(zone=pl.when(timed).then(text.str.extract(_ZONE, 1)))
        .with_columns(bare=pl.when(zone.is_null()).then(text).otherwise(text.str.replace(_ZONE, "")))
        .with_columns(bare=pl.col("bare").str.replace(r"^(\d{4}-\d{2}-\d{2})[ t]", "${1}T"))
        .select("bare", offset=sign * (hours * 60 + minutes) * 60_000)
    )
    bare = frame["bare"]
    moments = bare.str.to_datetime(_DATE_FORMATS[0], time_unit="ms", strict=False)
    for date_format in _DATE_FORMATS[1:]:
        if not moments.null_count():
            break
        others = moments.is_null().arg_true()
        moments.scatter(others, bare.gather(others).str.to_datetime(date_format, time_unit="ms", strict=False))
    return (moments.cast(pl.Int64) - frame["offset"].fill_null(0)).fill_null(MISSING).to_numpy()


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
