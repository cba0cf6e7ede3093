"""Reads a run's folder: its facts, its training curves, its config as text."""

import dataclasses
import datetime
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mu.durations import duration
from mu.evals.folds import is_cross_validation
from mu.evals.left_out import left_out_sentences
from mu.evals.result import Result
from mu.evals.results import evaluations_of, find
from mu.files import read_json

Curves = Mapping[str, Sequence[Mapping[str, float]]]
"""Name of a run (a fold, or '' for the only one) -> the lines of its metrics.jsonl."""


@dataclasses.dataclass(frozen=True, eq=False)
class RunFacts:
    """Facts that the page of every run shows.

    Attributes:
      title: of its config; its folder's name where there is none.
      about: when it was trained, on what, and how large it is.
      facts: (name, value) of what was run, where and when.
      command: that trained it.
      config_text: all keys of its config.
      curves: of the run, or of each fold.
      chosen: the metric that the best step was chosen by.
      step: the step whose weights were tested; None where each fold has its own.
      problems: why something is missing from the page.
    """

    title: str
    about: Sequence[str]
    facts: Sequence[tuple[str, str]]
    command: str
    config_text: str
    curves: Curves
    chosen: str
    step: int | None
    problems: Sequence[str]


def runs_of(place: str | os.PathLike[str]) -> dict[str, Path]:
    """{'': folder} of a run, {'fold 0': ..., 'fold 1': ...} of a seed of a cross-validation.

    Raises:
      FileNotFoundError: there is no run, or it is a whole cross-validation.
    """
    folder = Path(place)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run {folder}")
    if is_cross_validation(folder):
        seeds = ", ".join(str(path.parent) for path in sorted(folder.glob("seed*/evaluation")))
        raise FileNotFoundError(f"{folder} is a whole cross-validation; give one of its seeds: {seeds}")
    if (folder / "config.json").is_file():
        return {"": folder}
    folds = sorted(folder.glob("fold*/config.json"), key=lambda path: (len(path.parent.name), path.parent.name))
    if not folds:
        raise FileNotFoundError(f"{folder} holds no run (config.json is missing); make one with `mu train`")
    return {path.parent.name.replace("fold", "fold "): path.parent for path in folds}


def first_run(place: str | os.PathLike[str]) -> Path:
    """The folder of a run, or of the first fold of a seed of a cross-validation."""
    return next(iter(runs_of(place).values()))


def evaluation_of(place: str | os.PathLike[str], name: str | None = None) -> Path:
    """The folder of a run's evaluation.

    Args:
      place: the run, or a seed of a cross-validation.
      name: of the evaluation; None where there is one.

    Raises:
      FileNotFoundError: there is no such run, or it has no evaluation.
      ValueError: there are several, and no name chooses.
    """
    runs_of(place)
    if not evaluations_of(place):
        raise FileNotFoundError(
            f"{place} has no evaluation: let `mu train` reach its end, or run `mu evaluate {place}` (a task without "
            "targets, such as contrastive learning, has nothing to report)"
        )
    return find(place, name)


def unit_of(evaluation: Path) -> str:
    """The unit of an evaluation: 'clip', 'play', 'user' or 'rating'."""
    return read_json(evaluation / "evaluation.json")["unit"]


def left_out_fact(result: Result) -> dict[str, str]:
    """What an evaluation left out, by reason, as a fact of the page; {} where it measured all there was."""
    sentences = left_out_sentences(result.counts)
    return {"Measured": "; ".join(sentences)} if sentences else {}


