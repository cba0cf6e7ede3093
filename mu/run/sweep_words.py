"""A sweep in words: the rows of its table, and sentences about the winner."""

from collections.abc import Sequence

from mu.console import duration
from mu.evals.few_units import interval_text
from mu.run.sweep import Sweep
from mu.run.trial import Trial

LEVEL = "="
"""Behind the value of a trial that cannot be told from the best."""


def table_rows(sweep: Sweep) -> list[list[str]]:
    """The header, and a row for each trial: complete ones by value, then those that were stopped or failed."""
    keys = list(sweep.trials[0].params) if sweep.trials else []
    level = set(sweep.summary.get("level", ()))
    header = ["trial", *keys, sweep.metric, "step", "time", ""]
    rows = [[str(trial.number), *trial.params.values(), *_cells(trial, level)] for trial in in_order(sweep.trials)]
    return [header, *rows]


def in_order(trials: Sequence[Trial]) -> list[Trial]:
    """Complete trials by value, then stopped ones by value, then the others, each by number where they are equal."""
    kinds = {"complete": 0, "stopped": 1}
    return sorted(trials, key=lambda trial: (kinds.get(trial.state, 2), -(trial.value or 0.0), trial.number))


def _cells(trial: Trial, level: set[int]) -> list[str]:
    value = "" if trial.value is None else f"{trial.value:.4f}{LEVEL if trial.number in level else ''}"
    step = "" if trial.step is None else f"{trial.step:,}"
    time = "" if trial.duration_s is None else duration(trial.duration_s)
    note = ""
    if trial.repeats is not None:
        note, time = f"as trial {trial.repeats}", ""
    elif trial.state == "stopped":
        note = f"stopped at step {trial.evaluations[-1][0]:,}"
    elif trial.state != "complete":
        note = trial.reason_line if trial.state == "failed" else trial.state
    return [value, step, time, note]


def verdict_lines(sweep: Sweep) -> list[str]:
    """The winner, the runner-up, the optimism, and what to do next."""
    facts = sweep.summary
    if not facts:
        return ["No trial is complete."]
    winner = sweep.trials[facts["winner"]]
    lines = [f"Best: trial {winner.number}, {sweep.metric} {winner.value:.4f} on validation ({winner.words})."]
    second, level = facts["runner_up"], len(facts["level"])
    if second is not None:
        interval = interval_text(second["low"], second["high"], "+.4f")
        drawn = "" if facts["resampled"] == f"{facts['unit']}s" else f" of {facts['resampled']}"
        clear = "ahead of it" if second["low"] > 0 else "level with it, as the interval holds 0"
        lines.append(
            f"Runner-up: trial {second['number']}. The best is above it by {second['difference']:+.4f} {interval}, "
            f"paired over {facts['n_units']:,} {facts['unit']}s{drawn}: {clear}."
        )
    if level:
        lines.append(f"{LEVEL} marks {level} {'trial' if level == 1 else 'trials'} level with the best.")
    if facts["optimism"] is not None:
        one = facts["optimism"]
        lines.append(
            f"Optimism of a maximum over trials: {one['optimism']:.4f}. On {facts['unit']}s that had no part in the "
            f"choice the chosen trial is worth {one['corrected']:.4f} (bootstrap bias correction)."
        )
    if sweep.finished is None:
        lines.append("The test part is untouched: the same command with --finish measures the winner on it, once.")
    else:
        lines.append(f"Test of trial {sweep.finished['trial']}: {sweep.folder / sweep.finished['folder']}.")
    return lines
