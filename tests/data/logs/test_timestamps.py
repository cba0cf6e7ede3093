"""Timestamps: the unit is that of most values, and every notation gives the moment that was written."""

import numpy as np
import polars as pl
import pytest

from mu.data.logs.time_notations import MISSING
from mu.data.logs.timestamps import TimestampParser
from mu.data.tables import ColumnError

BAD = None


def parse(values, unit="auto"):
    parser = TimestampParser(unit)
    times = parser.parse(values if isinstance(values, pl.Series) else pl.Series("time", values))
    return [BAD if t == MISSING else str(np.datetime64(int(t), "ms")).removesuffix(".000") for t in times], parser


JANUARY = "2021-01-05T10:00:00"
MOST = [  # values, the unit of most of them, the moments
    ([1609840800, 1609840801, 1609840800000], "s", [JANUARY, "2021-01-05T10:00:01", BAD]),
    ([1609840800000, 1609840800, 1609840800500], "ms", [JANUARY, BAD, "2021-01-05T10:00:00.500"]),
    ([1609840800000000, 1609840800500999, 1609840800], "us", [JANUARY, "2021-01-05T10:00:00.500", BAD]),
    ([1609840800000000000, 1609840800000, 1609840800999999999], "ns", [JANUARY, BAD, "2021-01-05T10:00:00.999"]),
    ([0, 1609840800], "s", ["1970-01-01T00:00:00", JANUARY]),
    ([20150101, 20150229, 20161231, 0], "digits", ["2015-01-01T00:00:00", BAD, "2016-12-31T00:00:00", BAD]),
    (
        [20210105100000, 20210105, 202101051000, 2021010510],
        "digits",
        [JANUARY, "2021-01-05T00:00:00", JANUARY, JANUARY],
    ),
    ([44201.416666666664, 44201, 0], "excel", [JANUARY, "2021-01-05T00:00:00", BAD]),
    (["2021-01-05T10:00:00Z", "0", "inf", "-", "N/A"], "iso", [JANUARY, BAD, BAD, BAD, BAD]),
    (["0", "0", "2021-01-05"], "iso", [BAD, BAD, "2021-01-05T00:00:00"]),
    (["1609840800", "2021-01-05", "1609840801"], "s", [JANUARY, BAD, "2021-01-05T10:00:01"]),
]


@pytest.mark.parametrize(("values", "unit", "moments"), MOST)
@pytest.mark.parametrize("written", [False, True])
def test_the_unit_is_that_of_most_values(values, unit, moments, written):
    times, parser = parse([str(value) for value in values] if written else values)
    assert times == moments and list(parser.read) == [unit]
    if BAD in moments:
        assert "as most times of the file" in parser.why_unreadable()


ISO = {
    "2021-01-05 11:00:00 +0100": JANUARY,
    "2021-01-05t08:30:00-01:30": JANUARY,
    "2021-01-05 10:00:00 GMT": JANUARY,
    "2021-01-05T10:00:00.5Z": "2021-01-05T10:00:00.500",
    "1969-12-31T23:59:59.5Z": "1969-12-31T23:59:59.500",
    "1601-01-01": "1601-01-01T00:00:00",
    "9999-12-31T23:59:59Z": "9999-12-31T23:59:59",
    "2021-01-05T10:00:00+99:99": BAD,
    "2021-02-29": BAD,
    "2021-01-05 10:00:00 CET": BAD,
}


def test_iso_with_any_zone_fraction_and_year():
    assert parse(list(ISO))[0] == list(ISO.values())


def test_a_whole_number_is_read_alike_whatever_is_beside_it():
    alone, _ = parse(["1609840800000600", "1609840800000600"])
    for other in ("", "x", "1609840800000600.7"):
        beside, _ = parse(["1609840800000600", "1609840800000600", other])
        assert beside[:2] == alone == [JANUARY, JANUARY]
    assert beside[2] == "2021-01-05T10:00:00.001"  # a fraction is rounded


def test_whole_days_of_a_spreadsheet_need_the_flag():
    with pytest.raises(ColumnError, match=r"'time', such as 44201, .* add --time_unit=excel or --time_unit=s"):
        parse([44201, 44202])
    assert parse([44201, 44202], "excel")[0] == ["2021-01-05T00:00:00", "2021-01-06T00:00:00"]
    assert parse([44201], "s")[0] == ["1970-01-01T12:16:41"]


def test_a_unit_that_is_given_is_obeyed():
    assert parse([20150101, 1609840800], "s")[0] == ["1970-08-22T05:15:01", JANUARY]
    assert parse(["1609840800", "2021-01-05"], "ms")[0] == ["1970-01-19T15:10:40.800", BAD]


def test_types_that_hold_no_times_are_refused():
    for column in (pl.Series([1.6e9], dtype=pl.Float32), pl.Series([True]), pl.Series([[1]])):
        with pytest.raises(ColumnError, match="the time column"):
            parse(column)


def test_another_file_may_have_another_unit():
    parser = TimestampParser()
    assert parser.parse(pl.Series([1609840800])).tolist() == [1609840800000]
    assert parser.parse(pl.Series([1609840800000])).tolist() == [MISSING]
    parser.start_file()
    assert parser.parse(pl.Series([1609840800000])).tolist() == [1609840800000]
    parser.start_file()
    assert parser.parse(pl.Series([7])).tolist() == [7000]  # no magnitude of its own: as the first file
    assert list(parser.read) == ["s", "ms"]


def test_a_file_that_changes_its_unit_is_refused():
    parser = TimestampParser()
    parser.parse(pl.Series("time", [1609840800] * 3))
    with pytest.raises(ColumnError, match="were read as unix seconds so far, but most of the next ones are unix milli"):
        parser.parse(pl.Series("time", [1609840800000] * 200))
