"""What is refused where a metric is to choose something: the best step, a policy, options of a sweep, the bar."""

from collections.abc import Iterable, Mapping
from typing import Any

from mu.config.base import ConfigError, known_names
from mu.evals.result import Result
from mu.protocols import DeclaresDescriptive, Evaluator


def check_metric(
    metric: str, setting: str, evaluators: Mapping[str, Evaluator[Any, Result]], measured: Iterable[str] | None = None
) -> None:
    """Raises ConfigError where a metric is not measured, or describes lists (coverage, novelty): choosing needs better.

    Args:
      metric: 'ranking/ndcg@10', or 'valid/ranking/ndcg@10'.
      setting: what names it, for the message: 'config.best.metric'.
      evaluators: of a part, by name.
      measured: the metrics that may be named; None where it is not asked whether this one is measured.
    """
    if measured is not None and metric not in (names := list(measured)):
        raise ConfigError(f"{setting}={metric!r} is not measured{known_names(metric, names)}")
    name, _, column = metric.removeprefix("valid/").partition("/")
    evaluator = evaluators.get(name)
    if isinstance(evaluator, DeclaresDescriptive) and column in evaluator.descriptive:
        raise ConfigError(f"{setting}={metric!r} describes lists and does not say which are better; name another")