def run_facts(
    place: str | os.PathLike[str], card: Mapping[str, Any], data: Mapping[str, str], problems: Sequence[str]
) -> RunFacts:
    """The facts of a run, or of a seed of a cross-validation.

    Args:
      place: its folder.
      card: of its evaluation: 'step', 'config', ...
      data: facts about its data: name -> value.
      problems: why something is missing from the page.
    """
    folder, runs, first = Path(place), runs_of(place), first_run(place)
    pooled = first != folder
    document, provenance = read_json(first / "config.json"), read_json(first / "run.json")
    name = "/".join(folder.resolve().parts[-2:]) if pooled else folder.resolve().name
    return RunFacts(
        title=document.get("title") or name,
        about=about(provenance, data, len(runs)),
        facts=facts(document, provenance, card, data, len(runs)),
        command=command_words(provenance.get("command", "")),
        config_text=json.dumps(document, indent=2, ensure_ascii=False),
        curves={name: curve(run / "metrics.jsonl") for name, run in runs.items()},
        chosen=document["best"]["metric"],
        step=None if pooled else card["step"],
        problems=problems,
    )


def published_rows(place: str | os.PathLike[str]) -> dict[str, dict[str, float]]:
    """What others have published on the data of a run, by its config: label -> metric -> value."""
    return read_json(first_run(place) / "config.json").get("published") or {}


def about(provenance: Mapping[str, Any], data: Mapping[str, str], n_folds: int) -> list[str]:
    """The day of a run, its data, and the size of its model.

    Args:
      provenance: run.json.
      data: facts about the data: name -> value.
      n_folds: how many runs were pooled, of which this is the first.
    """
    lines = []
    if started := provenance.get("started"):
        day = datetime.datetime.fromisoformat(started)
        lines.append(f"{day.day} {day:%B %Y}")
    lines += filter(None, (data.get(name) for name in ("Data", "Audio")))
    if parameters := provenance.get("parameters"):
        lines.append(f"{parameters:,} parameters")
    if seconds := provenance.get("duration_s"):
        lines.append(f"trained in {duration(seconds)}" + (" (the first fold)" if n_folds > 1 else ""))
    return lines


def command_words(command: str) -> str:
    """The command that trained a run, its program without the folder that it lay in."""
    words = shlex.split(command)
    return shlex.join([Path(words[0]).name, *words[1:]]) if words else ""


def facts(
    document: Mapping[str, Any],
    provenance: Mapping[str, Any],
    card: Mapping[str, Any],
    data: Mapping[str, str],
    n_folds: int,
) -> list[tuple[str, str]]:
    """(name, value) of what was run, where and when.

    Args:
      document: config.json.
      provenance: run.json.
      card: of the evaluation.
      data: facts about the data.
      n_folds: how many runs were pooled.
    """
    # A refit by chosen steps has as many as its epochs make, which may be more than were there to choose from.
    total = f" of {document['total_steps']:,}" if document["refit"] != "chosen" else ""
    machine, versions = provenance["machine"], provenance["versions"]
    values = {
        "Config": card.get("config"),
        "Model": spec_words(document["model"]),
        "Task": spec_words(document["task"]),
        **data,
        "Split": spec_words(document["split"]) + (f"; {n_folds} folds pooled" if n_folds > 1 else ""),
        "Steps": (f"{card['step']:,}{total}" if "step" in card else f"{document['total_steps']:,}")
        + (", trained on the validation part too (refit)" if document["refit"] else ""),
        "Seed": f"{document['seed']}",
        "Commit": provenance.get("commit") or "outside git",
        "Started": provenance.get("started"),
        "Machine": f"{machine}, {provenance['cpus']} processors; {', '.join(provenance['devices'])}",
        "Versions": ", ".join(
            [f"Python {provenance['python']}", *(f"{name} {version}" for name, version in versions.items() if version)]
        ),
    }
    return [(name, value) for name, value in values.items() if value]


def spec_words(spec: Mapping[str, Any]) -> str:
    """'AudioEncoder (size s, n_mels 64)': the object and the plain values of a spec."""
    plain = [f"{key} {value}" for key, value in spec.items() if key != "name" and isinstance(value, int | float | str)]
    return spec["name"].partition(":")[2] + (f" ({', '.join(plain)})" if plain else "")


def curve(file: Path) -> list[dict[str, float]]:
    """The whole lines of a metrics.jsonl; none where there is no such file."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:  # a run that was killed left it half-written
            continue
    return lines
