"""Notes of posteriorgrams: known answers, and the slow twin that follows the paper frame by frame."""

import numpy as np
import pytest

from mu.inference.note_events import note_events


def blank(frames=120, pitches=88):
    return np.full((frames, pitches), 0.05, np.float32), np.full((frames, pitches), 0.02, np.float32)


def found(notes, onsets, **options):
    events = note_events(notes, onsets, **options)
    columns = (events.starts, events.ends, events.pitches)
    return [tuple(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


@pytest.mark.parametrize(("quiet", "notes_found"), [(10, [(20, 70, 40)]), (11, [(20, 40, 40), (51, 69, 40)])])
def test_a_note_goes_from_its_onset_to_where_its_pitch_stays_quiet(quiet, notes_found):
    notes, onsets = blank()
    notes[20:40, 40], notes[40:70, 40] = 0.8, 0.4
    notes[40 : 40 + quiet, 40] = 0.25
    onsets[20, 40] = 0.9
    # What follows eleven quiet frames is found in the second pass, without its last frame.
    assert found(notes, onsets) == notes_found
    start, end, pitch = notes_found[0]
    assert note_events(notes, onsets).amplitudes[0] == pytest.approx(notes[start:end, pitch].mean())


def test_a_rise_of_the_probability_is_an_onset():
    notes, onsets = blank()
    notes[20:40, 40] = notes[43:70, 40] = 0.8
    onsets[20, 40] = 0.9
    assert found(notes, onsets) == [(20, 40, 40), (43, 70, 40)]


@pytest.mark.parametrize(("length", "count"), [(11, 0), (12, 1)])
def test_a_note_is_longer_than_eleven_frames(length, count):
    notes, onsets = blank()
    notes[20 : 20 + length, 40] = 0.8
    onsets[20, 40] = 0.9
    assert len(found(notes, onsets)) == count


def test_weak_onsets_begin_nothing_and_the_strongest_of_what_is_left_does():
    notes, onsets = blank()
    notes[20:60, 40] = np.linspace(0.31, 0.9, 40)  # no rise stands out
    assert onsets.max() < 0.5
    assert found(notes, onsets) == [(20, 59, 40)]  # followed to both sides; without its last frame


def test_a_pitch_beside_a_note_is_taken_out():
    notes, onsets = blank()
    notes[20:60, 40] = 0.8
    notes[20:60, 41] = notes[20:60, 43] = 0.45
    onsets[20, 40] = 0.9
    assert [pitch for _, _, pitch in found(notes, onsets)] == [40, 43]


def test_lowest_and_highest_pitch_and_the_first_frame():
    notes, onsets = blank()
    notes[:30, 0] = notes[60:, 87] = 0.7
    assert {pitch for _, _, pitch in found(notes, onsets)} == {0, 87}


@pytest.mark.parametrize("frames", [0, 1, 2, 3])
def test_few_frames_have_no_note(frames):
    assert found(np.ones((frames, 88), np.float32), np.ones((frames, 88), np.float32)) == []


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"notes \(5, 88\) and onsets \(6, 88\)"):
        note_events(np.zeros((5, 88)), np.zeros((6, 88)))
    with pytest.raises(ValueError, match="no numbers"):
        note_events(np.full((5, 88), np.nan), np.zeros((5, 88)))


@pytest.mark.parametrize("name", ["onset_threshold", "note_threshold"])
@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.5, float("nan")])
def test_thresholds_are_between_0_and_1(name, threshold):
    with pytest.raises(ValueError, match=f"{name}=.* above 0 and below 1"):
        note_events(*blank(), **{name: threshold})


def slow_note_events(notes, onsets, onset_threshold=0.5, threshold=0.3, quiet_frames=11):
    """The same, a frame at a time, and the greatest that is left looked for anew each time."""
    frames, pitches = notes.shape
    notes, onsets = notes.astype(float), onsets.astype(float)
    rises = np.zeros_like(notes)
    for t in range(2, frames):
        rises[t] = np.clip(np.minimum(notes[t] - notes[t - 1], notes[t] - notes[t - 2]), 0, None)
    strength = np.maximum(onsets, rises * onsets.max() / rises.max())
    left, made = notes.copy(), []

    def follow(t, p, step, last):
        """(frames until the first of the quiet ones, frames seen)"""
        seen = quiet = 0
        while t != last and quiet < quiet_frames:
            quiet = quiet + 1 if left[t, p] < threshold else 0
            t, seen = t + step, seen + 1
        return seen - quiet, seen

    def clear(p, begin, end):
        left[begin:end, max(p - 1, 0) : p + 2] = 0

    for t in range(frames - 2, 0, -1):
        for p in range(pitches - 1, -1, -1):
            if strength[t, p] >= onset_threshold and strength[t, p] > max(strength[t - 1, p], strength[t + 1, p]):
                length, _ = follow(t + 1, p, 1, frames - 1)
                if length + 1 > quiet_frames:
                    clear(p, t, t + 1 + length)
                    made.append((t, t + 1 + length, p))
    while left.max() > threshold:
        t, p = np.unravel_index(left.argmax(), left.shape)
        left[t, p] = 0
        after, seen = follow(t + 1, p, 1, max(frames - 1, t + 1))
        before, seen_before = follow(t - 1, p, -1, min(0, t - 1))
        clear(p, t + 1, t + 1 + seen)
        clear(p, t - seen_before, t)
        if after + before > quiet_frames:
            made.append((t - before, t + after, p))
    return sorted(made, key=lambda note: (note[0], note[2]))


@pytest.mark.parametrize("seed", range(4))
def test_equals_its_slow_twin(seed):
    random = np.random.default_rng(seed)
    noise = random.standard_normal((400, 12))
    kernel = np.hanning(25) / np.hanning(25).sum()
    smooth = np.apply_along_axis(np.convolve, 0, noise, kernel, "same")
    notes = (1 / (1 + np.exp(-8 * smooth))).astype(np.float32).round(2)  # equal values among them
    onsets = random.uniform(0, 0.8, notes.shape).astype(np.float32) ** 2
    made = found(notes, onsets)
    assert made == slow_note_events(notes, onsets) and len(made) > 20
