"""`mu report`: one page of a run on audio or on listening, to read, to look at and to listen to."""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

from mu.data.clips.clips import Clips
from mu.data.listening.hashed_features import hashed_features
from mu.report.neighbours import Embedded
from mu.report.read import first_run, runs_of

EPILOG = """\
examples:
  mu report runs/esc10/seed0/fold0               a run: runs/esc10/seed0/fold0/report.html
  mu report runs/esc10/seed0 --output=esc10.html all folds of a seed, as `mu crossvalidate` pooled them
  mu report quickstart/run                       a run on plays and the sound of their tracks

The page is one file, without scripts, and opens from disk: what was run, metrics with intervals beside the baselines,
training curves; of clips the confusions, the hardest of them with spectrogram and player, nearest neighbours and a
map; of plays one listener's story, a new track and who should hear it, and a map of the tracks. What can no longer be
read is named in it and on stderr, and the rest of the page is made.
"""
# Clips whose neighbours are looked for, and points of the map.
MOST_EMBEDDED = 2000


def main(argv: list[str]) -> int:
    """0 when the page is written, 1 when there is nothing to write it of."""
    parser = argparse.ArgumentParser(
        prog="mu report",
        description="Write one HTML page of a run: results, and what they sound like.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("run", metavar="RUN", help="a run of `mu train`, or a seed's folder of `mu crossvalidate`")
    parser.add_argument("--output", metavar="FILE", help="the page (default: RUN/report.html)")
    arguments = parser.parse_args(argv)

    output = Path(arguments.output or Path(arguments.run) / "report.html")
    try:
        problems, size = write(arguments.run, output)
    except (OSError, ValueError) as error:
        print(f"mu report: {error}", file=sys.stderr)
        return 1
    for problem in problems:
        print(f"mu report: {problem}", file=sys.stderr)
    print(f"Written to {output} ({size / 1e6:.1f} MB).")
    return 0


def write(place: str | os.PathLike[str], output: Path) -> tuple[list[str], int]:
    """Writes the page of a run; (why something is missing from it, its bytes).

    Raises:
      FileNotFoundError: no such run, or it has no evaluation.
      ValueError: there is no page of such a run.
    """
    from mu.files import write_whole

    unit = _unit(Path(place))
    if unit == "play":
        content, problems = _listening_page(Path(place))
    elif unit == "clip":
        content, problems = _clip_page(Path(place))
    elif unit == "rating":
        raise ValueError(
            f"{place} was tested on ratings, which are no clips; mu report makes pages of clips, "
            f"`mu compare {place}:BASELINE {place}` sets such a run beside a baseline"
        )
    else:
        raise ValueError(
            f"{place} is a run on a log without audio; mu report makes pages of runs on audio or on both, "
            "`mu evaluate` prints a table of this"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, content.encode())
    return problems, len(content.encode())


def _unit(folder: Path) -> str:
    """What the units of a run's evaluation are: 'clip', 'play', 'user', 'rating'."""
    from mu.evals.results import evaluations_of
    from mu.files import read_json
    from mu.report.read import runs_of

    runs_of(folder)
    evaluations = evaluations_of(folder)
    if not evaluations:
        raise FileNotFoundError(
            f"{folder} has no evaluation: let `mu train` reach its end, or run `mu evaluate {folder}` (a task without "
            "targets, such as contrastive learning, has nothing to report)"
        )
    return read_json(next(iter(evaluations.values())) / "evaluation.json")["unit"]


def _listening_page(folder: Path) -> tuple[str, list[str]]:
    """(the page of a run on plays and sound, what is missing from it)."""
    from mu.data.summary import track_titles
    from mu.inference.time_aware import TimeAwareRecommender
    from mu.report.listening import page
    from mu.report.listening_run import Sections, read_listening_run
    from mu.report.listening_sections import listening_sections
    from mu.report.split_log import SplitLog
    from mu.run.restore import restore
    from mu.run.trained import open_run

    computed, problems = Sections(), []
    try:
        setup = restore(folder).run
        recommender, data = open_run(folder).up_to_date().recommender(), setup.data
        columns = setup.config.data
        words = {
            name: hashed_features(data.tracks, (name,), data.hash_size) for name in columns.get("item_columns", ())
        }
        log = SplitLog(
            data=data,
            histories=setup.split.train.merged(setup.split.valid),
            test=setup.split.test,
            trained_until_ms=setup.train.end_ms,
            titles=track_titles(data.tracks),
            user_columns=columns.get("user_columns", ()),
        )
        aware = recommender if isinstance(recommender, TimeAwareRecommender) else None
        computed = listening_sections(log, recommender, aware, aware.score_parts(words) if aware else {})
    except (OSError, ValueError) as error:
        problems.append(f"Without listeners, tracks and map: {error}")
    return page(read_listening_run(folder, computed, problems)), problems


def _clip_page(folder: Path) -> tuple[str, list[str]]:
    """(the page of a run on audio, what is missing from it)."""
    from mu.report.clip_run import read_clip_run
    from mu.report.clips import page

    problems: list[str] = []
    clips = _clips(first_run(folder), problems)
    embedded = None if clips is None else _embedded(folder, clips, problems)
    run = read_clip_run(folder, clips, embedded, problems)
    content = page(run)
    return content, [*problems, *(f"{clip}: {reason}" for clip, reason in run.sounds.lost.items())]


def _clips(run: Path, problems: list[str]) -> Clips | None:
    """The run's clips, or None and a problem more."""
    from ml_collections import ConfigDict

    from mu.config.base import ConfigError
    from mu.config.resolve import build

    try:
        return build(ConfigDict(json.loads((run / "config.json").read_text())["data"]))  # resolved when written
    except (ConfigError, OSError, ValueError) as error:
        problems.append(f"Without sound, spectrograms, neighbours and map: {error}")
        return None


def _embedded(folder: Path, clips: Clips, problems: list[str]) -> Embedded | None:
    """The test clips that can be read as the run's best weights embed them, or None and a problem more.

    Folds have each a space of their own: vectors are those of the first.
    """
    from mu.report.audio import Sounds
    from mu.report.neighbours import Embedded, unit
    from mu.run.restore import restore

    runs = runs_of(folder)
    name, run = next(iter(runs.items()))
    sounds = Sounds(clips)
    try:
        restored = restore(run)
        setup, state = restored.run, restored.state
        test = setup.split.test
        # Evenly spaced where there are more.
        rows = np.unique(np.linspace(0, len(test) - 1, min(len(test), MOST_EMBEDDED)).astype(np.int64))
        rows = np.array([row for row in rows if sounds.readable(test.table["clip"][int(row)])], np.int64)
        if not len(rows):
            problems.append("Without neighbours and map: none of the test clips can be read.")
            return None
        test = test.take(rows)
        vectors = setup.evaluation.predictions(state, test)["clip"]
        return Embedded(f"the model of {name}" if name else "the model", tuple(test.table["clip"]), unit(vectors))
    except (OSError, ValueError) as error:
        problems.append(f"Without neighbours and map: {error}")
        return None
