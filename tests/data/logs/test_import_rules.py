"""Rules of an import against a slow twin; the sort is stable."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.data.logs.importing import row_kernels
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from tests.helpers.log_files import write_csv


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


def test_sorting_kernel_is_stable():
    generator = np.random.default_rng(4)
    for n in (0, 1, 15, 16, 17, 100, 1000):
        values = generator.integers(0, 7, n)
        assert row_kernels.stable_order(values).tolist() == np.argsort(values, kind="stable").tolist()


def test_event_columns_may_have_the_names_of_arrays(tmp_path):
    """Rules renumber tracks; codes of a column called 'items' are no tracks."""
    names = ("items", "indptr", "times")
    rows = [(f"u{play % 3}", f"t{play % 4}", play, *(f"{name}{play % 5}" for name in names)) for play in range(60)]
    rows += [("once", "rare", 60, "items9", "indptr9", "times9")]
    source = write_csv(tmp_path / "log.csv", rows, ["user", "track", "time", *names])
    options = LogImportOptions(event_columns=names, k_core=2)
    import_log([str(source)], tmp_path / "log", options)
    log = load(tmp_path / "log")
    kept = sorted((row for row in rows if row[0] != "once"), key=lambda row: (int(row[0][1:]), row[2]))
    for place, name in enumerate(names):
        words = [log.vocabulary(name)[code] for code in log.columns[name]]
        assert words == [row[3 + place] for row in kept], name
    assert [log.tracks["track"][int(item)] for item in log.items] == [row[1] for row in kept]
