"""Paired differences of one recommender or predictor and others, and what they show."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence

from mu.evals.compare import differences
from mu.evals.result import Result

ABOVE, LEVEL, BELOW = "above", "level with", "below"


@dataclasses.dataclass(frozen=True)
class Paired:
    """One metric of one result less that of another, on the same units.

    Attributes:
      other: name of the other.
      value: of the one.
      other_value: of the other.
      difference: of the two.
      low: end of its 95 % interval; NaN where there is no interval.
      high: likewise.
      better: clusters of units in which the one is better; None where the metric is no mean over units.
      worse: clusters in which the other is.
    """

    other: str
    value: float
    other_value: float
    difference: float
    low: float
    high: float
    better: int | None = None
    worse: int | None = None

    @property
    def outcome(self) -> str:
        """'above' or 'below' where the interval lies on one side of 0, else 'level with'."""
        if self.low > 0:
            return ABOVE
        return BELOW if self.high < 0 else LEVEL


def paired(
    results: Mapping[str, Result],
    name: str,
    others: Iterable[str],
    metrics: Sequence[str],
    samples: int | None = None,
    seed: int = 0,
) -> dict[str, list[Paired]]:
    """The differences of one result and others in each metric, the others with the largest values first.

    Args:
      results: by name.
      name: of the one.
      others: names of the others.
      metrics: full names.
      samples: of the intervals, see `mu.evals.compare.compare`.
      seed: of the intervals.

    Returns:
      Metric -> its differences, of the others for which it is defined.

    Raises:
      ValueError: the results cannot be paired, or lack a metric; names what differs.
    """
    rows: dict[str, list[Paired]] = {metric: [] for metric in metrics}
    for other in others:
        compared = differences([(results[other], results[name])], metrics, samples, seed) if metrics else {}
        for metric, row in compared.items():
            if math.isfinite(row["difference"]):
                one = Paired(
                    other=other,
                    value=row["b"],
                    other_value=row["a"],
                    difference=row["difference"],
                    low=row["low"],
                    high=row["high"],
                    better=int(row["b_better"]) if "b_better" in row else None,
                    worse=int(row["a_better"]) if "a_better" in row else None,
                )
                rows[metric].append(one)
    return {metric: sorted(pairs, key=lambda pair: -pair.other_value) for metric, pairs in rows.items()}
