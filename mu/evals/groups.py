"""A metric in groups of listeners, and how far each group is from all others: values, gaps, intervals.

Groups of few listeners are not shown by themselves: they are put together, with the smallest of the others where they
are still too few, so that no number of theirs follows from the whole.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from mu.evals.few_units import effective_size, interval
from mu.evals.intervals import drawn_cluster_means, drawn_means
from mu.evals.result import Estimate, Result

MIN_LISTENERS = 10
"""Groups of fewer listeners are put together."""
MOST_GROUPS = 12
"""Numbers of more different values are put into ranges."""
RANGES = 4
UNKNOWN = "unknown"
OTHERS = "others"


@dataclasses.dataclass(frozen=True)
class GroupValue:
    """A metric of the units of one group.

    Attributes:
      group: its name.
      n_listeners: how many listeners (clusters of units) it has.
      value: the mean over its units, with its interval.
      gap: the value less that of all other units, with its interval.
    """

    group: str
    n_listeners: int
    value: Estimate
    gap: Estimate


def listeners_of(result: Result) -> np.ndarray | None:
    """The listener of each unit, int64 [n]; None where neither units nor clusters are listeners."""
    if result.unit == "user":
        return result.units
    return result.clusters if result.cluster == "user" else None


def group_names(values: Sequence[object] | np.ndarray) -> np.ndarray:
    """The group of each listener as a string, object [n]: its value, 'unknown' for None or NaN.

    Numbers of more than `MOST_GROUPS` values are put into `RANGES` ranges of about equally many listeners: '18 to 24'.

    Args:
      values: a column of the listeners' table.
    """
    column = list(values)
    known = np.array([one is not None and one == one for one in column], bool)  # NaN is unlike itself
    names = np.full(len(column), UNKNOWN, object)
    present = [one for one, there in zip(column, known, strict=True) if there]
    numbers = all(isinstance(one, int | float | np.number) and not isinstance(one, bool) for one in present)
    if numbers and len(set(present)) > MOST_GROUPS:
        names[known] = range_names(np.array(present))
    else:
        names[known] = [str(one) for one in present]
    return names


def range_names(numbers: np.ndarray, ranges: int = RANGES) -> np.ndarray:
    """The range of each number, object [n]: '0 to 9', of about equally many numbers each; equal ones share a range."""
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, ranges + 1)[1:-1], method="higher"))
    place, names = np.searchsorted(edges, numbers, side="right"), np.empty(len(numbers), object)
    for one in np.unique(place):
        low, high = numbers[place == one].min(), numbers[place == one].max()
        names[place == one] = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    return names


def by_group(
    result: Result,
    metric: str,
    names: np.ndarray,
    samples: int = 1000,
    seed: int = 0,
    min_listeners: int = MIN_LISTENERS,
) -> list[GroupValue]:
    """The metric in each group, in the order in which the groups first occur among sorted names; 'others' last.

    The draws of a group are of its own listeners: a gap is the difference of two independent means.

    Args:
      result: of one recommender.
      metric: one of its columns.
      names: object [n], the group of each unit's listener.
      samples: of the bootstrap.
      seed: of the bootstrap.
      min_listeners: groups of fewer are put together.

    Returns:
      One row a group; none where there are not two groups of so many listeners.

    Raises:
      ValueError: the metric is no column of the result.
    """
    if metric not in result.columns:
        raise ValueError(f"{metric!r} is not a metric of each {result.unit}; these are: {', '.join(result.columns)}")
    values = result.columns[metric]
    clusters = np.arange(len(result)) if result.clusters is None else result.clusters
    defined = np.isfinite(values)
    values, clusters, names = values[defined], clusters[defined], np.asarray(names, object)[defined]
    names = merged(names, clusters, min_listeners)
    groups = sorted(set(names), key=lambda name: (name == OTHERS, _natural(str(name))))
    if len(groups) < 2:
        return []
    rows = []
    for group in groups:
        inside = names == group
        (value, low, high), own, n_own = _mean(values[inside], clusters[inside], samples, seed)
        (rest, _, _), others, n_others = _mean(values[~inside], clusters[~inside], samples, seed + 1)
        gap_low, gap_high = interval(own - others, value - rest, min(n_own, n_others), 0.0, False)
        gap = Estimate(metric, value - rest, float(gap_low), float(gap_high))
        rows.append(GroupValue(str(group), n_own, Estimate(metric, value, low, high), gap))
    return rows


def merged(names: np.ndarray, clusters: np.ndarray, min_listeners: int) -> np.ndarray:
    """Names with those of fewer than `min_listeners` clusters as 'others', and of as many more as 'others' need.

    Args:
      names: object [n].
      clusters: [n].
      min_listeners: at least 1.
    """
    counts = {name: len(np.unique(clusters[names == name])) for name in set(names)}
    small = {name for name, count in counts.items() if count < min_listeners}
    if not small:
        return names
    for name in sorted(counts.keys() - small, key=lambda name: (counts[name], str(name))):
        if sum(counts[one] for one in small) >= min_listeners:
            break
        small.add(name)
    return np.array([OTHERS if name in small else name for name in names], object)


def _mean(
    values: np.ndarray, clusters: np.ndarray, samples: int, seed: int
) -> tuple[tuple[float, float, float], np.ndarray, int]:
    """((mean, ends of its interval), means under every draw of clusters, the number of clusters)."""
    column, (distinct, sizes) = values[:, None], np.unique(clusters, return_counts=True)
    alone = len(distinct) == len(values)
    drawn = drawn_means(column, samples, seed) if alone else drawn_cluster_means(column, clusters, samples, seed)[0]
    mean, size = float(values.mean()), effective_size(sizes.astype(np.float64))
    share = bool(((values >= 0) & (values <= 1)).all())
    low, high = interval(drawn[:, 0], mean, len(distinct), size, share)
    return (mean, float(low), float(high)), drawn[:, 0], len(distinct)


def _natural(name: str) -> tuple[int, float, str]:
    """Numbers and ranges in the order of their first number, then words."""
    first = name.partition(" ")[0].replace(",", "")
    try:
        return 0, float(first), name
    except ValueError:
        return 1, 0.0, name
