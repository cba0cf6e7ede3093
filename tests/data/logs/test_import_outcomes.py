"""Outcomes of plays, event columns, and clocks that run backwards: from files to arrays, as a user imports them."""

import itertools
import json
import os

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.commands.import_log import main
from mu.data.logs.importing import first_pass
from mu.data.logs.importing.bad_rows import BadRowError
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import FINISHED, SKIPPED, UNKNOWN, load
from mu.world.tables import write
from mu.world.world import simulate
from tests.helpers.log_files import write_csv

PLAYS = """user,track,time,ended,device
a,x,3,1,phone
b,x,1,false,
a,y,1,,phone
a,z,2,NO,car
b,y,1,True,car
"""
# By hand: user a is 0, b is 1; track x is 0, y is 1, z is 2; a's plays in order of time are y, z, x.
ITEMS, OUTCOMES = [1, 2, 0, 0, 1], [UNKNOWN, SKIPPED, FINISHED, SKIPPED, FINISHED]
DEVICES = ["phone", "car", "phone", "", "car"]


def values_of(log, column):
    return [log.vocabulary(column)[code] for code in log.columns[column]]


def test_outcomes_and_event_columns_as_a_user_imports_them(tmp_path, capsys):
    (tmp_path / "log.csv").write_text(PLAYS)
    command = [
        str(tmp_path / "log.csv"),
        "--finished=ended",
        "--event_columns=device,time",
        f"--output={tmp_path / 'out'}",
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "outcomes: unknown 1, finished 2, skipped 2" in printed and "device: 3 values" in printed
    log = load(tmp_path / "out")
    assert log.items.tolist() == ITEMS and log.outcomes is not None
    assert log.outcomes.dtype == np.uint8 and log.outcomes.tolist() == OUTCOMES
    assert log.columns["device"].dtype == np.uint8 and values_of(log, "device") == DEVICES
    assert log.vocabulary("device") == ["phone", "", "car"] and list(log.columns) == ["device", "time"]
    assert values_of(log, "time") == [str(time // 1000) for time in log.times]
    assert log.card["outcomes"] == {"unknown": 1, "finished": 2, "skipped": 2}
    assert main([*command[:1], "--skipped=ended", "--output", str(tmp_path / "other")]) == 0
    other = load(tmp_path / "other")
    opposite = {UNKNOWN: UNKNOWN, FINISHED: SKIPPED, SKIPPED: FINISHED}
    assert other.outcomes is not None and other.outcomes.tolist() == [opposite[code] for code in OUTCOMES]
    assert other.columns == {}


def test_a_log_that_does_not_ask_is_what_it_was(tmp_path):
    (tmp_path / "log.csv").write_text(PLAYS)
    (tmp_path / "bare.csv").write_text("\n".join(",".join(line.split(",")[:3]) for line in PLAYS.splitlines()))
    for name in ("log", "bare"):
        import_log([str(tmp_path / f"{name}.csv")], tmp_path / name)
    log, bare = load(tmp_path / "log"), load(tmp_path / "bare")
    assert log.outcomes is None and not log.columns and log.hash() == bare.hash()
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == [
        *("card.json", "hashes.json", "indptr.npy", "items.npy"),
        *("times.npy", "tracks.parquet", "users.parquet", "weights.npy"),
    ]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([True, False, None], pl.Boolean),
        ([1, 0, None], pl.Int8),
        ([1.0, 0.0, float("nan")], pl.Float32),
        (["yes", " n ", ""], pl.String),
        (["1.0", "0.0", None], pl.Categorical),
    ],
)
def test_outcomes_of_every_type_of_column(tmp_path, values, dtype):
    frame = pl.DataFrame({"user": ["a"] * 3, "track": ["x"] * 3, "done": pl.Series(values, dtype=dtype)})
    frame.write_parquet(tmp_path / "log.parquet")
    import_log([str(tmp_path / "log.parquet")], tmp_path / "out", LogImportOptions(finished="done"))
    outcomes = load(tmp_path / "out").outcomes
    assert outcomes is not None and outcomes.tolist() == [FINISHED, SKIPPED, UNKNOWN]


def test_outcomes_by_time_played(tmp_path, capsys):
    plays = [("a", track, at, ms) for at, (track, ms) in enumerate([("x", 29_999), ("x", 100_000), ("x", 99_999)])]
    plays += [("a", "y", 3, 30_000), ("a", "y", 4, 29_999), ("a", "z", 5, 40_000), ("b", "q", 6, 40_000)]
    source = write_csv(tmp_path / "log.csv", plays, ["user", "track", "time", "ms_played"])
    # x lasts 200 s, y is not in the table, z has no duration, q has 0: the outcomes of these are unknown.
    table = write_csv(tmp_path / "t.csv", [("x", "200"), ("z", ""), ("q", "0")], ["track", "duration_s"])
    command = [source, f"--track_table={table}", "--overwrite", f"--output={tmp_path / 'out'}"]
    assert main([*command, "--skip_below_s=30", "--skip_below_share=.5"]) == 0
    assert "'duration_s' is taken to be in s (--track_duration_unit to choose)" in capsys.readouterr().err
    outcomes = load(tmp_path / "out").outcomes
    assert outcomes is not None
    assert outcomes.tolist() == [SKIPPED, FINISHED, SKIPPED, UNKNOWN, SKIPPED, UNKNOWN, UNKNOWN]
    assert main([*command, "--skip_below_s=30"]) == 0
    outcomes = load(tmp_path / "out").outcomes
    assert outcomes is not None and outcomes.tolist() == [SKIPPED, *[FINISHED] * 3, SKIPPED, *[FINISHED] * 2]


def test_track_durations_may_be_in_the_log(tmp_path):
    rows = [("a", "x", 50, 99_000), ("a", "x", 49, 99_000), ("a", "y", 5, "")]
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "played_s", "whole_ms"])
    options = LogImportOptions(skip_below_share=0.5, track_duration="whole_ms")
    import_log([source], tmp_path / "out", options)
    outcomes = load(tmp_path / "out").outcomes
    assert outcomes is not None and outcomes.tolist() == [FINISHED, SKIPPED, UNKNOWN]


