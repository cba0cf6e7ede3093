"""What a sweep maximises: a metric of the validation part, whatever is measured there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from mu.config.base import Config, ConfigError
from mu.evals.result import Result
from mu.evals.results import load
from mu.protocols import Evaluator, Split
from mu.sweep.space import Space
from mu.sweep.trial import Trial

VALID = "valid/"


class Objective(Protocol):
    """What is measured of a trial.

    Attributes:
      metric: 'valid/ranking/ndcg@10'.
      config: resolved, without the parameters of a trial.
    """

    metric: str
    config: Config

    def check(self, params: Mapping[str, str]) -> None:
        """Raises ConfigError where a trial cannot have these parameters."""
        ...

    def measured_split(self) -> Split:
        """The split whose validation part is measured; raises ConfigError where that has no such metric, or where it
        describes lists (coverage, novelty): of those more is not always better."""
        ...

    def run(self, trial: Trial, folder: Path, others: Sequence[Trial]) -> dict[str, Any]:
        """Runs a trial in its folder; returns the entries of an ended `Trial`.

        Args:
          trial: the trial.
          folder: its own.
          others: the ended trials that it may know of.
        """
        ...

    def finish(self, winner: Trial, folder: Path, trials: Path) -> Path:
        """Measures the winner on the test part.

        Args:
          winner: the best trial.
          folder: where a new run may be made.
          trials: holds the folders of the trials.

        Returns:
          The folder of the run or of the evaluation.
        """
        ...


def measured_part(metric: str) -> tuple[str, str]:
    """('ranking', 'ndcg@10') of 'valid/ranking/ndcg@10'."""
    evaluation, _, column = metric.removeprefix(VALID).partition("/")
    return evaluation, column


def measured_by(evaluators: Mapping[str, Evaluator[Any, Result]]) -> list[str]:
    """All that evaluators of the validation part measure: 'valid/ranking/ndcg@10' and so on."""
    return [f"{VALID}{name}/{column}" for name, evaluator in evaluators.items() for column in evaluator.names]


def with_part(metric: str) -> str:
    """'valid/ranking/ndcg@10' of 'ranking/ndcg@10'."""
    return metric if metric.startswith(VALID) else VALID + metric


def result_of(folder: Path, metric: str) -> Result | None:
    """What a trial in `folder` measured of every unit of the validation part; None where the metric has no units."""
    evaluation, column = measured_part(metric)
    place = folder / "evaluation_valid" / evaluation
    if not column or not place.is_dir():
        return None
    return model_result(load(place).results)


def model_result(results: Mapping[str, Result]) -> Result:
    """Of a run with a policy, the weights that were chosen are those without it."""
    return results.get("model_unboosted", results["model"])


def check_space(objective: Objective, space: Space) -> None:
    """Holds every choice and both ends of every range against the objective, the other keys at their first value.

    Raises:
      ConfigError: names all that cannot be.
    """
    first = {key: one.ends()[0] for key, one in space.items()}
    faults: dict[str, None] = {}
    for key, one in space.items():
        for text in one.ends():
            try:
                objective.check({**first, key: text})
            except ConfigError as error:
                faults |= dict.fromkeys(str(error).splitlines())
    if faults:
        raise ConfigError("\n".join(faults))
