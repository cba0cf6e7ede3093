"""Key and beat scores against mir_eval, which is slower and says the same."""

import itertools

import mir_eval
import numpy as np
import pytest

from mu.evals.music import beat_f_measure, event_scores, key_scores, parse_key

KEYS = [
    f"{tonic} {mode}"
    for tonic in ["C", "C#", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
    for mode in ("major", "minor")
] + ["X"]


def test_key_scores_are_mir_evals():
    pairs = list(itertools.product(KEYS, KEYS))
    found = key_scores([a for a, _ in pairs], [b for _, b in pairs])
    np.testing.assert_array_equal(found, [mir_eval.key.weighted_score(a, b) for a, b in pairs])
    assert set(found) == {0.0, 0.2, 0.3, 0.5, 1.0}


def test_key_names():
    assert [parse_key(name) for name in ("C major", "b minor", "Cb major", "E# minor", "X")] == [
        (0, 0),
        (11, 1),
        (11, 0),
        (5, 1),
        (-1, -1),
    ]
    assert key_scores([], []).shape == (0,)
    for name in ("H major", "C", "C dorian", "Ebb minor", ""):
        with pytest.raises(ValueError, match="no key"):
            parse_key(name)
    with pytest.raises(ValueError, match="pair off"):
        key_scores(["C major"], [])


def test_event_scores_are_mir_evals():
    generator = np.random.default_rng(0)
    for _ in range(200):
        # Dense enough for one event to have several candidates; hundredths, so that distances equal the window's.
        reference, estimated = (np.sort(generator.integers(0, 200, generator.integers(1, 40)) / 100) for _ in range(2))
        expected = mir_eval.onset.f_measure(reference, estimated, window=0.0501)
        precision, recall, f = event_scores(reference, estimated, window_s=0.0501)
        np.testing.assert_allclose((f, precision, recall), expected)
        assert event_scores(generator.permutation(reference), estimated, window_s=0.0501) == (precision, recall, f)


def test_beat_f_measure_is_mir_evals(data_dir):
    folder = data_dir / "mir_single_clips" / "madmom"
    reference = np.loadtxt(folder / "annotations" / "sample.beats")[:, 0]
    estimated = np.loadtxt(folder / "detections" / "sample.dbn_beat_tracker.txt")
    assert beat_f_measure(reference, estimated, skip_s=0.0) == mir_eval.beat.f_measure(reference, estimated) == 2 / 3
    reference, estimated = reference + 4.0, estimated + 4.0
    trimmed = mir_eval.beat.trim_beats(reference), mir_eval.beat.trim_beats(estimated)
    np.testing.assert_allclose(beat_f_measure(reference, estimated), mir_eval.beat.f_measure(*trimmed))


def test_nothing_scores_nothing():
    assert event_scores([], [1.0]) == event_scores([1.0], []) == event_scores([], []) == (0.0, 0.0, 0.0)
    assert beat_f_measure([1.0, 2.0], [1.0, 2.0]) == 0.0  # both before the fifth second
    with pytest.raises(ValueError, match="estimated_s"):
        event_scores([1.0], [np.nan])
    with pytest.raises(ValueError, match="window_s"):
        event_scores([1.0], [1.0], window_s=-1.0)
