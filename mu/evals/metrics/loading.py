"""Metrics by name or path: 'recall' is mu's own, 'package.module:function' anybody's."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from mu.names import locate

Metric = Callable[..., np.ndarray]
OWN = "mu.evals.metrics"
# The usual cut-offs may be asked of any catalogue, however small: its whole list is then what counts.
USUAL_CUTOFF = 100


def metric_path(name: str, package: str = OWN) -> str:
    """'package.module:function' of a metric; one of mu's own may be named by its file alone.

    Raises:
      ValueError: mu has no such metric; names those that there are.
    """
    if ":" in name:
        return name
    if not name.isidentifier() or importlib.util.find_spec(f"{package}.{name}") is None:
        raise ValueError(
            f"metric {name!r} does not exist; there are {', '.join(own_metrics(package))}, and any PATH:NAME"
        )
    return f"{package}.{name}:{name}"


def own_metrics(package: str = OWN) -> list[str]:
    """Names of the metrics that a package holds: its modules that define a function of their own name."""
    modules = pkgutil.iter_modules(importlib.import_module(package).__path__)
    names = (module.name for module in modules if not module.ispkg and not module.name.startswith("_"))
    return [name for name in names if callable(getattr(importlib.import_module(f"{package}.{name}"), name, None))]


def short_name(path: str) -> str:
    """The name of a metric in results: its function's."""
    return path.rpartition(":")[2]


def check_cutoffs(ks: Sequence[int], n_items: int | None = None) -> None:
    """Refuses cut-offs that are not different whole numbers from 1, and those far beyond a catalogue.

    Args:
      ks: the cut-offs.
      n_items: tracks of the catalogue; None where lists are drawn from elsewhere.
    """
    for k in ks:
        if int(k) != k or k < 1:
            raise ValueError(f"k is {k}; a cut-off is a whole number from 1")
        if n_items is not None and k > max(n_items, USUAL_CUTOFF):
            raise ValueError(f"k is {k}, and the catalogue has {n_items:,} tracks: every list would be all of it")
    if not ks or len(set(ks)) < len(ks):
        raise ValueError(f"ks {tuple(ks)} must be non-empty, without repeats")


def metric_paths(names: Iterable[str], package: str = OWN) -> dict[str, str]:
    """{short name: path}, in order.

    Raises:
      ValueError: an unknown metric, or two with one short name.
    """
    paths: dict[str, str] = {}
    for name in names:
        path = metric_path(name, package)
        if short_name(path) in paths:
            raise ValueError(f"metrics {tuple(names)} must be without repeats: {short_name(path)!r} is there twice")
        paths[short_name(path)] = path
    return paths


def at_cutoffs(ranks: Any, paths: dict[str, str], ks: Sequence[int]) -> dict[str, np.ndarray]:
    """{'recall@10': float64 [n], ...}: ranking metrics at every cut-off, ordered by metric, then by k.

    Args:
      ranks: `mu.evals.metrics.ranks.TargetRanks`.
      paths: of `metric_paths`.
      ks: cut-offs.
    """
    return {f"{name}@{k}": locate(path)(ranks, k) for name, path in paths.items() for k in ks}
