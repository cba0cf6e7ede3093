"""Beats and onsets of annotated recordings, found by signal processing: what an encoder of frames has to beat."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mu.audio.beats import beat_times
from mu.audio.io import read
from mu.audio.onsets import onset_times

SAMPLE_RATE_HZ = 22_050


@dataclasses.dataclass(frozen=True)
class EventTask:
    """Instants of one recording.

    Attributes:
      name: of the task.
      event: 'beats' or 'onsets'.
      audio: the recording, below the folder of all data.
      annotations: files of instants in seconds, which are joined; below the same.
      column: of the instants.
      skipped: lines of a heading.
    """

    name: str
    event: str
    audio: str
    annotations: tuple[str, ...]
    column: int = 0
    skipped: int = 0


_JTD = "mir_single_clips/jtd/annotations/barronk-allgodschildren-drummondrrileyb-1990-8b77c067/"
_JTD_AUDIO = "mir_single_clips/jtd/raw/barronk-allgodschildren-drummondrrileyb-1990-8b77c067.flac"
_MADMOM = "mir_single_clips/madmom/"
TASKS = (
    EventTask("beats: pop", "beats", _MADMOM + "audio/sample.flac", (_MADMOM + "annotations/sample.beats",)),
    EventTask("beats: jazz trio", "beats", _JTD_AUDIO, (_JTD + "beats.csv",), column=1, skipped=1),
    EventTask("onsets: pop", "onsets", _MADMOM + "audio/sample.flac", (_MADMOM + "annotations/sample.onsets",)),
    EventTask(
        "onsets: jazz trio",
        "onsets",
        _JTD_AUDIO,
        tuple(f"{_JTD}{player}_onsets.csv" for player in ("piano", "bass", "drums")),
    ),
    EventTask(
        "onsets: piano", "onsets", _MADMOM + "audio/stereo_sample.flac", (_MADMOM + "annotations/stereo_sample.notes",)
    ),
    EventTask(
        "onsets: singing",
        "onsets",
        "mir_single_clips/vocadito/Audio/vocadito_1.flac",
        ("mir_single_clips/vocadito/Annotations/Notes/vocadito_1_notesA1.csv",),
    ),
)
ESTIMATORS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {"beats": beat_times, "onsets": onset_times}
# Annotated instants that are nearer are one onset, of a chord or of players together.
TOGETHER_S = 0.03


def event_rows(data: Path, tasks: Sequence[EventTask] = TASKS) -> list[dict[str, Any]]:
    """task, metric, value, annotated, estimated of each task: F-measure within 70 ms (beats) or 50 ms (onsets).

    The F-measures are mir_eval's. Its evaluation of beats leaves out the first 5 s; these recordings are shorter, so
    none is left out. One recording has no interval.

    Args:
      data: the folder of all data sets.
      tasks: to be done.

    Raises:
      FileNotFoundError: a recording or its annotation is missing.
      ModuleNotFoundError: mir_eval is not installed; says how.
      ValueError: an annotation holds no instants.
    """
    try:
        import mir_eval
    except ModuleNotFoundError:
        raise ModuleNotFoundError("scores of beats and onsets are mir_eval's: pip install 'mu-music[mir]'") from None
    f_measures = {"beats": mir_eval.beat.f_measure, "onsets": lambda *pair: mir_eval.onset.f_measure(*pair)[0]}
    rows = []
    for task in tasks:
        audio, _ = read(data / task.audio, sample_rate_hz=SAMPLE_RATE_HZ)
        annotated = instants(task, data)
        estimated = ESTIMATORS[task.event](audio, SAMPLE_RATE_HZ)
        # Of nothing estimated mir_eval warns, and gives 0.
        value = float(f_measures[task.event](annotated, estimated)) if len(estimated) else 0.0
        counts = {"annotated": len(annotated), "estimated": len(estimated)}
        rows.append({"task": task.name, "metric": "F-measure", "value": value, **counts})
    return rows


def instants(task: EventTask, data: Path) -> np.ndarray:
    """float64 [n]: the annotated instants of a task in seconds, ascending; of onsets those apart by `TOGETHER_S`."""
    times = []
    for name in task.annotations:
        if not (data / name).is_file():
            raise FileNotFoundError(f"task {task.name}: there is no annotation {data / name}")
        lines = (data / name).read_text(encoding="utf-8").splitlines()[task.skipped :]
        fields = [line.replace(",", " ").split() for line in lines if line.strip() and not line.startswith("#")]
        times += [float(field[task.column]) for field in fields]
    if not times:
        raise ValueError(f"task {task.name}: {', '.join(task.annotations)} hold no instants")
    ordered = np.unique(times)
    if task.event == "beats":
        return ordered
    kept = [ordered[0]]
    for time in ordered[1:]:
        if time - kept[-1] >= TOGETHER_S:
            kept.append(time)
    return np.array(kept)
