"""Columns of a log: times, ids, attributes and tables, by flag or by their usual names."""

import json
import pathlib

import numpy as np
import polars as pl
import pytest

from mu.commands.import_log import main
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from tests.helpers.log_files import ROWS, check_rows_log, write_csv


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


def test_years_without_plays_are_counted(tmp_path, caplog):
    frame = pl.DataFrame({"user": ["u"] * 3, "track": ["t"] * 3, "time": [1_600_000_000, 0, 1_600_000_001]})
    frame.write_parquet(tmp_path / "log.parquet")
    card = import_log([str(tmp_path / "log.parquet")], tmp_path / "out")
    assert card["implausible_years"] == 1
    assert "1 of 3 plays are before 1971 or after 2099; the first is " in caplog.text
    assert "log.parquet, line 2: 1970-01-01T00:00:00.000Z" in caplog.text


def test_dates_as_whole_numbers_of_parquet(tmp_path, caplog):
    frame = pl.DataFrame({"user": ["u"] * 2, "track": ["t"] * 2, "time": [20210105, 20210106]})
    frame.write_parquet(tmp_path / "log.parquet")
    card = import_log([str(tmp_path / "log.parquet")], tmp_path / "out")
    assert load(tmp_path / "out").times.tolist() == [1_609_804_800_000, 1_609_891_200_000]
    assert card["time_unit_read"] == "digits" and card["implausible_years"] == 0 and not caplog.records


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


def test_played_milliseconds(tmp_path):
    rows = [("u", "a", 29_999), ("u", "b", 30_000)]
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "ms_played"])
    card = import_log([source], tmp_path / "out", LogImportOptions(min_play_s=30))
    assert load(tmp_path / "out").tracks["track"].to_list() == ["b"]
    assert card["rows_dropped"]["min_play_s"] == 1


def test_plays_of_little_weight_are_dropped_and_counted(tmp_path, capsys):
    rows = [("u", "a", 3.3), ("u", "b", 3.2), ("v", "a", 5), ("v", "b", ""), ("w", "b", 0)]
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "rating"])
    assert main([source, f"--output={tmp_path / 'out'}", "--min_weight=3.3", "--on_error=skip"]) == 0
    log = load(tmp_path / "out")
    assert log.users["user"].to_list() == ["u", "v"] and log.tracks["track"].to_list() == ["a"]
    np.testing.assert_array_equal(log.weights, np.array([3.3, 5], np.float32))
    assert log.card["rows_dropped"] == {"bad": 1, "min_play_s": 0, "min_weight": 2}
    assert "dropped by min_weight: 2" in capsys.readouterr().out
    with pytest.raises(ValueError, match="0 too short, 4 of a weight below 9"):
        import_log([source], tmp_path / "none", LogImportOptions(min_weight=9, on_error="skip"))


