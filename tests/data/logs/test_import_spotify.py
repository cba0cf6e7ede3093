"""Spotify's exports: as the same plays in a CSV; zip archives, folders and files; what is no track is counted."""

import csv
import dataclasses
import json
import weakref
import zipfile

import numpy as np
import pytest

from mu.data.logs.importing import archives
from mu.data.logs.importing.archives import in_order, member_names
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.data.options import OptionError

PLAYS = [  # time, track, title, artist, album, ms played, skipped
    ("2021-11-15T13:41:44Z", "spotify:track:aa", "One", "Nova", "First", 200_000, False),
    ("2021-11-15T13:38:00Z", "spotify:track:bb", "Zwei, drei", "Blå", "First", 3_000, True),
    ("2021-11-16T09:00:00Z", "spotify:track:aa", "One", "Nova", "First", 199_000, None),
]


def extended(play):
    time, track, title, artist, album, ms, skipped = play
    return {
        "ts": time,
        "username": "someone",
        "platform": "ios",
        "ms_played": ms,
        "master_metadata_track_name": title,
        "master_metadata_album_artist_name": artist,
        "master_metadata_album_album_name": album,
        "spotify_track_uri": track,
        "episode_name": None,
        "spotify_episode_uri": None,
        "reason_end": "fwdbtn" if skipped else "trackdone",
        "shuffle": True,
        "skipped": skipped,
    }


NOTHING = dict.fromkeys(extended(PLAYS[0])) | {"ts": "2021-11-15T10:00:00Z", "ms_played": 5}
PODCAST = NOTHING | {"episode_name": "Talk", "spotify_episode_uri": "spotify:episode:1"}
AUDIOBOOK = NOTHING | {"audiobook_title": "Novel", "audiobook_uri": "spotify:show:1"}
EXTENDED = [PODCAST, extended(PLAYS[0]), AUDIOBOOK, extended(PLAYS[1]), NOTHING, extended(PLAYS[2])]
ACCOUNT = [
    {"endTime": time[:16].replace("T", " "), "artistName": artist, "trackName": title, "msPlayed": ms}
    for time, _, title, artist, _, ms, _ in PLAYS
]


def csv_of(path, rows, names):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return str(path)


@pytest.fixture
def twin(tmp_path):
    """The same plays of tracks, imported from a CSV."""
    file = csv_of(tmp_path / "twin.csv", PLAYS, ["time", "track", "title", "artist", "album", "ms_played", "skipped"])
    options = LogImportOptions(user_id="me", skipped="skipped", track_attributes=("artist", "album"))
    options = dataclasses.replace(options, event_numbers=("ms_played",))
    import_log([file], tmp_path / "twin", options)
    return load(tmp_path / "twin")


def archive(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, rows in files.items():
            file.writestr(name, rows if isinstance(rows, str) else json.dumps(rows, indent=1))
    return str(path)


def test_what_macos_adds_to_archives_and_folders_is_no_file_of_plays(tmp_path, caplog):
    of_macos = "\0\5\x16\7\0\2\0\0Mac OS X"
    plays = "user,track,time\na,x,1600000000\n"
    data = archive(tmp_path / "a.zip", {"plays.csv": plays, "__MACOSX/._plays.csv": of_macos, "__MACOSX/x.csv": ""})
    assert import_log([data], tmp_path / "out")["events"] == 1
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / "endsong_0.json").write_text(json.dumps(EXTENDED))
    (folder / "._endsong_0.json").write_text(of_macos)
    with caplog.at_level("INFO"):
        assert import_log([str(folder)], tmp_path / "folder")["events"] == 3
    assert "._endsong_0.json" not in caplog.text


def test_files_are_read_in_the_order_of_their_numbers(tmp_path):
    names = [f"StreamingHistory{n}.json" for n in (0, 2, 10)]
    data = archive(tmp_path / "a.zip", dict.fromkeys(names[::-1], "[]"))
    assert member_names(data) == names and in_order(reversed(names)) == names


FOLDER = "Spotify Extended Streaming History"
FILES = {
    f"{FOLDER}/Streaming_History_Audio_2021_0.json": EXTENDED[:4],
    f"{FOLDER}/Streaming_History_Audio_2021_1.json": EXTENDED[4:],
    f"{FOLDER}/ReadMeFirst.pdf": "%PDF",
    f"{FOLDER}/Playlist1.json": {"playlists": []},
}


