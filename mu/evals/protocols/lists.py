"""Metrics of recommended lists: those of each list as columns, those of all lists as statistics."""

from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.metrics.lists.context import ItemContext
from mu.evals.metrics.lists.declare import OfAllLists, OfEachList, declared
from mu.evals.result import Statistic
from mu.names import locate

LISTS = "mu.evals.metrics.lists"
HINTS = {
    "groups": "set groups to a column of theirs, such as groups='artist'",
    "vectors": "set vectors to a column of labels or to a .npy file, such as vectors='tags'",
}


def in_order(paths: Mapping[str, str]) -> list[str]:
    """Short names of list metrics as results have them: those of each list, then those of all lists."""
    return sorted(paths, key=lambda name: isinstance(declared(locate(paths[name])), OfAllLists))


def check_needs(paths: Mapping[str, str], context: ItemContext) -> None:
    """Raises ValueError where a metric needs what is not known of the items."""
    for name, path in paths.items():
        for need in declared(locate(path)).needs:
            if getattr(context, need) is None:
                raise ValueError(f"metric {name!r} needs the {need} of the tracks: {HINTS[need]}")


def list_columns(
    paths: Mapping[str, str], ks: Sequence[int], items: np.ndarray, context: ItemContext
) -> dict[str, np.ndarray]:
    """{'novelty@10': float64 [n], ...}: the metrics of each list at every cut-off.

    Args:
      paths: short name -> path.
      ks: cut-offs.
      items: int32 [n, k], best first, -1 past the last.
      context: of the items.
    """
    metrics = {name: declared(locate(path)) for name, path in paths.items()}
    return {
        f"{name}@{k}": metric(items[:, :k], context)
        for name, metric in metrics.items()
        if isinstance(metric, OfEachList)
        for k in ks
    }


def list_statistics(
    paths: Mapping[str, str], ks: Sequence[int], items: np.ndarray, context: ItemContext
) -> tuple[dict[str, Statistic], dict[str, np.ndarray]]:
    """(statistics, the arrays that they take): the metrics of all lists at every cut-off.

    Args:
      paths: short name -> path.
      ks: cut-offs.
      items: int32 [n, k], best first, -1 past the last.
      context: of the items.
    """
    lists, sizes = {"items": items}, {"items": context.n_items}
    if context.groups is not None:
        lists["groups"] = np.where(items >= 0, context.groups[items], -1).astype(np.int32)
        sizes["groups"] = int(context.groups.max(initial=-1)) + 1
    statistics, arrays = {}, {}
    for name, path in paths.items():
        metric = declared(locate(path))
        if isinstance(metric, OfAllLists):
            for k in ks:
                array = f"{metric.ids}@{k}"
                arrays[array] = lists[metric.ids][:, :k]
                statistics[f"{name}@{k}"] = Statistic(path, (array,), {f"n_{metric.ids}": sizes[metric.ids]})
    return statistics, arrays
