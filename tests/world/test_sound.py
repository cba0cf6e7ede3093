"""The sound of the simulated world: equal for equal (seed, track), in tune, clean, and made of its attributes."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import polars as pl
import pytest

from mu.audio import io
from mu.audio.chroma import chroma_cqt
from mu.audio.key import key, key_name
from mu.audio.rhythm import onset_strength, tempo
from mu.commands import import_audio
from mu.commands.world import main
from mu.world.catalogue import make_catalogue
from mu.world.dataset import RenderedSound
from mu.world.names import KEYS
from mu.world.score import (
    BASS,
    BELL,
    FLUTE,
    GUITAR,
    HAT,
    KICK,
    PAD,
    PIANO,
    SCALES,
    SNARE,
    SYNTHESISER,
    VOICES,
    Attributes,
    Score,
    compose,
)  # fmt: skip
from mu.world.settings import SIZES, Settings
from mu.world.sound import RATE_HZ, SAMPLES, Recording, perform, sound
from mu.world.tables import write
from mu.world.world import World, load, simulate

PITCHED = (PAD, GUITAR, PIANO, SYNTHESISER, FLUTE, BELL, BASS)
DANCE = Attributes(
    tempo_bpm=120, metre=4, key=0, major=True, energy=0.9, brightness=0.6, acousticness=0.05, danceability=0.95,
    valence=0.7, chords=PIANO, lead=SYNTHESISER,
)  # fmt: skip


sound_of = World.sound


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("tiny", seed=3)


@pytest.fixture(scope="module")
def rendered_audio(world: World) -> np.ndarray:
    """Every third track."""
    return world.sound(np.arange(0, len(world.catalogue), 3))


def a_note(voice: int, hertz: float, length_s: float = 3.0, wet: float = 0.0, room_s: float = 0.5, shine: float = 0.9):
    """float64 [SAMPLES]: one note that starts at 1 s."""
    note = Score(np.array([1.0]), np.array([length_s]), np.array([hertz]), np.array([0.5]), np.array([voice]))
    return perform([note], [Recording(7, shine, wet, room_s, 0.05)])[0].astype(np.float64)


def played(track: Attributes, seed: int = 0) -> np.ndarray:
    """A score that is composed and recorded."""
    notes = compose(track, np.random.default_rng(seed))
    return perform([notes], [Recording(seed, track.brightness, 0.2, 0.5, 0.1)])[0]


def db(ratio: float) -> float:
    return float(10 * np.log10(max(ratio, 1e-30)))


def test_a_track_sounds_the_same_in_any_batch_order_and_number_of_threads(
    world: World, rendered_audio: np.ndarray
) -> None:
    tracks = np.array([297, 3, 18, 3])
    for threads in (1, 3):
        assert world.sound(tracks, threads=threads).tobytes() == rendered_audio[tracks // 3].tobytes()
    assert world.sound(np.array([18], dtype=np.int32)).tobytes() == rendered_audio[6].tobytes()
    again = sound(make_catalogue(SIZES["tiny"], 3), np.array([18]), seed=3)
    assert again.tobytes() == rendered_audio[6].tobytes()
    assert not np.array_equal(sound(world.catalogue, np.array([18]), seed=4)[0], rendered_audio[6])


def test_all_tracks_are_within_full_scale_and_never_silent(rendered_audio: np.ndarray) -> None:
    assert rendered_audio.dtype == np.float32 and rendered_audio.shape == (100, SAMPLES)
    assert np.isfinite(rendered_audio).all() and np.abs(rendered_audio).max() <= 0.9801
    every_2_s = np.sqrt(np.square(rendered_audio.astype(np.float64)).reshape(100, 4, -1).mean(2))
    assert every_2_s.min() > 1e-3
    assert np.abs(rendered_audio.mean(1)).max() < 1e-3


def test_levels_vary_and_tell_nothing_of_the_energy(world: World, rendered_audio: np.ndarray) -> None:
    level_db = 10 * np.log10(np.square(rendered_audio.astype(np.float64)).mean(1))
    assert level_db.std() > 3 and level_db.max() < -15
    assert abs(np.corrcoef(level_db, world.catalogue.shares[::3, 0])[0, 1]) < 0.25


def test_a_room_rings_for_as_long_as_it_is_told() -> None:
    def late(wet: float, room_s: float) -> float:
        x = a_note(KICK, 50.0, wet=wet, room_s=room_s)
        return db(np.square(x[36_000:40_000]).sum() / np.square(x).sum())  # from 1.25 s after the stroke

    assert late(0.0, 1.8) < -100
    assert late(0.6, 0.2) + 30 < late(0.6, 1.8) < -15
    assert late(0.05, 1.8) + 15 < late(0.6, 1.8)


@pytest.mark.parametrize("hertz", [82.41, 440.0, 987.77])
@pytest.mark.parametrize("voice", PITCHED, ids=lambda voice: VOICES[voice])
def test_notes_are_in_tune(voice: int, hertz: float) -> None:
    x = a_note(voice, hertz)[17_600:50_368]
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 19))
    at_hz = np.fft.rfftfreq(1 << 19, 1 / RATE_HZ)
    near = np.abs(at_hz / hertz - 1) < 0.04
    cents = 1200 * np.log2(at_hz[near][spectrum[near].argmax()] / hertz)
    assert abs(cents) < (11 if voice == PAD else 1.5)  # a pad is two waves, 10 cents apart, which beat


@pytest.mark.parametrize("voice", (PAD, SYNTHESISER, FLUTE, BASS, PIANO, BELL), ids=lambda voice: VOICES[voice])
def test_high_notes_do_not_alias(voice: int) -> None:
    """What aliases lies between the partials, whose width is that of detuning, vibrato and attack."""
    hertz = 1661.22
    x = a_note(voice, hertz, shine=1.0)[16_000:64_000]
    power = np.square(np.abs(np.fft.rfft(x * np.blackman(len(x)))))
    at_hz = np.fft.rfftfreq(len(x), 1 / RATE_HZ)
    step = hertz / 2 if voice == BELL else hertz
    away = np.abs(at_hz / step - np.rint(at_hz / step)) * step
    assert db(power[away > 40 + 0.01 * at_hz].sum() / power.sum()) < -60


@pytest.mark.parametrize("voice", (PAD, FLUTE, BASS, PIANO), ids=lambda voice: VOICES[voice])
def test_notes_begin_and_end_without_a_click(voice: int) -> None:
    """A low and dark note has no treble, not even where it begins and ends."""
    x = a_note(voice, 110.0, shine=0.0)
    spectra = np.abs(np.fft.rfft(x[: SAMPLES // 512 * 512].reshape(-1, 512) * np.hanning(512))) ** 2
    assert db(spectra[:, 160:].sum(1).max() / spectra.sum(1).max()) < -60  # above 5 kHz


def test_brighter_recordings_have_more_treble() -> None:
    at_hz = np.fft.rfftfreq(SAMPLES, 1 / RATE_HZ)
    for voice in (*PITCHED, SNARE):
        centroids = []
        for shine in (0.1, 0.5, 0.9):
            power = np.square(np.abs(np.fft.rfft(a_note(voice, 220.0, shine=shine))))
            centroids.append((power * at_hz).sum() / power.sum())
        assert centroids[0] < centroids[1] < centroids[2], VOICES[voice]


@pytest.mark.parametrize("major", [True, False])
@pytest.mark.parametrize("tonic", [0, 7])
def test_all_pitches_lie_in_the_key(tonic: int, major: bool) -> None:
    for seed in range(20):
        notes = compose(DANCE._replace(key=tonic, major=major, metre=3 + seed % 2), np.random.default_rng(seed))
        pitched = np.isin(notes.voice, PITCHED)
        pitches = 69 + 12 * np.log2(notes.hertz[pitched] / 440)
        np.testing.assert_allclose(pitches, np.rint(pitches), atol=1e-9)
        assert set((np.rint(pitches).astype(int) - tonic) % 12) <= set(SCALES[major])


def test_energy_decides_on_drums_and_on_how_many_notes_there_are() -> None:
    def voices(energy: float) -> np.ndarray:
        track = DANCE._replace(energy=energy, danceability=0.3, acousticness=0.5)
        return np.concatenate([compose(track, np.random.default_rng(seed)).voice for seed in range(10)])

    drums = (KICK, SNARE, HAT)
    assert not np.isin(voices(0.05), drums).any()
    assert set(drums) <= set(voices(0.95))
    assert len(voices(0.95)) > 2 * len(voices(0.05))


@pytest.mark.parametrize("bpm", [84.0, 120.0, 165.0])
def test_the_tempo_is_heard(bpm: float) -> None:
    onsets = onset_strength(jax.numpy.asarray(played(DANCE._replace(tempo_bpm=bpm))), RATE_HZ, hop_samples=160)
    estimate = float(tempo(onsets, RATE_HZ, hop_samples=160, window_s=4.0))
    assert min(abs(estimate / (bpm * octave) - 1) for octave in (0.5, 1, 2)) < 0.04


def test_the_key_is_heard() -> None:
    right = 0
    for tonic in range(12):
        x = played(DANCE._replace(key=tonic, energy=0.3, danceability=0.2, chords=PAD), seed=tonic)
        estimate = key(chroma_cqt(jax.numpy.asarray(x), RATE_HZ, tuning=0.0), profile="temperley")
        right += key_name(int(estimate.tonic), int(estimate.mode)) == f"{KEYS[tonic]} major"
    assert right >= 8


def test_artists_have_habits_and_acoustic_music_acoustic_voices() -> None:
    catalogue = make_catalogue(SIZES["small"], 0)
    acoustic = catalogue.shares[:, 2]
    assert set(catalogue.metre) == {3, 4}
    assert set(catalogue.chords) == {PAD, GUITAR, PIANO} and set(catalogue.lead) == {SYNTHESISER, GUITAR, FLUTE, BELL}
    assert (catalogue.chords == GUITAR)[acoustic > 0.7].mean() > 2 * (catalogue.chords == GUITAR)[acoustic < 0.3].mean()
    same_artist = catalogue.artist[1:] == catalogue.artist[:-1]
    same_metre = catalogue.metre[1:] == catalogue.metre[:-1]
    assert same_metre[same_artist].mean() > same_metre[~same_artist].mean() + 0.1


def test_the_rest_of_the_world_does_not_depend_on_its_arrangement(world: World, monkeypatch) -> None:
    """Metre and voices have a generator of their own; another in its place changes them alone."""
    real = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: real([99, 99] if list(seed) == [3, 4] else seed))
    other = simulate("tiny", seed=3)
    assert other.log().hash() == world.log().hash()
    for field in dataclasses.fields(other.catalogue):
        ours, theirs = getattr(world.catalogue, field.name), getattr(other.catalogue, field.name)
        assert np.array_equal(ours, theirs) != (field.name in ("metre", "chords", "lead")), field.name


def test_wrong_tracks_are_refused(world: World) -> None:
    assert world.sound(np.array([], dtype=np.int64)).shape == (0, SAMPLES)
    with pytest.raises(ValueError, match="tracks holds 300; this world has tracks 0 to 299"):
        world.sound(np.array([4, 300]))
    with pytest.raises(ValueError, match="tracks holds -1"):
        world.sound(np.array([-1]))
    with pytest.raises(ValueError, match=r"integers \[B\].*float64"):
        world.sound(np.array([1.0]))
    with pytest.raises(ValueError, match=r"integers \[B\]"):
        world.sound(np.array([[1]]))


def test_stored_sound_is_a_library_for_the_import(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(SIZES, "tiny", Settings(tracks=12, listeners=2, plays=20))
    output = tmp_path / "world"
    assert main(["--size=tiny", "--seed=3", f"--output={output}", "--sound", "--threads=2"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["world"]
    table = pl.read_csv(output / "tracks.csv")
    assert table["file"].to_list() == [f"sound/track-{track:06d}.flac" for track in range(12)]
    assert set(table["metre"]) <= {3, 4} and set(table["chords"]) | set(table["lead"]) <= set(VOICES)
    loaded = load(output)
    expected = loaded.sound(np.arange(12))
    for track, file in enumerate(table["file"]):
        audio, rate = io.read(output / file)
        assert rate == RATE_HZ
        np.testing.assert_allclose(audio, expected[track], atol=0.5001 / 32768)
    assert import_audio.main([str(output / "tracks.csv"), f"--root={output}", f"--output={tmp_path / 'clips'}"]) == 0
    clips = pl.read_parquet(tmp_path / "clips" / "clips.parquet")
    assert len(clips) == 12 and set(clips["duration_s"]) == {8.0}
    assert clips["tempo_bpm"].cast(pl.Float64).to_list() == table["tempo_bpm"].to_list()
    assert (tmp_path / "clips" / "faults.jsonl").read_text() == ""


def test_sound_that_is_interrupted_leaves_nothing(world: World, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(world, tmp_path / "world", sound=True, threads=1, stored=stop)
    assert list(tmp_path.iterdir()) == []
    assert "file" not in pl.read_csv(write(world, tmp_path / "world")[1]).columns


def test_logs_of_one_world_render_a_track_once(world: World, monkeypatch) -> None:
    """Whatever their tracks are numbered; another world has sound of its own."""
    rendered = []
    monkeypatch.setattr(
        World, "sound", lambda self, tracks, **_: rendered.append(int(tracks[0])) or sound_of(self, tracks)
    )
    forth, back = RenderedSound(world, np.arange(300)), RenderedSound(simulate("tiny", seed=3), np.arange(300)[::-1])
    rendered_audio = forth.waveform(7, 0, SAMPLES)
    np.testing.assert_array_equal(back.waveform(292, 0, SAMPLES), rendered_audio)
    np.testing.assert_allclose(rendered_audio, sound_of(world, np.array([7]))[0], atol=1 / 32767)
    assert rendered == [7]
    other = RenderedSound(simulate("tiny", seed=4), np.arange(300))
    assert not np.array_equal(other.waveform(7, 0, SAMPLES), rendered_audio) and rendered == [7, 7]
    np.testing.assert_array_equal(forth.waveform(7, 10, 20), rendered_audio[10:30])