@pytest.mark.parametrize("place", ["zip", "folder", "files", "older names"])
def test_the_extended_history_is_the_same_log_as_its_csv(tmp_path, twin, place, caplog):
    files = FILES
    if place == "older names":
        files = {"MyData/endsong_0.json": EXTENDED}
    inputs = [archive(tmp_path / "my_spotify_data.zip", files)]
    if place != "zip":
        zipfile.ZipFile(inputs[0]).extractall(tmp_path / "unpacked")
        inputs = [str(tmp_path / "unpacked")]
    if place == "files":
        inputs = [str(path) for path in sorted((tmp_path / "unpacked").rglob("Stream*.json"))]
    with caplog.at_level("INFO"):
        card = import_log(inputs, tmp_path / "out")
    log = load(tmp_path / "out")
    assert log.hash() == twin.hash() and log.tracks.equals(twin.tracks) and log.users.equals(twin.users)
    assert card["rows_in"] == 6 and card["events"] == 3
    assert card["rows_dropped"] == {"bad": 0, "min_play_s": 0, "podcasts": 1, "audiobooks": 1, "without_track": 1}
    assert "reads as Spotify extended streaming history" in caplog.text
    assert ("Playlist1.json" in caplog.text) == (place in ("zip", "folder"))


def test_flags_choose_otherwise(tmp_path):
    data = archive(tmp_path / "a.zip", FILES)
    options = LogImportOptions(user_id="anna", min_play_s=30, event_columns=("platform", "reason_end"), skip_below_s=30)
    card = import_log([data], tmp_path / "out", options)
    log = load(tmp_path / "out")
    assert log.users["user"].to_list() == ["anna"] and card["rows_dropped"]["min_play_s"] == 1
    assert log.outcomes is not None and log.outcomes.tolist() == [1, 1]
    assert log.numbers["ms_played"].tolist() == [200_000, 199_000]
    assert log.vocabulary("platform") == ["ios"] and log.vocabulary("reason_end") == ["trackdone"]
    import_log([data], tmp_path / "named", LogImportOptions(user="username"))
    assert load(tmp_path / "named").users["user"].to_list() == ["someone"]


@pytest.mark.parametrize("key", ["user", "user_id", "listener"])
@pytest.mark.parametrize("layout", ["lines", "array"])
@pytest.mark.parametrize("format", ["extended", "account"])
def test_plays_of_many_users_with_spotify_s_keys_are_of_many_users(tmp_path, key, layout, format):
    records = [extended(play) for play in PLAYS] if format == "extended" else ACCOUNT
    plays = [record | {key: name} for name, record in zip(("anna", "ben", "anna"), records, strict=True)]
    (tmp_path / "plays.json").write_text(
        json.dumps(plays) if layout == "array" else "".join(f"{json.dumps(play)}\n" for play in plays)
    )
    import_log([str(tmp_path / "plays.json")], tmp_path / "out")
    log = load(tmp_path / "out")
    assert log.users["user"].to_list() == ["anna", "ben"] and log.lengths.tolist() == [2, 1]
    assert log.n_items == 2 and log.numbers["ms_played"].tolist() == [200_000, 199_000, 3_000]
    import_log([str(tmp_path / "plays.json")], tmp_path / "mine", LogImportOptions(user="none", user_id="me"))
    assert load(tmp_path / "mine").users["user"].to_list() == ["me"]


def test_accounts_of_json_lines_are_users_and_that_of_an_export_is_none(tmp_path):
    plays = [extended(play) | {"username": name} for name, play in zip(("anna", "ben", "anna"), PLAYS, strict=True)]
    for name, records in (("named", plays), ("nameless", [play | {"username": None} for play in plays])):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in [PODCAST, *records]))
        import_log([str(tmp_path / f"{name}.jsonl")], tmp_path / name)
    assert load(tmp_path / "named").users["user"].to_list() == ["anna", "ben"]
    assert load(tmp_path / "nameless").users["user"].to_list() == ["me"]
    (tmp_path / "export.json").write_text(json.dumps(plays))
    import_log([str(tmp_path / "export.json")], tmp_path / "export")
    assert load(tmp_path / "export").users["user"].to_list() == ["me"]


