"""Estimators of tempo, beats, chords, key, melody, sections and versions: known answers, and slow twins."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from mu.suite import world_frames
from mu.suite.estimators import harmony, rhythm, versions
from mu.suite.estimators.features import SAMPLE_RATE_HZ, features_of, smoothed
from mu.suite.estimators.harmony import chords_of, key_of, viterbi
from mu.suite.estimators.melody import melody_of
from mu.suite.estimators.onsets import onsets_of
from mu.suite.estimators.rhythm import beats_of, rhythm_of
from mu.suite.estimators.sections import boundaries_of
from mu.suite.retrieval import average_precisions, cosine_similarities, mean_with_interval
from mu.suite.world_frames import METRICS, read_truth, world_frame_rows
from mu.world.works.writing import WorksOptions, write_works

SECONDS, BPM = 16.0, 120.0
CHORDS = ((0, 4, 7), (9, 0, 4), (5, 9, 0), (7, 11, 2))
NAMES = ("C:maj", "A:min", "F:maj", "G:maj")


def lead_hertz(time_s):
    """The third of the chord, in the fifth octave."""
    tone = CHORDS[int(time_s / 2) % 4][1]
    return 440 * 2 ** ((72 + tone - 69) / 12)


@pytest.fixture(scope="module")
def track():
    """A chord of four beats after the other, C Am F G, with a kick on each beat and a tone above; and its features."""
    rng = np.random.default_rng(0)
    t = np.arange(round(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    x = 1e-4 * rng.standard_normal(len(t))
    beat_s = 60 / BPM
    for beat in range(int(SECONDS / beat_s)):
        begin = round(beat * beat_s * SAMPLE_RATE_HZ)
        length = min(round(beat_s * SAMPLE_RATE_HZ), len(t) - begin)
        part = t[:length]
        chord = CHORDS[beat // 4 % 4]
        tones = [48 + chord[0] % 12, *(60 + tone for tone in chord)]
        sound = sum(np.sin(2 * np.pi * 440 * 2 ** ((tone - 69) / 12) * part) for tone in tones)
        lead = 2 * np.pi * lead_hertz(beat * beat_s) * part
        sound += 2.0 * np.sin(lead) + np.sin(2 * lead)
        x[begin : begin + length] += 0.05 * sound * np.exp(-2 * part)
        click = rng.standard_normal(600) * np.exp(-np.arange(600) / 150) * (0.8 if beat % 4 == 0 else 0.4)
        x[begin : begin + 600][: len(click)] += click[: len(x[begin : begin + 600])]
    return features_of(x.astype(np.float32))


def test_beats_tempo_and_bars_of_a_regular_track(track):
    estimated = rhythm_of(track)
    ratio = estimated.tempo_bpm / BPM
    assert min(abs(ratio / one - 1) for one in (0.5, 1, 2)) < 0.02  # which of them is a matter of taste
    phase = np.mod(estimated.beats_s, 0.25)
    assert np.all(np.minimum(phase, 0.25 - phase) < 0.05)
    assert set(estimated.downbeats_s) <= set(estimated.beats_s)


def test_onsets_of_a_regular_track(track):
    estimated = onsets_of(track)
    assert all(np.abs(estimated - time).min() < 0.03 for time in np.arange(0.5, SECONDS - 0.5, 0.5))


def test_chords_and_key_of_a_known_progression(track):
    beats_s = np.arange(0, SECONDS, 60 / BPM)
    known = rhythm.Rhythm(BPM, beats_s, beats_s[::4], 4)
    chords = chords_of(track, known)
    assert chords.labels == NAMES * 2
    assert np.allclose(chords.intervals_s[:, 0], np.arange(8) * 2.0)
    assert key_of(chords) == "C major"


def test_the_melody_is_the_loud_tone_above(track):
    times_s, hertz = melody_of(track)
    inside = (times_s > 0.2) & (times_s < SECONDS - 0.2) & (np.mod(times_s, 0.5) < 0.3)
    expected = np.array([lead_hertz(time) for time in times_s[inside]])
    cents = 1200 * np.log2(np.abs(hertz[inside]) / expected)
    assert np.mean(np.abs(cents) < 50) > 0.9 and np.mean(hertz[inside] > 0) > 0.8


def test_a_boundary_lies_where_the_sound_changes(track):
    t = np.arange(round(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    rng = np.random.default_rng(1)
    x = 0.01 * rng.standard_normal(len(t)) * (t < 8) + 0.2 * np.sin(2 * np.pi * 220 * t) * (t >= 8)
    beats_s = np.arange(0, SECONDS, 0.5)
    known = rhythm.Rhythm(BPM, beats_s, beats_s[::4], 4)
    boundaries = boundaries_of(features_of(x.astype(np.float32)), known)
    assert boundaries[0] == 0 and boundaries[-1] == SECONDS and 8.0 in boundaries


def test_short_and_silent_sounds_are_refused():
    with pytest.raises(ValueError, match="2 s of sound"):
        features_of(np.zeros(10 * SAMPLE_RATE_HZ, np.float32))
    with pytest.raises(ValueError, match="2 s of sound"):
        features_of(np.ones(SAMPLE_RATE_HZ, np.float32))


def test_viterbi_is_the_best_of_all_paths():
    rng = np.random.default_rng(0)
    for _ in range(5):
        scores, stay = rng.normal(size=(5, 3)), rng.uniform(0.2, 0.9, 5)

        def score(path, scores=scores, stay=stay):
            total = scores[0, path[0]]
            for step in range(1, 5):
                same = path[step] == path[step - 1]
                total += np.log(stay[step] if same else (1 - stay[step]) / 2) + scores[step, path[step]]
            return total

        best = max(itertools.product(range(3), repeat=5), key=score)
        assert tuple(viterbi(scores, stay)) == best


def test_beats_are_the_best_train():
    """Of all trains of so few frames, the one that is found scores best."""
    rng = np.random.default_rng(0)
    onsets = rng.uniform(0, 1, 14)
    onsets[[2, 6, 10]] += 2
    beats = beats_of(onsets, 4.0)
    assert {2, 6, 10} <= set(beats.tolist())
    assert np.all(np.diff(beats) >= 2)


def test_alignment_has_a_slow_twin():
    rng = np.random.default_rng(0)
    gains = rng.normal(-0.1, 0.5, size=(3, 7, 6))
    expected = []
    for one in gains:
        scores, best = np.zeros((9, 8)), 0.0
        for i in range(7):
            for j in range(6):
                past = max(scores[i + 1, j + 1], max(scores[i, j + 1], scores[i + 1, j]) - versions.GAP)
                scores[i + 2, j + 2] = max(past + one[i, j], 0)
                best = max(best, scores[i + 2, j + 2])
        expected.append(best)
    assert np.allclose(versions.aligned(gains), expected)


def test_transposed_tracks_are_found():
    rng = np.random.default_rng(0)
    works = [rng.uniform(size=(30, 2, 12)) ** 4 for _ in range(4)]
    tracks = [np.roll(work, shift, axis=-1) for work in works for shift in (0, 5)]
    made = [
        versions.Signature(steps - steps.mean(axis=2, keepdims=True), steps[:, 0].mean(axis=0) - steps[:, 0].mean())
        for steps in tracks
    ]
    similarity = versions.similarities(made)
    assert np.array_equal(similarity, similarity.T)
    assert average_precisions(similarity, np.repeat(np.arange(4), 2)).tolist() == [1.0] * 8


def test_average_precision_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    works, similarity = rng.integers(5, size=30), rng.normal(size=(30, 30))
    values = average_precisions(similarity, works)
    for query in range(30):
        others = np.arange(30) != query
        relevant = works[others] == works[query]
        assert values[query] == pytest.approx(average_precision_score(relevant, similarity[query, others]))
    alone = average_precisions(similarity[:3, :3], np.array([0, 0, 1]))
    assert np.isnan(alone).tolist() == [False, False, True]
    value, low, high = mean_with_interval(values, works, 100)
    assert low <= value <= high and value == pytest.approx(values.mean())


def test_ties_count_as_if_others_came_first():
    assert average_precisions(np.ones((4, 4)), np.array([0, 0, 1, 1])).tolist() == [1 / 3] * 4


def test_cosines_are_of_standardised_vectors():
    vectors = np.random.default_rng(0).normal(size=(20, 4))
    moved = cosine_similarities(vectors * (1, 10, 100, 1000) + 7)
    assert np.allclose(moved, cosine_similarities(vectors)) and np.allclose(np.diag(moved), 1)


def test_means_over_neighbours():
    x = np.random.default_rng(0).normal(size=(9, 2))
    expected = [x[max(frame - 2, 0) : frame + 3].mean(axis=0) for frame in range(9)]
    assert np.allclose(smoothed(x, 2), expected)
    assert np.allclose(np.linalg.norm(harmony.chord_templates(), axis=1), 1)


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "set"
    write_works(folder, WorksOptions(3, 2, 1, SECONDS))
    return folder


def test_every_score_of_a_small_set(works):
    seen = []
    rows = world_frame_rows(works, samples=50, progress=lambda done, total: seen.append((done, total)))
    assert [row["metric"] for row in rows] == list(METRICS) and seen[-1] == (6, 6)
    values = {row["metric"]: row["value"] for row in rows}
    assert all(0 <= row["low"] <= row["value"] <= row["high"] <= 1 for row in rows)
    assert values["chords majmin"] > 0.3 and values["beats F"] > 0.3 and values["versions mAP"] > 0.3


def test_annotations_that_are_not_there_are_named(works, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"mu world-music --output="):
        world_frames.works_table(tmp_path)
    with pytest.raises(FileNotFoundError, match="no annotations"):
        read_truth(tmp_path / "x.jams")
    (tmp_path / "x.jams").write_text('{"annotations": []}')
    with pytest.raises(ValueError, match=r"x\.jams: it holds no annotations"):
        read_truth(tmp_path / "x.jams")
