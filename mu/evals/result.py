"""Results of an evaluation: a table of units by metrics, statistics of the whole set, and their intervals."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from mu.evals.few_units import effective_size, interval
from mu.evals.intervals import bootstrap, cluster_weights, clustered_bootstrap
from mu.evals.nouns import counted, noun, plural
from mu.names import locate


class Estimate(NamedTuple):
    """A metric with its interval."""

    name: str
    value: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Statistic:
    """A number of the whole set of units that is no mean over them: F1, ROC-AUC, correlation, coverage.

    Attributes:
      metric: path of a function `metric(*arrays, weights, **options)`, with weights float64 [S, n]: S times how much
        each unit counts. It returns float64 [S]; with `parts` [S, number of parts].
      arrays: names of the result's arrays that it takes.
      options: its other arguments; what JSON can hold.
      parts: names of the numbers that it returns, such as classes; empty where it returns one.
      counted: of a metric between 0 and 1 the path of a function counted(*arrays) -> bool [n, P], the units that each
        of its parts is a share of; empty for other metrics. It is for the interval alone.
      units: name of the result's array bool [n] that says which units the metric takes; empty for all.
    """

    metric: str
    arrays: tuple[str, ...]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    parts: tuple[str, ...] = ()
    counted: str = dataclasses.field(default="", compare=False)
    units: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """Values of the metrics for each unit of an evaluation, of one recommender or predictor. n units.

    Attributes:
      unit: what a unit is: 'user', 'play', 'clip', 'rating'.
      units: [n], their ids: integers or strings.
      columns: name of a metric -> float64 [n], NaN where a unit is not in that metric.
      cluster: what the clusters are: 'user', 'recording', ...
      clusters: [n], the cluster of each unit, which the bootstrap draws whole; None where each unit is drawn by itself.
      statistics: name -> statistic of the whole set, one number each.
      details: name -> statistic with `parts`, for a closer look: metrics of each class.
      arrays: name -> array [n, ...] that statistics take.
      truth: names of those arrays that say what is true, below 0 or NaN where it is not known: results can only be
        paired where they agree.
      counts: name -> how many there were: users left out, targets, ...
      same: name -> what must be equal in results that are compared: hashes of split and task, ...
      card: all else that a reader may want to know; what JSON can hold.
      notes: sentences below a table of the result.
      shown: metrics of the table; empty for all.
      descriptive: metrics that say what lists are like (coverage, novelty), of which more is not always better: nobody
        leads in them.
    """

    unit: str
    units: np.ndarray
    columns: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    cluster: str = ""
    clusters: np.ndarray | None = None
    statistics: Mapping[str, Statistic] = dataclasses.field(default_factory=dict)
    details: Mapping[str, Statistic] = dataclasses.field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    truth: tuple[str, ...] = ()
    counts: Mapping[str, int] = dataclasses.field(default_factory=dict)
    same: Mapping[str, str] = dataclasses.field(default_factory=dict)
    card: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    descriptive: tuple[str, ...] = ()
    _summaries: dict[tuple[int, int], list[Estimate]] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        """The number of units."""
        return len(self.units)

    @property
    def names(self) -> list[str]:
        """Names of the metrics: columns, then statistics."""
        return [*self.columns, *self.statistics]

    @property
    def n_clusters(self) -> int:
        """The number of clusters that the bootstrap draws from."""
        return len(self.units) if self.clusters is None else len(np.unique(self.clusters))

    @property
    def resampled(self) -> str:
        """What the bootstrap draws, in words: 'users', or '304 recordings'."""
        return plural(self.unit) if self.clusters is None else counted(self.n_clusters, self.drawn_noun)

    @property
    def drawn_noun(self) -> str:
        """What the bootstrap draws one of: 'user', 'recording', 'Freesound clip'."""
        return self.unit if self.clusters is None else noun(self.cluster)

    def n_units(self, name: str) -> int:
        """The number of units that a metric is of: with a value; of a statistic, whose truth is known."""
        return int(self._measured(name).sum())

    def values(self) -> dict[str, float]:
        """Every metric: the mean of a column over its units, or the statistic of all units."""
        values = {name: float(column[np.isfinite(column)].mean()) for name, column in self._defined_columns()}
        values |= {name: np.nan for name in self.columns if name not in values}
        statistics = self.drawn([self.plain()])
        return {name: values[name] if name in values else float(statistics[name][0]) for name in self.names}

    def summary(self, samples: int = 1000, seed: int = 0) -> list[Estimate]:
        """Every metric with its 95 % bootstrap interval; clusters of units are drawn where there are any.

        Args:
          samples: how many times they are drawn.
          seed: of the draws.
        """
        if (samples, seed) not in self._summaries:  # the table and the file ask for the same
            intervals, values = self._column_intervals(samples, seed), self.values()
            if self.statistics:
                drawn = self.drawn(self.weights(samples, seed))
                for name, one in drawn.items():
                    low, high = interval(one, values[name], *self.sampling(name))
                    intervals[name] = float(low), float(high)
            self._summaries[samples, seed] = [Estimate(name, values[name], *intervals[name]) for name in self.names]
        return self._summaries[samples, seed]

    def detail(self, name: str, samples: int = 1000, seed: int = 0) -> list[Estimate]:
        """Every part of one of `details` with its 95 % bootstrap interval."""
        statistic = self.details[name]
        values = self._computed(name, statistic, self.plain())[0]
        drawn = np.concatenate([self._computed(name, statistic, block) for block in self.weights(samples, seed)])
        n_clusters, sizes = self._of_parts(statistic)
        low, high = interval(drawn, values, n_clusters, sizes, bool(statistic.counted))
        columns = (values.tolist(), low.tolist(), high.tolist())
        return [Estimate(*row) for row in zip(statistic.parts, *columns, strict=True)]

    def sampling(self, name: str) -> tuple[int, float, bool]:
        """(clusters that a metric is of, how many independent units they are worth, whether it is a share)."""
        if name in self.columns:
            column = self.columns[name]
            defined = np.isfinite(column)
            counts = self._cluster_counts(defined[:, None])
            is_share = bool(((column[defined] >= 0) & (column[defined] <= 1)).all())
            return int(np.count_nonzero(counts)), float(effective_size(counts)[0]), is_share
        statistic = self.statistics[name]
        measured = self._measured(name)
        n_measured = int(np.count_nonzero(self._cluster_counts(measured[:, None])))
        if not statistic.counted:
            return n_measured, 0.0, False
        n_clusters, sizes = self._of_parts(statistic)
        there = n_clusters > 0
        # The mean over parts weighs the units of a small part more.
        size = there.sum() ** 2 / (1.0 / sizes[there]).sum() if there.any() else 0.0
        return (int(n_clusters[0]) if len(n_clusters) == 1 else n_measured), float(size), True

    def drawn(self, weightings: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
        """Every statistic under every weighting of all blocks of them, float64 [samples] each.

        Args:
          weightings: of `weights`, or any float64 [S, n].
        """
        parts: dict[str, list[np.ndarray]] = {name: [] for name in self.statistics}
        for block in weightings if self.statistics else ():
            for name, statistic in self.statistics.items():
                parts[name].append(self._computed(name, statistic, block))
        return {name: np.concatenate(blocks) for name, blocks in parts.items()}

    def weights(self, samples: int, seed: int) -> Iterator[np.ndarray]:
        """Bootstrap weights of the units, float64 [up to 50, n] each: how often the cluster of each is drawn."""
        clusters = np.arange(len(self.units)) if self.clusters is None else self.clusters
        return cluster_weights(clusters, samples, seed)

    def plain(self) -> np.ndarray:
        """float64 [1, n]: the weighting under which every unit counts once."""
        return np.ones((1, len(self.units)))

    def take(self, rows: np.ndarray) -> "Result":
        """The same of the units at these places, in this order."""
        return dataclasses.replace(
            self,
            units=self.units[rows],
            clusters=None if self.clusters is None else self.clusters[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
            arrays={name: array[rows] for name, array in self.arrays.items()},
        )

    def _measured(self, name: str) -> np.ndarray:
        """bool [n]: the units that a metric is of."""
        if name in self.columns:
            return np.isfinite(self.columns[name])
        statistic = self.statistics[name]
        known = self._computed_of(statistic)
        for truth in (self.arrays[array] for array in statistic.arrays if array in self.truth):
            known = np.logical_and(known, truth >= 0 if truth.ndim == 1 else np.isfinite(truth).all(axis=1))
        return known

    def _computed_of(self, statistic: Statistic) -> np.ndarray:
        """bool [n]: the units whose numbers a statistic takes."""
        return self.arrays[statistic.units] if statistic.units else np.ones(len(self.units), bool)

    def _computed(self, name: str, statistic: Statistic, weights: np.ndarray) -> np.ndarray:
        rows = self._computed_of(statistic) if statistic.units else slice(None)
        arrays = (self.arrays[array][rows] for array in statistic.arrays)
        try:
            return locate(statistic.metric)(*arrays, weights[:, rows], **statistic.options)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def _of_parts(self, statistic: Statistic) -> tuple[np.ndarray, np.ndarray]:
        """(clusters, independent units that they are worth) of each part of a statistic, [P] each."""
        if not statistic.counted:
            return np.full(len(statistic.parts), self.n_clusters), np.zeros(len(statistic.parts))
        units = locate(statistic.counted)(*(self.arrays[name] for name in statistic.arrays))
        units = units & self._computed_of(statistic)[:, None]
        counts = self._cluster_counts(units)
        return np.count_nonzero(counts, axis=0), effective_size(counts)

    def _cluster_counts(self, units: np.ndarray) -> np.ndarray:
        """How many of these units each cluster has, bool [n, P] -> float64 [clusters, P]."""
        if self.clusters is None:
            return units.astype(np.float64)
        names, place = np.unique(self.clusters, return_inverse=True)
        return np.stack([np.bincount(place, weights=one, minlength=len(names)) for one in units.T], axis=1)

    def _defined_columns(self) -> list[tuple[str, np.ndarray]]:
        """The columns that any unit is in."""
        return [(name, column) for name, column in self.columns.items() if np.isfinite(column).any()]

    def _column_intervals(self, samples: int, seed: int) -> dict[str, tuple[float, float]]:
        """Columns over the same units are drawn together where units are drawn by themselves."""
        intervals = dict.fromkeys(self.columns, (np.nan, np.nan))
        together: dict[bytes, list[str]] = {}
        for name, column in self._defined_columns():
            defined = np.isfinite(column)
            if self.clusters is None:
                together.setdefault(np.packbits(defined).tobytes(), []).append(name)
                continue
            low, high = clustered_bootstrap(column[defined][:, None], self.clusters[defined], samples, seed)
            intervals[name] = float(low[0]), float(high[0])
        for names in together.values():
            table = np.stack([self.columns[name] for name in names], axis=1)
            low, high = bootstrap(table[np.isfinite(table[:, 0])], samples, seed)
            intervals |= dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))
        return intervals
