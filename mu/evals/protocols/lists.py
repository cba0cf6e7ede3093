"""Metrics of recommended lists: those of each list as columns, those of all lists as statistics."""

from collections.abc import Mapping, Sequence

import numpy as np

from mu.evals.metrics.lists.context import ListContext
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


def check_needs(paths: Mapping[str, str], context: ListContext) -> None:
    """Raises ValueError where a metric needs what is not known of the items; of listeners an evaluator knows all."""
    for name, path in paths.items():
        for need in declared(locate(path)).needs:
            if need in HINTS and getattr(context, need) is None:
                raise ValueError(f"metric {name!r} needs the {need} of the tracks: {HINTS[need]}")


def list_columns(
    paths: Mapping[str, str], ks: Sequence[int], items: np.ndarray, context: ListContext
) -> dict[str, np.ndarray]:
    """{'novelty@10': float64 [n], ...}: the metrics of each list at every cut-off.

    Args:
      paths: short name -> path.
      ks: cut-offs.
      items: int32 [n, k], best first, -1 past the last.
      context: of the items and the listeners.
    """
    metrics = {name: declared(locate(path)) for name, path in paths.items()}
    return {
        f"{name}@{k}": metric(items[:, :k], context)
        for name, metric in metrics.items()
        if isinstance(metric, OfEachList)
        for k in ks
    }


def list_statistics(
    paths: Mapping[str, str], ks: Sequence[int], items: np.ndarray, context: ListContext
) -> tuple[dict[str, Statistic], dict[str, np.ndarray]]:
    """(statistics, the arrays that they take): the metrics of all lists at every cut-off.

    Args:
      paths: short name -> path.
      ks: cut-offs.
      items: int32 [n, k], best first, -1 past the last.
      context: of the items.
    """
    statistics, arrays, made = {}, {}, {}
    for name, path in paths.items():
        metric = declared(locate(path))
        if isinstance(metric, OfAllLists):
            for k in ks:
                if (metric.inputs, k) not in made:  # metrics of the same inputs share the array
                    array = f"{getattr(metric.inputs, '__name__', '')}@{k}"
                    if array in arrays:
                        raise ValueError(f"two functions named {array.partition('@')[0]!r} give inputs of list metrics")
                    arrays[array], options = metric.inputs(items[:, :k], context)
                    made[metric.inputs, k] = array, options
                array, options = made[metric.inputs, k]
                statistics[f"{name}@{k}"] = Statistic(path, (array,), options)
    return statistics, arrays
