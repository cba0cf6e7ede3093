"""How fast the simulated world's tracks are rendered, and what can be heard in them.

    python benchmarks/world_sound.py [--only=speed] [--only=attributes] [--seed=0] [--json=FILE]

Speed: seconds of sound a second of CPU time of one thread, and where that goes: composing (Python), notes, room and
level (Numba); then a second by the clock of all threads. Compilation is not counted.

Attributes: up to 7 tracks of each artist of the world `small`; 30 % of the artists are held out, with all their tracks.
'MFCC + linear' is the baseline of every audio task of mu (`mu.baselines.mfcc`): 120 statistics, one linear model an
attribute, its penalty chosen by cross-validation among the other artists. 'mu.audio' learns nothing: the tempo of the
onset strength, the key of the constant-Q chroma. 'Guess' is the best single answer to all. Intervals: 95 %, bootstrap
over the artists held out.
"""

import argparse
import dataclasses
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

TRACKS_PER_ARTIST = 7
HELD_OUT = 0.3
TEMPO_TOLERANCE = 0.04
NUMBERS = ("energy", "brightness", "acousticness", "danceability", "valence", "tempo_bpm")
CLASSES = ("mode", "metre", "key", "chords", "lead", "genre")
Measure = Callable[[np.ndarray], np.ndarray]
"""Weightings of the tracks [S, n] -> the measure under each [S]."""


@dataclasses.dataclass(frozen=True)
class Sounds:
    """Rendered tracks in the words of `mu.baselines.mfcc`."""

    table: pl.DataFrame
    audio: np.ndarray
    sample_rate_hz: int
    targets: Mapping[str, Any]
    first_s: float | None = None

    def __len__(self) -> int:
        return len(self.table)

    def waveform(self, clip: int, start: int = 0, length: int | None = None) -> np.ndarray:
        """All of a clip."""
        return self.audio[clip]

    def where(self, keep: np.ndarray) -> "Sounds":
        """Some of the clips."""
        targets = {
            name: dataclasses.replace(target, values=target.values[keep]) for name, target in self.targets.items()
        }
        return Sounds(self.table.filter(keep), self.audio[keep], self.sample_rate_hz, targets)


