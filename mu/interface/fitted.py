"""Baselines fitted to a log, asked by names."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions, load
from mu.interface.listeners import Listeners
from mu.interface.named import NamedRecommender
from mu.names import locate, nearest
from mu.protocols import ContextRecommender, DeclaresEvidence, EvidenceByPlay, Recommender
from mu.ranges import faults
from mu.report.play_evidence import PlayEvidence
from mu.signatures import hints_of, parameters_of


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

    @property
    def _event_columns(self) -> Sequence[str]:
        return self._recommender.event_columns if isinstance(self._recommender, ContextRecommender) else ()

    @functools.cached_property
    def _now_ms(self) -> int | None:
        return int(self._log.times.max()) if self._log.has_times and len(self._log) else None

    def _explanation(self, time_ms: int | None) -> PlayEvidence | None:
        if not (isinstance(self._recommender, DeclaresEvidence) and self._recommender.evidence_by_play):
            return None
        out = np.ones(self._log.n_items, bool)
        if self._released_ms is not None and time_ms is not None:
            out = self._released_ms <= time_ms
        return PlayEvidence(cast(EvidenceByPlay, self._recommender), out, self.tracks)

    def _explained(self, listeners: Listeners) -> list[Any]:
        return [listeners.histories.take(np.array([row])) for row in range(len(listeners.users))]

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
    cls = baseline if isinstance(baseline, type) else type(baseline)
    if not callable(getattr(cls, "fit", None)):
        raise ValueError(f"baseline is {_shown(baseline)}, which has no `fit` to learn from a log with")
    if options and cls is not baseline:
        raise ValueError(f"options {', '.join(options)}: this {cls.__name__} is made already; give its class")
    made = cls(**_checked(cls, options)) if cls is baseline else baseline
    data = load(log) if isinstance(log, str | os.PathLike) else log
    return FittedBaseline(made.fit(data), data)


def _checked(cls: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, NumPy's numbers as Python's, held against the signature of their class.

    Raises:
      ValueError: names every option that is unknown, missing or out of range, a line each.
    """
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in options.items()}
    parameters, hints, wrong = parameters_of(cls), hints_of(cls), []
    known = {name: one for name, one in parameters.items() if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)}
    is_open = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for name, value in values.items():
        if name in known or is_open:
            wrong += faults(value, hints.get(name, Any), name, cls.__name__)
        else:
            wrong.append(f"{cls.__name__} takes no {name!r}{nearest(name, known)}; it takes {', '.join(sorted(known))}")
    missing = [name for name, one in known.items() if one.default is one.empty and name not in values]
    wrong += [f"{cls.__name__} needs a value for {name!r}" for name in missing]
    if wrong:
        raise ValueError("\n".join(wrong))
    return values


def _shown(baseline: Any) -> str:
    return f"the class {baseline.__name__}" if isinstance(baseline, type) else repr(baseline)
