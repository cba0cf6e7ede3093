"""Imports that fail: bad rows are named by file, line and column; nothing is left of an interrupted import."""

import csv
import gzip

import polars as pl
import pytest

from mu.data.logs.importing import first_pass, run
from mu.data.logs.importing.bad_rows import BadRowError, spreadsheet_cell
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.files import PARTIAL
from tests.helpers.log_files import check_rows_log, files_of, write_csv

BAD = [  # what is written, line, column, value, part of the reason
    (b"u,t,time,weight\na,x,1,1\nb,,2,1\n", 3, "t", "", "missing field"),
    (b"u,t,time,weight\na,x,soon,1\nb,x,2,1\n", 2, "time", "soon", "unreadable time"),
    (b"u,t,time,weight\na,x,1,1\nb,x,2,-0.5\n", 3, "weight", "-0.5", "negative weight"),
    (b"u,t,time,weight\na,x,1,1\nb,x,2,inf\n", 3, "weight", "inf", "finite"),
    (b"u,t,time,weight\na,x,1,1\nb,x,2\na,x,3,1\n", 3, "(line)", "b,x,2", "3 fields where 4 are due"),
    (b"u,t,time,weight\na,x,1,1\nb,x,2,1,9\n", 3, "(line)", "b,x,2,1,9", "5 fields where 4 are due"),
    (b'u,t,time,weight\na,"x\ny",1,1\nb,"x"z,2,1\n', 4, "(line)", 'b,"x"z,2,1', "unreadable line"),
    (b'u,t,time,weight\na,x,1,1\nb,"x,2,1\na,x,2,1\n', 3, "(line)", 'b,"x,2,1', "unreadable line"),
    (b"u,t,time,weight\na,x,1,1\nb,Bl\xe5,2,1\n", 3, "t", "Bl\\xe5", "invalid utf-8"),
    (b"u,t,time,weight\na,x,1,1\nb,x,99999999999999,1\n", 3, "time", "99999999999999", "unreadable time"),
]


@pytest.mark.parametrize(("text", "line", "column", "value", "reason"), BAD)
def test_a_bad_row_stops_or_is_set_aside(tmp_path, text, line, column, value, reason):
    (tmp_path / "log.csv").write_bytes(text)
    files, options = [str(tmp_path / "log.csv")], {"user": "u", "track": "t", "time_unit": "s"}
    with pytest.raises(BadRowError, match=rf"log.csv, line {line}, column ") as caught:
        import_log(files, tmp_path / "out", LogImportOptions(**options))
    row = caught.value.row
    assert (row.line, row.column, row.value) == (line, column, value) and reason in row.reason
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv"]
    card = import_log(files, tmp_path / "out", LogImportOptions(**options, on_error="skip"))
    assert card["rows_dropped"]["bad"] == 1 and card["events"] == card["rows_in"] - 1
    with open(tmp_path / "out" / "rejected.csv", newline="") as file:
        rejected = list(csv.DictReader(file))
    assert [(r["file"], int(r["line"]), r["column"], r["value"]) for r in rejected] == [(files[0], line, column, value)]
    assert reason in rejected[0]["reason"]


