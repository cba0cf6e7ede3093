"""Numbers of plays: kept as float32 in the order of the plays, with NaN for none, through rules, parts and files."""

import numpy as np
import pytest

from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.data.options import OptionError
from tests.helpers.log_files import write_csv

ROWS = [  # user, track, time, hour, gain: plays in no order
    ("u", "a", 300, 23.5, -1.5),
    ("v", "b", 200, 7.0, None),
    ("u", "b", 100, 0.1, 2.0),
    ("u", "c", 200, None, 1e-3),
]
NAMES = ["user", "track", "time", "hour", "gain"]
OPTIONS = LogImportOptions(event_numbers=("hour", "gain"))


def csv_of(path, rows=ROWS):
    return write_csv(path, [["" if value is None else value for value in row] for row in rows], NAMES)


def test_numbers_of_plays_in_the_order_of_the_log(tmp_path):
    card = import_log([csv_of(tmp_path / "log.csv")], tmp_path / "out", OPTIONS)
    log = load(tmp_path / "out")
    assert card["event_numbers"] == ["hour", "gain"] and {name: x.dtype for name, x in log.numbers.items()} == {
        "hour": np.float32,
        "gain": np.float32,
    }
    np.testing.assert_array_equal(log.numbers["hour"], np.array([0.1, np.nan, 23.5, 7], np.float32))
    np.testing.assert_array_equal(log.numbers["gain"], np.array([2, 1e-3, -1.5, np.nan], np.float32))
    assert "hour, gain" in repr(log)
    np.testing.assert_array_equal(log.take(np.array([1, 0])).numbers["hour"][:2], np.array([7, 0.1], np.float32))


def test_they_are_part_of_the_log(tmp_path):
    import_log([csv_of(tmp_path / "log.csv")], tmp_path / "out", OPTIONS)
    import_log([csv_of(tmp_path / "log.csv")], tmp_path / "bare")
    log, bare = load(tmp_path / "out"), load(tmp_path / "bare")
    assert log.hash() != bare.hash()
    half = log.where(np.arange(4) % 2 == 0)
    whole = half.merged(log.where(np.arange(4) % 2 == 1))
    np.testing.assert_array_equal(whole.numbers["gain"], log.numbers["gain"])
    with pytest.raises(ValueError, match="one of the two logs has the number of plays 'gain'"):
        log.merged(bare)


def test_rules_drop_their_numbers_too(tmp_path):
    import_log(
        [csv_of(tmp_path / "log.csv")], tmp_path / "out", LogImportOptions(event_numbers=("hour",), min_history=2)
    )
    np.testing.assert_array_equal(load(tmp_path / "out").numbers["hour"], np.array([0.1, np.nan, 23.5], np.float32))


def test_bad_numbers_are_named(tmp_path):
    bad = csv_of(tmp_path / "log.csv", [*ROWS, ("u", "d", 400, "noon", 0)])
    with pytest.raises(ValueError, match=r"log.csv, line 6, column hour: unreadable number.*'noon'"):
        import_log([bad], tmp_path / "out", OPTIONS)
    with pytest.raises(OptionError, match=r"--event_numbers=huor: .* no such column"):
        import_log([bad], tmp_path / "out", LogImportOptions(event_numbers=("huor",)))
    with pytest.raises(OptionError, match="it must name each column once"):
        LogImportOptions(event_numbers=("hour",), event_columns=("hour",))
