"""Importing: every format gives the same log; bad rows are named; rules, order and ids have answers by hand."""

import csv
import gzip
import io
import json
import pathlib
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.data.logs.importing import delimited, first_pass, formats, output, row_kernels, run
from mu.data.logs.importing.bad_rows import BadRowError
from mu.data.logs.importing.fields import Dialect, Lines, split_carefully, split_plain
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.data.options import OptionError

ROWS = [  # user, track, time (unix s), weight, title; times tie, users and tracks come in no order
    ("9", "30", 1_600_000_300, 1.0, "Blå"),
    ("7", "10", 1_600_000_200, 2.5, "A, B"),
    ("9", "20", 1_600_000_100, 0.0, "C"),
    ("7", "30", 1_600_000_200, 4.0, "Blå"),
    ("9", "10", 1_600_000_100, 1.0, "A, B"),
    ("7", "10", 1_600_000_100, 3.0, "A, B"),
]
NAMES = ["user", "track", "time", "weight", "title"]
# By hand: user 9 is 0, 7 is 1; track 30 is 0, 10 is 1, 20 is 2.
INDPTR, ITEMS, WEIGHTS = [0, 3, 6], [2, 1, 0, 1, 1, 0], [0.0, 1.0, 1.0, 3.0, 2.5, 4.0]
TIMES = [1_600_000_000_000 + 1000 * s for s in (100, 100, 300, 100, 200, 200)]


def write_csv(path, rows=ROWS, names=NAMES, delimiter=",", encoding="utf-8"):
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([names, *rows])
    return str(path)


def write_jsonl(path, rows=ROWS):
    path.write_text("".join(json.dumps(dict(zip(NAMES, row, strict=True))) + "\n" for row in rows))
    return str(path)


def write_parquet(path, rows=ROWS):
    pl.DataFrame(rows, schema=NAMES, orient="row").write_parquet(path)
    return str(path)


def write_recbole(path, rows=ROWS):
    types = ["user:token", "track:token", "time:float", "weight:float", "title:token_seq"]
    return write_csv(path, rows, types, delimiter="\t")


def write_gz(path):
    plain = pathlib.Path(write_csv(path.with_suffix("")))
    path.write_bytes(gzip.compress(plain.read_bytes()))
    return str(path)


def check_rows_log(folder, ids=True):
    log = load(folder)
    assert log.indptr.tolist() == INDPTR and log.items.tolist() == ITEMS
    assert log.times.tolist() == TIMES and log.weights.tolist() == WEIGHTS
    if ids:
        assert log.users["user"].to_list() == [9, 7]
        assert log.tracks.rows() == [(30, "Blå"), (10, "A, B"), (20, "C")]
    assert log.card["time_unit"] == "ms"
    return log


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("log.csv", write_csv),
        ("log.csv.gz", write_gz),
        ("log.tsv", lambda path: write_csv(path, delimiter="\t")),
        ("log.jsonl", write_jsonl),
        ("log.parquet", write_parquet),
        ("log.inter", write_recbole),
    ],
)
def test_every_format_gives_the_same_log(tmp_path, name, write):
    card = import_log([write(tmp_path / name)], tmp_path / "out")
    check_rows_log(tmp_path / "out")
    assert (card["users"], card["tracks"], card["events"], card["rows_in"]) == (2, 3, 6, 6)
    assert card["inputs"][0]["name"] == name and len(card["inputs"][0]["sha256"]) == 64


def test_many_files_are_one_log_in_their_order(tmp_path):
    first = write_csv(tmp_path / "1.csv", ROWS[:2])
    second = write_jsonl(tmp_path / "2.jsonl", ROWS[2:5])
    third = write_parquet(tmp_path / "3.parquet", ROWS[5:])
    import_log([first, second, third], tmp_path / "out")
    check_rows_log(tmp_path / "out")


def test_lists(tmp_path):
    (tmp_path / "log.txt").write_text("b x y x\n\na y\nc\n")
    card = import_log([str(tmp_path / "log.txt")], tmp_path / "out", LogImportOptions(format="lists"))
    log = load(tmp_path / "out")
    assert log.indptr.tolist() == [0, 3, 4] and log.items.tolist() == [0, 1, 0, 1]
    assert log.times.tolist() == [0, 1, 2, 3] and log.weights.tolist() == [1] * 4
    assert log.users["user"].to_list() == ["b", "a"] and log.tracks["track"].to_list() == ["x", "y"]
    assert card["time_unit"] == "order"


