"""The Python interface: functions of whole runs. Their imports are lazy, so that `import mu.api` costs nothing."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mu.data.clips.clips import Clips
    from mu.report.listening_run import Sections
    from mu.report.neighbours import Embedded

MOST_EMBEDDED = 2000
"""Clips whose neighbours are looked for, and points of the map."""


def write_report(run: str | os.PathLike[str], output: str | os.PathLike[str]) -> list[str]:
    """Writes the page of a run, one HTML file, and returns what is missing from it and why.

    Args:
      run: a run of `mu train` on audio, or on plays and audio; or a seed's folder of `mu crossvalidate`.
      output: the file; its folder is made if need be.

    Raises:
      FileNotFoundError: there is no such run, or it has no evaluation.
      ValueError: there is no page of such a run.
    """
    from mu.files import write_whole
    from mu.report.read import unit_of

    unit = unit_of(run)
    if unit == "play":
        content, problems = _listening_page(Path(run))
    elif unit == "clip":
        content, problems = _clip_page(Path(run))
    elif unit == "rating":
        raise ValueError(
            f"{run} was tested on ratings, which are no clips; mu report makes pages of clips, "
            f"`mu compare {run}:BASELINE {run}` sets such a run beside a baseline"
        )
    else:
        raise ValueError(
            f"{run} is a run on a log without audio; mu report makes pages of runs on audio or on both, "
            "`mu evaluate` prints a table of this"
        )
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    write_whole(Path(output), content.encode())
    return problems


def _listening_page(folder: Path) -> tuple[str, list[str]]:
    """(the page of a run on plays and sound, what is missing from it)."""
    from mu.report.listening import page
    from mu.report.listening_run import Sections, read_listening_run

    computed, problems = Sections(), []
    try:
        computed = _listening_sections(folder)
    except (OSError, ValueError) as error:
        problems.append(f"Without listeners, tracks and map: {error}")
    return page(read_listening_run(folder, computed, problems)), problems


def _listening_sections(folder: Path) -> "Sections":
    """The sections that are computed from the model of a run."""
    from mu.data.listening.hashed_features import hashed_features
    from mu.data.listening.listening import Listening
    from mu.data.summary import track_titles
    from mu.files import read_json
    from mu.inference.time_aware import TimeAwareRecommender
    from mu.report.listening_sections import listening_sections
    from mu.report.split_log import SplitLog
    from mu.run.restore import open_run

    run = open_run(folder).up_to_date()
    recommender, (data, split) = run.recommender(), run.open_split()
    learnt, histories = run.learnt_from(split), split.train.merged(split.valid)
    test = split.test
    if not (
        isinstance(data, Listening)
        and isinstance(learnt, Listening)
        and isinstance(histories, Listening)
        and isinstance(test, Listening)
    ):
        raise ValueError(f"{folder} is a run on a log without dates of release")
    options = read_json(folder / "config.json")["data"]
    columns = {name: hashed_features(data.tracks, (name,), data.hash_size) for name in options.get("item_columns", ())}
    log = SplitLog(
        data=data,
        histories=histories,
        test=test,
        trained_until_ms=learnt.end_ms,
        titles=track_titles(data.tracks),
        user_columns=options.get("user_columns", ()),
    )
    aware = recommender if isinstance(recommender, TimeAwareRecommender) else None
    return listening_sections(log, recommender, aware, aware.score_parts(columns) if aware else {})


def _clip_page(folder: Path) -> tuple[str, list[str]]:
    """(the page of a run on audio, what is missing from it)."""
    from mu.report.clip_run import read_clip_run
    from mu.report.clips import page
    from mu.report.read import first_run

    problems: list[str] = []
    clips = _clips(first_run(folder), problems)
    embedded = None if clips is None else _embedded(folder, clips, problems)
    run = read_clip_run(folder, clips, embedded, problems)
    content = page(run)
    return content, [*problems, *(f"{clip}: {reason}" for clip, reason in run.sounds.lost.items())]


def _clips(run: Path, problems: list[str]) -> "Clips | None":
    """The run's clips, or None and a problem more."""
    from mu.data.clips.clips import Clips
    from mu.run.workdir import open_data, run_config

    try:
        data = open_data(run_config(run), run)
        assert isinstance(data, Clips)
        return data
    except (OSError, ValueError) as error:
        problems.append(f"Without sound, spectrograms, neighbours and map: {error}")
        return None


def _embedded(folder: Path, clips: "Clips", problems: list[str]) -> "Embedded | None":
    """The test clips that can be read as the run's best weights embed them, or None and a problem more.

    Folds have each a space of their own: vectors are those of the first.
    """
    import numpy as np

    from mu.data.clips.clips import Clips
    from mu.report.audio import Sounds
    from mu.report.neighbours import Embedded, unit
    from mu.report.read import runs_of
    from mu.run.evaluation import model_of
    from mu.run.rebuild import rebuild
    from mu.training.state import weights

    runs = runs_of(folder)
    name, first = next(iter(runs.items()))
    sounds = Sounds(clips)
    try:
        rebuilt = rebuild(first)
        test = rebuilt.run.split.test
        assert isinstance(test, Clips)
        # Evenly spaced where there are more.
        rows = np.unique(np.linspace(0, len(test) - 1, min(len(test), MOST_EMBEDDED)).astype(np.int64))
        rows = np.array([row for row in rows if sounds.readable(test.table["clip"][int(row)])], np.int64)
        if not len(rows):
            problems.append("Without neighbours and map: none of the test clips can be read.")
            return None
        test = test.take(rows)
        vectors = model_of(rebuilt.run, *weights(rebuilt.state)).predict(test)["clip"]
        return Embedded(f"the model of {name}" if name else "the model", tuple(test.table["clip"]), unit(vectors))
    except (OSError, ValueError) as error:
        problems.append(f"Without neighbours and map: {error}")
        return None
