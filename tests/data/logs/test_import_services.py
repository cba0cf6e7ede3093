"""Exports of services: each is the same log as its plays in a CSV, and recognised by its content."""

import csv
import dataclasses
import datetime
import io
import json
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
import zstandard

from mu.data.logs.importing import playlist_files
from mu.data.logs.importing.formats import LogSource
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.recognition import recognised
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.data.options import OptionError
from mu.data.playlists import PlaylistTrack, parse_playlist, write_playlist

PLAYS = [  # user, artist, album, title, time; with commas, quotes, an empty album and a repeat
    ("rob", "Nova", "First", 'One, "two"', "2020-01-31T13:45"),
    ("ana", "Blå & Co", "", "Drei", "2020-01-31T13:41"),
    ("rob", "Nova", "First", 'One, "two"', "2020-02-01T00:00"),
    ("rob", "Tom, Dick", "Second - live", "Vier", "2020-01-30T09:05"),
]


def moment(time):
    return int(np.datetime64(time, "s").astype(np.int64))


def rows_of(names, *, one_listener):
    """The plays of `PLAYS` in a CSV of these columns."""
    full = [
        {"track": f"{artist} - {title}", "artist": artist, "album": album, "title": title, "user": user, "time": time}
        for user, artist, album, title, time in PLAYS
        if not (one_listener and user != "rob")
    ]
    return [[row[name] for name in names] for row in full]


def twin_of(folder, *, one_listener):
    """The log of the plays in a CSV."""
    names = ("user", "track", "time", "artist", "album", "title")
    with open(folder / "twin.csv", "w", newline="") as file:
        csv.writer(file).writerows([names, *rows_of(names, one_listener=one_listener)])
    options = LogImportOptions(track_attributes=("artist", "album"))
    if one_listener:
        options = dataclasses.replace(options, user_id="me", user="none")
    import_log([str(folder / "twin.csv")], folder / "twin", options)
    return load(folder / "twin")


def assert_equal_logs(log, twin, attributes=("track", "artist", "album", "title")):
    assert log.hash() == twin.hash() and log.users["user"].equals(twin.users["user"])
    assert log.tracks.select(attributes).equals(twin.tracks.select(attributes))


def scrobbles(kind):
    """Scrobbles of rob as a tool writes them."""
    rows = [play for play in PLAYS if play[0] == "rob"]
    dates = [datetime.datetime.fromisoformat(time).strftime("%d %b %Y %H:%M") for *_, time in rows]
    text = io.StringIO()
    if kind == "uts":
        names = ["uts", "utc_time", "artist", "artist_mbid", "album", "album_mbid", "track", "track_mbid"]
        writer = csv.writer(text, quoting=csv.QUOTE_ALL)
        writer.writerow(names)
        for (_, artist, album, title, time), date in zip(rows, dates, strict=True):
            writer.writerow([moment(time), date.replace(" 20", ", 20", 1), artist, "", album, "", title, "m-1"])
        return text.getvalue()
    writer = csv.writer(text, lineterminator="\n")
    if kind == "names":
        writer.writerow(["Artist", "Album", "Name", "Date"])
    if kind == "playing now":
        writer.writerow(["Nova", "", "Now", ""])
    for (_, artist, album, title, _), date in zip(rows, dates, strict=True):
        writer.writerow([artist, album, title, date])
    return text.getvalue()


@pytest.mark.parametrize("kind", ["uts", "plain", "names"])
def test_scrobbles_of_lastfm(tmp_path, kind, caplog):
    (tmp_path / "rob.csv").write_text(scrobbles(kind))
    with caplog.at_level("INFO"):
        import_log([str(tmp_path / "rob.csv")], tmp_path / "out")
    log = load(tmp_path / "out")
    assert_equal_logs(log, twin_of(tmp_path, one_listener=True))
    assert "reads as Last.fm scrobbles" in caplog.text
    assert ("recording_mbid" in log.tracks.columns) == (kind == "uts")


