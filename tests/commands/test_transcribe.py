"""`mu transcribe` as a user runs it, with random weights: which notes they hear does not matter here."""

import json

import numpy as np
import pytest
import soundfile

from mu.commands.transcribe import main, note_name
from mu.inference.transcription import Transcriber
from mu.pretrained.importing import import_weights
from tests.pretrained.basic_pitch_files import random_tensors, waveform, write_package

HEARS_MUCH = ("--note_threshold=0.5", "--onset_threshold=0.4")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    root = tmp_path_factory.mktemp("basic_pitch")
    import_weights("basic-pitch", root / "made", package=write_package(root / "package", random_tensors()))
    return f"--weights={root / 'made'}"


@pytest.fixture
def files(tmp_path):
    for name, audio in (("song.wav", waveform()), ("still.flac", np.zeros(30_000))):
        soundfile.write(tmp_path / name, audio, 22050)
    (tmp_path / "notes.txt").write_text("no sound")
    return tmp_path


def test_the_table_json_and_files_have_the_same_notes(weights, files, capsys):
    song, still = str(files / "song.wav"), str(files / "still.flac")
    assert main([song, still, weights, *HEARS_MUCH]) == 0
    first, *lines = capsys.readouterr().out.split("\n")
    assert first.startswith(f"{song}: ") and first.endswith(" notes in 2.0 s")
    assert lines[-3:] == ["", f"{still}: no notes in 1.4 s", ""]
    rows = [line.split() for line in lines[1:-3]]
    assert main([song, still, weights, "--json", *HEARS_MUCH]) == 0
    of_song, of_still = json.loads(capsys.readouterr().out)
    assert (
        of_song["file"] == song and of_still["notes"] == [] and of_still["duration_s"] == pytest.approx(1.36, abs=0.01)
    )
    assert len(of_song["notes"]) == len(rows) > 1
    for row, note in zip(rows, of_song["notes"], strict=True):
        assert row[:4] == [f"{note['start_s']:.3f}", f"{note['end_s']:.3f}", note["note"], str(note["midi_pitch"])]
    out = files / "out"
    assert main([song, still, weights, f"--output={out}", *HEARS_MUCH]) == 0
    assert f"{song}: {len(rows)} notes in 2.0 s: song.mid, song.jams" in capsys.readouterr().out
    assert sorted(one.name for one in out.iterdir()) == ["song.jams", "song.mid", "still.jams", "still.mid"]
    data = json.loads((out / "song.jams").read_text())["annotations"][0]["data"]
    assert [(one["time"], one["value"]) for one in data] == [
        (note["start_s"], note["midi_pitch"]) for note in of_song["notes"]
    ]
    assert (out / "song.mid").read_bytes().count(b"\x90") >= len({note["midi_pitch"] for note in of_song["notes"]})


def test_a_file_with_a_fault_is_named_and_the_others_are_done(weights, files, capsys):
    names = [str(files / name) for name in ("notes.txt", "still.flac", "gone.wav")]
    assert main([*names, weights]) == 1
    said, err = capsys.readouterr()
    assert said == f"{names[1]}: no notes in 1.4 s\n"
    assert f"mu transcribe: {names[0]}: " in err and f"mu transcribe: {names[2]}: " in err
    assert main([names[0], names[2], weights]) == 1
    assert capsys.readouterr().out == ""


def test_a_table_is_there_before_the_next_file_is_done(weights, files, capsys, monkeypatch):
    names = [str(files / name) for name in ("still.flac", "song.wav")]
    transcribe, printed = Transcriber.transcribe_file, []

    def watched(self, file, **thresholds):
        printed.append(capsys.readouterr().out)
        return transcribe(self, file, **thresholds)

    monkeypatch.setattr(Transcriber, "transcribe_file", watched)
    assert main([*names, weights]) == 0
    assert printed == ["", f"{names[0]}: no notes in 1.4 s\n"]


@pytest.mark.parametrize("name", ["still.mid", "still.jams"])
def test_a_file_that_is_there_is_kept_until_overwrite_is_said(weights, files, capsys, name):
    (files / name).write_text("made by hand")
    call = [str(files / "song.wav"), str(files / "still.flac"), weights, f"--output={files}"]
    assert main(call) == 1
    said = capsys.readouterr().err
    assert f"{files / name} is there already" in said and "--overwrite" in said
    assert (files / name).read_text() == "made by hand" and not (files / "song.mid").exists()
    assert main([*call, "--overwrite"]) == 0
    assert (files / name).read_bytes() != b"made by hand" and (files / "song.mid").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["a/song.wav", "b/song.mp3", "--weights=x", "--output=y"], "a/song.wav and b/song.mp3 would both be song.mid"),
        (["song.wav"], "--weights"),
        (["song.wav", "--weights=x", "--onset_threshold=2"], "--onset_threshold=2.0"),
        (["song.wav", "--weights=x", "--note_threshold=0"], "--note_threshold=0.0"),
        (["song.wav", "--weights=x", "--onset_threshold=0"], "--onset_threshold=0.0"),
    ],
)
def test_wrong_calls(flags, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2 and message in capsys.readouterr().err


def test_weights_that_are_not_there(tmp_path, capsys):
    assert main(["song.wav", f"--weights={tmp_path}"]) == 1
    assert "config.json is missing" in capsys.readouterr().err


def test_names_of_notes():
    assert [note_name(pitch) for pitch in (21, 60, 69, 70, 108)] == ["A0", "C4", "A4", "A#4", "C8"]