def test_parts(tmp_path):
    for part, text in (("train", "1 5 6\n2 7\n"), ("valid", "1 7\n"), ("test", "3 5\n2 8\n")):
        (tmp_path / part).write_text(text)
    files = {part: [str(tmp_path / part)] for part in ("train", "valid", "test")}
    import_log([], tmp_path / "out", LogImportOptions(format="lists"), **files)
    log = load(tmp_path / "out")
    assert log.parts is not None
    assert log.indptr.tolist() == [0, 3, 5, 6]
    assert log.items.tolist() == [0, 1, 2, 2, 3, 0] and log.parts.tolist() == [0, 0, 1, 0, 2, 2]


def test_tfds_without_tensorflow(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    from array_record.python.array_record_module import ArrayRecordWriter

    types = {"user": tfds.features.Text(), "track": np.int64, "weight": np.float32}
    features = tfds.features.FeaturesDict({**types, "at": {"time": np.int64}, "title": tfds.features.Text()})
    folder = tmp_path / "plays" / "1.0.0"
    folder.mkdir(parents=True)
    splits = []
    for split, rows in (("train", ROWS[:4]), ("test", ROWS[4:])):
        template = tfds.core.ShardedFileTemplate(
            data_dir=folder, dataset_name="plays", split=split, filetype_suffix="array_record"
        )
        path = folder / f"plays-{split}.array_record-00000-of-00001"
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for user, track, time, weight, title in rows:
            row = {"user": user, "track": int(track), "weight": weight, "at": {"time": time}, "title": title}
            writer.write(features.serialize_example(features.encode_example(row)))
        writer.close()
        splits.append(
            tfds.core.SplitInfo(name=split, shard_lengths=[len(rows)], num_bytes=1, filename_template=template)
        )
    tfds.folder_dataset.write_metadata(data_dir=str(folder), features=features, split_infos=splits, check_data=False)
    options = LogImportOptions(data_dir=str(tmp_path), time="at/time")
    import_log([], tmp_path / "out", options, train=["tfds:plays#train"], test=["tfds:plays#test"])
    log = check_rows_log(tmp_path / "out")
    assert log.parts is not None and log.parts.tolist() == [0, 2, 0, 2, 0, 0]
    with pytest.raises(ValueError, match=r"no such split \(did you mean 'test'\?\); it has"):
        import_log(["tfds:plays#tets"], tmp_path / "no", options)
    with pytest.raises(ValueError, match="playz: no such data set"):
        import_log(["tfds:playz"], tmp_path / "no", options)


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
    assert [(r["file"], int(r["line"]), r["column"], r["value"]) for r in rejected] == [
        ("log.csv", line, column, value)
    ]
    assert reason in rejected[0]["reason"]


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


def test_encoding(tmp_path):
    source = write_csv(tmp_path / "log.csv", encoding="latin-1")
    import_log([source], tmp_path / "out", LogImportOptions(encoding="latin-1"))
    check_rows_log(tmp_path / "out")
    with pytest.raises(ValueError, match="does not contain ASCII"):
        LogImportOptions(encoding="utf-16")


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
        patch.setattr(run, "write_card", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            import_log([source], tmp_path / "out", overwrite=True)
    assert files_of(tmp_path / "out") == before
    dead = tmp_path / f".out{output._MARK}999999999"  # no process has this number: one that was killed
    dead.mkdir()
    import_log([source], tmp_path / "out", overwrite=True)
    check_rows_log(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.csv", "out"]
    old = tmp_path / f".out{output._MARK}999999999-old"  # killed between taking the old log away and putting the new
    (tmp_path / "out").rename(old)
    with pytest.raises(FileExistsError, match="--overwrite"):
        import_log([source], tmp_path / "out")
    check_rows_log(tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match="something else"):
        import_log([source], tmp_path / "mine", overwrite=True)


@pytest.mark.parametrize(
    ("unit", "times", "expected", "read"),
    [
        ("auto", ["1600000000", "1600000001"], [1_600_000_000_000, 1_600_000_001_000], "s"),
        ("auto", ["1600000000000", "5"], [5, 1_600_000_000_000], "ms"),
        ("auto", ["1600000000.25", "-1.5"], [-1500, 1_600_000_000_250], "s"),
        ("ms", ["1600000000", "7"], [7, 1_600_000_000], "ms"),
        ("auto", ["1970-01-01T00:00:01Z", "1970-01-01 00:00:02.5"], [1000, 2500], "iso"),
        (
            "iso",
            ["1970-01-01T01:00:00+01:00", "1969-12-31T23:30-0030", "1970-01-02"],
            [0, 0, 86_400_000],
            "iso",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_times(tmp_path, unit, times, expected, read, kind):
    rows = [("u", str(at), time) for at, time in enumerate(times)]
    path = tmp_path / f"log.{kind}"
    if kind == "csv":
        write_csv(path, rows, ["user", "track", "time"])
    else:
        path.write_text("".join(json.dumps({"user": u, "track": t, "time": time}) + "\n" for u, t, time in rows))
    card = import_log([str(path)], tmp_path / "out", LogImportOptions(time_unit=unit))
    assert load(tmp_path / "out").times.tolist() == expected and card["time_unit_read"] == read


def test_dates_in_parquet(tmp_path):
    zoned = pl.Series(["1970-01-01T00:00:01+00:00"]).str.to_datetime(time_zone="UTC")
    frame = pl.DataFrame({"user": ["u"], "track": ["t"], "time": zoned.dt.convert_time_zone("Asia/Tokyo")})
    frame.write_parquet(tmp_path / "log.parquet")
    card = import_log([str(tmp_path / "log.parquet")], tmp_path / "out")
    assert load(tmp_path / "out").times.tolist() == [1000] and card["time_unit_read"] == "datetime"


@pytest.mark.parametrize("ids", [["7", "8", "007"], ["9223372036854775808", "1"], ["-3", "0"], ["+1", "1"]])
def test_ids_are_kept_as_written(tmp_path, ids):
    rows = [(user, "t") for user in ids]
    import_log([write_csv(tmp_path / "log.csv", rows, ["user", "track"])], tmp_path / "out")
    kept = load(tmp_path / "out").users["user"]
    assert [str(user) for user in kept] == ids
    assert kept.dtype == (pl.Int64 if ids == ["-3", "0"] else pl.String)


def test_many_ids_of_both_kinds(tmp_path):
    generator = np.random.default_rng(0)
    users = generator.integers(-(2**62), 2**62, 5000).tolist() * 2
    tracks = [f"t{n}" for n in generator.integers(0, 4000, 10_000)]
    pl.DataFrame({"user": users, "track": tracks}).write_parquet(tmp_path / "log.parquet")
    import_log([str(tmp_path / "log.parquet")], tmp_path / "out")
    log = load(tmp_path / "out")
    assert log.users["user"].to_list() == list(dict.fromkeys(users))
    assert log.tracks["track"].to_list() == list(dict.fromkeys(tracks))
    at = np.arange(5000)
    assert log.tracks["track"].gather(log.items[0::2]).to_list() == [tracks[i] for i in at]
    assert log.tracks["track"].gather(log.items[1::2]).to_list() == [tracks[i + 5000] for i in at]


def test_equal_times_keep_the_order_of_the_input(tmp_path):
    generator = np.random.default_rng(1)
    rows = [(u, t, s) for t, (u, s) in enumerate(generator.integers(0, [5, 40], (2000, 2)).tolist())]
    import_log([write_csv(tmp_path / "log.csv", rows, ["user", "track", "time"])], tmp_path / "out")
    log = load(tmp_path / "out")
    for user, name in enumerate(log.users["user"].to_list()):
        mine = sorted((row for row in rows if row[0] == name), key=lambda row: row[2])  # Python's sort is stable
        assert log.row(user).tolist() == [row[1] for row in mine]


def slow_rules(rows, k_core, min_history, drop_repeats, min_play_s):
    """The slow twin: {user: [track, ...]} by first appearance, and {rule: plays dropped}."""
    dropped = {}

    def keep(rule, plays, condition):
        kept = [play for play in plays if condition(play)]
        dropped[rule] = dropped.get(rule, 0) + len(plays) - len(kept)
        return kept

    def core(rule, plays, of_user, of_track):
        while True:
            users, tracks = Counter(p[0] for p in plays), Counter(p[1] for p in plays)
            rare = {p for p in plays if users[p[0]] < of_user or tracks[p[1]] < of_track}
            if not rare:
                return plays
            plays = keep(rule, plays, lambda play, rare=rare: play not in rare)

    plays = sorted(keep("min_play_s", rows, lambda play: play[3] >= min_play_s), key=lambda play: play[2])
    if drop_repeats:
        seen = set()
        plays = keep("repeats", plays, lambda p: p[:2] not in seen and not seen.add(p[:2]))
    plays = core("k_core", plays, k_core, k_core)
    plays = core("min_history", plays, max(k_core, min_history), k_core)
    order = dict.fromkeys(row[0] for row in rows if row[3] >= min_play_s)
    histories = {user: [play[1] for play in plays if play[0] == user] for user in order}
    return {user: mine for user, mine in histories.items() if mine}, {r: n for r, n in dropped.items() if n}


log_rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9), st.integers(0, 60)),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(log_rows, st.integers(0, 4), st.integers(0, 5), st.booleans(), st.sampled_from([0.0, 30.0]))
def test_rules_against_the_slow_twin(tmp_path_factory, rows, k_core, min_history, drop, min_play_s):
    folder = tmp_path_factory.mktemp("rules")
    source = write_csv(folder / "log.csv", rows, ["user", "track", "time", "played_s"])
    options = LogImportOptions(
        k_core=k_core,
        min_history=min_history,
        repeats="drop" if drop else "keep",
        min_play_s=min_play_s,
        play_duration="played_s",
        time_unit="s",
    )
    expected, dropped = slow_rules(rows, k_core, min_history, drop, min_play_s)
    if not expected:
        with pytest.raises(ValueError, match="no play"):
            import_log([source], folder / "out", options)
        return
    card = import_log([source], folder / "out", options)
    log = load(folder / "out")
    users, tracks = log.users["user"].to_list(), log.tracks["track"].to_list()
    histories = {user: [tracks[item] for item in log.row(row)] for row, user in enumerate(users)}
    assert histories == expected and list(histories) == list(expected)
    appearance = [row[1] for row in rows if row[3] >= min_play_s]
    stay = set().union(*expected.values())
    assert tracks == [track for track in dict.fromkeys(appearance) if track in stay]
    assert card["rows_in"] - sum(card["rows_dropped"].values()) == card["events"] == len(log)
    assert {rule: n for rule, n in card["rows_dropped"].items() if n} == dropped


def test_played_milliseconds(tmp_path):
    rows = [("u", "a", 29_999), ("u", "b", 30_000)]
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "ms_played"])
    card = import_log([source], tmp_path / "out", LogImportOptions(min_play_s=30))
    assert load(tmp_path / "out").tracks["track"].to_list() == ["b"]
    assert card["rows_dropped"]["min_play_s"] == 1


def test_attributes_and_tables(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = [("1", "x", "se", "First"), ("2", "y", "", "B"), ("1", "y", "no", "other")]
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "country", "album"])
    table = str(tmp_path / "t.tsv")
    pathlib.Path(table).write_text('id\tname\tyear\ny\tThe "Y"\t1999\nz\tZ\t2000\n')
    options = LogImportOptions(track_attributes=("album",), user_attributes=("country",), track_table=table)
    import_log([source], tmp_path / "out", options)
    log = load(tmp_path / "out")
    assert log.users.to_dict(as_series=False) == {"user": [1, 2], "country": ["se", None]}
    assert log.tracks.to_dict(as_series=False) == {
        "track": ["x", "y"],
        "album": ["First", "B"],
        "title": [None, 'The "Y"'],
        "year": [None, 1999],
    }
    assert "'name' is taken for the title" in caplog.text and "has 1 of 2 tracks" in caplog.text


def test_recbole_tables_are_found(tmp_path):
    write_csv(tmp_path / "x.inter", [("1", "a")], ["user_id:token", "item_id:token"], "\t")
    write_csv(tmp_path / "x.item", [("a", "A a")], ["item_id:token", "item_name:token_seq"], "\t")
    write_csv(tmp_path / "x.user", [("1", "33")], ["user_id:token", "age:float"], "\t")
    import_log([str(tmp_path / "x.inter")], tmp_path / "out")
    log = load(tmp_path / "out")
    assert log.tracks.rows() == [("a", "A a")] and log.tracks.columns == ["track", "title"]
    assert log.users.rows() == [(1, 33)] and log.users.columns == ["user", "age"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"user": "usr"},
            r"--user=usr: log.csv has no such column \(did you mean 'user'\?\); it has: user, track",
        ),
        ({"track_attributes": ("ttle",)}, r"did you mean 'title'"),
        ({"track": "none"}, "which column is the track"),
        ({"min_play_s": 3.0}, "needs the time played"),
    ],
)
def test_misspelt_columns_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        import_log([write_csv(tmp_path / "log.csv")], tmp_path / "out", LogImportOptions(**options))


