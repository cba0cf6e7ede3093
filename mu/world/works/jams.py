"""The truth of a track as JAMS (Humphrey et al. 2014), schema 0.3.4: written, and read again."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mu.world.works.truth import TONICS, Note, Span, Truth

VERSION = "0.3.4"


def jams_document(truth: Truth, *, title: str, tool: str) -> dict[str, Any]:
    """A JAMS document of the namespaces beat, onset, chord_harte, segment_open, note_hz, key_mode and tempo.

    The melody is in note_hz; values of beats are their places in the bar, from 1.

    Args:
      truth: of the track.
      title: of the track.
      tool: what has made it, with its version.
    """
    length = truth.duration_s
    beats = [(time, 0.0, int(place)) for time, place in zip(truth.beats_s.tolist(), truth.positions, strict=True)]
    rows: dict[str, Iterable[tuple[float, float, Any]]] = {
        "beat": beats,
        "onset": [(time, 0.0, None) for time in truth.onsets_s.tolist()],
        "chord_harte": [(span.start_s, duration_of(span.start_s, span.end_s), span.label) for span in truth.chords],
        "segment_open": [(span.start_s, duration_of(span.start_s, span.end_s), span.label) for span in truth.sections],
        "note_hz": [(note.start_s, duration_of(note.start_s, note.end_s), note.hertz) for note in truth.melody],
        "key_mode": [(0.0, length, f"{TONICS[truth.tonic]}:{'major' if truth.major else 'minor'}")],
        "tempo": [(0.0, length, truth.tempo_bpm)],
    }
    annotations = [
        {
            "namespace": namespace,
            "time": 0.0,
            "duration": length,
            "data": [
                {"time": time, "duration": duration, "value": value, "confidence": 1.0}
                for time, duration, value in observations
            ],
            "annotation_metadata": {"annotation_tools": tool, "data_source": "program"},
            "sandbox": {},
        }
        for namespace, observations in rows.items()
    ]
    metadata = {"title": title, "duration": length, "identifiers": {}, "jams_version": VERSION}
    return {"annotations": annotations, "file_metadata": metadata, "sandbox": {}}


def duration_of(start_s: float, end_s: float) -> float:
    """The largest number that added to `start_s` is not beyond `end_s`.

    The difference may be rounded up; two spans would then overlap by some 1e-15 s, which mir_eval refuses.
    """
    duration_s = end_s - start_s
    while start_s + duration_s > end_s:
        duration_s = math.nextafter(duration_s, 0.0)
    return duration_s


def truth_of_jams(document: Mapping[str, Any]) -> Truth:
    """The truth in a document of `jams_document`.

    Raises:
      ValueError: a namespace is missing, or what it holds is not what `jams_document` writes.
    """
    try:
        data = {one["namespace"]: one["data"] for one in document["annotations"]}
        tonic, _, mode = data["key_mode"][0]["value"].partition(":")
        return Truth(
            duration_s=float(document["file_metadata"]["duration"]),
            tempo_bpm=float(data["tempo"][0]["value"]),
            tonic=TONICS.index(tonic),
            major=mode == "major",
            beats_s=np.array([one["time"] for one in data["beat"]], float),
            positions=np.array([one["value"] for one in data["beat"]], np.int64),
            onsets_s=np.array([one["time"] for one in data["onset"]], float),
            chords=_spans(data["chord_harte"]),
            sections=_spans(data["segment_open"]),
            melody=tuple(Note(one["time"], one["time"] + one["duration"], one["value"]) for one in data["note_hz"]),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError(f"it holds no annotations of `mu world-music` ({type(error).__name__}: {error})") from None


def _spans(data: Iterable[Mapping[str, Any]]) -> tuple[Span, ...]:
    return tuple(Span(one["time"], one["time"] + one["duration"], one["value"]) for one in data)
