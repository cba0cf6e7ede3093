"""The best trial of a sweep: beside the others with paired intervals, and what the choice of a maximum is worth."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mu.evals.compare import differences
from mu.evals.leaders import leaders
from mu.evals.optimism import optimism
from mu.evals.result import Result
from mu.sweep.objective import measured_part, result_of
from mu.sweep.trial import Trial, best_of, distinct

SAMPLES = 1000
"""Of the intervals and the correction: each pair of trials is drawn so often."""


def summary(trials: Sequence[Trial], metric: str, folder_of: Callable[[Trial], Path]) -> dict[str, Any]:
    """What sweep.json says of the best trial.

    Args:
      trials: all of them.
      metric: 'valid/ranking/ndcg@10'.
      folder_of: the folder of a trial.

    Returns:
      {'winner': number, 'level': numbers of the trials whose paired interval to the winner holds 0, 'runner_up':
      {'number', 'difference', 'low', 'high', 'p'} or None, 'optimism': {'value', 'corrected', 'optimism'} or None,
      'unit': 'user', 'n_units', 'resampled': what the bootstrap draws}; {} where no trial is complete. Of a metric
      without units, such as a loss, only the winner is known.
    """
    best = best_of(trials)
    if best is None:
        return {}
    measured = {str(trial.number): result_of(folder_of(trial), metric) for trial in distinct(trials)}
    results = {name: result for name, result in measured.items() if result is not None}
    facts: dict[str, Any] = {"winner": best.number, "level": [], "runner_up": None, "optimism": None}
    if len(results) < len(measured):
        return facts
    _, column = measured_part(metric)
    first = results[str(best.number)]
    facts |= {"unit": first.unit, "n_units": first.n_units(column), "resampled": first.resampled}
    if len(results) > 1:
        ahead = leaders(results, [column], SAMPLES)[column]
        second = best_of([trial for trial in trials if trial.number != best.number])
        assert second is not None
        facts["level"] = [int(name) for name in ahead.level]
        facts["runner_up"] = {"number": second.number} | _difference(results, second, best, column)
        if first.n_clusters > 1:
            facts["optimism"] = optimism(list(results.values()), column, SAMPLES)._asdict()
    return facts


def _difference(results: Mapping[str, Result], other: Trial, best: Trial, column: str) -> dict[str, float | None]:
    """The winner less another trial, unit by unit."""
    row = differences([(results[str(other.number)], results[str(best.number)])], [column], SAMPLES)[column]
    return {name: row.get(name) for name in ("difference", "low", "high", "p")}
