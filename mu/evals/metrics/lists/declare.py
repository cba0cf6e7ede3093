"""What a list metric is declared as. Not declared, it is of each list: metric(items, context) -> float64 [n].

    @needs("vectors")                       # of each list; `context.vectors` must be there
    def metric(items, context): ...

    @of_all_lists(item_ids)                 # of all lists together: their items
    def metric(items, weights, n_items): ...

    @of_all_lists(group_ids, "groups")      # the same of their items' groups, which must be known
    def metric(groups, weights, n_groups): ...

items and groups are int [n, k], best first, -1 in slots without one. Metrics of all lists return float64 [S], a number
for each row of `weights`, float64 [S, n], which says how much each list counts: they are computed again under many
weightings, for the bootstrap. What they take of the lists is computed once, by a function of (items, context).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from mu.evals.metrics.lists.context import ListContext

Metric = Callable[..., np.ndarray]
Inputs = Callable[[np.ndarray, ListContext], tuple[np.ndarray, Mapping[str, Any]]]
"""(items, context) -> (array [n, ...], the other arguments of the metric, which JSON can hold)."""
Need = Literal["groups", "vectors", "histories", "targets"]


@dataclasses.dataclass(frozen=True)
class OfEachList:
    """A metric of each list.

    Attributes:
      compute: metric(items, context).
      needs: what of `ListContext` must be there.
    """

    compute: Metric
    needs: tuple[Need, ...] = ()

    def __call__(self, items: np.ndarray, context: ListContext) -> np.ndarray:
        return self.compute(items, context)


@dataclasses.dataclass(frozen=True)
class OfAllLists:
    """A metric of all lists together.

    Attributes:
      compute: metric(array, weights, **options).
      inputs: the function that gives the array and the options.
      needs: what of `ListContext` must be there.
    """

    compute: Metric
    inputs: Inputs
    needs: tuple[Need, ...] = ()

    def __call__(self, array: np.ndarray, weights: np.ndarray, **options: Any) -> np.ndarray:
        return self.compute(array, weights, **options)


def needs(*names: Need) -> Callable[[Metric], OfEachList]:
    """Declares a metric of each list that takes these arrays of `ListContext`."""
    return lambda compute: OfEachList(compute, names)


def of_all_lists(inputs: Inputs, *names: Need) -> Callable[[Metric], OfAllLists]:
    """Declares a metric of all lists together, and what of `ListContext` it or its `inputs` need."""
    return lambda compute: OfAllLists(compute, inputs, names)


def item_ids(items: np.ndarray, context: ListContext) -> tuple[np.ndarray, Mapping[str, Any]]:
    """The items themselves, and `n_items`."""
    return items, {"n_items": context.n_items}


def group_ids(items: np.ndarray, context: ListContext) -> tuple[np.ndarray, Mapping[str, Any]]:
    """The group of each item, int32 [n, k], and `n_groups`."""
    groups = np.asarray(context.groups)
    ids = np.where(items >= 0, groups[items], -1).astype(np.int32)
    return ids, {"n_groups": int(groups.max(initial=-1)) + 1}


def declared(metric: Metric) -> OfEachList | OfAllLists:
    """A list metric with its declaration."""
    return metric if isinstance(metric, OfEachList | OfAllLists) else OfEachList(metric)
