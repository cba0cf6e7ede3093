"""A sweep in words: the rows of its table, and sentences about its winner, from what sweep.json holds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mu.durations import duration
from mu.evals.few_units import interval_text
from mu.evals.nouns import counted, plural
from mu.files import read_json

DOCUMENT = "sweep.json"
LEVEL = "="
"""Behind the value of a trial that cannot be told from the best."""


def is_sweep(folder: Path) -> bool:
    """Whether a folder holds a sweep."""
    return (folder / DOCUMENT).is_file()


def read_sweep(folder: Path) -> dict[str, Any]:
    """What the sweep in a folder holds.

    Raises:
      ValueError: none of its trials has ended yet.
    """
    document = read_json(folder / DOCUMENT)
    if "summary" not in document:
        raise ValueError(f"{folder} holds a sweep that has not ended: let `mu sweep` go on first")
    return document


def table_rows(document: Mapping[str, Any]) -> list[list[str]]:
    """The header, and a row for each trial: complete ones by value, then those that were stopped or failed.

    Columns in which nothing stands are left out: baselines have no steps.
    """
    trials, level = document["trials"], document["summary"].get("level", ())
    header = ["trial", *document["space"], document["metric"], "step", "time", ""]
    rows = [[str(one["number"]), *one["params"].values(), *_cells(one, level)] for one in in_order(trials)]
    table = [header, *rows]
    used = [at for at in range(len(header)) if any(row[at] for row in rows)]
    return [[row[at] for at in used] for row in table]


def in_order(trials: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Complete trials by value, then stopped ones by value, then the others; equal ones by number."""
    kinds = {"complete": 0, "stopped": 1}
    return sorted(trials, key=lambda one: (kinds.get(one["state"], 2), -(one["value"] or 0.0), one["number"]))


def _cells(trial: Mapping[str, Any], level: Sequence[int]) -> list[str]:
    value = "" if trial["value"] is None else f"{trial['value']:.4f}{LEVEL if trial['number'] in level else ''}"
    step = "" if trial["step"] is None else f"{trial['step']:,}"
    time = "" if trial["duration_s"] is None else duration(trial["duration_s"])
    note = ""
    if trial["repeats"] is not None:
        note, time = f"as trial {trial['repeats']}", ""
    elif trial["state"] == "stopped":
        note = f"stopped at step {trial['evaluations'][-1][0]:,}"
    elif trial["state"] != "complete":
        note = trial["reason"].rpartition("\n")[2] or trial["state"]
    return [value, step, time, note]


def winner_lines(document: Mapping[str, Any]) -> list[str]:
    """The winner, the runner-up, how many are level, and the optimism; a sentence each."""
    facts = document["summary"]
    if not facts:
        return ["No trial is complete."]
    winner = document["trials"][facts["winner"]]
    params = ", ".join(f"{key}={value}" for key, value in winner["params"].items())
    lines = [f"Best: trial {winner['number']}, {document['metric']} {winner['value']:.4f} on validation ({params})."]
    second, level = facts["runner_up"], len(facts["level"])
    if second is not None:
        interval = interval_text(second["low"], second["high"], "+.4f")
        drawn = "" if facts["resampled"] == plural(facts["unit"]) else f" of {facts['resampled']}"
        clear = "ahead of it" if second["low"] > 0 else "level with it, as the interval holds 0"
        lines.append(
            f"Runner-up: trial {second['number']}. The best is above it by {second['difference']:+.4f} {interval}, "
            f"paired over {counted(facts['n_units'], facts['unit'])}{drawn}: {clear}."
        )
    if level:
        lines.append(f"{LEVEL} marks {counted(level, 'trial')} level with the best.")
    if facts["optimism"] is not None:
        one = facts["optimism"]
        lines.append(
            f"Optimism of a maximum over trials: {one['optimism']:.4f}. On {plural(facts['unit'])} that had no part in "
            f"the choice the chosen trial is worth {one['corrected']:.4f} (bootstrap bias correction)."
        )
    return lines