def test_a_track_that_plays_now_is_no_scrobble(tmp_path):
    (tmp_path / "rob.csv").write_text(scrobbles("playing now"))
    card = import_log([str(tmp_path / "rob.csv")], tmp_path / "out", LogImportOptions(format="lastfm"))
    assert card["rows_dropped"]["playing_now"] == 1 and card["events"] == 3 and card["rows_in"] == 4
    (tmp_path / "bad.csv").write_text("A,B,C,31 Jan 2020 13:45\nA,B,C,yesterday\n")
    with pytest.raises(ValueError, match=r"bad.csv, line 2, column time: unreadable time.*'yesterday'"):
        import_log([str(tmp_path / "bad.csv")], tmp_path / "no")
    (tmp_path / "wide.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="2 columns; scrobbles without a header have artist, album, title, date"):
        import_log([str(tmp_path / "wide.csv")], tmp_path / "no", LogImportOptions(format="lastfm"))


def listens(*, users):
    return [
        ({"user_name": user} if users else {})
        | {
            "listened_at": moment(time),
            "recording_msid": f"s-{title}",
            "track_metadata": {
                "artist_name": artist,
                "track_name": title,
                "release_name": album or None,
                "additional_info": {"duration": 61, "isrc": "XX0001", "tags": ["a", "b"], "links": {"x": [1]}},
                "mbid_mapping": {"recording_mbid": f"m-{title}", "artist_mbids": ["p", "q"], "caa_id": 5},
            },
        }
        for user, artist, album, title, time in PLAYS
        if users or user == "rob"
    ]


def lines(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def tar(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(f"listenbrainz-listens-dump/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def dump():
    records = listens(users=True)
    members = {"COPYING": b"{}", "TIMESTAMP": b"1", "listens/2020/1.listens": lines(records[:2])[:-1]}
    return tar(members | {"listens/2020/2.listens": lines(records[2:])})


LISTENS = {  # file -> its bytes, and whether users are named
    "dump.tar.zst": (lambda: zstandard.compress(dump()), True),
    "dump.tar.xz": (lambda: lzma.compress(dump()), True),
    "dump.tar": (dump, True),
    "2.listens": (lambda: lines(listens(users=True)), True),
    "of older dumps.listens": (lambda: lines(listens(users=True)).replace(b"listened_at", b"timestamp"), True),
    "answer.json": (
        lambda: json.dumps(
            {"payload": {"count": 4, "listens": listens(users=True), "user_id": "x"}}, indent=1
        ).encode(),
        True,
    ),
    "array.json": (lambda: json.dumps(listens(users=False)).encode(), False),
    "export.jsonl": (lambda: lines(listens(users=False)), False),
}


@pytest.mark.parametrize("name", LISTENS)
def test_listens_of_listenbrainz(tmp_path, name):
    data, users = LISTENS[name]
    (tmp_path / name).write_bytes(data())
    import_log([str(tmp_path / name)], tmp_path / "out")
    log = load(tmp_path / "out")
    assert_equal_logs(log, twin_of(tmp_path, one_listener=not users))
    first = log.tracks.row(0, named=True)
    assert (first["recording_mbid"], first["artist_mbids"], first["isrc"]) == ('m-One, "two"', "p|q", "XX0001")


def test_ids_and_durations_of_listens(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(lines(listens(users=True)))
    options = LogImportOptions(track="recording_mbid", event_columns=("duration_ms",), track_attributes=("isrc",))
    import_log([str(tmp_path / "a.jsonl")], tmp_path / "out", options)
    log = load(tmp_path / "out")
    assert log.tracks["track"].to_list() == ['m-One, "two"', "m-Drei", "m-Vier"]
    assert log.vocabulary("duration_ms") == ["61000"]


def test_what_is_no_listen_is_counted(tmp_path):
    now = listens(users=True)[0]
    del now["listened_at"]
    (tmp_path / "a.jsonl").write_bytes(lines([*listens(users=True), now, {"user_name": "x", "score": 1}]))
    card = import_log([str(tmp_path / "a.jsonl")], tmp_path / "out")
    assert card["rows_dropped"] == {"bad": 0, "min_play_s": 0, "playing_now": 1, "without_track": 1}


def test_an_export_of_listenbrainz_as_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "listenbrainz_rob.zip", "w") as archive:
        archive.writestr("user.json", '{"username": "rob"}')
        archive.writestr("feedback.jsonl", '{"recording_msid": "x", "score": 1}\n')
        archive.writestr("listens/2020/1.jsonl", lines(listens(users=False)))
    import_log([str(tmp_path / "listenbrainz_rob.zip")], tmp_path / "out")
    assert_equal_logs(load(tmp_path / "out"), twin_of(tmp_path, one_listener=True))


def test_archives_without_listens_or_cut(tmp_path):
    (tmp_path / "spark.tar").write_bytes(tar({"0.parquet": b"PAR1"}))
    with pytest.raises(ValueError, match=r"spark.tar is a tar archive without JSON lines"):
        import_log([str(tmp_path / "spark.tar")], tmp_path / "no")
    random = np.random.default_rng(0).bytes(300_000).hex().encode()
    whole = zstandard.compress(tar({"a.listens": lines(listens(users=True)), "z.txt": random}))
    (tmp_path / "cut.tar.zst").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut.tar.zst cannot be read, it may be damaged"):
        import_log([str(tmp_path / "cut.tar.zst")], tmp_path / "no")


def test_slices_of_the_million_playlist_dataset(tmp_path):
    playlists = []
    for pid in (7, 8):
        tracks = [
            {
                "pos": pos,
                "artist_name": artist,
                "track_uri": f"spotify:track:{title}",
                "artist_uri": f"spotify:artist:{artist}",
                "track_name": title,
                "album_uri": "spotify:album:1",
                "duration_ms": 1000,
                "album_name": album,
            }
            for pos, (_, artist, album, title, _) in enumerate(PLAYS[: pid - 4])
        ]
        playlists.append({"name": f"mix {pid}", "collaborative": "false", "pid": pid, "tracks": tracks[::-1]})
    (tmp_path / "mpd.slice.0-999.json").write_text(
        json.dumps({"info": {"slice": "0-999", "version": "v1"}, "playlists": playlists}, indent=4)
    )
    card = import_log([str(tmp_path / "mpd.slice.0-999.json")], tmp_path / "out")
    log = load(tmp_path / "out")
    assert card["time_unit"] == "order" and log.lengths.tolist() == [3, 4]
    assert log.users.rows() == [(7, "mix 7"), (8, "mix 8")]
    titles = ['One, "two"', "Drei", "Vier"]
    assert log.tracks["track"].to_list() == [f"spotify:track:{title}" for title in titles]
    assert log.items.tolist() == [0, 1, 0, 0, 1, 0, 2] and log.tracks["artist"].to_list()[1] == "Blå & Co"


@pytest.mark.parametrize(
    ("tracks", "reason"),
    [
        (None, "its 'tracks' are no list of objects"),
        (["spotify:track:1"], "its 'tracks' are no list of objects"),
        ([{"track_uri": "spotify:track:1"}], "a track has pos=None, which is no whole number"),
        ([{"track_uri": "spotify:track:1", "pos": 0.5}], "a track has pos='0.5', which is no whole number"),
    ],
)
def test_a_playlist_of_a_slice_that_cannot_be_read_is_a_bad_row(tmp_path, tracks, reason):
    whole = {"pid": 1, "name": "mix", "tracks": [{"track_uri": "spotify:track:1", "pos": 0}]}
    (tmp_path / "slice.json").write_text(
        json.dumps({"playlists": [whole, {"pid": 2, "name": "mix", "tracks": tracks}]})
    )
    with pytest.raises(ValueError, match=rf"slice.json, line 2, column \(line\): {reason}"):
        import_log([str(tmp_path / "slice.json")], tmp_path / "out", LogImportOptions(format="mpd"))
    card = import_log([str(tmp_path / "slice.json")], tmp_path / "out", LogImportOptions(format="mpd", on_error="skip"))
    assert card["rows_dropped"]["bad"] == 1 and load(tmp_path / "out").users["user"].to_list() == [1]


PLAYLIST = [
    PlaylistTrack("", "spotify:track:1", "One", "Nova", "First", 61_000),
    PlaylistTrack("", "12 / å", "Zwei <&>", 'The "B"', ""),
    PlaylistTrack("", "#1", "Drei", "", "Third"),
    PlaylistTrack("", "spotify:track:1", "One", "Nova", "First", 61_000),
]


@pytest.mark.parametrize("extension", ["m3u", "m3u8", "xspf", "jspf"])
def test_playlists_are_read_as_they_are_written(tmp_path, extension):
    """The same log as its CSV, and with what a playlist can hold the same table of tracks."""
    write_playlist(tmp_path / f"road trip.{extension}", PLAYLIST, title="Road trip")
    import_log([str(tmp_path / f"road trip.{extension}")], tmp_path / "out")
    with open(tmp_path / "twin.csv", "w", newline="") as file:
        rows = [("road trip", track.identifier, track.title, track.artist, track.album) for track in PLAYLIST]
        csv.writer(file).writerows([("user", "track", "title", "artist", "album"), *rows])
    import_log([str(tmp_path / "twin.csv")], tmp_path / "twin", LogImportOptions(track_attributes=("artist", "album")))
    log, twin = load(tmp_path / "out"), load(tmp_path / "twin")
    assert_equal_logs(log, twin, ("track", "title", "artist", "album"))
    assert log.items.tolist() == [0, 1, 2, 0] and log.users["user"].to_list() == ["road trip"]


def test_playlists_of_other_programs(tmp_path):
    (tmp_path / "a.m3u").write_bytes(
        b"#EXTM3U\r\n#EXTINF:123,Nova - One - live\r\n# a comment\r\nMusic/one.mp3\r\n\r\nhttp://x/two.mp3\r\n"
    )
    (tmp_path / "e.m3u").write_bytes(b'#EXTM3U\n#EXTINF:-1 logo="a,b" group="c d",Nova - One, two\nx.mp3\n')
    (tmp_path / "b.m3u").write_bytes("Musik/Blå.mp3\n".encode("latin-1"))
    (tmp_path / "c.xspf").write_text(
        '<?xml version="1.0"?>\n<playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track>'
        "<location>file:///a.ogg</location><title>T</title><creator>C</creator></track></trackList></playlist>"
    )
    (tmp_path / "d.jspf").write_text(json.dumps({"playlist": {"track": [{"title": "T", "creator": "C"}]}}))
    import_log([str(tmp_path / "a.m3u")], tmp_path / "a")
    assert load(tmp_path / "a").tracks.rows() == [
        ("Music/one.mp3", "Nova", None, "One - live"),
        ("http://x/two.mp3", None, None, None),
    ]
    import_log([str(tmp_path / "e.m3u")], tmp_path / "e")
    assert load(tmp_path / "e").tracks.rows() == [("x.mp3", "Nova", None, "One, two")]
    with pytest.raises(ValueError, match=r"b.m3u is not valid utf-8; try --encoding=latin-1"):
        import_log([str(tmp_path / "b.m3u")], tmp_path / "no")
    import_log([str(tmp_path / "b.m3u")], tmp_path / "b", LogImportOptions(encoding="latin-1"))
    assert load(tmp_path / "b").tracks["track"].to_list() == ["Musik/Blå.mp3"]
    import_log([str(tmp_path / "c.xspf")], tmp_path / "c")
    assert load(tmp_path / "c").tracks["track"].to_list() == ["file:///a.ogg"]
    import_log([str(tmp_path / "d.jspf")], tmp_path / "d")
    assert load(tmp_path / "d").tracks["track"].to_list() == ["C - T"]


def test_letters_of_a_playlist_in_another_encoding_are_kept(tmp_path):
    """The flag says how the file is read; what its XML declares is then no more true of the text."""
    text = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList>'
        "<track><title>Blå</title><creator>Ärla</creator></track></trackList></playlist>"
    )
    (tmp_path / "a.xspf").write_bytes(text.encode("latin-1"))
    import_log([str(tmp_path / "a.xspf")], tmp_path / "out", LogImportOptions(encoding="latin-1"))
    assert load(tmp_path / "out").tracks["track"].to_list() == ["Ärla - Blå"]


def test_lines_of_m3u_end_where_files_say_so():
    """Other characters that end a line for Python are letters of a name; './' is taken off before a '#' alone."""
    text = "#EXTM3U\r\n#EXTINF:1,A\u2028B - C\x85D\rfirst\x0b.mp3\n./#1.mp3\n./dir/#2.mp3\n./x/./#3.mp3\n"
    tracks = parse_playlist(text, "m3u")
    assert [track.location for track in tracks] == ["first\x0b.mp3", "#1.mp3", "./dir/#2.mp3", "./x/./#3.mp3"]
    assert (tracks[0].artist, tracks[0].title) == ("A\u2028B", "C\x85D")


def test_a_playlist_after_many_comments_is_recognised_at_once(tmp_path):
    comments = "<!-- a > b -->\n" * 2_000
    (tmp_path / "a.xml.json").write_text(f"<?xml version='1.0'?>{comments}<playlist/>")
    (tmp_path / "b.json").write_text(f"{comments}<other/>")
    (tmp_path / "c.json").write_text("<!-- <playlist --><other/>")
    formats = [recognised(LogSource(str(tmp_path / name), "")) for name in ("a.xml.json", "b.json", "c.json")]
    assert formats == ["xspf", None, None]


def test_faults_of_playlists(tmp_path, monkeypatch):
    faults = {
        "a.xspf": ("<playlist><trackList>", "a.xspf is no XML"),
        "b.jspf": ('{"playlist": {"tracks": []}}', "b.jspf is no playlist"),
        "c.jspf": ('{"playlist": {"track": [1]}}', "c.jspf is no playlist.*no list of objects"),
        "d.jspf": ('{"playlist": {', "d.jspf is no JSON"),
        "e.jspf": ('{"playlist": {"track": [{}]}}', "e.jspf, line 1.*without identifier, location and title"),
    }
    for name, (text, message) in faults.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=message):
            import_log([str(tmp_path / name)], tmp_path / "no")
    with pytest.raises(ValueError, match=r"list.txt: a playlist is written as .m3u, .m3u8, .xspf, .jspf"):
        write_playlist(tmp_path / "list.txt", PLAYLIST)
    monkeypatch.setattr(playlist_files, "MAX_BYTES", 8)
    with pytest.raises(ValueError, match=r"b.jspf is larger than"):
        import_log([str(tmp_path / "b.jspf")], tmp_path / "no")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("log.csv", "user,track,time\nu,a,31 Jan 2020 13:45\n"),
        ("wide.csv", "u,a,b,c,31 Jan 2020 13:45\n"),
        ("log.json", '[{"ts": 1, "ms_played": 2, "track": "x"}]'),
        ("log.jsonl", '{"listened_at": 1, "user": "u", "track": "listened_at track_metadata"}\n'),
        ("page.json", '{"playlist": "x"}'),
    ],
)
def test_other_files_are_not_mistaken(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert recognised(LogSource(str(tmp_path / name), "")) is None


def test_a_folder_of_several_services_asks_which(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "rob.csv").write_text(scrobbles("plain"))
    (tmp_path / "in" / "a.jsonl").write_bytes(lines(listens(users=False)))
    with pytest.raises(OptionError, match=r"ListenBrainz listens and Last.fm scrobbles.*--format=listenbrainz or"):
        import_log([str(tmp_path / "in")], tmp_path / "out")
    import_log([str(tmp_path / "in")], tmp_path / "out", LogImportOptions(format="lastfm"))
    assert load(tmp_path / "out").lengths.tolist() == [3]
