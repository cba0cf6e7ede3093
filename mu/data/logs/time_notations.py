"""Notations of time as unix milliseconds: ISO 8601, and dates written as digits; and columns as numbers."""

import numpy as np
import polars as pl

MISSING = np.iinfo(np.int64).min
DIGIT_YEARS = (1900, 2100)
_DATE_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_ZONE = r"(?i)( ?(?:Z|UTC|GMT)| ?[+-](?:0\d|1[0-5])(?::?[0-5]\d)?)$"


def numbers_of(column: pl.Series) -> np.ndarray:
    """float64; NaN where the text is no number."""
    return column.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()


def whole_of(column: pl.Series) -> np.ndarray:
    """int64; `MISSING` where the value is no whole number that fits."""
    if not column.dtype.is_integer():
        numbers = numbers_of(column)
        fits = np.abs(numbers) < 2**53
        numbers = np.where(fits, numbers, 0)
        return np.where(fits & (numbers % 1 == 0), numbers.astype(np.int64), MISSING)
    return column.cast(pl.Int64, strict=False).fill_null(MISSING).to_numpy()


def are_digits(values: np.ndarray) -> bool:
    """Whether most of `values` (float64, finite) are dates written as digits, which are no plausible unix times."""
    size = np.where((values >= 10**7) & (values < 10**14) & (values % 1 == 0), values, 0).astype(np.int64)
    years = size // 10 ** np.maximum(np.floor(np.log10(np.maximum(size, 1))).astype(np.int64) - 3, 0)
    valid = (digit_times(size) != MISSING) & (years >= DIGIT_YEARS[0]) & (years <= DIGIT_YEARS[1])
    # Ten digits are seconds of the years 2030 to 2036 as well: there all of them must be dates.
    if ((size >= 10**9) & (size < 10**10)).any():
        return bool(valid.all())
    return bool(np.count_nonzero(valid) > len(values) / 2)


def digit_times(values: np.ndarray) -> np.ndarray:
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


def iso_times(column: pl.Series) -> np.ndarray:
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
