"""Notes from probabilities that pitches sound and begin, a frame at a time."""

import dataclasses

import numpy as np

# As published (Bittner et al. 2022, arXiv:2203.09893).
ONSET_THRESHOLD = 0.5
NOTE_THRESHOLD = 0.3
# So many quiet frames in a row end a note: 128 ms at 86 frames a second. A note is longer than so many.
QUIET_FRAMES = 11
# Frames that are searched for a note's end at first; twice as many each time it does not end there.
_SEARCHED = 256


@dataclasses.dataclass(frozen=True, eq=False)
class NoteEvents:
    """Notes in frames, by start, then by pitch.

    Attributes:
      starts: int64 [n], the first frame of each.
      ends: int64 [n], the frame behind its last.
      pitches: int64 [n], columns of the probabilities.
      amplitudes: float64 [n], the mean probability over the note.
    """

    starts: np.ndarray
    ends: np.ndarray
    pitches: np.ndarray
    amplitudes: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)


def note_events(
    notes: np.ndarray,
    onsets: np.ndarray,
    *,
    onset_threshold: float = ONSET_THRESHOLD,
    note_threshold: float = NOTE_THRESHOLD,
    quiet_frames: int = QUIET_FRAMES,
) -> NoteEvents:
    """Notes of two posteriorgrams (Bittner et al. 2022, section 3.3).

    Onsets are peaks over time of max(onsets, rises of `notes`) of at least `onset_threshold`. From the last to the
    first, each begins a note, which goes on until the pitch stays below `note_threshold` for `quiet_frames` frames.
    What a note covers, on its pitch and on both beside it, is taken out. Then the greatest probability that is left
    above `note_threshold` is followed to both sides in the same way, again and again. Notes of `quiet_frames` frames
    or fewer are left out, and so is the last frame of the recording.

    Args:
      notes: float [F, P], the probability that a pitch sounds.
      onsets: float [F, P], that it begins.
      onset_threshold: see above, in (0, 1).
      note_threshold: see above, in (0, 1).
      quiet_frames: see above, at least 1.

    Raises:
      ValueError: the arrays do not fit together, or hold something else than finite numbers, or a threshold
        is not between 0 and 1.
    """
    for name, threshold in (("onset_threshold", onset_threshold), ("note_threshold", note_threshold)):
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"{name}={threshold}: it must be above 0 and below 1")
    if notes.ndim != 2 or notes.shape != onsets.shape:
        raise ValueError(f"notes {notes.shape} and onsets {onsets.shape} must be two arrays [F, P] of one shape")
    if not (np.isfinite(notes).all() and np.isfinite(onsets).all()):
        raise ValueError("the probabilities of notes hold infinities or no numbers")
    # Scalars of float64 compare float32 numbers exactly, without a copy of them.
    onset_threshold, note_threshold = np.float64(onset_threshold), np.float64(note_threshold)
    left = np.array(notes.T, order="C")  # [P, F]: what no note covers yet
    frame_spans: list[tuple[int, int, int]] = []
    for start, pitch in _onsets(notes, onsets, onset_threshold):
        length, _ = _followed(left[pitch, start + 1 : -1], note_threshold, quiet_frames)
        if length + 1 > quiet_frames:
            _clear(left, pitch, start, start + 1 + length)
            frame_spans.append((start, start + 1 + length, pitch))
    for middle, pitch in _strongest(left, note_threshold):
        if left[pitch, middle] == 0.0:
            continue
        left[pitch, middle] = 0.0
        after, seen = _followed(left[pitch, middle + 1 : -1], note_threshold, quiet_frames)
        before, seen_before = _followed(left[pitch, 1:middle][::-1], note_threshold, quiet_frames)
        _clear(left, pitch, middle + 1, middle + 1 + seen)
        _clear(left, pitch, middle - seen_before, middle)
        if before + after > quiet_frames:  # without its last frame, as the published decoder has it
            frame_spans.append((middle - before, middle + after, pitch))
    frame_spans.sort(key=lambda note: (note[0], note[2]))
    starts, ends, pitches = np.array(frame_spans, np.int64).reshape(-1, 3).T
    amplitudes = np.array([notes[start:end, pitch].mean(dtype=np.float64) for start, end, pitch in frame_spans])
    return NoteEvents(starts, ends, pitches, amplitudes)


def _onsets(notes: np.ndarray, onsets: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """(frame, pitch) of each onset, the last first."""
    strength = np.maximum(onsets, _rises(notes.astype(np.float64), float(onsets.max(initial=0.0))))
    inner = strength[1:-1]
    peaks = (inner > strength[:-2]) & (inner > strength[2:]) & (inner >= threshold)
    frames, pitches = np.nonzero(peaks)
    return [(int(frame) + 1, int(pitch)) for frame, pitch in zip(frames[::-1], pitches[::-1], strict=True)]


def _rises(notes: np.ndarray, greatest: float) -> np.ndarray:
    """How much a frame is above both frames before it, at least 0, scaled so that the most is `greatest`."""
    rises = np.zeros_like(notes)
    rises[2:] = np.maximum(np.minimum(notes[2:] - notes[1:-1], notes[2:] - notes[:-2]), 0.0)
    most = rises.max(initial=0.0)
    return greatest * rises / most if most > 0.0 else rises


def _strongest(left: np.ndarray, threshold: float) -> list[tuple[int, int]]:
    """(frame, pitch) of all above the threshold, the greatest first; of equal ones the earliest, then the lowest.

    Since values are only taken out, going down this list is to take the greatest that is left each time.
    """
    frames, pitches = np.nonzero(threshold < left.T)
    order = np.argsort(-left[pitches, frames], kind="stable")
    return list(zip(frames[order].tolist(), pitches[order].tolist(), strict=True))


def _followed(values: np.ndarray, threshold: float, quiet_frames: int) -> tuple[int, int]:
    """(frames before the first quiet run of `quiet_frames`, frames looked at) along the values.

    A run that the end cuts off counts as quiet, too: the frames end behind the last value of at least `threshold`.
    """
    searched = _SEARCHED
    while True:
        part = values[:searched]
        loud = np.concatenate([[-1], np.flatnonzero(part >= threshold), [len(part)]])
        gaps = np.flatnonzero(np.diff(loud) > quiet_frames)
        if len(gaps):
            length = int(loud[gaps[0]]) + 1
            return length, length + quiet_frames
        if len(part) == len(values):
            return int(loud[-2]) + 1, len(part)
        searched *= 2


def _clear(left: np.ndarray, pitch: int, start: int, end: int) -> None:
    left[max(pitch - 1, 0) : pitch + 2, start:end] = 0.0
