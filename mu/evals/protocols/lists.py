"""Metrics of recommended lists: those of each list as columns, those of all lists as statistics."""

import inspect
from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.metrics.lists.context import ItemContext
from mu.evals.result import Statistic
from mu.names import locate

LISTS = "mu.evals.metrics.lists"


def of_all_lists(path: str) -> bool:
    """Whether a metric is of all lists together: it takes `weights`, how much each list counts."""
    return "weights" in inspect.signature(locate(path)).parameters


def list_columns(
    paths: Mapping[str, str], ks: Sequence[int], items: np.ndarray, context: ItemContext
) -> dict[str, np.ndarray]:
    """{'novelty@10': float64 [n], ...}: the metrics `metric(items, context)` of each list at every cut-off.

    Args:
      paths: short name -> path.
      ks: cut-offs.
      items: int32 [n, k], best first, -1 past the last.
      context: of the items.
    """
    return {
        f"{name}@{k}": locate(path)(items[:, :k], context)
        for name, path in paths.items()
        for k in ks
        if not of_all_lists(path)
    }


def list_statistics(
    paths: Mapping[str, str], ks: Sequence[int], items: np.ndarray, context: ItemContext
) -> tuple[dict[str, Statistic], dict[str, np.ndarray]]:
    """(statistics, the arrays that they take): the metrics of all lists at every cut-off.

    Such a metric takes `items` or `groups` (int [n, k], -1 in slots without one), `weights` (float64 [S, n]) and
    `n_items` or `n_groups`, and returns float64 [S].

    Args:
      paths: short name -> path.
      ks: cut-offs.
      items: int32 [n, k], best first, -1 past the last.
      context: of the items.

    Raises:
      ValueError: a metric takes what there is not.
    """
    offered = {"items": items}
    sizes = {"n_items": context.n_items}
    if context.groups is not None:
        offered["groups"] = np.where(items >= 0, context.groups[items], -1).astype(np.int32)
        sizes["n_groups"] = int(context.groups.max(initial=-1)) + 1
    statistics, arrays = {}, {}
    for name, path in paths.items():
        if not of_all_lists(path):
            continue
        taken = [parameter for parameter in inspect.signature(locate(path)).parameters if parameter != "weights"]
        for parameter in taken:
            if parameter not in offered and parameter not in sizes:
                needs = " (name their column in `groups`)" if "groups" in parameter else ""
                raise ValueError(f"metric {name!r} takes {parameter!r}, which there is not{needs}")
        options = {parameter: sizes[parameter] for parameter in taken if parameter in sizes}
        for k in ks:
            names = tuple(f"{parameter}@{k}" for parameter in taken if parameter in offered)
            arrays |= {one: offered[one.partition("@")[0]][:, :k] for one in names}
            statistics[f"{name}@{k}"] = Statistic(path, names, options)
    return statistics, arrays