def speed(seed: int) -> dict[str, float]:
    """Prints and returns times real time and shares of the time, of the best of five rounds."""
    from mu.world.catalogue import make_catalogue
    from mu.world.score import SECONDS, Score, compose
    from mu.world.settings import settings_of
    from mu.world.sound import Recording, attributes, perform, sound

    catalogue = make_catalogue(settings_of("small"), seed)
    tracks = np.random.default_rng(seed).permutation(len(catalogue))[:256]
    sound(catalogue, tracks[:2], seed, 1)

    def best(run: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
        taken = []
        for _ in range(5):
            start = clock()
            run()
            taken.append(clock() - start)
        return min(taken)

    def composing() -> None:
        for track in tracks.tolist():
            compose(attributes(catalogue, track), np.random.default_rng([seed, 5, track]))

    nothing = np.empty(0)
    silence = Score(nothing, nothing, nothing, nothing, nothing.astype(np.int64))
    rooms = [silence] * len(tracks), [Recording(0, 0.5, 0.3, 1.0, 0.1)] * len(tracks)
    alone = best(lambda: sound(catalogue, tracks, seed, 1))
    together = best(lambda: sound(catalogue, tracks, seed), time.perf_counter)
    speeds = {
        "one_thread": SECONDS * len(tracks) / alone,
        "all_threads": SECONDS * len(tracks) / together,
        "ms_a_track": 1000 * alone / len(tracks),
        "composing_share": best(composing) / alone,
        "room_share": best(lambda: perform(*rooms, threads=1)) / alone,
    }
    print(f"{len(tracks)} tracks of {SECONDS:.0f} s, the best of 5 rounds")
    print(
        f"one core: {speeds['one_thread']:.0f} x real time, {speeds['ms_a_track']:.1f} ms of CPU time a track:", end=" "
    )
    print(f"{speeds['composing_share']:.0%} composing, {speeds['room_share']:.0%} room and level, the rest notes")
    print(f"{os.cpu_count()} threads: {speeds['all_threads']:.0f} x real time by the clock\n", flush=True)
    return speeds


def sounds(seed: int) -> Sounds:
    """The tracks to be heard, with all their attributes as targets."""
    from mu.data.clips.targets import ClassTarget, NumberTarget, Target
    from mu.world.sound import RATE_HZ
    from mu.world.tables import tracks_table
    from mu.world.world import simulate

    world = simulate("small", seed=seed)
    table = tracks_table(world).with_columns(pl.col("metre").cast(pl.String), row=pl.int_range(pl.len()))
    table = table.filter(pl.int_range(pl.len()).over("artist") < TRACKS_PER_ARTIST)
    targets: dict[str, Target] = {}
    for name in NUMBERS:
        targets[name] = NumberTarget((name,), table[name].to_numpy().astype(np.float32)[:, None])
    for name in CLASSES:
        names, codes = np.unique(table[name].to_numpy(), return_inverse=True)
        targets[name] = ClassTarget(tuple(map(str, names)), codes.astype(np.int32))
    return Sounds(table, world.sound(table["row"].to_numpy()), RATE_HZ, targets)


def heard(clips: Sounds) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(tempo in beats a minute, tonic, mode) of each clip by `mu.audio`; 0 is C, and major."""
    from mu.audio.chroma import chroma_cqt
    from mu.audio.key import key
    from mu.audio.rhythm import onset_strength, tempo

    rate, hop, tempi, tonics, modes = clips.sample_rate_hz, 160, [], [], []
    for audio in clips.audio:
        onsets = onset_strength(audio, rate, n_fft=1024, hop_samples=hop)
        tempi.append(float(tempo(onsets, rate, hop_samples=hop, window_s=4.0)))
        tonality = key(chroma_cqt(audio, rate, tuning=0.0), profile="temperley")
        tonics.append(int(tonality.tonic))
        modes.append(int(tonality.mode))
    return np.array(tempi), np.array(tonics), np.array(modes)


def right_tempo(estimated: np.ndarray, true: np.ndarray) -> np.ndarray:
    """bool [n]: whether a tempo is within 4 % of the true one, its double or its half."""
    ratios = estimated[:, None] / (true[:, None] * np.array([0.5, 1, 2]))
    return np.any(np.abs(ratios - 1) <= TEMPO_TOLERANCE, axis=1)


def attributes(seed: int) -> list[dict[str, Any]]:
    """Prints the table of what is found and returns its rows."""
    from mu.baselines.mfcc import MFCCLinear
    from mu.evals.few_units import effective_size, interval
    from mu.evals.intervals import cluster_weights
    from mu.evals.metrics.clips.accuracy import accuracy
    from mu.evals.metrics.clips.r2 import r2_per_class
    from mu.world import names

    clips = sounds(seed)
    artists = clips.table["artist"].unique(maintain_order=True)
    order = np.random.default_rng(seed).permutation(len(artists))
    of_test = artists.gather(order[: round(HELD_OUT * len(artists))])
    is_test = clips.table["artist"].is_in(of_test.implode()).to_numpy()
    train, test = clips.where(~is_test), clips.where(is_test)
    said = MFCCLinear(group="artist").fit(train).predict(test)
    tempi, tonics, modes = heard(test)
    groups = test.table["artist"].to_list()
    plain = np.ones((1, len(test)))

    def measured(measure: Measure, is_share: bool = True) -> tuple[float, float, float]:
        drawn = np.concatenate([measure(block) for block in cluster_weights(np.array(groups), 1000, seed)])
        value, counts = measure(plain)[0], np.unique(groups, return_counts=True)[1]
        low, high = interval(drawn, value, len(counts), effective_size(counts), is_share)
        return float(value), float(low), float(high)

    def share(right: np.ndarray) -> Measure:
        return lambda weights: weights @ right / weights.sum(1)

    rows = []
    for name in NUMBERS:
        scores, truth = said[name].astype(np.float64), test.targets[name].values.astype(np.float64)
        probe = measured(lambda weights, a=scores, b=truth: r2_per_class(a, b, weights)[:, 0], is_share=False)
        rows.append({"attribute": name, "measure": "R^2", "guess": 0.0, "probe": probe, "mu.audio": None})
    true = test.table["tempo_bpm"].to_numpy()
    rows.append(
        {
            "attribute": "tempo_bpm",
            "measure": "within 4 % of it, its double or half",
            "guess": max(float(right_tempo(np.full(len(true), one), true).mean()) for one in np.unique(true)),
            "probe": measured(share(right_tempo(said["tempo_bpm"][:, 0], true))),
            "mu.audio": measured(share(right_tempo(tempi, true))),
        }
    )
    readers = {
        "key": np.array(names.KEYS)[tonics] == test.table["key"].to_numpy(),
        "mode": np.array(["major", "minor"])[modes] == test.table["mode"].to_numpy(),
    }
    for name in CLASSES:
        codes = test.targets[name].values
        rows.append(
            {
                "attribute": name,
                "measure": f"accuracy, {len(test.targets[name].names)} classes",
                "guess": float(np.bincount(codes).max() / len(codes)),
                "probe": measured(lambda weights, a=said[name], b=codes: accuracy(a, b, weights)),
                "mu.audio": measured(share(readers[name])) if name in readers else None,
            }
        )
    n_held = len(set(groups))
    print(f"small, seed {seed}: {len(train)} tracks of {len(artists) - n_held} artists to learn from,", end=" ")
    print(f"{len(test)} of {n_held} held out\n")
    print("| attribute | measure | guess | MFCC + linear | mu.audio |\n|---|---|---|---|---|")
    for row in rows:
        cells = [
            f"{row[at][0]:.2f} ({row[at][1]:.2f} to {row[at][2]:.2f})" if row[at] else ""
            for at in ("probe", "mu.audio")
        ]
        print(f"| {row['attribute']} | {row['measure']} | {row['guess']:.2f} | {' | '.join(cells)} |", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("speed", "attributes"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE")
    flags = parser.parse_args()
    parts = {"speed": speed, "attributes": attributes}
    results = {name: run(flags.seed) for name, run in parts.items() if flags.only in (None, name)}
    if flags.json:
        Path(flags.json).write_text(json.dumps({"seed": flags.seed, **results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