def test_a_spreadsheet_computes_nothing_of_rejected_rows(tmp_path):
    formulas = ("=HYPERLINK(1)", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1")
    harmless = ["soon", "1=2", "'=1", ""]
    assert [spreadsheet_cell(text) for text in formulas] == [f"'{text}" for text in formulas]
    assert [spreadsheet_cell(text) for text in harmless] == harmless
    assert [spreadsheet_cell(one) for one in ("-5", "+1e3", "-inf", 3, -4)] == ["-5", "+1e3", "-inf", 3, -4]
    (tmp_path / "log.csv").write_text("user,track,time\na,x,=1+1\na,x,1\n")
    import_log([str(tmp_path / "log.csv")], tmp_path / "out", LogImportOptions(on_error="skip", time_unit="s"))
    with open(tmp_path / "out" / "rejected.csv", newline="") as file:
        assert [row["value"] for row in csv.DictReader(file)] == ["'=1+1"]


def test_bad_rows_of_other_formats(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(
        b'{"user": 1, "track": 2}\n{"user": 1,\n[1]\n{"user": 1, "track": null}\n'
        b'{"user": 1, "track": [2]}\n{"user": "\xff", "track": 2}\n'
    )
    card = import_log([str(tmp_path / "a.jsonl")], tmp_path / "a", LogImportOptions(on_error="skip"))
    assert (card["rows_in"], card["rows_dropped"]["bad"], card["events"]) == (6, 5, 1)
    lines = pl.read_csv(tmp_path / "a" / "rejected.csv")
    assert lines["line"].to_list() == [2, 3, 4, 5, 6]
    assert lines["column"].to_list() == ["(line)", "(line)", "track", "track", "user"]
    pl.DataFrame({"user": [1, None, 3], "track": ["x", "y", ""]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(BadRowError, match=r"b.parquet, line 2, column user: missing field"):
        import_log([str(tmp_path / "b.parquet")], tmp_path / "b")
    (tmp_path / "c.txt").write_bytes(b"1 2 3\n2 3 \xff 4\n")
    with pytest.raises(BadRowError, match=r"c.txt, line 2, column track: invalid utf-8"):
        import_log([str(tmp_path / "c.txt")], tmp_path / "c", LogImportOptions(format="lists"))
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"user,track\n" + b"1,2\n" * 9999)[:-20])
    with pytest.raises(ValueError, match=r"d.csv.gz cannot be read, it may be damaged"):
        import_log([str(tmp_path / "d.csv.gz")], tmp_path / "d")
    pl.DataFrame({"user": [1.0], "track": ["x"]}).write_parquet(tmp_path / "e.parquet")
    with pytest.raises(ValueError, match=r"user column 'user' holds Float64; floating-point ids lose digits"):
        import_log([str(tmp_path / "e.parquet")], tmp_path / "e")


def test_an_interrupted_import_leaves_nothing(tmp_path, monkeypatch):
    source = write_csv(tmp_path / "log.csv")
    for name in ("apply_rules", "find_sources", "check"):

        def interrupt(*_args, **_kwargs):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(first_pass if name == "check" else run, name, interrupt)
            with pytest.raises(KeyboardInterrupt):
                import_log([source], tmp_path / "deep" / "out", LogImportOptions(k_core=2))
        left = [path for path in tmp_path.rglob("*") if path.is_file() or "import" in path.name]
        assert left == [tmp_path / "log.csv"]


def test_an_existing_output_is_refused_or_replaced_whole(tmp_path, monkeypatch):
    source = write_csv(tmp_path / "log.csv")
    import_log([source], tmp_path / "out", LogImportOptions(k_core=2, min_history=2))
    before = files_of(tmp_path / "out")
    with pytest.raises(FileExistsError, match="--overwrite"):
        import_log([source], tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(run, "write_json", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            import_log([source], tmp_path / "out", overwrite=True)
    assert files_of(tmp_path / "out") == before
    dead = tmp_path / f".out{PARTIAL}999999999"  # no process has this number: one that was killed
    dead.mkdir()
    import_log([source], tmp_path / "out", overwrite=True)
    check_rows_log(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv", "out"]
    old = tmp_path / f".out{PARTIAL}999999999-old"  # killed between taking the old log away and putting the new
    (tmp_path / "out").rename(old)
    with pytest.raises(FileExistsError, match="--overwrite"):
        import_log([source], tmp_path / "out")
    check_rows_log(tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="something else"):
        import_log([source], tmp_path / "mine", overwrite=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"user": "usr"},
            r"--user=usr: .*log.csv has no such column \(did you mean 'user'\?\); it has: user, track",
        ),
        ({"track_attributes": ("ttle",)}, r"did you mean 'title'"),
        ({"track": "none"}, "which column is the track"),
        ({"min_play_s": 3.0}, "needs the time played"),
        ({"min_weight": 3.0, "weight": "none"}, "--min_weight needs weights: add --weight=NAME"),
    ],
)
def test_misspelt_columns_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        import_log([write_csv(tmp_path / "log.csv")], tmp_path / "out", LogImportOptions(**options))
