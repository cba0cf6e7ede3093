"""The page of a run, chosen by the unit of its evaluation."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mu.data.clips.clips import Clips
from mu.evals.folds import is_cross_validation
from mu.evals.nouns import plural
from mu.evals.results import load
from mu.files import read_json
from mu.protocols import Predictor
from mu.report import clips as clip_pages
from mu.report import listening as listening_pages
from mu.report import ratings as rating_pages
from mu.report.audio import Sounds
from mu.report.clip_run import read_clip_run
from mu.report.evenly_spaced import evenly_spaced
from mu.report.listening_run import Sections, main_metric, read_listening_run
from mu.report.listening_sections import listening_sections
from mu.report.neighbours import Embedded, unit
from mu.report.read import evaluation_of, first_run, runs_of, unit_of
from mu.report.seeds import Seeds, run_or_first_seed, seeds_of
from mu.report.split_log import LogModels
from mu.report.sweep import sweep_page
from mu.report.sweep_words import is_sweep

MOST_EMBEDDED = 2000
"""Clips whose neighbours are looked for, and points of the map."""
Page = tuple[str, list[str]]
"""The page of a run, and what is missing from it and why."""


@dataclasses.dataclass(frozen=True)
class RunAccess:
    """Functions that open the data and the model of a run, which lie above pages; `mu.api` has them.

    Each but the first raises OSError or ValueError where they cannot be had; the page does without them.

    Attributes:
      check: folder of a run -> anything; raises ValueError for a config that this version of mu cannot run.
      models: folder of a run on a log -> its log and recommenders.
      clips: folder of a run on clips -> its clips.
      test_predictor: folder of a run on clips -> its test clips, and its best weights, which predict 'clip'.
    """

    check: Callable[[Path], object]
    models: Callable[[Path], LogModels]
    clips: Callable[[Path], Clips]
    test_predictor: Callable[[Path], tuple[Clips, Predictor[Clips]]]


def page_of(folder: Path, access: RunAccess, name: str | None = None) -> Page:
    """The page of a run, a sweep, a seed of a cross-validation, or all of one: its first seed, beside the others.

    Args:
      folder: of it.
      access: to what is not in the files of its results.
      name: of the evaluation that the page shows; None where the run has one.

    Raises:
      FileNotFoundError: there is no such run, or it has no evaluation.
      ValueError: there is no page of such a run, or it has several evaluations and no name chooses.
    """
    if is_sweep(folder):
        return sweep_page(folder), []
    seeds, place = seeds_of(folder) if is_cross_validation(folder) else None, run_or_first_seed(folder)
    evaluation = evaluation_of(place, name)
    unit = unit_of(evaluation)
    if unit not in PAGES:
        raise ValueError(
            f"{evaluation} is over {plural(unit)}; pages are of {', '.join(PAGES)}: `mu evaluate` prints a table"
        )
    return PAGES[unit](place, evaluation, access, seeds)


def log_page(folder: Path, evaluation: Path, access: RunAccess, seeds: Seeds | None) -> Page:
    """The page of a run on a log, with sound or without."""
    first = first_run(folder)
    access.check(first)
    loaded, sections, problems = load(evaluation), Sections(), []
    metric = main_metric(loaded.results["model"], read_json(first / "config.json")["best"]["metric"])
    try:
        sections = listening_sections(access.models(first), loaded, metric)
    except (OSError, ValueError) as error:
        problems.append(f"Without listeners, tracks and map: {error}")
    return listening_pages.page(read_listening_run(folder, loaded, sections, problems), seeds), problems


def clip_page(folder: Path, evaluation: Path, access: RunAccess, seeds: Seeds | None) -> Page:
    """The page of a run on audio."""
    access.check(first_run(folder))
    clips, embedded, problems = None, None, []
    try:
        clips = access.clips(first_run(folder))
    except (OSError, ValueError) as error:
        problems.append(f"Without sound, spectrograms, neighbours and map: {error}")
    if clips is not None:
        try:
            embedded = embedded_clips(folder, clips, access)
        except (OSError, ValueError) as error:
            problems.append(f"Without neighbours and map: {error}")
    run = read_clip_run(folder, evaluation, clips, embedded, problems)
    content = clip_pages.page(run, seeds)
    return content, [*problems, *(f"{clip}: {reason}" for clip, reason in run.sounds.lost.items())]


def rating_page(folder: Path, evaluation: Path, access: RunAccess, seeds: Seeds | None) -> Page:
    """The page of a run on ratings."""
    access.check(first_run(folder))
    loaded, clips, problems = load(evaluation), None, []
    try:
        clips = rating_pages.with_ratings(access.clips(first_run(folder)), loaded.results["model"].units)
    except (OSError, ValueError) as error:
        problems.append(f"Without tracks and their sound: {error}")
    run = rating_pages.read_rating_run(folder, loaded, clips, problems)
    content = rating_pages.page(run, seeds)
    return content, [*problems, *(f"{clip}: {reason}" for clip, reason in run.sounds.lost.items())]


PAGES: Mapping[str, Callable[[Path, Path, RunAccess, Seeds | None], Page]] = {
    "user": log_page,
    "play": log_page,
    "clip": clip_page,
    "rating": rating_page,
}
"""Unit of an evaluation -> its page, of (run, evaluation, access, seeds)."""


def embedded_clips(folder: Path, clips: Clips, access: RunAccess) -> Embedded:
    """The test clips that can be read as a run's best weights embed them.

    Folds have each a space of their own: vectors are those of the first.

    Raises:
      OSError, ValueError: the model cannot be had, or none of the clips can be read.
    """
    name, first = next(iter(runs_of(folder).items()))
    sounds = Sounds(clips)
    test, predictor = access.test_predictor(first)
    rows = evenly_spaced(len(test), MOST_EMBEDDED)
    rows = np.array([row for row in rows if sounds.readable(test.table["clip"][int(row)])], np.int64)
    if not len(rows):
        raise ValueError("none of the test clips can be read")
    test = test.take(rows)
    vectors = predictor.predict(test)["clip"]
    return Embedded(f"the model of {name}" if name else "the model", tuple(test.table["clip"]), unit(vectors))
