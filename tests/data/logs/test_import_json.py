"""JSON: arrays as services export them, read in pieces; values as they are written; faults are bad rows."""

import gzip
import json
from typing import Any

import numpy as np
import pytest

from mu.data.logs.importing import json_array, jsonl
from mu.data.logs.importing.bad_rows import BadRowError
from mu.data.logs.importing.json_values import read_object
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.data.options import OptionError
from tests.helpers.log_files import imported

SPOTIFY = [
    {
        "ts": f"2021-11-15T13:4{at}:44Z",
        "ms_played": 20_000 * at,
        "master_metadata_track_name": f"Song {at}",
        "master_metadata_album_artist_name": 'A "quoted" artist',
        "spotify_track_uri": f"spotify:track:{at}",
        "offline": at > 1,
        "episode_name": None,
    }
    for at in range(4)
]
FLAGS: dict[str, Any] = {
    "user_id": "me",
    "track": "spotify_track_uri",
    "min_play_s": 30.0,
    "title": "master_metadata_track_name",
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_spotifys_extended_history(tmp_path, monkeypatch, indent, size):
    """Two files, one of them compressed, in pieces of any size."""
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", size)
    monkeypatch.setattr(json_array, "BATCH_RECORDS", 2)
    first, second = tmp_path / "Streaming_History_Audio_0.json", tmp_path / "Streaming_History_Audio_1.json"
    first.write_text(json.dumps(SPOTIFY[:3], indent=indent))
    second.write_bytes(gzip.compress(("\ufeff " + json.dumps(SPOTIFY[3:], indent=indent)).encode()))
    card = import_log(
        [str(first), str(second)], tmp_path / "out", LogImportOptions(**FLAGS, event_columns=("offline",))
    )
    log = load(tmp_path / "out")
    assert log.users["user"].to_list() == ["me"] and card["rows_dropped"] == {"bad": 0, "min_play_s": 2}
    assert log.tracks.select("track", "title").rows() == [(f"spotify:track:{at}", f"Song {at}") for at in (2, 3)]
    assert [str(np.datetime64(int(t), "ms")) for t in log.times] == [f"2021-11-15T13:4{at}:44.000" for at in (2, 3)]
    assert log.vocabulary("offline") == ["true"]


def test_spotifys_account_data(tmp_path):
    rows = [{"endTime": "2021-01-05 10:00", "artistName": "X", "trackName": "21", "msPlayed": 40_000}]
    options = {"user_id": "7", "track": "trackName", "time": "endTime", "track_attributes": ("artistName",)}
    assert imported(tmp_path, "StreamingHistory0.json", json.dumps(rows).encode(), **options) == ([7], [21], [])
    assert load(tmp_path / "out").times.tolist() == [1_609_840_800_000]


def test_the_listener_of_a_log_without_users(tmp_path):
    data = b"track\na\nb\n"
    with pytest.raises(OptionError, match=r"which column is the user.*--user_id=ID where all plays"):
        imported(tmp_path, "log.csv", data)
    assert imported(tmp_path, "log.csv", data, user_id="0042") == (["0042"], ["a", "b"], [])
    named = b"track,username\na,x\n"
    with pytest.raises(OptionError, match=r"has 'username': leave out --user_id, or add --user=none"):
        imported(tmp_path, "log.csv", named, user_id="me")
    assert imported(tmp_path, "log.csv", named, user_id="me", user="none")[0] == ["me"]
    taken = b"track,user\na,x\n"
    assert imported(tmp_path, "log.csv", taken, user_id="me", user="none", event_columns=("user",))[0] == ["me"]
    wrong_options: list[dict[str, Any]] = [{"user_id": ""}, {"user_id": "me", "user": "username"}]
    for wrong in wrong_options:
        with pytest.raises(OptionError, match="user_id is"):
            LogImportOptions(**wrong)


DEEP = "[" * 100_000 + "]" * 100_000
FAULTS = [  # the second of three records, number and part of the reason of the bad row
    ('{"user": "u" "track": "x"}', "not JSON: Expecting ','.* in line 2"),
    ('{"user": "u", "track": "x\n"}', "not JSON: Invalid control character"),
    (f'{{"user": "u", "track": {DEEP}}}', "more than 64 lists"),
    ('{"user": "u", "track": ' + "[" * 70 + "]" * 70 + "}", "more than 64 lists"),
    ("5", "not a JSON object"),
    ('{"user": ["u"], "track": "x"}', "one value is due, not several"),
    ('{"user": "u", "track": {"id": 1}}', "one value is due, not several"),
    ('{"user": "u", "track": "\\ud800"}', "half of a surrogate pair"),
    ('{"user": "u", "track": "x", "tags": ["a|b"]}', "which a value holds itself"),
    ('{"user": "u", "track": NaN}', "missing field"),
]


@pytest.mark.parametrize(("record", "reason"), FAULTS)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_fault_in_an_array_or_in_a_line_is_a_bad_row(tmp_path, monkeypatch, record, reason, size):
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", max(size, len(record) // 50))
    good = ['{"user": "u", "track": "a", "tags": null}', '{"user": "u", "track": "b"}']
    array = f"[{good[0]},\n{record},\n{good[1]}]\n".encode()
    options = {"track_attributes": ("tags",)}
    users, tracks, bad = imported(tmp_path, "a.json", array, **options)
    assert (users, tracks) == (["u"], ["a", "b"])
    assert [line for line, _ in bad] == [2]
    with pytest.raises(BadRowError, match=reason):
        imported(tmp_path, "a.json", array, **options, on_error="stop")
    if "\n" not in record:
        users, tracks, bad = imported(tmp_path, "l.json", "\n".join([good[0], record, good[1]]).encode(), **options)
        assert (users, tracks) == (["u"], ["a", "b"]) and [line for line, _ in bad] == [2]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ('[{"user": 1, "track": 2}, {"user": 1, "tra', 2, "the file ends inside of its array"),
        ('[{"user": 1, "track": 2}, {"user": 1 "track": 3}]', 2, "not JSON: Expecting ',' delimiter, in line 1"),
        ('[{"user": 1, "track": 2},', 2, "the file ends inside of its array"),
        ('[{"user": 1, "track": 2}] []', 2, "text after the end of the array, in line 1"),
        ('[{"user": 1, "track": 2}\n{"user": 1, "track": 3}]', 2, "no comma before it, in line 2"),
    ],
)
def test_the_end_of_an_array(tmp_path, text, line, reason):
    users, tracks, bad = imported(tmp_path, "a.json", text.encode())
    assert (users, tracks) == ([1], [2])
    assert [number for number, _ in bad] == [line] and bad[0][1].startswith(reason)