@pytest.mark.parametrize(
    ("row", "options", "column", "value", "reason"),
    [
        ("a,x,1,maybe,3,9", {"finished": "ended"}, "ended", "maybe", "should be 0 or 1, true or false, or empty"),
        ("a,x,1,2,3,9", {"skipped": "ended"}, "ended", "2", "unreadable outcome"),
        (
            "a,x,1,1,3,3:25",
            {"skip_below_share": 0.5, "track_duration": "whole"},
            "whole",
            "3:25",
            "unreadable track duration",
        ),
        ("a,x,1,1,-3,9", {"skip_below_s": 30.0}, "seconds", "-3", "negative play duration"),
    ],
)
def test_bad_values_are_named_and_counted(tmp_path, row, options, column, value, reason):
    (tmp_path / "log.csv").write_text(f"user,track,time,ended,seconds,whole\nb,y,1,,3,9\n{row}\n")
    files, options = [str(tmp_path / "log.csv")], {"play_duration": "seconds"} | options
    with pytest.raises(BadRowError, match=rf"log.csv, line 3, column {column}: .*{reason}.*the value is '{value}'"):
        import_log(files, tmp_path / "out", LogImportOptions(**options))
    card = import_log(files, tmp_path / "out", LogImportOptions(**options, on_error="skip"))
    assert card["rows_dropped"]["bad"] == card["rejected"] == 1 and card["events"] == 1


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_play_of_unknown_duration_is_kept_and_its_outcome_is_unknown(tmp_path, form):
    table = pl.DataFrame({"user": ["a"] * 4, "track": list("wxyz"), "time": [1, 2, 3, 4], "s": [3.0, None, 40.0, None]})
    file = tmp_path / f"log.{form}"
    if form == "csv":
        table.write_csv(file)
    else:
        table.with_columns(pl.col("s").fill_null(float("nan"))).write_parquet(file)
    rules = {"play_duration": "s", "skip_below_s": 30.0}
    import_log([str(file)], tmp_path / "all", LogImportOptions(**rules))
    assert load(tmp_path / "all").outcomes.tolist() == [SKIPPED, UNKNOWN, FINISHED, UNKNOWN]
    card = import_log([str(file)], tmp_path / "long", LogImportOptions(play_duration="s", min_play_s=30.0))
    assert card["rows_dropped"]["min_play_s"] == 1 and card["rows_dropped"]["bad"] == 0
    assert load(tmp_path / "long").tracks["track"].to_list() == ["x", "y", "z"]


