"""Estimators of tempo, key, beats, chords, melody, sections and versions on the world's music, scored by mir_eval."""

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.audio.io import read
from mu.files import read_json
from mu.suite.estimators.features import SAMPLE_RATE_HZ, Features, features_of
from mu.suite.estimators.harmony import chords_of, key_of
from mu.suite.estimators.melody import melody_of
from mu.suite.estimators.onsets import onsets_of
from mu.suite.estimators.rhythm import rhythm_of
from mu.suite.estimators.sections import boundaries_of
from mu.suite.estimators.versions import Signature, signature_of, similarities
from mu.suite.retrieval import average_precisions, mean_with_interval
from mu.world.works.jams import truth_of_jams
from mu.world.works.truth import Truth

METRICS = {
    "tempo within 4 %": "its median beat-to-beat tempo, within 4 % of the truth",
    "tempo, octaves count": "the same, or within 4 % of half, twice, a third or three times of it",
    "key, weighted": "mir_eval.key.weighted_score: 1 right, .5 a fifth off, .3 relative, .2 parallel",
    "key, right": "tonic and mode are right",
    "beats F": "mir_eval.beat.f_measure, within 70 ms, after the first 5 s",
    "downbeats F": "the same of downbeats",
    "onsets F": "mir_eval.onset.f_measure, within 50 ms; onsets of all parts, those within 30 ms as one",
    "chords majmin": "mir_eval.chord, weighted overlap of major and minor triads",
    "melody, raw pitch": "mir_eval.melody: pitch within 50 cents where there is a melody",
    "melody, overall": "mir_eval.melody: that, and silence where there is none",
    "sections F .5 s": "mir_eval.segment.detection, within .5 s, ends left out",
    "sections F 3 s": "the same within 3 s",
    "versions mAP": "mean average precision: the other versions of a work among all tracks",
}


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """A track and how well it was estimated.

    Attributes:
      values: metric -> value, NaN where it is not defined.
      signature: for the retrieval of versions.
    """

    values: dict[str, float]
    signature: Signature


def world_frame_rows(
    folder: Path, samples: int = 1000, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[dict[str, Any]]:
    """metric, value, low, high, tracks of each of `METRICS`, on the tracks of a folder of `mu world-music`.

    Intervals are 95 % bootstrap intervals over works.

    Args:
      folder: that `mu world-music` wrote.
      samples: of the bootstrap.
      progress: called with the tracks that are done, and how many there are.

    Raises:
      FileNotFoundError: the folder lacks its table, a sound or its annotations.
      ModuleNotFoundError: mir_eval is not installed; says how.
      ValueError: annotations are damaged.
    """
    table = works_table(folder)
    scored = []
    for row in table.iter_rows(named=True):
        audio, _ = read(folder / row["file"], sample_rate_hz=SAMPLE_RATE_HZ)
        scored.append(score_track(audio, read_truth(folder / row["annotations"])))
        progress(len(scored), len(table))
    works = table["work"].to_numpy()
    columns = {name: np.array([one.values[name] for one in scored]) for name in scored[0].values}
    columns["versions mAP"] = average_precisions(similarities([one.signature for one in scored]), works)
    rows = []
    for name, values in columns.items():
        value, low, high = mean_with_interval(values, works, samples)
        rows.append(
            {"metric": name, "value": value, "low": low, "high": high, "tracks": int(np.isfinite(values).sum())}
        )
    return rows


def works_table(folder: Path) -> pl.DataFrame:
    """The table of a folder of `mu world-music`.

    Raises:
      FileNotFoundError: there is none; says what makes it.
    """
    table = folder / "tracks.csv"
    if not table.is_file():
        raise FileNotFoundError(f"{table} is missing; `mu world-music --output={folder}` makes it, and goes on")
    return pl.read_csv(table)


def read_truth(file: Path) -> Truth:
    """The truth in a JAMS file of `mu world-music`.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is damaged, or holds something else; names it.
    """
    if not file.is_file():
        raise FileNotFoundError(f"there are no annotations {file}; `mu world-music` with the same flags makes them")
    try:
        return truth_of_jams(read_json(file))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def score_track(audio: np.ndarray, truth: Truth) -> Scored:
    """Estimates all of a track, float32 [N] at 22,050 Hz, and scores it."""
    features = features_of(audio)
    return score_features(features, truth)


def score_features(features: Features, truth: Truth) -> Scored:
    """The same of a track whose features are known."""
    try:
        import mir_eval
    except ModuleNotFoundError:
        raise ModuleNotFoundError("these scores are mir_eval's: pip install 'mu-music[mir]'") from None
    rhythm = rhythm_of(features)
    chords = chords_of(features, rhythm)
    melody = melody_of(features)
    boundaries = boundaries_of(features, rhythm)
    key = key_of(chords)
    ratio = rhythm.tempo_bpm / truth.tempo_bpm
    values = {
        "tempo within 4 %": float(abs(ratio - 1) <= 0.04),
        "tempo, octaves count": float(any(abs(ratio / one - 1) <= 0.04 for one in (1, 0.5, 2, 1 / 3, 3))),
        "key, weighted": float(mir_eval.key.weighted_score(truth.key, key)),
        "key, right": float(truth.key == key),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of nothing estimated mir_eval warns, and gives 0
        for name, annotated, estimated in (
            ("beats F", truth.beats_s, rhythm.beats_s),
            ("downbeats F", truth.downbeats_s, rhythm.downbeats_s),
        ):
            trim = mir_eval.beat.trim_beats
            # Tracks of 5 s and less have nothing after the first 5 s, and so no score.
            values[name] = float("nan")
            if len(trim(annotated)):
                values[name] = float(mir_eval.beat.f_measure(trim(annotated), trim(estimated)))
        values["onsets F"] = float(mir_eval.onset.f_measure(truth.onsets_s, onsets_of(features))[0])
        values["chords majmin"] = _chord_score(mir_eval, chords.intervals_s, list(chords.labels), truth)
        scores = mir_eval.melody.evaluate(*truth.melody_frames(), *melody)
        values["melody, raw pitch"] = float(scores["Raw Pitch Accuracy"])
        values["melody, overall"] = float(scores["Overall Accuracy"])
        annotated = np.array([(span.start_s, span.end_s) for span in truth.sections])
        estimated = np.stack([boundaries[:-1], boundaries[1:]], axis=1)
        for name, window in (("sections F .5 s", 0.5), ("sections F 3 s", 3.0)):
            f_measure = mir_eval.segment.detection(annotated, estimated, window=window, trim=True)[2]
            values[name] = float(f_measure) if len(annotated) > 1 else float("nan")
    return Scored(values, signature_of(features, chords, melody))


def _chord_score(mir_eval: Any, intervals: np.ndarray, labels: list[str], truth: Truth) -> float:
    annotated = np.array([(span.start_s, span.end_s) for span in truth.chords])
    names = [span.label for span in truth.chords]
    return float(mir_eval.chord.evaluate(annotated, names, intervals, labels)["majmin"])