def test_an_element_above_the_limit_is_a_bad_row(tmp_path, monkeypatch):
    monkeypatch.setattr(json_array, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(jsonl, "BLOCK_BYTES", 32)
    long = '{"user": "' + "x" * 1000 + '", "track": "y"}'
    text = f'[{{"user": "u", "track": "a"}}, {long}, {{"user": "u", "track": "b"}}]'
    users, tracks, bad = imported(tmp_path, "a.json", text.encode())
    assert (users, tracks, [line for line, _ in bad]) == (["u"], ["a", "b"], [2])


def test_values_are_what_was_written(tmp_path):
    record = (
        '{"user": 1.10, "track": "1e5", "a": ["rock", null, 2.50, true], "b": {"x": [1.10, "é"]}, "c": false, "d": []}'
    )
    imported(tmp_path, "a.jsonl", record.encode(), track_attributes=("a", "b", "c", "d"))
    log = load(tmp_path / "out")
    assert log.users["user"].to_list() == ["1.10"]
    assert log.tracks.rows() == [("1e5", "rock|2.50|true", '{"x": [1.10, "é"]}', "false", None)]


@pytest.mark.parametrize(("text", "at"), [('{"a": 1} x', 10), ('{"a": 1}{', 9), ("1 2", 3)])
def test_text_behind_an_object_is_refused_with_its_place(text, at):
    assert read_object(text) == ({}, f"not JSON: Extra data at character {at}")
    assert read_object(' {"a": 1}\t') == ({"a": "1"}, "")
