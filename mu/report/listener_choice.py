"""Three listeners of an evaluation, chosen by the metric of their own: a typical one, the best and the worst served."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from mu.evals.result import Result


@dataclasses.dataclass(frozen=True)
class Choice:
    """A listener that a page shows.

    Attributes:
      name: 'typical', 'best' or 'worst'.
      user: their number in the log.
      rule: how they were chosen, in words.
      values: recommender -> the metric over this listener's own units.
    """

    name: str
    user: int
    rule: str
    values: Mapping[str, float]


def choose(results: Mapping[str, Result], metric: str, n_before: np.ndarray, n_test: np.ndarray) -> list[Choice]:
    """A typical listener, the best and the worst served by the model, each once.

    Typical is the median of those whose value is not 0; of none such, of all. Of equally well served ones that with
    the most plays in the test is taken, then the first. Those without a play before the test are not taken.

    Args:
      results: 'model' and the baselines -> results over users, or over units clustered by users.
      metric: a column of the results; larger is better.
      n_before: int [U], plays of each listener before the test.
      n_test: int [U], plays of each in the test.
    """
    model = results["model"]
    values_of = {name: dict(zip(*own_values(one, metric), strict=True)) for name, one in results.items()}
    users, values = own_values(model, metric)
    kept = n_before[users] > 0
    users, values = users[kept], values[kept]
    if not len(users):
        return []
    short = metric.rpartition("/")[2]
    above = np.sort(values[values != 0] if values.any() else values)
    n_zero = len(users) - len(above) if values.any() else len(users)
    everyone = f"of {len(users):,} listeners"
    middle = f"The median {short} {everyone}."
    if n_zero:
        rest = "and this is the median of the others" if n_zero < len(users) else "so any of them is typical"
        middle = f"The {short} {everyone} is 0 for {n_zero:,}, {rest}."
    rows = {"typical": (above[(len(above) - 1) // 2], middle)}
    for name, value in (("best", values.max()), ("worst", values.min())):
        same = int((values == value).sum())
        others = f"; {same - 1:,} others have the same" if same > 2 else "; another has the same" if same == 2 else ""
        which = "largest" if name == "best" else "smallest"
        rows[name] = (value, f"The {which} {short} {everyone}{others}.")
    chosen: dict[int, Choice] = {}
    for name, (value, rule) in rows.items():
        tied = np.flatnonzero(values == value)
        user = int(users[tied[np.argmax(n_test[users[tied]])]])
        if user not in chosen:
            own = {other: float(own_value.get(user, np.nan)) for other, own_value in values_of.items()}
            chosen[user] = Choice(name, user, rule, own)
    return list(chosen.values())


def own_values(result: Result, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(users int64 [n], the mean of a metric over the units of each float64 [n])."""
    column = result.columns[metric]
    defined = np.isfinite(column)
    owners = (result.units if result.clusters is None else result.clusters)[defined]
    users, place, counts = np.unique(owners, return_inverse=True, return_counts=True)
    return users, np.bincount(place, weights=column[defined], minlength=len(users)) / counts
