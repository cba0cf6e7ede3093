"""How well encoders find a recording again after its sound has changed, into docs/results/similar.md.

    python benchmarks/similar_directions.py --data=FOLDER [--encoders=mfcc,mel_mean,random] [--recordings=400]

FOLDER holds the folder `emotify` (docs/results/how.md). The library is seconds 10 to 18 of each recording; a query is
the same seconds changed, or the eight seconds that follow. Each is one vector, as `mu embed` makes it. A query finds
its recording when that is the first of the library by cosine; and at a rate of false merges when the cosine of the two
is above that of all but so many pairs of different recordings (`mu.embedding.pairs.threshold_at`). Rows of encoders
that an earlier call has put into docs/results/similar.json stay there.
"""

import argparse
import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import polars as pl
import soundfile
from music_suite import DESCRIPTIONS, commit

from mu.audio.augment import add_noise, gain
from mu.audio.augment_filters import band_limit, decaying_responses, reverb
from mu.audio.augment_time import pitch_shift, time_stretch
from mu.audio.io import read, resample
from mu.console import Progress
from mu.data.crops import cut, tile_starts
from mu.data.embeddings import encoder_title
from mu.embedding.directions import Directions
from mu.embedding.opening import Opened, open_encoder
from mu.embedding.pairs import threshold_at
from mu.evals.few_units import interval_text
from mu.evals.intervals import bootstrap
from mu.files import write_json, write_whole
from mu.inference.pooling import Tiles, clip_vectors
from mu.training.provenance import processor
from mu_kernels.threads import available_cpus

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "results" / "similar.md"
START_S, LENGTH_S = 10.0, 8.0
BATCH = 16
RATES = (1e-2, 1e-3, 1e-4)
INTRODUCTION = """\
# Finding a recording again

Written by `python benchmarks/similar_directions.py --data=FOLDER`. The library is eight seconds of each of {recordings}
recordings of Emotify (rock, classical, pop, electronic); a query is the same eight seconds with their sound changed, or
the eight that follow. `mu similar` and `mu duplicates` take the cosine after the numbers of a vector are centred and
scaled over the library (`mu.embedding.directions`). Brackets are 95 % bootstrap intervals over recordings.

| encoder | |
|---|---|
{encoders}

## First of the library

The share of queries whose recording comes first of all {recordings}.

"""
SAME = """
## Recognised as the same

The share of queries whose cosine with their recording is above that of all but so many pairs of different recordings
of the library.

"""
SPACES = """
## What the cosine is taken of

The share of queries that come first, the mean over all changes.

"""


def mp3(audio: np.ndarray, rate: int) -> np.ndarray:
    """Coded as MP3 at the lowest quality of libsndfile, and decoded; [B, N]."""
    decoded = np.zeros_like(audio)
    for row, sound in enumerate(audio):
        file = io.BytesIO()
        options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "compression_level": 0.99}
        soundfile.write(file, resample(sound, rate, 22_050), 22_050, **options)
        file.seek(0)
        back = resample(soundfile.read(file, dtype="float32")[0], 22_050, rate)[: audio.shape[1]]
        decoded[row, : len(back)] = back
    return decoded


def changes(rate: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Name -> change of sound float32 [B, N] at this rate."""
    key = jax.random.key(0)
    rooms = decaying_responses(key, 8, rate, t60_s=(0.5, 0.5))
    jitted = {
        "level -12 dB": lambda x: gain(key, x, gain_db=(-12.0, -12.0)),
        "noise, 20 dB below": lambda x: add_noise(key, x, snr_db=(20.0, 20.0)),
        "band limit 3.4 kHz": lambda x: band_limit(key, x, rate, low_pass_hz=(3400.0, 3400.0)),
        "reverb, .5 s": lambda x: reverb(key, x, rooms),
        "5 % faster, then silence": lambda x: time_stretch(key, x, rate=(1.05, 1.05)),
        "a semitone higher": lambda x: pitch_shift(key, x, semitones=(1.0, 1.0)),
    }
    whole: dict[str, Callable[[np.ndarray], np.ndarray]] = {"MP3, lowest quality": lambda x: mp3(x, rate)}
    for name, change in jitted.items():
        compiled = jax.jit(change)
        whole[name] = lambda x, compiled=compiled: np.asarray(compiled(x))
    return whole


NEXT = "the next 8 s"


def vectors_of(opened: Opened, audio: np.ndarray) -> np.ndarray:
    """float32 [B, D] of sounds float32 [B, N], as `mu embed` makes them."""
    encoder = opened[0]
    _, starts = tile_starts(np.array([audio.shape[1]]), encoder.tile_samples)
    tiles = [(row, Tiles(len(starts), *cut(sound, starts, encoder.tile_samples))) for row, sound in enumerate(audio)]
    vectors = np.zeros((len(audio), encoder.dim), np.float32)
    for row, vector in clip_vectors(encoder.vectors, tiles, encoder.at_once):
        vectors[row] = vector
    return vectors


def embedded(opened: Opened, files: list[Path], progress: Progress, name: str) -> dict[str, np.ndarray]:
    """'' for the library, and each change -> float32 [n, D]."""
    rate = opened[0].sample_rate_hz
    change, length = changes(rate), round(LENGTH_S * rate)
    parts: dict[str, list[np.ndarray]] = {}
    for first in range(0, len(files), BATCH):
        sounds = np.zeros((BATCH, 2 * length), np.float32)
        some = files[first : first + BATCH]
        for row, file in enumerate(some):
            sound = read(file, sample_rate_hz=rate, start_s=START_S, duration_s=2 * LENGTH_S)[0][: 2 * length]
            sounds[row, : len(sound)] = sound
        library, after = sounds[:, :length], sounds[:, length:]
        changed = {"": library, **{one: apply(library) for one, apply in change.items()}, NEXT: after}
        for one, audio in changed.items():
            parts.setdefault(one, []).append(vectors_of(opened, audio[: len(some)]))
        progress.update(name, first + len(some), len(files), "")
    return {one: np.concatenate(rows) for one, rows in parts.items()}


def spaces(library: np.ndarray) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Name -> vectors to unit vectors."""
    mean = library.mean(axis=0)

    def unit(vectors: np.ndarray) -> np.ndarray:
        return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).astype(np.float32)

    centred = library.astype(np.float64) - library.mean(axis=0, dtype=np.float64)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    kept = size > 1e-3 * size[0]
    white = axes[kept].T / size[kept]
    return {
        "as they are": unit,
        "centred": lambda vectors: unit(vectors - mean),
        "centred and scaled": Directions.of(library),
        "whitened": lambda vectors: unit((vectors - mean) @ white),
    }