def test_a_bad_duration_in_the_track_table_is_named(tmp_path):
    (tmp_path / "log.csv").write_text("user,track,played_s\na,x,3\na,y,3\n")
    (tmp_path / "t.csv").write_text("track,duration,title\ny,4,Y\nx,3:25,X\n")
    options = {"skip_below_share": 0.5, "track_table": str(tmp_path / "t.csv")}
    with pytest.raises(
        BadRowError, match=r"t.csv, line 3, column duration: unreadable track duration.*the value is '3:25'"
    ):
        import_log([str(tmp_path / "log.csv")], tmp_path / "out", LogImportOptions(**options))
    card = import_log([str(tmp_path / "log.csv")], tmp_path / "out", LogImportOptions(**options, on_error="skip"))
    assert card["outcomes"] == {"unknown": 1, "finished": 1, "skipped": 0}
    assert load(tmp_path / "out").tracks["title"].to_list() == ["X", "Y"]


MISTAKES = [
    (["--finished=endde"], "--finished=endde: log.csv has no such column (did you mean 'ended'?)"),
    (["--finished=device"], "line 2, column device: unreadable outcome, should be 0 or 1"),
    (["--finished=ended", "--skipped=ended"], "--finished and --skipped both decide how a play ended"),
    (["--finished=ended", "--skip_below_s=30"], "--finished and --skip_below_s both decide how a play ended"),
    (["--skip_below_s=30"], "--skip_below_s needs the time played: add --play_duration=NAME; log.csv has: user"),
    (["--skip_below_share=50", "--play_duration=time"], "skip_below_share is 50.0; it must be at most 1"),
    (["--skip_below_share=.5", "--play_duration=time"], "needs the duration of each track: add --track_duration=NAME"),
    (["--track_duration=time"], "--track_duration is for --skip_below_share"),
    (["--event_columns=devise"], "--event_columns=devise: log.csv has no such column (did you mean 'device'?)"),
    (["--event_columns=device,device"], "it must name each column once"),
]


@pytest.mark.parametrize(("flags", "message"), MISTAKES)
def test_mistakes_of_users(tmp_path, capsys, flags, message):
    (tmp_path / "log.csv").write_text(PLAYS)
    code = 1 if "line 2" in message else 2
    assert main([str(tmp_path / "log.csv"), f"--output={tmp_path / 'out'}", *flags]) == code
    assert message in capsys.readouterr().err.replace(f"{tmp_path}{os.sep}", "")
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_many_values_make_a_wider_column_and_too_many_are_refused(tmp_path, capsys, monkeypatch):
    values = [f"value {n}" for n in range(257)]
    for n, dtype in ((256, np.uint8), (257, np.uint16)):
        rows = [("a", "x", value) for value in values[:n]]
        source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "at/mood"])
        command = [source, "--event_columns=at/mood", "--overwrite", f"--output={tmp_path / 'out'}"]
        assert main(command) == 0
        log = load(tmp_path / "out")
        assert log.columns["at/mood"].dtype == dtype and values_of(log, "at/mood") == values[:n]
    monkeypatch.setattr(first_pass, "MAX_VALUES", 255)
    write_csv(tmp_path / "log.csv", [*rows[:9], *rows], ["user", "track", "at/mood"])
    assert main(command) == 1
    message = "log.csv, line 266, column at/mood: 'value 255' is value 256; an event column has at most 255 different"
    assert message in capsys.readouterr().err


log_rows = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 9), st.sampled_from(["", "0", "1"])),
    min_size=1,
    max_size=50,
)


@settings(max_examples=40, deadline=None)
@given(log_rows, st.integers(0, 3), st.integers(0, 4), st.booleans(), st.integers(0, 50))
def test_rules_keep_the_fields_of_a_play(tmp_path_factory, rows, k_core, min_history, drop, cut):
    """Each play has a weight of its own, by which the test looks up its row."""
    folder = tmp_path_factory.mktemp("plays")
    names = ["user", "track", "time", "ended", "weight", "context"]
    rows = [(*row, at, f"c{(row[1] + at) % 3}") for at, row in enumerate(rows)]
    files = {"train": rows[:cut], "test": rows[cut:]} if 0 < cut < len(rows) else {"train": rows}
    parts = {name: [write_csv(folder / f"{name}.csv", part, names)] for name, part in files.items()}
    options = LogImportOptions(
        k_core=k_core,
        min_history=min_history,
        repeats="drop" if drop else "keep",
        finished="ended",
        event_columns=("context",),
    )
    try:
        import_log([], folder / "out", options, **parts)
    except ValueError as error:
        assert "the rules leave no play" in str(error)
        return
    log = load(folder / "out")
    users, tracks = log.users["user"].to_list(), log.tracks["track"].to_list()
    code = {"": UNKNOWN, "1": FINISHED, "0": SKIPPED}
    assert log.outcomes is not None and log.parts is not None
    for user in range(log.n_users):
        for at in range(log.indptr[user], log.indptr[user + 1]):
            row = rows[int(log.weights[at])]
            assert (users[user], tracks[log.items[at]], log.times[at]) == (row[0], row[1], 1000 * row[2])
            assert (log.outcomes[at], values_of(log, "context")[at]) == (code[row[3]], row[5])
            assert log.parts[at] == (2 if "test" in parts and log.weights[at] >= cut else 0)


