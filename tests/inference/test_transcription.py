"""Tiles of a recording become one sequence of frames whose times are right; notes become files that are read back."""

import json

import numpy as np
import pytest
import soundfile
from flax import nnx

from mu.audio.io import AudioError
from mu.inference.jams import jams_document
from mu.inference.midi import midi_file
from mu.inference.transcription import Transcriber, Transcription

HOP, TILE = 256, 43844


class Echo(nnx.Module):
    """Says of each frame the sample in its middle."""

    def __call__(self, rows, batch, key=None):
        frames = batch["audio"][:, ::HOP]
        assert frames.shape[1] == 172
        middle = frames[..., None].repeat(88, axis=-1)
        return {"notes": middle, "onsets": middle, "contours": middle.repeat(3, axis=-1)}


class OnePitch(nnx.Module):
    """Hears A4 where the sound is loud."""

    def __call__(self, rows, batch, key=None):
        outputs = Echo()(rows, batch)
        return {name: values.at[..., :48].set(0.0).at[..., 49:].set(0.0) for name, values in outputs.items()}


class ClipsAlone(nnx.Module):
    def __call__(self, rows, batch, key=None):
        return {"clip": batch["audio"][:, :5], "notes": batch["audio"]}


def transcriber(model=Echo, **options):
    return Transcriber(*nnx.split(model()), sample_rate_hz=22050, tile_samples=TILE, **options)


@pytest.mark.parametrize("samples", [1, 300, 36164, 100_000, 400_000])
def test_each_frame_is_the_networks_of_its_own_time(samples):
    audio = np.arange(1, samples + 1, dtype=np.float32)
    seen = transcriber().posteriorgrams(audio)
    at = np.rint(seen["times_s"] * 22050).astype(int)
    assert at[0] == 0 and (np.diff(at) > 0).all() and np.diff(at).max(initial=0) <= HOP
    assert samples - 1 - at[-1] < HOP  # up to the end
    np.testing.assert_array_equal(seen["notes"], np.broadcast_to(audio[at][:, None], (len(at), 88)))
    assert seen["contours"].shape == (len(at), 264)


def test_only_what_is_asked_for_is_made():
    audio = np.random.default_rng(0).standard_normal(50_000).astype(np.float32)
    whole, part = transcriber().posteriorgrams(audio), transcriber().posteriorgrams(audio, ["onsets"])
    assert list(part) == ["onsets", "times_s"]
    for name, values in part.items():
        np.testing.assert_array_equal(values, whole[name])
    for names in ([], ["notes", "clip"]):
        with pytest.raises(ValueError, match="it takes some of notes, onsets, contours"):
            transcriber().posteriorgrams(audio, names)


def test_any_number_of_tiles_at_once_gives_the_same():
    audio = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    one, four = (transcriber(tiles=tiles).posteriorgrams(audio)["notes"] for tiles in (1, 4))
    np.testing.assert_array_equal(one, four)


def test_notes_have_seconds_and_midi_pitches():
    audio = np.full(66150, 0.1, np.float32)
    audio[22050:44100] = 0.9
    notes = transcriber(OnePitch).transcribe(audio)
    assert notes.midi_pitch.tolist() == [69] and notes.duration_s == 3.0
    np.testing.assert_allclose([*notes.start_s, *notes.end_s], [1.0, 2.0], atol=0.02)
    np.testing.assert_allclose(notes.amplitude, 0.9, rtol=1e-6)
    assert len(transcriber(OnePitch).transcribe(audio, note_threshold=0.95)) == 0


@pytest.mark.parametrize("level", [0.0, 0.9])
def test_silence_has_no_notes(level):
    assert len(transcriber().transcribe(np.full(50_000, level, np.float32))) == 0


