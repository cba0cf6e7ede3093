"""What a list metric is declared as. Not declared, it is of each list: metric(items, context) -> float64 [n].

    @needs("vectors")                       # of each list; `context.vectors` must be there
    def metric(items, context): ...

    @of_all_lists("items")                  # of all lists together: their items
    def metric(items, weights, n_items): ...

    @of_all_lists("groups")                 # the same of their items' groups
    def metric(groups, weights, n_groups): ...

items and groups are int [n, k], best first, -1 in slots without one. Metrics of all lists return float64 [S], a number
for each row of `weights`, float64 [S, n], which says how much each list counts: they are computed again under many
weightings, for the bootstrap.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

import numpy as np

from mu.evals.metrics.lists.context import ItemContext

Metric = Callable[..., np.ndarray]


@dataclasses.dataclass(frozen=True)
class OfEachList:
    """A metric of each list.

    Attributes:
      compute: metric(items, context).
      needs: what of `ItemContext` must be there, of 'groups' and 'vectors'.
    """

    compute: Metric
    needs: tuple[str, ...] = ()

    def __call__(self, items: np.ndarray, context: ItemContext) -> np.ndarray:
        return self.compute(items, context)


@dataclasses.dataclass(frozen=True)
class OfAllLists:
    """A metric of all lists together.

    Attributes:
      compute: metric(items, weights, n_items) or metric(groups, weights, n_groups).
      ids: which of the two, 'items' or 'groups'.
    """

    compute: Metric
    ids: Literal["items", "groups"]

    @property
    def needs(self) -> tuple[str, ...]:
        """What of `ItemContext` must be there."""
        return ("groups",) if self.ids == "groups" else ()

    def __call__(self, ids: np.ndarray, weights: np.ndarray, **size: int) -> np.ndarray:
        return self.compute(ids, weights, **size)


def needs(*names: Literal["groups", "vectors"]) -> Callable[[Metric], OfEachList]:
    """Declares a metric of each list that takes these arrays of `ItemContext`."""
    return lambda compute: OfEachList(compute, names)


def of_all_lists(ids: Literal["items", "groups"]) -> Callable[[Metric], OfAllLists]:
    """Declares a metric of all lists together."""
    return lambda compute: OfAllLists(compute, ids)


def declared(metric: Metric) -> OfEachList | OfAllLists:
    """A list metric with its declaration."""
    return metric if isinstance(metric, OfEachList | OfAllLists) else OfEachList(metric)
