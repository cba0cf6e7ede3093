"""`mu report`: one page of a run on audio or on listening, to read, to look at and to listen to."""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
      FileNotFoundError: no such run, or it has no evaluation. ValueError: nothing to make a page of.
    """
    from mu.files import write_whole

    if _kind(Path(place)) == "plays":
        from mu.commands.report_listening import read_listening
        from mu.report.listening import page as page_of_listening

        listening = read_listening(place)
        content, problems = page_of_listening(listening).encode(), list(listening.problems)
    else:
        from mu.report.clips import page

        run = read(place)
        content = page(run).encode()
        problems = [*run.problems, *(f"{clip}: {reason}" for clip, reason in run.sounds.lost.items())]
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, content)
    return problems, len(content)


def _kind(folder: Path) -> str | None:
    """What a run's evaluation is of: 'clips', 'plays', or None where there is none yet, or one of another kind."""
    file = folder / "evaluation" / "evaluation.json"
    return json.loads(file.read_text()).get("kind") if file.is_file() else None


def read(place: str | os.PathLike[str]) -> Any:
    """The `mu.report.run.AudioRun` of a run, or of a seed of a cross-validation.

    What needs the clips or the model is left out where these are gone, and `problems` says why. Folds have each a space
    of their own: vectors are those of the first.

    Raises:
      FileNotFoundError: no such run, or it has no evaluation.
      ValueError: a run on a log, or one that was tested on something other than clips.
    """
    from mu.evals import clip_scores
    from mu.report.audio import Sounds
    from mu.report.run import AudioRun

    folder = Path(place)
    runs = _runs(folder)
    results, about = clip_scores.load(folder)
    first = next(iter(runs.values()))
    config = json.loads((first / "config.json").read_text())
    problems: list[str] = []
    clips = _clips(config, problems)
    tested = results["model"].clips
    if clips is not None and set(clips.table["clip"]).isdisjoint(tested):
        raise ValueError(
            f"{folder} was tested on {tested[0]!r} and so on, which are no clips; mu report makes pages of clips, "
            f"`mu compare {folder}:BASELINE {folder}` sets such a run beside a baseline"
        )
    sounds = Sounds(clips)
    pooled = len(runs) > 1 or first != folder
    return AudioRun(
        title="/".join(folder.resolve().parts[-2:]) if pooled else folder.resolve().name,
        facts=_facts(about, config, json.loads((first / "run.json").read_text()), list(runs)),
        config=json.dumps(config, indent=2, ensure_ascii=False),
        curves={name: logged(run / "metrics.jsonl") for name, run in runs.items()},
        chosen=config["best"]["metric"],
        step=None if pooled else about["step"],
        results=results,
        about=about,
        sounds=sounds,
        embedded=_embedded(first, f"the model of {next(iter(runs))}" if pooled else "the model", sounds, problems),
        problems=problems,
    )


def _runs(folder: Path) -> dict[str, Path]:
    """{'': folder} of a run, {'fold 0': ...} of a seed of a cross-validation."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run {folder}")
    if (folder / "crossvalidation.json").is_file():
        seeds = ", ".join(str(path.parent.parent) for path in sorted(folder.glob("seed*/evaluation/evaluation.json")))
        raise FileNotFoundError(f"{folder} is a cross-validation; a page is of one of its seeds: {seeds}")
    if (folder / "config.json").is_file():
        runs = {"": folder}
    else:
        folds = sorted(folder.glob("fold*/config.json"), key=lambda path: (len(path.parent.name), path.parent.name))
        runs = {path.parent.name.replace("fold", "fold "): path.parent for path in folds}
    if not runs:
        raise FileNotFoundError(f"{folder} holds no run (config.json is missing); make one with `mu train`")
    file = folder / "evaluation" / "evaluation.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"{folder} has no evaluation: let `mu train` reach its end, or run `mu evaluate {folder}` (a task without "
            "targets, such as contrastive learning, has nothing to report)"
        )
    if json.loads(file.read_text()).get("kind") != "clips":
        raise ValueError(
            f"{folder} is a run on a log without audio; mu report makes pages of runs on audio or on both, "
            "`mu evaluate` prints a table of this"
        )
    return runs


def _clips(config: Mapping[str, Any], problems: list[str]) -> Any:
    """The run's clips, or None and a problem more."""
    from ml_collections import ConfigDict

    from mu.config import ConfigError, build

    try:
        return build(ConfigDict(config["data"]))  # resolved when it was written
    except (ConfigError, OSError, ValueError) as error:
        problems.append(f"Without sound, spectrograms, neighbours and map: {error}")
        return None


def _embedded(run: Path, model: str, sounds: Any, problems: list[str]) -> Any:
    """The test clips that can be read as the run's best weights see them, or None and a problem more."""
    import numpy as np

    from mu.report.neighbours import Embedded, unit
    from mu.setup import restore

    if not sounds:
        return None
    try:
        setup, state, _ = restore(run)
        test = setup.split.test
        # Evenly spaced where there are more.
        rows = np.unique(np.linspace(0, len(test) - 1, min(len(test), MOST_EMBEDDED)).astype(np.int64))
        rows = np.array([row for row in rows if sounds.readable(test.table["clip"][int(row)])], np.int64)
        if not len(rows):
            problems.append("Without neighbours and map: none of the test clips can be read.")
            return None
        test = test.take(rows)
        vectors = setup.evaluation.predictions(state, test)["clip"]
        return Embedded(model, tuple(test.table["clip"]), unit(vectors))
    except (OSError, ValueError) as error:
        problems.append(f"Without neighbours and map: {error}")
        return None


def _facts(
    about: Mapping[str, Any], config: Mapping[str, Any], made: Mapping[str, Any], folds: Sequence[str]
) -> list[tuple[str, str]]:
    """(name, value) of what was run, where and when."""
    data = Path(config["data"].get("path", "")).name
    step = f"{about['step']:,} of {config['total_steps']:,}" if "step" in about else f"{config['total_steps']:,}"
    found = [
        ("Config", about.get("config")),
        ("Model", words_of(config["model"])),
        ("Task", words_of(config["task"])),
        ("Data", f"{data}, {about['n_clips']:,} clips of {about['part']}"),
        ("Split", f"{words_of(config['split'])}" + (f"; {len(folds)} folds pooled" if len(folds) > 1 else "")),
        ("Steps", step + (", trained on validation clips too (refit)" if config["refit"] else "")),
        ("Seed", f"{config['seed']}"),
        ("Commit", made.get("commit") or "outside git"),
        ("Started", made.get("started")),
        ("Machine", f"{made['machine']}, {made['cpus']} processors; {', '.join(made['devices'])}"),
        ("Versions", f"Python {made['python']}, jax {made['versions']['jax']}, flax {made['versions']['flax']}"),
    ]
    return [(name, value) for name, value in found if value]


def words_of(spec: Mapping[str, Any]) -> str:
    """'AudioEncoder (size s, n_mels 64)': a spec's object and its plain values."""
    plain = [f"{key} {value}" for key, value in spec.items() if key != "name" and isinstance(value, int | float | str)]
    return spec["name"].partition(":")[2] + (f" ({', '.join(plain)})" if plain else "")


def logged(file: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl that are whole; none where there is no such file."""
    found = []
    for line in file.read_text().splitlines() if file.is_file() else ():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:  # a run that was killed left it half-written
            continue
    return found