def test_files_without_sound_are_refused(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, np.float32), 22050)
    soundfile.write(tmp_path / "nan.wav", np.full(500, np.nan, np.float32), 22050, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no sound")
    for name, message in (("empty", "at least one"), ("nan", "no numbers"), ("text", "text.wav"), ("gone", "gone.wav")):
        with pytest.raises(AudioError, match=message):
            transcriber().transcribe_file(tmp_path / f"{name}.wav")


def test_other_models_are_refused():
    with pytest.raises(ValueError, match="the model gives clip, notes, and no onsets and no contours"):
        transcriber(ClipsAlone)


def transcription(*notes, duration_s=9.0):
    start, end, pitch, amplitude = np.array(notes, float).reshape(-1, 4).T
    return Transcription(start, end, pitch.astype(int), amplitude, duration_s)


def read_midi(data):
    """[(tick, status, pitch, velocity)], and the tick at the end, of a file of one track."""
    assert data[:14] == b"MThd\0\0\0\6\0\0\0\1\1\xf4" and data[14:18] == b"MTrk"
    assert int.from_bytes(data[18:22], "big") == len(data) - 22
    at, tick, events = 22, 0, []
    while True:
        delta = 0
        while True:
            delta, more = delta << 7 | data[at] & 0x7F, data[at] & 0x80
            at += 1
            if not more:
                break
        tick += delta
        if data[at] == 0xFF:
            if data[at + 1] == 0x2F:
                assert at + 3 == len(data)
                return events, tick
            assert data[at : at + 6] == b"\xff\x51\3\7\xa1\x20"  # half a second a quarter note
            at += 6
        else:
            events.append((tick, *data[at : at + 3]))
            at += 3


def test_midi_is_read_back():
    notes = transcription((0.5, 1.25, 60, 0.5), (1.25, 2.0, 60, 1.0), (0.7501, 8.0, 108, 0.0))
    events, end = read_midi(midi_file(notes))
    assert end == 9000
    assert events == [
        (500, 0x90, 60, 64), (750, 0x90, 108, 1), (1250, 0x80, 60, 0), (1250, 0x90, 60, 127),
        (2000, 0x80, 60, 0), (8000, 0x80, 108, 0),
    ]  # fmt: skip


def test_midi_never_sounds_a_pitch_twice():
    events, _ = read_midi(midi_file(transcription((0, 3, 60, 0.5), (1, 2, 60, 0.5), (1, 1, 62, 0.5))))
    sounding = set()
    for _, status, pitch, _ in events:
        assert (pitch in sounding) == (status == 0x80)
        sounding ^= {pitch}
    assert not sounding


def test_midi_of_no_notes_and_of_impossible_ones():
    assert read_midi(midi_file(transcription())) == ([], 9000)
    with pytest.raises(ValueError, match="pitches from 0 to 127"):
        midi_file(transcription((0, 1, 128, 0.5)))


def test_midi_by_another_reader(tmp_path):
    """Where it is installed."""
    mido = pytest.importorskip("mido")
    (tmp_path / "a.mid").write_bytes(midi_file(transcription((0.5, 1.25, 60, 0.5), (0.75, 8.0, 108, 0.25))))
    read = mido.MidiFile(tmp_path / "a.mid")
    assert read.length == pytest.approx(9.0)
    assert sorted(one.note for one in read if one.type == "note_on" and one.velocity) == [60, 108]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # jams uses jsonschema's older interface
def test_jams_by_its_own_reader(tmp_path):
    """Where it is installed."""
    jams = pytest.importorskip("jams")
    notes = transcription((0.5, 1.25, 60, 0.5), (0.75, 8.0, 108, 0.25))
    (tmp_path / "a.jams").write_text(json.dumps(jams_document(notes, title="a", tool="x")))
    read = jams.load(str(tmp_path / "a.jams"), validate=True, strict=True)
    assert [(one.time, one.duration, one.value) for one in read.annotations[0].data] == [
        (0.5, 0.75, 60),
        (0.75, 7.25, 108),
    ]


def test_jams_has_the_notes():
    document = jams_document(transcription((0.5, 1.25, 60, 0.5)), title="a song", tool="a tool 1.0")
    (annotation,) = document["annotations"]
    assert annotation["namespace"] == "note_midi" and annotation["duration"] == 9.0
    assert annotation["data"] == [{"time": 0.5, "duration": 0.75, "value": 60, "confidence": 0.5}]
    assert document["file_metadata"]["title"] == "a song" and document["file_metadata"]["duration"] == 9.0
    assert annotation["annotation_metadata"]["annotation_tools"] == "a tool 1.0"