def test_clocks_that_run_backwards_are_counted(tmp_path, capsys):
    # b's second play and a's third are earlier than the one before of the same user; equal times are not.
    first = write_csv(tmp_path / "1.csv", [("a", "x", 9), ("b", "x", 5), ("a", "y", 9)], ["user", "track", "time"])
    second = write_csv(tmp_path / "2.csv", [("b", "z", 4), ("a", "z", 7), ("a", "w", 8)], ["user", "track", "time"])
    assert main([first, second, f"--output={tmp_path / 'out'}"]) == 0
    err = capsys.readouterr().err
    assert "warning: 2 of 6 plays are earlier than the one before of the same user in the input" in err
    assert f"the first is of user b in {second}, line 2." in err
    assert load(tmp_path / "out").card["clock_backwards"] == 2
    assert load(tmp_path / "out").times.tolist() == [7000, 8000, 9000, 9000, 4000, 5000]


NOW = 1_600_000_000


def test_clocks_that_run_forwards_give_no_warning(tmp_path, capsys):
    rows = [("a", "x", NOW + 9), ("b", "x", NOW + 5), ("a", "y", NOW + 9), ("b", "z", NOW + 6)]
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "time"])
    assert main([source, f"--output={tmp_path / 'out'}"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert load(tmp_path / "out").card["clock_backwards"] == 0
    # Parts do not continue each other: a random split has no clocks that run backwards.
    assert main(["--train", source, "--test", source, f"--output={tmp_path / 'parts'}"]) == 0
    assert "warning" not in capsys.readouterr().err
    import_log([source], tmp_path / "order", LogImportOptions(time="none"))
    assert load(tmp_path / "order").card["clock_backwards"] is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=40), st.integers(1, 40))
def test_backward_clocks_against_the_slow_twin(tmp_path_factory, plays, cut):
    folder = tmp_path_factory.mktemp("order")
    rows = [(user, "x", time) for user, time in plays]
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    files = [write_csv(folder / f"{at}.csv", part, ["user", "track", "time"]) for at, part in enumerate(parts)]
    card = import_log(files, folder / "out", LogImportOptions(time_unit="s"))
    of = {user: [time for other, time in plays if other == user] for user, _ in plays}
    expected = sum(b < a for times in of.values() for a, b in itertools.pairwise(times))
    assert card["clock_backwards"] == expected


def test_outcomes_of_a_simulated_world(tmp_path):
    """The rule by time played gives the outcomes that the simulator drew, since a skipped play ends before 60 %."""
    world = simulate("tiny", seed=3)
    write(world, tmp_path / "world")
    plays, tracks = str(tmp_path / "world" / "plays.csv"), str(tmp_path / "world" / "tracks.csv")
    import_log([plays], tmp_path / "by_column", LogImportOptions(finished="finished"))
    rule = LogImportOptions(play_duration="played_s", skip_below_share=0.8, track_table=tracks)
    import_log([plays], tmp_path / "by_rule", rule)
    by_column, by_rule = load(tmp_path / "by_column"), load(tmp_path / "by_rule")
    assert by_column.outcomes is not None and by_rule.outcomes is not None
    assert by_column.outcomes.tolist() == by_rule.outcomes.tolist()
    assert np.count_nonzero(by_column.outcomes == FINISHED) == world.plays.finished.sum()
    assert by_column.card["clock_backwards"] == 0
    assert json.loads((tmp_path / "by_rule" / "card.json").read_text())["options"]["skip_below_share"] == 0.8
