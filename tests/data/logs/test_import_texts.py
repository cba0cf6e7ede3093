"""Text files as they come: line ends, blank and long lines, headers, compression; a fault is one line or a bad row."""

import bz2
import datetime
import gzip
import io
import lzma

import polars as pl
import pytest
import zstandard

from mu.data.logs.importing import delimited, text_files
from mu.data.logs.importing.bad_rows import BadRowError
from mu.data.logs.importing.run import import_log
from mu.data.logs.importing.text_files import read_blocks
from mu.data.logs.interactions import load
from tests.helpers.log_files import imported

REFUSED = [  # name, bytes, format, part of the message
    ("mac.csv", b"user,track\ru1,a\ru1,b\r", None, "line ends of old Macs"),
    ("mac.tsv", b"user\ttrack\ru1\ta\r", None, "line ends of old Macs"),
    ("long.csv", b"x" * 200_000, None, "first line cannot be split into names"),
    ("long.tsv", b"x" * 2000 + b"\ty\nu\tt\n", None, "a name of 2,000 characters"),
    ("wide.csv", b"user,track" + b"," * 120_000 + b"\nu,t\n", None, "its first line names 120,002 columns"),
    ("blank.csv", b"\nuser,track\nu,t\n", None, "its first line is blank"),
    ("blank.tsv", b"\t\t \nuser\ttrack\n", None, "its first line is blank"),
    ("semicolons.csv", b"user;track\nu;t\n", None, r"it looks separated by ';'.*add --format=semicolons"),
    ("tabs.csv", b"user\ttrack\nu\tt\n", None, "--format=tsv"),
    (
        "colons.dat",
        b"1::1193::5::978300760\n",
        None,
        "it looks separated by '::', where '\\\\t' is due: convert the file",
    ),
    ("numbers.csv", b"196,242,3,881250949\n", None, r"looks like a play, not like names.*--columns=user,track"),
    ("commas.tsv", b"user,track\nu,t\n", None, "--format=csv"),
    ("sixteen.csv", "user,track\nu,t\n".encode("utf-16"), None, "is UTF-16"),
    ("sixteen.jsonl", '{"user": 1}\n'.encode("utf-16"), None, "is UTF-16"),
    ("packed.csv", b"PK\x03\x04" + bytes(30), None, "may be damaged or of another format: File is not a zip file"),
    ("packed.csv.zst", b"\x28\xb5\x2f\xfd" + b"\xff" * 9, None, "may be damaged"),
    ("parquet.txt", b"PAR1\x15" + bytes(9), "lists", "--format=parquet"),
    ("array.jsonl", b"[]", None, "no JSON object"),
]


@pytest.mark.parametrize(("name", "data", "format", "message"), REFUSED)
def test_what_is_no_log_is_refused_in_one_line(tmp_path, name, data, format, message):
    for on_error in ("stop", "skip"):
        with pytest.raises(ValueError, match=message) as caught:
            imported(tmp_path, name, data, format=format, on_error=on_error)
        assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def test_old_line_ends_in_lists_are_bad_rows(tmp_path):
    assert imported(tmp_path, "mac.txt", b"a b\r\nc d\re f\ng h\n", format="lists") == (
        ["a", "g"],
        ["b", "h"],
        [(2, "a carriage return inside of the line, as old Macs end lines")],
    )