def test_usual_names_are_logged(tmp_path, caplog):
    caplog.set_level("INFO")
    source = write_csv(tmp_path / "log.csv", ROWS, ["userID", "artist-id", "timestamp", "plays", "artist_name"])
    import_log([source], tmp_path / "out")
    check_rows_log(tmp_path / "out")
    for column, role in (
        ("userID", "user"),
        ("artist-id", "track"),
        ("plays", "weight"),
        ("artist_name", "title"),
    ):
        assert f"column {column!r} is taken for the {role}" in caplog.text


def test_columns_of_a_file_without_a_header(tmp_path):
    (tmp_path / "u.data").write_text("1\t5\t100\n1\t6\t50\n")
    import_log(
        [str(tmp_path / "u.data")], tmp_path / "out", LogImportOptions(format="tsv", columns=("user", "item", "ts"))
    )
    assert load(tmp_path / "out").times.tolist() == [50_000, 100_000]


fields = st.text(st.sampled_from('a0 1,"é\n-\t'), max_size=5) | st.integers(-30, 30).map(str)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(fields, fields, fields), min_size=1, max_size=8), st.integers(1, 40), st.booleans())
def test_plain_and_careful_splitting_agree(tmp_path_factory, rows, block_bytes, skip):
    """The same text, in blocks of any size: split by the kernel where it can be, and by Python everywhere."""
    folder = tmp_path_factory.mktemp("cut")
    source = write_csv(folder / "log.csv", rows, ["user", "track", "weight"])
    options = LogImportOptions(on_error="skip" if skip else "stop")
    results = []
    plain = delimited.split_plain
    with pytest.MonkeyPatch.context() as patch:
        for size, split in ((1 << 20, lambda *_: None), (block_bytes, plain), (1 << 20, plain)):
            patch.setattr(delimited, "BLOCK_BYTES", size)
            patch.setattr(delimited, "split_plain", split)
            try:
                import_log([source], folder / "out", options, overwrite=True)
                results.append(files_of(folder / "out"))
            except ValueError as error:
                results.append(str(error))
    assert results[0] == results[1] == results[2]


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from('a",\n\ré'), max_size=24), st.booleans())
def test_the_plain_split_of_any_text_is_the_careful_one(text, quotes):
    """Whatever the text: the plain split refuses it, or gives the fields and lines of the split record by record."""
    block, dialect, names = (text + "\n").encode(), Dialect(",", quotes), ["x", "y"]
    plain = split_plain(block, names, ["y", "x"], dialect, None)
    lines = Lines(block, io.BytesIO(), 0, "utf-8")
    frame, numbers, bad = split_carefully(lines, names, ["y", "x"], dialect, "log.csv")
    assert lines.number == block.count(b"\n") or bad
    if plain is not None:
        assert not bad and plain[0].rows() == frame.rows() and plain[1].tolist() == numbers.tolist()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quoted_blocks_are_split_fast(end):
    text = end.join(['a,"b"', '"c,""d""",é', '"two\nlines",', '"",z', ""])
    plain = split_plain(text.encode(), ["x", "y"], ["x", "y"], Dialect(",", quotes=True), None)
    assert plain is not None and plain[1].tolist() == [0, 1, 2, 4]
    assert plain[0].rows() == [("a", "b"), ('c,"d"', "é"), ("two\nlines", ""), ("", "z")]