def first(library: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """float64 [n]: 1 where the i-th query is nearest to the i-th of the library, ties shared."""
    cosines = queries.astype(np.float64) @ library.T.astype(np.float64)
    own = np.diag(cosines)[:, None]
    above, level = (cosines > own + 1e-9).sum(1), (np.abs(cosines - own) <= 1e-9).sum(1)
    return np.where(above == 0, 1.0 / level, 0.0)


def row(values: np.ndarray) -> dict[str, float]:
    """Mean and interval of values [n]."""
    low, high = bootstrap(values[:, None])
    return {"value": float(values.mean()), "low": float(low[0]), "high": float(high[0])}


def measured(vectors: dict[str, np.ndarray]) -> dict:
    """What similar.json holds of an encoder."""
    queries = {name: one for name, one in vectors.items() if name}
    of_spaces = {}
    for name, to_unit in spaces(vectors[""]).items():
        library = to_unit(vectors[""])
        of_spaces[name] = row(np.mean([first(library, to_unit(one)) for one in queries.values()], axis=0))
    to_unit = Directions.of(vectors[""])
    library = to_unit(vectors[""])
    thresholds = {rate: threshold_at(library, rate, np.arange(len(library))) for rate in RATES}
    cosines = {name: (to_unit(one).astype(np.float64) * library).sum(1) for name, one in queries.items()}
    return {
        "first": {name: row(first(library, to_unit(one))) for name, one in queries.items()},
        "same": {
            name: {f"{rate:g}": row((cosine >= thresholds[rate]).astype(float)) for rate in RATES}
            for name, cosine in cosines.items()
        },
        "spaces": of_spaces,
    }


def text(cell: dict[str, float]) -> str:
    return f"{cell['value']:.3f} {interval_text(cell['low'], cell['high'], '.3f')}"


def page(document: dict) -> str:
    """The tables as Markdown."""
    encoders = document["encoders"]
    head, rule = f"| | {' | '.join(encoders)} |", f"|---|{'---|' * len(encoders)}"
    described = "\n".join(f"| {name} | {one['description']} |" for name, one in encoders.items())
    lines = [INTRODUCTION.format(recordings=document["recordings"], encoders=described), head, rule]
    any_one = next(iter(encoders.values()))
    for change in any_one["first"]:
        lines.append(f"| {change} | {' | '.join(text(one['first'][change]) for one in encoders.values())} |")
    lines += [SAME, f"| | false merges | {' | '.join(encoders)} |", f"|---|---|{'---|' * len(encoders)}"]
    for change, of_rates in any_one["same"].items():
        for rate in of_rates:
            cells = " | ".join(text(one["same"][change][rate]) for one in encoders.values())
            lines.append(f"| {change} | {rate} | {cells} |")
    lines += [SPACES, head, rule]
    for space in any_one["spaces"]:
        lines.append(f"| {space} | {' | '.join(text(one['spaces'][space]) for one in encoders.values())} |")
    lines += ["", "| encoder | commit | machine |", "|---|---|---|"]
    lines += [f"| {name} | {one['commit']} | {one['machine']} |" for name, one in encoders.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="holds the folder emotify")
    parser.add_argument("--encoders", default="mfcc,mel_mean,random", help="separated by commas")
    parser.add_argument("--recordings", type=int, default=400, help="the first so many")
    arguments = parser.parse_args()
    table = pl.read_csv(arguments.data / "emotify" / "tracks.csv")
    # Every genre has its part in any number of them.
    order = table.with_columns(pl.int_range(pl.len()).over("genre").alias("place")).sort("place", "genre")
    files = [arguments.data / "emotify" / name for name in order["file"][: arguments.recordings]]
    file = PAGE.with_suffix(".json")
    document = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if document.get("recordings") != len(files):
        document = {"recordings": len(files), "encoders": {}}
    for name in arguments.encoders.split(","):
        opened = open_encoder(name)
        with Progress() as progress:
            vectors = embedded(opened, files, progress, name)
        document["encoders"][name] = {
            "description": DESCRIPTIONS.get(name) or encoder_title(opened[1]),
            **measured(vectors),
            "commit": commit(),
            "machine": f"{available_cpus()} of {os.cpu_count()} cores of {processor()}",
        }
        write_json(file, document)
        write_whole(PAGE, page(document))


if __name__ == "__main__":
    main()