LONG = {  # name -> a file with a line of 300 bytes between two short ones
    "log.csv": b"user,track\nu,a\nu," + b"x" * 300 + b"\nu,b\n",
    "log.tsv": b"user\ttrack\nu\ta\nu\t" + b"x" * 300 + b"\nu\tb\n",
    "log.jsonl": b'{"user": "u", "track": "a"}\n\n{"user": "' + b"x" * 300 + b'"}\n{"user": "u", "track": "b"}\n',
    "log.txt": b"u a\n\nx " + b"x " * 150 + b"\nu b\n",
    "open.csv": b'user,track\nu,a\nu,"' + b"x" * 300 + b'\nu,"b"\n',
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_line_above_the_limit_is_a_bad_row(tmp_path, monkeypatch, name, pack):
    monkeypatch.setattr(text_files, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(text_files, "PIECE_BYTES", 16)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 64)
    monkeypatch.setattr("mu.data.logs.importing.jsonl.BLOCK_BYTES", 64)
    monkeypatch.setattr("mu.data.logs.importing.lists.BLOCK_BYTES", 64)
    users, tracks, bad = imported(tmp_path, name, pack(LONG[name]), format="lists" if name == "log.txt" else None)
    assert (users, tracks) == (["u"], ["a", "b"])
    assert bad == [(3, text_files.TOO_LONG)]


def test_of_a_long_line_a_piece_is_kept_at_a_time(monkeypatch):
    monkeypatch.setattr(text_files, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(text_files, "PIECE_BYTES", 16)
    sizes = []

    class Stream(io.BytesIO):
        def readline(self, size=-1):
            sizes.append(size)
            return super().readline(size)

    blocks = list(read_blocks(Stream(b"a\nb" + b"x" * 100_000 + b"\nc\n"), 64))
    assert [(block.too_long, block.followed) for block in blocks] == [(False, False), (True, True), (False, True)]
    assert blocks[0].data == b"a\n" and len(blocks[1].data) <= 100 and blocks[2].data == b"c\n"
    assert set(sizes) <= {100, 16}


@pytest.mark.parametrize(
    ("name", "separator", "quote"), [("a.csv", b",", b""), ("b.csv", b",", b'"'), ("c.tsv", b"\t", b"")]
)
def test_a_field_above_the_limit_is_a_bad_row_in_every_path(tmp_path, name, separator, quote):
    header, row = separator.join([b"user", b"track"]), separator.join([b"u", quote + b"x" * 140_000 + quote])
    rows = [header, row, separator.join([b"u", b"t"]), b""]
    users, tracks, bad = imported(tmp_path, name, b"\n".join(rows))
    assert (users, tracks) == (["u"], ["t"]) and [line for line, _ in bad] == [2]


def test_extensions_in_capitals_and_compressed(tmp_path):
    data = b"user,track\nu,t\n"
    packers = (
        ("LOG.CSV", bytes),
        ("l.Csv.GZ", gzip.compress),
        ("l.csv.bz2", bz2.compress),
        ("l.csv.zst", zstandard.compress),
    )
    for name, pack in packers:
        assert imported(tmp_path, name, pack(data)) == (["u"], ["t"], [])
    for name, pack in packers[1:]:
        with pytest.raises(ValueError, match=rf"{name} cannot be read, it may be damaged"):
            imported(tmp_path, name, pack(data * 99)[:-8])
    two_frames = zstandard.compress(data) + zstandard.compress(b"v,t\n")
    assert imported(tmp_path, "two.csv.zst", two_frames) == (["u", "v"], ["t"], [])


def test_a_header_inside_of_the_file_is_a_bad_row(tmp_path):
    again = [(3, "names the columns again")]
    assert imported(tmp_path, "a.csv", b"user,track\nu,t\nuser,track\nv,t\n") == (["u", "v"], ["t"], again)
    assert imported(tmp_path, "b.csv", b'user,track\nu,"t"\n"user",track\nv,t\n') == (["u", "v"], ["t"], again)
    typed = b"user_id:token\titem_id:token\nu\tt\nuser_id:token\titem_id:token\nuser_id\titem_id\n"
    assert imported(tmp_path, "c.inter", typed) == (["u", "user_id"], ["t", "item_id"], again)
    with pytest.raises(BadRowError, match="names the columns again"):
        imported(tmp_path, "a.csv", b"user,track\nu,t\nuser,track\nv,t\n", on_error="stop")


def test_columns_without_a_name_and_of_one_name(tmp_path, caplog):
    table = tmp_path / "t.csv"
    table.write_text(",track,name,name,\n0,7,A,B,x\n1,8,C,D,y\n")
    imported(tmp_path, "log.csv", b",user,track\n0,u,7\n1,u,8\n", track_table=str(table))
    tracks = load(tmp_path / "out").tracks
    assert tracks.columns == ["track", "column_1", "title", "name_2", "column_5"]
    assert tracks.rows() == [(7, 0, "A", "B", "x"), (8, 1, "C", "D", "y")]
    assert "t.csv has several columns of one name; read 'name' as 'name_2'" in caplog.text


def test_semicolons(tmp_path):
    data = b'user;track\nu;"a;1"\nv;b,2\n'
    assert imported(tmp_path, "log.csv", data, format="semicolons") == (["u", "v"], ["a;1", "b,2"], [])


def test_titles_stay_text(tmp_path):
    imported(tmp_path, "log.csv", b"user,track,title,year\nu,a,21,2011\nu,b,25,2015\n", track_attributes=("year",))
    assert load(tmp_path / "out").tracks.rows() == [("a", 2011, "21"), ("b", 2015, "25")]


def test_messages_name_the_path_that_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, text in (("a", "user,track\nu,t\n"), ("b", "user,song\nu,t\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "log.csv").write_text(text)
    with pytest.raises(ValueError, match=r"^b/log.csv has no column 'track', which a/log.csv has; it has: user, song$"):
        import_log(["a/log.csv", "b/log.csv"], "out")
    (tmp_path / "b" / "log.csv").write_text("user,track\nu,\n")
    with pytest.raises(BadRowError, match=r"^b/log.csv, line 2, column track: missing field"):
        import_log(["a/log.csv", "b/log.csv"], "out")


def test_bytes_of_parquet_are_text_or_bad_rows(tmp_path):
    users = pl.DataFrame({"user": [b"a", b"\xff", None, b"b"], "track": [1, 2, 3, 4]})
    users.write_parquet(tmp_path / "source.parquet")
    data = (tmp_path / "source.parquet").read_bytes()
    assert imported(tmp_path, "log.parquet", data) == (["a", "b"], [1, 4], [(2, "invalid utf-8"), (3, "missing field")])


def test_nested_columns_of_parquet_are_json(tmp_path):
    frame = pl.DataFrame(
        {"user": ["u"], "track": ["t"], "a": [[["r"], None]], "b": [{"day": datetime.date(2020, 1, 1), "n": 1.5}]}
    )
    frame.write_parquet(tmp_path / "source.parquet")
    data = (tmp_path / "source.parquet").read_bytes()
    imported(tmp_path, "log.parquet", data, track_attributes=("a", "b"))
    assert load(tmp_path / "out").tracks.rows() == [("t", '[["r"], null]', '{"day": "2020-01-01", "n": 1.5}')]


def test_unfit_columns_of_parquet_are_named_with_their_file(tmp_path):
    for column, message in (
        (pl.Series([["a|b"]]), r"log.parquet: the lists of column 'x' .* 'a\|b' holds one itself"),
        (pl.Series([[b"\xff"]]), "log.parquet: the lists of column 'x' hold Binary that is no text"),
    ):
        pl.DataFrame({"user": ["u"], "track": ["t"], "x": column}).write_parquet(tmp_path / "source.parquet")
        data = (tmp_path / "source.parquet").read_bytes()
        with pytest.raises(ValueError, match=message):
            imported(tmp_path, "log.parquet", data, track_attributes=("x",))