def test_account_data(tmp_path):
    podcasts = [{"endTime": "2021-11-15 10:00", "podcastName": "P", "episodeName": "Talk", "msPlayed": 9}]
    unknown = [{"endTime": "2021-11-15 10:00", "artistName": "Unknown Artist", "trackName": "Unknown Track"}]
    files = {
        "Spotify Account Data/StreamingHistory_music_0.json": ACCOUNT + unknown,
        "Spotify Account Data/StreamingHistory_podcast_0.json": podcasts,
        "Spotify Account Data/Userdata.json": {"username": "x"},
    }
    card = import_log([archive(tmp_path / "my_spotify_data.zip", files)], tmp_path / "out")
    log = load(tmp_path / "out")
    assert log.tracks.rows() == [("Nova - One", "Nova", "One"), ("Blå - Zwei, drei", "Blå", "Zwei, drei")]
    assert log.items.tolist() == [1, 0, 0] and log.outcomes is None
    times = np.array(["2021-11-15T13:38", "2021-11-15T13:41", "2021-11-16T09:00"], "datetime64[ms]")
    assert log.times.tolist() == times.astype(np.int64).tolist()
    assert card["rows_dropped"] == {"bad": 0, "min_play_s": 0, "without_track": 1, "podcasts": 1}


def test_archives_that_are_refused(tmp_path, monkeypatch):
    both = FILES | {"StreamingHistory0.json": ACCOUNT}
    with pytest.raises(OptionError, match="the same plays twice; add --format=spotify or --format=spotify_account"):
        import_log([archive(tmp_path / "both.zip", both)], tmp_path / "out")
    import_log([str(tmp_path / "both.zip")], tmp_path / "out", LogImportOptions(format="spotify_account"))
    assert load(tmp_path / "out").tracks["track"].to_list()[0] == "Nova - One"
    with pytest.raises(OptionError, match=r"no text file of plays \(photo.jpg\); unpack it"):
        import_log([archive(tmp_path / "other.zip", {"photo.jpg": ""})], tmp_path / "no")
    with pytest.raises(ValueError, match=r"broken.zip cannot be read, it may be damaged"):
        (tmp_path / "broken.zip").write_bytes((tmp_path / "both.zip").read_bytes()[:-200])
        import_log([str(tmp_path / "broken.zip")], tmp_path / "no")
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 100)
    with pytest.raises(ValueError, match=r"both.zip/.* may have up to"):
        import_log([str(tmp_path / "both.zip")], tmp_path / "no")
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    with pytest.raises(ValueError, match="holds 5 files; an archive of up to 2"):
        import_log([str(tmp_path / "both.zip")], tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_the_names_in_an_archive_are_read_once(tmp_path, monkeypatch):
    """Reading them for each file takes time with the square of the number of files."""
    opened = []

    class Counted(zipfile.ZipFile):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            opened.append(weakref.ref(self))

    names = [f"endsong_{n}.json" for n in range(20)]
    data = archive(tmp_path / "a.zip", dict.fromkeys(names, EXTENDED[:2]))
    monkeypatch.setattr(archives.zipfile, "ZipFile", Counted)
    assert import_log([data], tmp_path / "out")["events"] == 20
    assert len(opened) == 1 and opened[0]() is None, "opened once, and closed with the import"


def test_an_archive_that_has_changed_is_read_anew(tmp_path):
    data = archive(tmp_path / "a.zip", {"a.json": []})
    assert member_names(data) == ["a.json"]
    archive(tmp_path / "a.zip", {"b.json": [], "c.json": []})
    assert member_names(data) == ["b.json", "c.json"]


def test_paths_in_an_archive_lead_nowhere(tmp_path):
    """Names that would leave the folder where an archive is unpacked are only names."""
    (tmp_path / "in").mkdir()
    data = archive(tmp_path / "in" / "a.zip", {"../../endsong_0.json": EXTENDED, "/tmp/mu_never.json": EXTENDED[:2]})
    before = set(tmp_path.rglob("*"))
    import_log([data], tmp_path / "out")
    assert {path for path in tmp_path.rglob("*") if tmp_path / "out" not in (path, *path.parents)} == before
    assert load(tmp_path / "out").n_users == 1


def test_the_only_file_of_plays_in_an_archive(tmp_path):
    import_log(
        [archive(tmp_path / "a.zip", {"plays.csv": "user,track\nu,a\nu,b\n", "about.pdf": ""})], tmp_path / "out"
    )
    assert load(tmp_path / "out").items.tolist() == [0, 1]
    with pytest.raises(OptionError, match="has 2 files of plays"):
        import_log([archive(tmp_path / "b.zip", {"a.csv": "user,track\n", "b.csv": ""})], tmp_path / "no")


def test_a_bad_row_in_an_archive_is_named(tmp_path):
    files = {"endsong_0.json": [EXTENDED[1], EXTENDED[3] | {"ts": "yesterday"}]}
    with pytest.raises(ValueError, match=r"a.zip/endsong_0.json, line 2, column time: unreadable time.*'yesterday'"):
        import_log([archive(tmp_path / "a.zip", files)], tmp_path / "out")