def test_ratings_below_a_limit_are_dropped_counted_and_named(tmp_path, capsys):
    rows = [("u", "a", 3.5, -2), ("u", "b", 4, 5), ("v", "a", 5, 0), ("v", "b", "", 0), ("w", "b", 1, 0)]
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "stars", "score"])
    command = [source, "--on_error=skip", "--overwrite", f"--output={tmp_path / 'out'}"]
    assert main([*command, "--min_rating=4"]) == 0
    log = load(tmp_path / "out")
    assert log.users["user"].to_list() == ["u", "v"] and log.weights.tolist() == [1, 1]
    assert log.card["rows_dropped"] == {"bad": 1, "min_play_s": 0, "min_rating": 2}
    assert "dropped by min_rating (stars below 4): 2" in capsys.readouterr().out
    assert main([*command, "--min_rating=0", "--rating=score"]) == 0  # ratings may be negative
    assert load(tmp_path / "out").card["rows_dropped"] == {"bad": 0, "min_play_s": 0, "min_rating": 1}
    assert main([*command, "--min_rating=4", "--weight=stars", "--rating=stars"]) == 0
    assert load(tmp_path / "out").weights.tolist() == [4, 5]
    assert main([*command, "--rating=stars"]) == 2 and "--rating is for --min_rating" in capsys.readouterr().err
    both = write_csv(tmp_path / "both.csv", rows[:3], ["user", "track", "rating", "x"])
    import_log([both], tmp_path / "both", LogImportOptions(min_rating=4))
    assert load(tmp_path / "both").weights.tolist() == [4, 5]  # the rating is the weight as well, as without the rule
    with pytest.raises(ValueError, match="--min_rating needs ratings: add --rating=NAME"):
        import_log(
            [write_csv(tmp_path / "none.csv", [("u", "a")], ["user", "track"])],
            tmp_path / "no",
            LogImportOptions(min_rating=4),
        )
    with pytest.raises(ValueError, match=r"no plays in the input.*3 rated below 9"):
        import_log([both], tmp_path / "no", LogImportOptions(min_rating=9))


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
    assert "title=name (guessed" in caplog.text and "has 1 of 2 tracks" in caplog.text


def test_recbole_tables_are_found(tmp_path):
    write_csv(tmp_path / "x.inter", [("1", "a")], ["user_id:token", "item_id:token"], "\t")
    write_csv(tmp_path / "x.item", [("a", "A a")], ["item_id:token", "item_name:token_seq"], "\t")
    write_csv(tmp_path / "x.user", [("1", "33")], ["user_id:token", "age:float"], "\t")
    import_log([str(tmp_path / "x.inter")], tmp_path / "out")
    log = load(tmp_path / "out")
    assert log.tracks.rows() == [("a", "A a")] and log.tracks.columns == ["track", "title"]
    assert log.users.rows() == [(1, 33)] and log.users.columns == ["user", "age"]


def test_usual_names_are_logged(tmp_path, caplog):
    caplog.set_level("INFO")
    source = write_csv(tmp_path / "log.csv", ROWS, ["userID", "artist-id", "timestamp", "plays", "artist_name"])
    import_log([source], tmp_path / "out")
    check_rows_log(tmp_path / "out")
    words = "user=userID, track=artist-id, time=timestamp, weight=plays, title=artist_name (guessed from the header; "
    assert words in caplog.text
    caplog.clear()
    import_log([write_csv(tmp_path / "own.csv")], tmp_path / "own")
    assert "guessed" not in caplog.text


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (["user", "artist", "isrc"], "isrc"),
        (["user", "artist_mbid", "recording_mbid"], "recording_mbid"),
        (["user", "artist", "MusicBrainz_TrackId"], "MusicBrainz_TrackId"),
        (["user", "isrc", "track_id"], "track_id"),
    ],
)
def test_ids_of_isrc_and_musicbrainz_are_recognised(tmp_path, names, role, caplog):
    caplog.set_level("INFO")
    source = write_csv(tmp_path / "log.csv", [["u", "x", "y"]], names)
    import_log([source], tmp_path / "out")
    assert load(tmp_path / "out").tracks["track"].to_list() == ["xy"[names.index(role) - 1]]
    assert f"track={role} (guessed" in caplog.text


def test_a_track_table_is_joined_by_isrc(tmp_path, caplog):
    caplog.set_level("INFO")
    source = write_csv(tmp_path / "log.csv", [["u", "A", "SE1"], ["u", "B", "SE2"]], ["user", "artist", "isrc"])
    table = write_csv(tmp_path / "tracks.csv", [["7", "SE2", "T"], ["8", "SE1", "S"]], ["number", "ISRC", "title"])
    import_log([source], tmp_path / "out", LogImportOptions(track_table=table))
    assert load(tmp_path / "out").tracks.select("track", "title").rows() == [("SE1", "S"), ("SE2", "T")]
    assert "track_key=ISRC (guessed" in caplog.text
