"""Works and their versions: equal for equal seeds, in tune, in time, and what their annotations say."""

import itertools

import numpy as np
import polars as pl
import pytest
import soundfile

from mu.commands.world_music import main
from mu.files import read_json
from mu.world.score import SCALES
from mu.world.works import writing
from mu.world.works.arrangement import BASS, CHORDS, LEAD, Played, arrange
from mu.world.works.drums import bar_of_drums
from mu.world.works.instruments import CODES, INSTRUMENTS, PARTIALS, partials
from mu.world.works.jams import duration_of, jams_document, truth_of_jams
from mu.world.works.sound import RATE_HZ, distorted, echoed, perform
from mu.world.works.styles import STYLES
from mu.world.works.truth import TONICS, apart
from mu.world.works.version import make_version
from mu.world.works.work import compose_work
from mu.world.works.writing import WorksOptions, make_track, track_name, write_works

DURATION_S = 24.0
NUMBERS = range(12)


@pytest.fixture(scope="module")
def arranged():
    """(work, version, notes, truth) of some tracks; nothing is rendered."""
    out = []
    for number in NUMBERS:
        work = compose_work(3, number)
        version = make_version(3, work, number % 3)
        out.append((work, version, *arrange(3, work, version, DURATION_S)))
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("works") / "set"
    write_works(folder, WorksOptions(2, 2, 5, 6.0), threads=2)
    return folder


def contents(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }


def test_files_do_not_depend_on_threads_order_or_interruptions(folder, tmp_path, monkeypatch):
    whole = contents(folder)
    made = []

    def stops(options, work, version):
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append((work, version))
        return make_track(options, work, version)

    monkeypatch.setattr(writing, "make_track", stops)
    with pytest.raises(KeyboardInterrupt):
        write_works(tmp_path / "set", WorksOptions(2, 2, 5, 6.0), threads=1)
    assert len(made) == 3 and not (tmp_path / "set" / "tracks.csv").exists()
    monkeypatch.setattr(writing, "make_track", lambda *one: made.append(one) or make_track(*one))
    write_works(tmp_path / "set", WorksOptions(2, 2, 5, 6.0), threads=1)
    assert len(made) == 4  # three were there
    assert contents(tmp_path / "set") == whole


def test_a_track_depends_on_its_seed_and_numbers_alone(folder):
    audio, _, truth = make_track(WorksOptions(9, 7, 5, 6.0), 1, 0)  # of a larger set
    stored, rate = soundfile.read(folder / "sound" / f"{track_name(1, 0)}.flac", dtype="int16")
    assert rate == RATE_HZ and np.array_equal(stored, np.rint(audio * 32768).astype(np.int16))
    document = read_json(folder / "annotations" / f"{track_name(1, 0)}.jams")
    assert truth_of_jams(document).key == truth.key
    other, _, _ = make_track(WorksOptions(9, 7, 6, 6.0), 1, 0)
    assert not np.array_equal(other, audio)


def test_spans_do_not_overlap_by_rounding():
    random = np.random.default_rng(0)
    starts, ends = random.uniform(0, 1, 10_000), random.uniform(1, 30, 10_000)
    assert (starts + (ends - starts) > ends).any(), "differences alone are rounded up"
    again = np.array([start + duration_of(start, end) for start, end in zip(starts, ends, strict=True)])
    assert (again <= ends).all()
    np.testing.assert_allclose(again, ends, rtol=1e-15)


def test_jams_give_the_truth_again(arranged):
    for _, _, _, truth in arranged:
        again = truth_of_jams(jams_document(truth, title="x", tool="y"))
        for name in ("beats_s", "positions", "onsets_s"):
            assert np.array_equal(getattr(again, name), getattr(truth, name))
        assert again.key == truth.key and again.tempo_bpm == truth.tempo_bpm
        for name in ("chords", "sections", "melody"):
            pairs = zip(getattr(again, name), getattr(truth, name), strict=True)
            assert all(abs(a.end_s - b.end_s) < 1e-9 and a.start_s == b.start_s for a, b in pairs)
    with pytest.raises(ValueError, match="no annotations of"):
        truth_of_jams({"annotations": []})