def test_the_fast_path_gives_the_bytes_of_the_careful_one(tmp_path, monkeypatch):
    generator = np.random.default_rng(3)
    rows = generator.integers(0, [300, 900, 10**9], (20_000, 3)).tolist()
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "time"])
    import_log([source], tmp_path / "fast")
    monkeypatch.setattr(delimited, "split_plain", lambda *_: None)
    import_log([source], tmp_path / "careful")
    assert files_of(tmp_path / "fast") == files_of(tmp_path / "careful")


def test_sorting_kernel_is_stable():
    generator = np.random.default_rng(4)
    for n in (0, 1, 15, 16, 17, 100, 1000):
        values = generator.integers(0, 7, n)
        assert row_kernels.stable_order(values).tolist() == np.argsort(values, kind="stable").tolist()


REAL = [
    ("s3rec/Beauty.txt.gz", "lists", (22_363, 12_101, 198_502)),
    ("s3rec/LastFM.txt", "lists", (1_090, 3_646, 52_551)),
    ("ml-100k/ml-100k.inter.gz", None, (943, 1_682, 100_000)),
    ("lastfm_hetrec2011/user_artists.dat.gz", None, (1_892, 17_632, 92_834)),
]


@pytest.mark.parametrize(("name", "format", "counts"), REAL)
def test_real_logs(data_dir, tmp_path, name, format, counts):
    table = data_dir / "lastfm_hetrec2011" / "artists.dat.gz" if "hetrec" in name else None
    options = LogImportOptions(format=format, track_table=str(table) if table else None)
    card = import_log([str(data_dir / name)], tmp_path / "out", options)
    assert (card["users"], card["tracks"], card["events"]) == counts
    log = load(tmp_path / "out")
    if table:
        titles = dict(log.tracks.select("track", "title").iter_rows())
        assert titles[51] == "Duran Duran" and log.tracks["title"].null_count() == 0
    if name.startswith("ml"):
        assert log.tracks.row(0, named=True)["title"] == "Kolya" and "age" in log.users.columns


