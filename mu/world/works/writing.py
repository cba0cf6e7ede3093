"""Works as files: the sound and the annotations of each track, and a table of all. It goes on where it stopped."""

import csv
import dataclasses
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from mu.files import json_text, read_json, replacing, write_json, write_whole
from mu.locks import FOLDER_LOCK, writing
from mu.world.works.arrangement import arrange
from mu.world.works.jams import jams_document
from mu.world.works.sound import RATE_HZ, perform
from mu.world.works.truth import TONICS, Truth
from mu.world.works.version import Version, make_version
from mu.world.works.work import compose_work
from mu_kernels.threads import available_cpus

CARD, TABLE = "works.json", "tracks.csv"
FORMAT_VERSION = 1
FOLDS = 5


@dataclasses.dataclass(frozen=True)
class WorksOptions:
    """What is made.

    Attributes:
      works: how many.
      versions: of each work.
      seed: of everything.
      track_duration_s: of each track.
    """

    works: int = 60
    versions: int = 3
    seed: int = 0
    track_duration_s: float = 30.0


def track_name(work: int, version: int) -> str:
    """'work-0007-version-2'."""
    return f"work-{work:04d}-version-{version}"


def make_track(options: WorksOptions, work: int, version: int) -> tuple[np.ndarray, Version, Truth]:
    """(sound, float32 [N] at 22,050 Hz; how it is performed; what is true of it); a function of (seed, work, version,
    duration) alone."""
    composed = compose_work(options.seed, work)
    performed = make_version(options.seed, composed, version)
    played, truth = arrange(options.seed, composed, performed, options.track_duration_s)
    return perform(options.seed, performed, played, options.track_duration_s), performed, truth


def write_works(
    folder: str | os.PathLike[str],
    options: WorksOptions,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Writes `sound/TRACK.flac` (16 bits), `annotations/TRACK.jams`, `tracks.csv` and `works.json`; the table's path.

    Tracks that are there whole are not made again. Numbers and files do not depend on `threads`, nor on how often the
    work was interrupted.

    Args:
      folder: made if need be; an earlier one with the same options goes on.
      options: what is made.
      threads: how many render; None is one for each CPU.
      progress: called with the tracks that are done, and how many there are.

    Raises:
      FileExistsError: the folder holds something else, or tracks of other options; or another process writes it.
      NotADirectoryError: it is a file.
    """
    check_output(folder, options)
    with writing(folder) as folder:
        check_output(folder, options)
        write_json(folder / CARD, _card(options))
        for part in ("sound", "annotations"):
            (folder / part).mkdir(exist_ok=True)
        numbers = [(work, version) for work in range(options.works) for version in range(options.versions)]
        rows = []
        pool = ThreadPoolExecutor(available_cpus() if threads is None else threads)
        try:
            for row in pool.map(lambda one: _write_track(folder, options, *one), numbers):
                rows.append(row)
                progress(len(rows), len(numbers))
        finally:
            pool.shutdown(cancel_futures=True)  # after a failure or an interrupt nothing more is rendered
        text = io.StringIO()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(folder / TABLE, text.getvalue())
    return folder / TABLE


def check_output(folder: str | os.PathLike[str], options: WorksOptions) -> Path:
    """The folder as a path, if works of these options may be written there.

    Raises:
      FileExistsError: it holds something else, or tracks of other options.
      NotADirectoryError: it is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; name a folder for the works")
    if (folder / CARD).is_file():
        there, wanted = read_json(folder / CARD), _card(options)
        if different := [name for name in wanted if there.get(name) != wanted[name]]:
            name = different[0]
            raise FileExistsError(
                f"{folder} holds works of {name}={there.get(name)}, not {wanted[name]}; name another folder, or "
                "remove this one"
            )
    elif folder.exists() and any(one.name != FOLDER_LOCK for one in folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty and holds no works; remove it or name another folder")
    return folder


def _card(options: WorksOptions) -> dict[str, Any]:
    return {"format": FORMAT_VERSION, **dataclasses.asdict(options)}


def _write_track(folder: Path, options: WorksOptions, work: int, version: int) -> dict[str, Any]:
    """Makes a track unless it is there; its row of the table."""
    name = track_name(work, version)
    file, annotations = folder / "sound" / f"{name}.flac", folder / "annotations" / f"{name}.jams"
    if file.is_file() and annotations.is_file():
        composed = compose_work(options.seed, work)
        performed = make_version(options.seed, composed, version)
        _, truth = arrange(options.seed, composed, performed, options.track_duration_s)
    else:
        audio, performed, truth = make_track(options, work, version)
        with replacing(file) as partial:
            pcm = np.rint(audio * 32768).astype(np.int16)
            soundfile.write(partial, pcm, RATE_HZ, subtype="PCM_16", format="FLAC")
        document = jams_document(truth, title=name, tool="mu world-music")
        write_whole(annotations, json_text(document) + "\n")
    composed = compose_work(options.seed, work)
    players = {performed.chords, performed.lead, performed.bass} | ({"drums"} if performed.drums else set())
    return {
        "file": f"sound/{name}.flac",
        "annotations": f"annotations/{name}.jams",
        "track": name,
        "work": f"work-{work:04d}",
        "version": version,
        "fold": work % FOLDS,
        "tempo_bpm": round(truth.tempo_bpm, 3),
        "log2_tempo": round(float(np.log2(truth.tempo_bpm)), 5),
        "metre": composed.metre,
        "tonic": TONICS[truth.tonic],
        "mode": "major" if truth.major else "minor",
        "key": truth.key,
        "instruments": "|".join(sorted(players)),
        "energy": round(performed.energy, 4),
        "valence": round(composed.valence, 4),
        "style": performed.style.name,
        "swing": performed.swing,
        "tempo_drift": round(performed.tempo_drift, 4),
        "tuning_cents": round(performed.tuning_cents, 2),
        "level_db": round(performed.level_db, 2),
        "noise_db": round(performed.noise_db, 2),
    }
