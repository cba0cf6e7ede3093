"""Metrics of recommended lists: those of each list as columns, those of all lists as statistics."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from mu.evals.metrics.lists.context import ListContext
from mu.evals.metrics.lists.declare import OfAllLists, OfEachList, declared
from mu.evals.metrics.loading import metric_paths
from mu.evals.protocols.catalogue import Histories
from mu.evals.result import Statistic
from mu.names import locate
from mu_kernels import CSR

LISTS = "mu.evals.metrics.lists"
HINTS = {
    "groups": "set groups to a column of theirs, such as groups='artist'",
    "vectors": "set vectors to a column of labels or to a .npy file, such as vectors='tags'",
}


SHORT_LISTS = "users with fewer candidates than places"
"""In the counts of a result."""


class ListMetrics:
    """Metrics of the best items of each listener, at cut-offs. n lists of the longest length.

    Args:
      list_metrics: names or paths of metrics (`mu.evals.metrics.lists`); empty for none.
      ks: cut-offs.
      context: what is known of the items; None where there is no metric.
      histories: log of all users.
      users: int64 [n], the listener of each list.
      targets: CSR [n, V], the items that each listener should be recommended.

    Attributes:
      length: of the lists, 0 without a metric.
      names: 'novelty@20' and so on, those of each list before those of all lists.

    Raises:
      ValueError: there is no such metric, or one needs what is not known of the items.
    """

    def __init__(
        self,
        list_metrics: Sequence[str],
        ks: Sequence[int],
        context: ListContext | None,
        histories: Histories,
        users: np.ndarray,
        targets: CSR,
    ):
        paths = metric_paths(list_metrics, LISTS)
        if paths and context is None:
            raise ValueError(f"list metrics {tuple(list_metrics)} need the context of the items: give `context`")
        self._metrics = {name: declared(locate(path)) for name, path in paths.items()}
        self._paths, self._ks = paths, tuple(ks)
        if paths and context is not None:
            _check_needs(self._metrics, context)
            context = dataclasses.replace(context, histories=histories.take(users), targets=targets)
        self._context = context
        self.length = max(ks) if paths else 0
        in_order = sorted(paths, key=lambda name: isinstance(self._metrics[name], OfAllLists))
        self.names = [f"{name}@{k}" for name in in_order for k in self._ks]

    def columns(self, items: np.ndarray) -> dict[str, np.ndarray]:
        """{'novelty@10': float64 [n], ...}: the metrics of each list at every cut-off.

        Args:
          items: int32 [n, k], best first, -1 past the last.
        """
        return {
            f"{name}@{k}": metric(items[:, :k], cast(ListContext, self._context))
            for name, metric in self._metrics.items()
            if isinstance(metric, OfEachList)
            for k in self._ks
        }

    def statistics(self, items: np.ndarray) -> tuple[dict[str, Statistic], dict[str, np.ndarray]]:
        """(statistics, the arrays [n, ...] that they take): the metrics of all lists at every cut-off.

        Args:
          items: int32 [n, k], best first, -1 past the last.
        """
        statistics, arrays, made = {}, {}, {}
        for name, metric in self._metrics.items():
            if isinstance(metric, OfAllLists):
                for k in self._ks:
                    if (metric.inputs, k) not in made:  # metrics of the same inputs share the array
                        array = f"{getattr(metric.inputs, '__name__', '')}@{k}"
                        if array in arrays:
                            function = array.partition("@")[0]
                            raise ValueError(f"two functions named {function!r} give inputs of list metrics")
                        arrays[array], options = metric.inputs(items[:, :k], cast(ListContext, self._context))
                        made[metric.inputs, k] = array, options
                    array, options = made[metric.inputs, k]
                    statistics[f"{name}@{k}"] = Statistic(self._paths[name], (array,), options)
        return statistics, arrays


def _check_needs(metrics: Mapping[str, OfEachList | OfAllLists], context: ListContext) -> None:
    """Raises ValueError where a metric needs what is not known of the items; of listeners an evaluator knows all."""
    for name, metric in metrics.items():
        for need in metric.needs:
            if need in HINTS and getattr(context, need) is None:
                raise ValueError(f"metric {name!r} needs the {need} of the tracks: {HINTS[need]}")


def short_lists_notes(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The sentence below a table that says how many lists have empty places; none where all are full."""
    if not counts.get(SHORT_LISTS):
        return ()
    return (f"{counts[SHORT_LISTS]:,} users have fewer candidates than the longest list has places",)
