"""Baselines fitted to a log, asked by names."""

import functools
import os
from typing import Any

import numpy as np

from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions, load
from mu.interface.named import NamedRecommender
from mu.names import locate
from mu.protocols import Recommender


class FittedBaseline(NamedRecommender):
    """A baseline that has learnt a log.

    Args:
      recommender: fitted.
      log: that it has learnt.
    """

    def __init__(self, recommender: Recommender, log: Interactions):
        self._recommender, self._log = recommender, log

    def __repr__(self) -> str:
        """The baseline and the log."""
        return f"FittedBaseline({type(self._recommender).__name__}, {self._log!r})"

    @property
    def recommender(self) -> Any:
        """The baseline itself, which speaks in ids and arrays (`mu.protocols.Recommender`)."""
        return self._recommender

    @property
    def log(self) -> Interactions:
        """The log that it has learnt."""
        return self._log

    @property
    def _tables(self) -> Interactions:
        return self._log

    @functools.cached_property
    def _now_ms(self) -> int | None:
        return int(self._log.times.max()) if self._log.has_times and len(self._log) else None

    @property
    def _released_ms(self) -> np.ndarray | None:
        return self._log.released_ms if isinstance(self._log, Listening) else None


def fit(baseline: Any, log: Interactions | str | os.PathLike[str], **options: Any) -> FittedBaseline:
    """See `mu.api.fit`."""
    if isinstance(baseline, str):
        if ":" not in baseline:
            raise ValueError(
                f"baseline is {baseline!r}; it must be a class, or the path of one, 'mu.baselines.item_knn:ItemKNN'"
            )
        baseline = locate(baseline)
    made = baseline(**options) if isinstance(baseline, type) else baseline
    if options and made is baseline:
        raise ValueError(
            f"options {', '.join(options)}: this {type(baseline).__name__} is made already; give its class"
        )
    data = load(log) if isinstance(log, str | os.PathLike) else log
    return FittedBaseline(made.fit(data), data)
