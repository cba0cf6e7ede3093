"""Notes as a Standard MIDI File of one track (format 0, MIDI 1.0)."""

import struct

import numpy as np

from mu.inference.transcription import Transcription

# A tick is a millisecond: 500 a quarter note at 120 quarter notes a minute.
TICKS_PER_QUARTER = 500
MICROSECONDS_PER_QUARTER = 500_000
TICKS_PER_S = 1000
_TEMPO, _END = b"\xff\x51\x03" + MICROSECONDS_PER_QUARTER.to_bytes(3, "big"), b"\xff\x2f\x00"
_NOTE_OFF, _NOTE_ON = 0x80, 0x90


def midi_file(notes: Transcription) -> bytes:
    """The bytes of a MIDI file: its notes on channel 1, program 1, to the millisecond.

    Velocity is 127 times the amplitude, at least 1. A note lasts at least a tick, and ends, where the next one on its
    pitch begins before, there: a channel cannot sound a pitch twice.

    Raises:
      ValueError: a pitch is not between 0 and 127, or a time is negative.
    """
    starts = np.rint(notes.start_s * TICKS_PER_S).astype(np.int64)
    ends = np.maximum(np.rint(notes.end_s * TICKS_PER_S).astype(np.int64), starts + 1)
    if len(notes) and (starts.min() < 0 or notes.midi_pitch.min() < 0 or notes.midi_pitch.max() > 127):
        raise ValueError("MIDI has pitches from 0 to 127 and times from 0 on; the notes have others")
    velocities = np.clip(np.rint(127 * notes.amplitude), 1, 127).astype(np.int64)
    events: list[tuple[int, int, int, int]] = []  # (tick, status, pitch, velocity): ends sort before beginnings
    for pitch in np.unique(notes.midi_pitch).tolist():
        chosen = np.flatnonzero(notes.midi_pitch == pitch)
        chosen = chosen[np.argsort(starts[chosen], kind="stable")]
        following = np.append(starts[chosen][1:], np.iinfo(np.int64).max)
        for note, next_start in zip(chosen, following, strict=True):
            if next_start > starts[note]:  # of notes that begin together the last alone
                events.append((int(starts[note]), _NOTE_ON, pitch, int(velocities[note])))
                events.append((int(min(ends[note], next_start)), _NOTE_OFF, pitch, 0))
    track, before = bytearray(b"\x00" + _TEMPO), 0
    for tick, status, pitch, velocity in sorted(events):
        track += _variable_length(tick - before) + bytes((status, pitch, velocity))
        before = tick
    end_of_file = max(round(notes.duration_s * TICKS_PER_S), before)
    track += _variable_length(end_of_file - before) + _END
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS_PER_QUARTER)
    return header + b"MTrk" + struct.pack(">I", len(track)) + bytes(track)


def _variable_length(number: int) -> bytes:
    """7 bits a byte, the highest first; all bytes but the last have their top bit set."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))
