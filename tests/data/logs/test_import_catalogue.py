"""The track table as the catalogue: tracks without plays stay; plays of tracks that are not in it stay, go, or stop."""

import os
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.commands.import_log import main
from mu.data.logs.attributes import multi_label
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.world.tables import write
from mu.world.world import simulate
from tests.helpers.log_files import write_csv

ARRAYS = ("indptr", "items", "times", "weights", "outcomes")


@pytest.fixture
def files(tmp_path):
    """a plays x and q, b plays q and y; the table has z, y, w, x in this order."""
    rows = [("a", "q", 1), ("a", "x", 2), ("b", "q", 3), ("b", "y", 4), ("b", "p", 5)]
    log = write_csv(tmp_path / "log.csv", rows, ["user", "track", "time"])
    table = [("z", "Z", 1990), ("y", "Y", 1991), ("w", "W", ""), ("x", "X", 1993), ("z", "again", 1)]
    return [log, f"--track_table={write_csv(tmp_path / 't.csv', table, ['id', 'name', 'year'])}"]


def test_the_whole_catalogue_as_a_user_imports_it(tmp_path, files, capsys):
    assert main([*files, f"--output={tmp_path / 'played'}"]) == 0
    assert "tracks without plays" not in capsys.readouterr().out
    assert main([*files, "--catalogue=all", f"--output={tmp_path / 'all'}"]) == 0
    out, err = capsys.readouterr()
    assert "tracks without plays: 2" in out and "has 2 of 4 tracks" in err
    played, whole = load(tmp_path / "played"), load(tmp_path / "all")
    assert played.tracks["track"].to_list() == ["q", "x", "y", "p"]
    assert whole.tracks.to_dict(as_series=False) == {
        "track": ["q", "x", "y", "p", "z", "w"],
        "title": [None, "X", "Y", None, "Z", "W"],
        "year": [None, 1993, 1991, None, 1990, None],
    }
    assert (whole.n_items, whole.card["tracks"], whole.card["tracks_without_plays"]) == (6, 6, 2)
    assert whole.items.tolist() == played.items.tolist() and whole.hash() != played.hash()
    assert whole.counts().tolist() == [2, 1, 1, 1, 0, 0]
    assert played.card["unknown_tracks"] == whole.card["unknown_tracks"] == {"tracks": 2, "plays": 3}


def test_plays_of_unknown_tracks_are_left_out_or_refused(tmp_path, files, capsys):
    skip = [*files, "--unknown_tracks=skip", "--overwrite", f"--output={tmp_path / 'out'}"]
    assert main(skip) == 0
    assert "rows read: 5; dropped by unknown_tracks: 3" in capsys.readouterr().out
    log = load(tmp_path / "out")
    assert log.tracks["track"].to_list() == ["x", "y"] and log.items.tolist() == [0, 1]
    assert log.card["rows_dropped"]["unknown_tracks"] == 3 and log.card["unknown_tracks"] == {"tracks": 2, "plays": 3}
    assert main([*skip, "--catalogue=all"]) == 0
    assert load(tmp_path / "out").tracks["track"].to_list() == ["x", "y", "z", "w"]
    assert main([*files, "--unknown_tracks=error", f"--output={tmp_path / 'no'}"]) == 1
    err = capsys.readouterr().err.replace(f"{tmp_path}{os.sep}", "")
    assert "3 plays are of 2 tracks that are not in t.csv: 'q' (log.csv, line 2), 'p' (log.csv, line 6)." in err
    assert "--unknown_tracks=skip" in err and not (tmp_path / "no").exists()


def test_a_user_whose_tracks_are_all_unknown_goes(tmp_path, files):
    log = write_csv(tmp_path / "log.csv", [("a", "p", 1), ("b", "x", 1)], ["user", "track", "time"])
    import_log([log], tmp_path / "out", LogImportOptions(unknown_tracks="skip", track_table=files[1].partition("=")[2]))
    assert load(tmp_path / "out").users["user"].to_list() == ["b"]
    write_csv(tmp_path / "log.csv", [("a", "p", 1)], ["user", "track", "time"])
    with pytest.raises(
        ValueError, match=r"no plays in the input \(1 rows read, 0 bad, 0 too short, 1 of tracks that are not"
    ):
        import_log(
            [log], tmp_path / "no", LogImportOptions(unknown_tracks="skip", track_table=files[1].partition("=")[2])
        )


