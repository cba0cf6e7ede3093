"""Tags of audio files become columns, whatever notation they are in; bad ones are named, and lose no clip."""

import dataclasses
import struct

import mutagen
import mutagen.flac
import mutagen.id3 as id3
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave
import polars as pl
import pytest
from mutagen.mp3 import MP3

from mu.commands.import_audio import main
from mu.data.clips.importing.run import import_audio
from mu.data.clips.importing.tags import TAGS, read_tags
from mu.data.options import OptionError
from tests.helpers.audio_files import FORMATS, sound, write
from tests.helpers.audio_imports import ONE, ledger_of

WANTED = {
    "artist": "Nova|Blå",
    "title": "AC/DC live",
    "album": "First",
    "genre": "Ambient|Dub",
    "isrc": "SEXXX0100001",
    "recording_mbid": "r-1",
    "artist_mbid": "a-1|a-2",
    "release_mbid": "b-1",
    "year": 1998,
}
LISTS = {name: str(value).split("|") for name, value in WANTED.items()} | {
    "title": ["AC|DC\nlive"],
    "year": ["1998-05-03"],
}


# Vorbis comments of other names than the columns, as in MusicBrainz Picard's table of tags.
COMMENTS = {
    "year": "date",
    "recording_mbid": "musicbrainz_trackid",
    "artist_mbid": "musicbrainz_artistid",
    "release_mbid": "musicbrainz_albumid",
}


def add_id3(file):
    if file.tags is None:
        file.add_tags()
    assert file.tags is not None
    frames = {"TPE1": "artist", "TIT2": "title", "TALB": "album", "TDRC": "year", "TSRC": "isrc"}
    for frame, name in frames.items():
        file.tags.add(getattr(id3, frame)(encoding=3, text=LISTS[name]))
    file.tags.add(id3.TCON(encoding=3, text=["26", "Dub"]))  # ID3v1's number of Ambient
    file.tags.add(id3.UFID(owner="http://musicbrainz.org", data=b"r-1"))
    file.tags.add(id3.TXXX(encoding=3, desc="MusicBrainz Artist Id", text=["a-1", "a-2"]))
    file.tags.add(id3.TXXX(encoding=3, desc="MusicBrainz Album Id", text=["b-1"]))
    file.save()


def add_comments(file):
    if file.tags is None:
        file.add_tags()
    assert file.tags is not None
    for name, values in LISTS.items():
        file.tags[COMMENTS.get(name, name)] = values
    file.save()


WRITERS = {
    "mp3": lambda path: add_id3(MP3(path)),
    "wav": lambda path: add_id3(mutagen.wave.WAVE(path)),
    "flac": lambda path: add_comments(mutagen.flac.FLAC(path)),
    "ogg": lambda path: add_comments(mutagen.oggvorbis.OggVorbis(path)),
    "opus": lambda path: add_comments(mutagen.oggopus.OggOpus(path)),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    root = tmp_path_factory.mktemp("library")
    for seed, (name, add) in enumerate(WRITERS.items()):
        rate = FORMATS[name][2]
        add(write(root / "tagged" / f"{name}.{name}", sound(0.5, rate, seed=seed), rate))
    write(root / "plain.wav", sound(0.5, 16000, seed=9), 16000)
    return root


@pytest.mark.parametrize("name", WRITERS)
def test_every_notation_gives_the_same_tags(library, name):
    assert read_tags(library / "tagged" / f"{name}.{name}") == (WANTED, "")


def test_tags_are_columns(library, tmp_path, here):
    import_audio(str(library), tmp_path / "out", ONE)
    clips = pl.read_parquet(tmp_path / "out" / "clips.parquet")
    assert clips.columns[8:] == ["label", *TAGS] and clips["year"].dtype == pl.Int64
    plain = clips.filter(pl.col("clip") == "plain.wav").row(0, named=True)
    assert {plain[name] for name in TAGS} == {None}
    for row in clips.filter(pl.col("clip") != "plain.wav").iter_rows(named=True):
        assert {name: row[name] for name in TAGS} == WANTED


def test_columns_of_a_table_stay_beside_tags(library, tmp_path, here, capsys):
    names = [f"tagged/{name}.{name}" for name in ("mp3", "wav")]
    pl.DataFrame({"file": names, "artist": ["x", "y"]}).write_csv(library / "meta.csv")
    import_audio(str(library / "meta.csv"), tmp_path / "out", ONE)
    clips = pl.read_parquet(tmp_path / "out" / "clips.parquet")
    assert clips["artist"].to_list() == ["x", "y"] and clips["tag_artist"].to_list() == [WANTED["artist"]] * 2
    grouped = [str(library / "meta.csv"), f"--output={tmp_path / 'out'}", "--workers=1", "--group=album"]
    assert main(grouped) == 0 and "clips with the same album belong together (1 group)" in capsys.readouterr().out
    (library / "meta.csv").unlink()


def test_a_group_that_no_file_has(tmp_path, here):
    write(tmp_path / "in" / "a.wav", sound(0.5, 16000), 16000)
    with pytest.raises(OptionError, match="--group=album: the clips have no such column"):
        import_audio(str(tmp_path / "in"), tmp_path / "out", dataclasses.replace(ONE, group="album"))


def test_bad_tags_are_named_and_lose_no_clip(tmp_path, here):
    path = write(tmp_path / "in" / "a.wav", sound(0.5, 16000), 16000)
    chunk = b"id3 " + struct.pack("<I", 16) + b"ID3\x09\0\0\0\0\0\x06" + bytes(6)  # of a version that there is not
    data = path.read_bytes() + chunk
    path.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    import_audio(str(tmp_path / "in"), tmp_path / "out", ONE)
    assert pl.read_parquet(tmp_path / "out" / "clips.parquet")["clip"].to_list() == ["a.wav"]
    (entry,) = ledger_of(tmp_path / "out")
    assert (entry["fault"], entry["done"]) == ("unreadable_tags", "kept")
    assert "ID3v2.9" in entry["reason"] and str(tmp_path) not in entry["reason"]