def test_chords_and_sections_cover_the_track_and_melodies_have_one_voice(arranged):
    for _, _, _, truth in arranged:
        for spans in (truth.chords, truth.sections):
            assert spans[0].start_s == 0 and spans[-1].end_s == DURATION_S
            assert all(abs(a.end_s - b.start_s) < 1e-9 for a, b in itertools.pairwise(spans))
        assert all(a.end_s <= b.start_s + 1e-9 for a, b in itertools.pairwise(truth.melody))
        times_s, hertz = truth.melody_frames()
        assert 0.2 < (hertz > 0).mean() < 1 and len(times_s) == round(DURATION_S / 0.01) + 1


def test_beats_go_round_in_bars_and_the_tempo_is_theirs(arranged):
    for work, version, _, truth in arranged:
        assert np.array_equal(truth.positions, np.arange(len(truth.beats_s)) % work.metre + 1)
        tempi = 60 / np.diff(truth.beats_s)
        assert np.all(np.abs(tempi / version.tempo_bpm - 1) <= version.tempo_drift * 1.1 + 1e-9)
        assert abs(truth.tempo_bpm / np.median(tempi) - 1) < 0.01
        assert set(np.round(np.diff(truth.downbeats_s) / np.diff(truth.beats_s).mean()).astype(int)) == {work.metre}


def test_chords_lie_in_the_key_and_their_notes_are_played(arranged):
    inside = total = 0
    for work, _, notes, truth in arranged:
        scale = {(truth.tonic + step) % 12 for step in SCALES[work.major]}
        for span in truth.chords[1:]:
            root = TONICS.index(span.label.partition(":")[0])
            total += 1
            inside += root in scale
            third = 3 if ":min" in span.label else 4
            tones = {(root + step) % 12 for step in (0, third, 7, 10, 11)}
            played = [
                note for note in notes
                if note.part == CHORDS and span.start_s + 0.08 < note.start_s < span.end_s - 0.08
            ]  # fmt: skip
            pitches = {round(69 + 12 * np.log2(note.hertz / 440)) % 12 for note in played}
            assert pitches <= tones, span
    assert inside > 0.9 * total


def test_versions_of_a_work_have_its_melody_and_keys_of_their_own():
    work = compose_work(0, 4)
    versions = [make_version(0, work, number) for number in range(6)]
    assert len({version.tonic for version in versions}) > 2 and len({version.lead for version in versions}) > 1
    assert len({version.style.name for version in versions}) > 2
    intervals = []
    for version in versions:
        _, truth = arrange(0, work, version, 60.0)
        steps = [round(12 * np.log2(note.hertz / truth.melody[0].hertz)) for note in truth.melody]
        intervals.append(set(zip(np.diff(steps), np.diff(steps)[1:], strict=False)))
    for one in intervals[1:]:
        assert len(one & intervals[0]) > 0.5 * min(len(one), len(intervals[0]))


def test_works_differ_and_follow_their_valence():
    works = [compose_work(1, number) for number in range(200)]
    assert len({work.sections["A"].melody for work in works}) == 200
    assert len({work.sections["A"].chords for work in works}) > 150
    gay, sad = ([work.major for work in works if (work.valence > 0.5) is side] for side in (True, False))
    assert np.mean(gay) > np.mean(sad) + 0.2
    assert {work.metre for work in works} == {3, 4}


@pytest.mark.parametrize("name", [one.name for one in INSTRUMENTS if one.name != "drums"])
def test_instruments_are_in_tune(name):
    version = next(
        version
        for number in range(400)
        if (version := make_version(2, compose_work(2, number), 0)).lead == name or version.bass == name
        or version.chords == name
    )  # fmt: skip
    part = LEAD if version.lead == name else BASS if version.bass == name else CHORDS
    hertz = 110.0 if part == BASS else 440.0
    audio = perform(2, version, [Played(part, 0.5, 2.0, hertz, 0.5)], 3.0)
    piece = audio[round(0.9 * RATE_HZ) : round(2.2 * RATE_HZ)] * np.hanning(round(2.2 * RATE_HZ) - round(0.9 * RATE_HZ))
    power = np.abs(np.fft.rfft(piece, 8 * len(piece))) ** 2
    frequency = np.fft.rfftfreq(8 * len(piece), 1 / RATE_HZ)
    harmonic = np.zeros(len(frequency), bool)
    for h in range(1, 40):
        harmonic |= np.abs(frequency - h * hertz * np.sqrt(1 + 3e-4 * h * h * (name == "piano"))) < 0.02 * h * hertz
    audible = (frequency > 60) & (frequency < 5000)
    assert power[audible & harmonic].sum() > 0.9 * power[audible].sum()
    fundamental = np.abs(frequency - hertz) < 0.03 * hertz
    peak = frequency[fundamental][power[fundamental].argmax()]
    assert abs(1200 * np.log2(peak / hertz)) < 25