MISTAKES = [
    (["--catalogue=all"], "--catalogue=all needs a table of the tracks: add --track_table=FILE"),
    (["--unknown_tracks=skip"], "--unknown_tracks=skip needs a table of the tracks"),
    (["--catalogue=all", "--track_table=none"], "--catalogue=all needs a table"),
    (["--catalogue=all", "--track_table=nowhere.csv"], "no file nowhere.csv"),
    (
        ["--track_table={text}"],
        "t.txt: a table of tracks or users is read by its extension, which must be one of .csv,",
    ),
    (
        ["--catalogue=all", "--track_key=idd", "{table}"],
        "--track_key=idd: t.csv has no such column (did you mean 'id'?)",
    ),
    (
        ["--unknown_tracks=error", "--track_key=name", "{table}"],
        "5 plays are of 4 tracks that are not in t.csv: 'q'",
    ),
    (["--skip_below_share=.5", "--play_duration=time", "{table}"], "t.csv has: name, year"),
]


@pytest.mark.parametrize(("flags", "message"), MISTAKES)
def test_mistakes_of_users(tmp_path, files, capsys, flags, message):
    (tmp_path / "t.txt").touch()
    flags = [flag.format(table=files[1], text=tmp_path / "t.txt") for flag in flags]
    code = 1 if "5 plays" in message or "no file" in message else 2
    assert main([files[0], f"--output={tmp_path / 'out'}", *flags]) == code
    assert message in capsys.readouterr().err.replace(f"{tmp_path}{os.sep}", "")
    assert not (tmp_path / "out").exists()


def test_columns_of_both_are_the_logs_where_it_plays_the_track(tmp_path):
    rows = [("a", "x", "X of the log", "7"), ("a", "y", "", "")]
    log = write_csv(tmp_path / "log.csv", rows, ["user", "track", "song", "year"])
    table = write_csv(tmp_path / "t.csv", [("x", "X", 1), ("y", "Y", 2), ("z", "Z", 3)], ["track", "name", "year"])
    options = LogImportOptions(title="song", track_attributes=("year",), track_table=table, catalogue="all")
    import_log([log], tmp_path / "out", options)
    assert load(tmp_path / "out").tracks.to_dict(as_series=False) == {
        "track": ["x", "y", "z"],
        "year": [7, None, 3],
        "title": ["X of the log", None, "Z"],
    }


def test_ids_that_are_numbers_stay_numbers_while_all_are(tmp_path):
    log = write_csv(tmp_path / "log.csv", [("a", "7")], ["user", "track"])
    for ids, expected in ((["7", "9"], [7, 9]), (["7", "009"], ["7", "009"])):
        table = write_csv(tmp_path / "t.csv", [(name, "r") for name in ids], ["track", "genre"])
        import_log([log], tmp_path / "out", LogImportOptions(track_table=table, catalogue="all"), overwrite=True)
        assert load(tmp_path / "out").tracks["track"].to_list() == expected


log_rows = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 9), st.integers(0, 60)), min_size=1, max_size=50
)


