"""A small library to be embedded, and what tests of embeddings share."""

import functools

import numpy as np

from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.embedding import encoder as encoders
from tests.helpers.audio_files import sound, write

RATE_HZ = 8000  # the run hears 4,000
SECONDS = {"a": 0.3, "b": 1.7, "c": 0.5, "d": 2.26, "e": 0.9, "f": 0.41, "g": 1.0}
# Of embeddings of three dimensions that no run made.
PLAN = {
    "encoder": {"hash": "e" * 64, "noise_vector": [0.5], "run": "runs/x", "step": 1},
    "dim": 3,
    "library": "data/x",
    "library_from_here": "../data/x",
    "licence": {"note": None, "terms": "none"},
    "made_with": [{"mu": "0"}],
}
FILES = ("embeddings.npy", "embeddings.parquet", "faults.jsonl", "hashes.json", "card.json")


@functools.cache
def encoder_of(workdir):
    """Restoring a run takes a second, which every call here would pay."""
    return encoders.of_run(workdir)


def imported(folder, seconds, **options):
    """Writes files and imports them; returns the folder of the import."""
    for name, length in seconds.items():
        extension = "flac" if name == "c" else "wav"
        write(folder / "audio" / f"{name}.{extension}", sound(length, RATE_HZ, seed=ord(name)), RATE_HZ)
    import_audio(str(folder / "audio"), folder / "import", AudioImportOptions(workers=1, **options))
    return folder / "import"


def content(folder):
    """The files of embeddings, byte by byte."""
    return {name: (folder / name).read_bytes() for name in FILES}


class Stopped(Exception):
    """Raised where `stop_after` stops."""


def stop_after(n):
    """A `progress` of `embed` that raises `Stopped` after n recordings."""

    def progress(done, total, note):
        if done >= n:
            raise Stopped

    return progress


def tiles(n, length=400, seed=0):
    """(float32 [n, length] of noise, int32 [n] samples of each)."""
    generator = np.random.default_rng(seed)
    return generator.standard_normal((n, length)).astype(np.float32), np.full(n, length, np.int32)