@pytest.mark.parametrize(
    ("folder", "end", "users", "tracks", "parts"),
    [
        ("gowalla", ".txt.gz", 29_858, 40_981, (810_128, 0, 217_242)),
        ("lightgcnpp_lastfm", ".txt", 1_885, 17_388, (64_315, 9_143, 18_321)),
    ],
)
def test_real_logs_in_parts(data_dir, tmp_path, folder, end, users, tracks, parts):
    names = ("train", "valid", "test")
    files = {name: [str(data_dir / folder / (name + end))] for name, n in zip(names, parts, strict=True) if n}
    card = import_log([], tmp_path / "out", LogImportOptions(format="lists"), **files)
    assert (card["users"], card["tracks"]) == (users, tracks)
    codes = load(tmp_path / "out").parts
    assert codes is not None and tuple(np.bincount(codes, minlength=3)) == parts


PIPES = """
import numpy as np
import polars as pl
from mu.data.logs.importing.formats import RowBatch

class Pipes:
    def header(self, source, options):
        return ["user", "track", "time"]

    def batches(self, source, wanted, options):
        frame = pl.read_csv(source.name, separator="|", has_header=False, new_columns=self.header(source, options))
        yield RowBatch(frame.select(wanted), lines=np.arange(1, len(frame) + 1), bad=[], done=1.0)

pipes = Pipes()
nothing = 7
"""


