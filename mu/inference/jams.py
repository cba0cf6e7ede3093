"""Notes as JAMS, the JSON format for annotations of music (Humphrey et al. 2014), of its schema 0.3.4."""

from typing import Any

from mu.inference.transcription import Transcription

VERSION = "0.3.4"


def jams_document(notes: Transcription, *, title: str, tool: str) -> dict[str, Any]:
    """A JAMS document with one annotation in the namespace 'note_midi', JSON.

    An observation is a note: time and duration in s, value its MIDI pitch, confidence its amplitude.

    Args:
      notes: of the recording.
      title: of the recording.
      tool: what has found the notes, with its version.
    """
    observations = [
        {"time": float(start), "duration": float(end - start), "value": int(pitch), "confidence": float(amplitude)}
        for start, end, pitch, amplitude in zip(
            notes.start_s, notes.end_s, notes.midi_pitch, notes.amplitude, strict=True
        )
    ]
    annotation = {
        "namespace": "note_midi",
        "time": 0.0,
        "duration": float(notes.duration_s),
        "data": observations,
        "annotation_metadata": {"annotation_tools": tool, "data_source": "program"},
        "sandbox": {},
    }
    metadata = {"title": title, "duration": float(notes.duration_s), "identifiers": {}, "jams_version": VERSION}
    return {"annotations": [annotation], "file_metadata": metadata, "sandbox": {}}