def test_partials_keep_to_their_level_and_vowels_differ():
    rng = np.random.default_rng(0)
    for one in INSTRUMENTS:
        if one.rule == "partials":
            start, end, decay_s, _ = partials(one.name, np.array([110.0, 880.0]), 0.5, rng)
            assert start.shape == end.shape == decay_s.shape == (2, PARTIALS)
            assert np.allclose((end**2).sum(axis=1), 0.49)
    start, _, _, _ = partials("voice", np.full(20, 110.0), 0.5, rng)
    assert len(np.unique(start[:, 3].round(6))) == 5
    with pytest.raises(ValueError, match="no additive instrument"):
        partials("guitar", np.array([110.0]), 0.5, rng)


def test_effects():
    x = np.zeros(RATE_HZ)
    x[100] = 1.0
    late = round(0.2 * RATE_HZ)
    echoes = echoed(x, 0.5, 0.2)
    assert np.flatnonzero(echoes).tolist() == [100, *(100 + round(k * 0.2 * RATE_HZ) for k in range(1, 5))]
    assert echoes[100 + late] == 0.5
    tone = np.sin(2 * np.pi * 100 * np.arange(RATE_HZ) / RATE_HZ)
    bent = distorted(tone, 6.0)
    assert np.isclose(np.mean(bent**2), np.mean(tone**2)) and np.abs(np.fft.rfft(bent))[300] > 500
    assert not distorted(np.zeros(10), 6.0).any()


@pytest.mark.parametrize("pattern", sorted({style.drums for style in STYLES}))
@pytest.mark.parametrize("metre", [3, 4])
def test_drums_stay_in_their_bar(pattern, metre):
    for energy in (0.2, 0.6, 0.9):
        strokes = bar_of_drums(pattern, metre, energy)
        assert bool(strokes) is bool(pattern)
        assert all(0 <= beat < metre and 0 < loud <= 1 for beat, _, loud in strokes)


def test_onsets_that_are_near_are_one():
    assert apart(np.array([0.5, 0.1, 0.11, 0.135, 0.52])).tolist() == [0.1, 0.135, 0.5]


def test_the_command_writes_what_the_suite_reads(tmp_path, capsys):
    flags = [f"--output={tmp_path / 'set'}", "--works=1", "--versions=2", "--track_duration=5", "--threads=1"]
    assert main(flags) == 0
    assert "2 tracks of 5 s" in capsys.readouterr().out
    table = pl.read_csv(tmp_path / "set" / "tracks.csv")
    assert table["work"].to_list() == ["work-0000"] * 2 and table["fold"].to_list() == [0, 0]
    for row in table.iter_rows(named=True):
        assert (tmp_path / "set" / row["file"]).is_file() and (tmp_path / "set" / row["annotations"]).is_file()
        assert set(row["instruments"].split("|")) <= set(CODES)
        assert abs(2 ** row["log2_tempo"] - row["tempo_bpm"]) < 0.01
        assert row["key"] == f"{row['tonic']} {row['mode']}"


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (["--seed=1"], 1, "holds works of seed=5, not 1"),
        (["--seed=5", "--works=3"], 1, "holds works of works=2, not 3"),
        (["--works=0"], 2, "works"),
        (["--track_duration=1"], 2, "track_duration"),
        (["--threads=0"], 2, "threads"),
    ],
)
def test_what_cannot_be_written_is_said(folder, capsys, flags, status, message):
    before = contents(folder)
    words = [f"--output={folder}", "--works=2", "--versions=2", "--seed=5", "--track_duration=6", *flags]
    try:
        assert main(words) == status
    except SystemExit as stop:
        assert stop.code == status
    assert message in capsys.readouterr().err
    assert contents(folder) == before


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("x")
    assert main([f"--output={tmp_path}", "--works=1"]) == 1
    assert "holds no works" in capsys.readouterr().err
    assert main([f"--output={tmp_path / 'mine.txt'}", "--works=1"]) == 1
    assert "is a file" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