@settings(max_examples=60, deadline=None)
@given(
    log_rows,
    st.lists(st.integers(0, 9), min_size=1, unique=True),
    st.sampled_from(["keep", "skip"]),
    st.integers(0, 3),
    st.integers(0, 4),
    st.booleans(),
)
def test_catalogue_laws(tmp_path_factory, rows, table, unknown, k_core, min_history, drop):
    """Every track of the table is there, after the played ones in its order; arrays do not depend on the catalogue."""
    folder = tmp_path_factory.mktemp("catalogue")
    log = write_csv(folder / "log.csv", rows, ["user", "track", "time", "played_s"])
    flags = {
        "track_table": write_csv(folder / "t.csv", [(track, f"title {track}") for track in table], ["track", "title"]),
        "unknown_tracks": unknown,
        "k_core": k_core,
        "min_history": min_history,
        "repeats": "drop" if drop else "keep",
        "play_duration": "played_s",
        "min_play_s": 10.0,
        "skip_below_s": 30.0,
        "time_unit": "s",
    }
    try:
        import_log([log], folder / "played", LogImportOptions(**flags))
    except ValueError as error:
        assert "no play" in str(error)
        return
    card = import_log([log], folder / "all", LogImportOptions(**flags, catalogue="all"))
    played, whole = load(folder / "played"), load(folder / "all")
    for name in ARRAYS:
        assert np.array_equal(getattr(played, name), getattr(whole, name)), name
    tracks, n = whole.tracks["track"].to_list(), played.n_items
    assert tracks[:n] == played.tracks["track"].to_list() and min(played.counts()) > 0
    assert tracks[n:] == [track for track in table if track not in tracks[:n]]
    assert whole.tracks["title"].to_list() == [f"title {t}" if t in table else None for t in tracks]
    assert card["tracks_without_plays"] == len(tracks) - n
    assert card["rows_in"] - sum(card["rows_dropped"].values()) == card["events"]
    # Plays of unknown tracks, as they stand in the file.
    long = Counter(track for _, track, _, seconds in rows if seconds >= 10 and track not in table)
    assert card["unknown_tracks"] == {"tracks": len(long), "plays": sum(long.values())}
    assert card["rows_dropped"].get("unknown_tracks", 0) == (sum(long.values()) if unknown == "skip" else 0)
    if unknown == "skip":
        assert set(tracks) == set(table)


def test_releases_after_the_log_can_be_recommended(tmp_path):
    """Tracks of the world that nobody played are in its log, imported with the whole catalogue."""
    world = simulate("tiny", seed=1)
    write(world, tmp_path / "world")
    flags = [str(tmp_path / "world" / "plays.csv"), f"--track_table={tmp_path / 'world' / 'tracks.csv'}"]
    assert main([*flags, "--catalogue=all", "--unknown_tracks=error", f"--output={tmp_path / 'log'}"]) == 0
    log = load(tmp_path / "log")
    assert log.n_items == len(world.catalogue)
    assert log.card["tracks_without_plays"] == log.n_items - len(np.unique(world.plays.tracks)) > 0
    assert sorted(log.tracks["track"]) == [f"track-{track:06d}" for track in range(log.n_items)]
    assert log.tracks["release_date"].null_count() == 0


def test_lists_of_a_parquet_table_are_the_tags_that_they_hold(tmp_path):
    log = {"user": ["u", "u", "v"], "track": ["a", "b", "c"], "moods": [["calm"], ["calm", "sad"], None]}
    pl.DataFrame(log).write_parquet(tmp_path / "log.parquet")
    tags = {"track": ["a", "b", "d", "c"], "tags": [["rock", "live"], ["rock", None], [], ["jazz"]]}
    tags |= {"years": [[1999, 2001], [1999], None, []]}
    pl.DataFrame(tags).write_parquet(tmp_path / "tags.parquet")
    options = LogImportOptions(track_attributes=("moods",), track_table=str(tmp_path / "tags.parquet"), catalogue="all")
    import_log([str(tmp_path / "log.parquet")], tmp_path / "out", options)
    tracks = load(tmp_path / "out").tracks
    assert tracks["track"].to_list() == ["a", "b", "c", "d"]
    labels = multi_label(tracks, "tags")
    assert labels.names == ("jazz", "live", "rock") and labels.codes.tolist() == [1, 2, 2, 0]
    assert labels.indptr.tolist() == [0, 2, 3, 4, 4]
    assert multi_label(tracks, "moods").names == ("calm", "sad")
    assert multi_label(tracks, "years").names == ("1999", "2001")


def test_a_value_of_a_list_that_holds_the_separator_is_refused(tmp_path):
    pl.DataFrame({"user": ["u"], "track": ["a"]}).write_parquet(tmp_path / "log.parquet")
    pl.DataFrame({"track": ["a"], "tags": [["rock", "ac|dc"]]}).write_parquet(tmp_path / "tags.parquet")
    options = LogImportOptions(track_table=str(tmp_path / "tags.parquet"))
    with pytest.raises(ValueError, match=r"lists of column 'tags' are kept as text separated by '\|', and 'ac\|dc'"):
        import_log([str(tmp_path / "log.parquet")], tmp_path / "out", options)