def test_a_format_of_another_package_is_chosen_by_its_path(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_package_of_mine.py").write_text(PIPES)
    (tmp_path / "log.pipes").write_text("".join(f"{user}|{track}|{time}\n" for user, track, time, *_ in ROWS))
    options = LogImportOptions(format="a_package_of_mine:pipes")
    card = import_log([str(tmp_path / "log.pipes")], tmp_path / "out", options)
    assert load(tmp_path / "out").items.tolist() == ITEMS and card["options"]["format"] == "a_package_of_mine:pipes"
    for format, message in (
        ("csw", r"format is 'csw' \(did you mean 'csv'\?\); it must be one of csv, tsv, .* package.module:attribute"),
        ("a_package_of_nobody:pipes", "--format='a_package_of_nobody:pipes': there is no module 'a_package_of_nobody'"),
        ("a_package_of_mine:pipe", r"a_package_of_mine has no 'pipe' \(did you mean 'pipes'\?\)"),
        ("a_package_of_mine:nothing", "is no LogFormat: it needs the functions `header` and `batches`"),
        ("tfds", "name the data set as tfds:NAME"),
    ):
        with pytest.raises(OptionError, match=message):
            LogImportOptions(format=format)


@pytest.mark.parametrize("name", formats.FORMATS)
def test_built_in_formats_are_in_the_same_table(name):
    assert isinstance(formats.load_format(name), formats.LogFormat)
