"""Ids that the log and a table write in different forms: refused where nothing else matches, else counted."""

import polars as pl
import pytest

from mu.data.logs.id_forms import find_other_forms
from mu.data.logs.interactions import load
from tests.helpers.log_files import imported

FORMS = [("874", "874.0"), ("7", "007"), ("ab", " AB "), ("0", "0.00"), ("1.0", "01"), ("é", "É")]


@pytest.mark.parametrize(("of_log", "in_table"), [*FORMS, *(pair[::-1] for pair in FORMS)])
def test_forms_of_one_id(of_log, in_table):
    others = find_other_forms(pl.Series([of_log, "other"]), pl.Series(["x", in_table]))
    assert others is not None and others == (1, of_log, in_table)


@pytest.mark.parametrize(("of_log", "in_table"), [("874.5", "874"), ("70", "7"), ("a.0", "a"), ("a b", "ab")])
def test_other_ids_are_no_forms(of_log, in_table):
    assert find_other_forms(pl.Series([of_log]), pl.Series([in_table])) is None


LOG = b"user,track\n" + b"".join(b"u%d,%d\n" % (at, 800 + at) for at in range(12))


def joined(folder, ids, role="track", **options):
    table = pl.DataFrame({"track" if role == "track" else "user": ids, "name": [f"n{at}" for at in range(len(ids))]})
    table.write_csv(folder / "t.csv")
    return imported(folder, "log.csv", LOG, **{f"{role}_table": str(folder / "t.csv")} | options)


def test_a_table_in_another_form_is_refused(tmp_path):
    ids = [f"{800 + at}.0" for at in range(12)]
    reason = "12 of them are there in another form, such as '800' in the log and '800.0' in the table: write them alike"
    with pytest.raises(ValueError, match=rf"t.csv: has 0 of the 12 tracks of the log; {reason}"):
        joined(tmp_path, ids, catalogue="all")
    with pytest.raises(ValueError, match=rf"not in .*t.csv: .*; {reason}"):
        joined(tmp_path, ids, unknown_tracks="error")
    with pytest.raises(ValueError, match=rf"no plays in the input .* not in the track table; {reason}"):
        joined(tmp_path, ids, unknown_tracks="skip")
    with pytest.raises(ValueError, match=r"has 0 of the 12 users of the log; 12 .* 'u0' in the log and 'U0' in the"):
        joined(tmp_path, [f"U{at}" for at in range(12)], role="user")
    assert not (tmp_path / "out").exists()


def test_a_wrong_key_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ids such as '800', the table such as 'n0': is --track_key right\?"):
        joined(tmp_path, [f"{800 + at}" for at in range(12)], track_key="name")


def test_some_ids_in_another_form_are_counted(tmp_path, caplog):
    joined(tmp_path, ["800", "801", "0802"])
    assert load(tmp_path / "out").tracks["title"].to_list() == ["n0", "n1", *[None] * 10]
    assert "t.csv: has 2 of the 12 tracks of the log; 1 of them are there in another form" in caplog.text
