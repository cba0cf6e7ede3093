"""Successive halving: trials that are behind at an early evaluation are not trained to the end."""

from collections.abc import Callable, Sequence

from mu.sweep.trial import Trial

FACTOR = 3
"""Of the trials at a rung the best 1 / FACTOR go on; rungs are the evaluations 1, 3, 9, 27, ..."""


def halving(every_steps: int, others: Sequence[Trial]) -> Callable[[int, float], bool]:
    """A function of an evaluation, (step, value) -> whether the trial is stopped there.

    The asynchronous rule (Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020): at a rung a
    trial goes on where its value is among the best third of those that the `others` and it have at this step, or the
    best. What is decided depends on the evaluation alone, not on when it is asked.

    Args:
      every_steps: steps from one evaluation to the next.
      others: trials before this one, ended, with their evaluations.
    """
    values_at: dict[int, list[float]] = {}
    for trial in others:
        for step, value in trial.evaluations if trial.repeats is None else ():
            values_at.setdefault(step, []).append(value)

    def stops(step: int, value: float) -> bool:
        if not _is_rung(step / every_steps):
            return False
        ranked = sorted([*values_at.get(step, []), value], reverse=True)
        return value < ranked[max(len(ranked) // FACTOR, 1) - 1]

    return stops


def _is_rung(evaluation: float) -> bool:
    while evaluation > 1:
        evaluation /= FACTOR
    return evaluation == 1
