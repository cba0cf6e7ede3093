"""Columns of timestamps as unix milliseconds: their unit is found, or given."""

import numpy as np
import polars as pl

from mu.data.logs.time_notations import MISSING, are_digits, digit_times, iso_times, numbers_of, whole_of
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
SAMPLE = 20_000  # values of a batch from which the unit is decided
BULK = 100  # times of one batch that suffice to say that the unit chosen before does not fit the file


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
            times = iso_times(column) if column.dtype == pl.String else np.full(len(column), MISSING)
        elif unit == "digits":
            times = digit_times(whole_of(column))
        elif unit == "excel":
            times = self._excel(numbers_of(column))
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
        numbers = numbers_of(column)
        numbers = numbers[np.isfinite(numbers)]
        values = numbers[numbers != 0]  # a 0 stands for an unknown time, in any notation
        texts = iso_times(column) if column.dtype == pl.String and len(numbers) < len(column) else np.empty(0, np.int64)
        if np.count_nonzero(texts != MISSING) >= max(len(values), 1):
            return "iso"
        if not len(numbers):
            return "auto"
        if are_digits(values):
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
        if column.dtype.is_integer() or column.dtype == pl.String:
            whole = whole_of(column.cast(pl.Int64, strict=False))
        else:
            whole = np.full(len(column), MISSING)
        times = self._milliseconds(whole, whole != MISSING, unit)
        others = np.flatnonzero(whole == MISSING)
        if len(others) and not column.dtype.is_integer():
            numbers = numbers_of(column.gather(others))
            times[others] = self._milliseconds(numbers, np.isfinite(numbers), unit)
        return times

    def _milliseconds(self, values: np.ndarray, readable: np.ndarray, unit: str) -> np.ndarray:
        """int64: of the `values` (int64 or float64) that are `readable`; `MISSING` for others, and for absurd ones."""
        values = np.where(readable, values, 0)
        size = np.abs(values)
        readable = readable & (size < LARGEST[unit])
        if self._auto:
            readable &= (size >= SMALLEST[unit]) | (size < SMALLEST["s"])
        values = np.where(readable, values, 0)
        if unit == "s":
            values = values * 1000
        elif values.dtype == np.int64:
            values = values // PER_MS[unit]
        else:
            values = values / PER_MS[unit]
        if values.dtype != np.int64:
            values = np.rint(values).astype(np.int64)
        return np.where(readable, values, MISSING)
