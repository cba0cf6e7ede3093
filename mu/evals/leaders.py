"""The best recommender or predictor of a metric, and those level with it: their paired interval holds 0."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from mu.evals.compare import differences
from mu.evals.result import Result

MODEL, UNBOOSTED, MIXTURE = "model", "model_unboosted", "mixture"
VARIANTS = (UNBOOSTED, "content_of_model", MIXTURE)
"""Parts of the model, the model without a part or with baselines: they stand beside it and are no baselines."""
ORACLE = "oracle"
"""The row of a simulated world's truth, which is no contestant: the best of a metric is the best beside it."""


@dataclasses.dataclass(frozen=True)
class Leaders:
    """Who is ahead in a metric.

    Attributes:
      best: the name with the largest value, the first of equal ones; empty where no value is defined.
      level: the others whose paired difference to the best has an interval that holds 0, or none.
    """

    best: str
    level: tuple[str, ...]


def contestants(results: Mapping[str, Result]) -> dict[str, Result]:
    """All results but that of the oracle."""
    return {name: result for name, result in results.items() if name != ORACLE}


def baselines_of(results: Mapping[str, Result]) -> list[str]:
    """The names of the baselines: all but the model, its variants and the oracle."""
    return [name for name in results if name not in (MODEL, ORACLE, *VARIANTS)]


def best_of(results: Mapping[str, Result], metrics: Sequence[str]) -> dict[str, list[str]]:
    """Name -> the metrics in which it has the largest value, the first of equal ones; none that nobody has."""
    values = {name: result.values() for name, result in results.items()}
    by_best: dict[str, list[str]] = {}
    for metric in metrics:
        defined = [name for name, one in values.items() if math.isfinite(one[metric])]
        if defined:
            by_best.setdefault(max(defined, key=lambda name: values[name][metric]), []).append(metric)
    return by_best


def leaders(
    results: Mapping[str, Result], metrics: Sequence[str], samples: int | None = None, seed: int = 0
) -> dict[str, Leaders]:
    """Who is ahead in each metric; larger is better. In descriptive metrics nobody is.

    Args:
      results: name of the recommender or predictor -> its result; all on the same units. The oracle is passed over.
      metrics: full names, such as 'recall@10' or 'day 0/recall@20'.
      samples: of the paired intervals, see `mu.evals.compare.compare`.
      seed: of the paired intervals.

    Raises:
      ValueError: the results cannot be paired, or lack a metric; names what differs.
    """
    rivals = contestants(results)
    descriptive = {name for result in rivals.values() for name in result.descriptive}
    ahead = dict.fromkeys(metrics, Leaders("", ()))
    for best, names in best_of(rivals, [metric for metric in metrics if metric not in descriptive]).items():
        level: dict[str, list[str]] = {metric: [] for metric in names}
        for other, result in rivals.items():
            if other == best:
                continue
            rows = differences([(result, rivals[best])], names, samples, seed)
            for metric in names:
                if math.isfinite(rows[metric]["difference"]) and not rows[metric]["low"] > 0:
                    level[metric].append(other)
        ahead |= {metric: Leaders(best, tuple(level[metric])) for metric in names}
    return ahead
