"""Confidence intervals and paired tests: the bootstrap over units or clusters of units, and the sign-flip test.

The unit of sampling is what a claim generalises to: users, or the recordings, artists and listeners that units belong
to. Differences between two recommenders are taken unit by unit first: what makes a unit easy or hard for both cancels.
"""

from collections.abc import Iterator

import numpy as np

from mu.evals.few_units import effective_size, interval

# Weights of so many bytes at once; a million users take a block of 8 samples.
BLOCK_BYTES = 64 << 20
# Weightings of `cluster_weights` at once: each is a row of as many numbers as there are units.
BLOCK = 50


def bootstrap(values: np.ndarray, samples: int = 1000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of the means of `values` (`few_units.interval`); units are drawn with replacement.

    All columns see the same drawn units. The result depends on `values`, `samples` and `seed` alone. Columns of numbers
    between 0 and 1 are shares.

    Args:
      values: float [n, M], M numbers of each of n units.
      samples: how many times n units are drawn.
      seed: of the draws.

    Returns:
      (low, high), float64 [M] each; NaN for the numbers of a single unit that are no shares.
    """
    means = drawn_means(values, samples, seed)
    values = np.asarray(values, np.float64)
    return interval(means, values.mean(axis=0), len(values), len(values), _shares(values))


def clustered_bootstrap(
    values: np.ndarray,
    clusters: np.ndarray,
    samples: int = 1000,
    seed: int = 0,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of the means over units (`few_units.interval`); clusters of units are drawn with replacement.

    A drawn mean is the drawn clusters' weighted sum over their weights (the ratio estimator). Units of one cluster are
    alike: intervals that took them for independent would be too narrow.

    Args:
      values: float [n, M], M numbers of each of n units.
      clusters: [n], the cluster of each unit.
      samples: how many times the clusters are drawn.
      seed: of the draws.
      weights: float [n], how much each unit counts; None for all alike.

    Returns:
      (low, high), float64 [M] each; NaN for the numbers of a single cluster that are no shares.
    """
    means, sums, counts = drawn_cluster_means(values, clusters, samples, seed, weights)
    value = sums.sum(axis=0) / counts.sum()
    return interval(means, value, len(counts), effective_size(counts), _shares(np.asarray(values)))


def drawn_means(values: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Means under every draw of n units, float [n, M] -> float64 [samples, M]; see `bootstrap`."""
    values = _table(values)
    _check_samples(samples)
    n = len(values)
    random = np.random.default_rng(seed)
    means = np.empty((samples, values.shape[1]))
    block = max(BLOCK_BYTES // (8 * n), 1)
    for start in range(0, samples, block):
        times_drawn = [
            np.bincount(random.integers(n, size=n, dtype=np.int32), minlength=n)
            for _ in range(min(block, samples - start))
        ]
        means[start : start + block] = np.stack(times_drawn).astype(np.float64) @ values / n
    return means


def weighted_means(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [S, M]: means over the units that have a number, under each weighting; NaN where none of them counts.

    Args:
      values: float [n, M], NaN for a unit without a number.
      weights: float64 [S, n], how much each unit counts.
    """
    defined = np.isfinite(values)
    total = weights @ defined.astype(np.float64)
    sums = weights @ np.where(defined, values, 0.0)
    return np.divide(sums, total, out=np.full(total.shape, np.nan), where=total > 0)


def drawn_cluster_means(
    values: np.ndarray, clusters: np.ndarray, samples: int, seed: int, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(means under every draw of clusters, float64 [samples, M]; sums [clusters, M]; weights [clusters]).

    Args:
      values: float [n, M].
      clusters: see `clustered_bootstrap`.
      samples: see `clustered_bootstrap`.
      seed: see `clustered_bootstrap`.
      weights: see `clustered_bootstrap`.
    """
    values = _table(values)
    for name, array in (("clusters", clusters), ("weights", weights)):
        if array is not None and array.shape != values.shape[:1]:
            raise ValueError(f"{name} is {array.shape}; it must hold one for each of the {len(values)} rows")
    _check_samples(samples)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    if not (weights >= 0).all() or not weights.sum():
        raise ValueError("weights must not be negative, and some must be positive")
    _, place = np.unique(clusters, return_inverse=True)
    counts = np.bincount(place, weights=weights)
    sums = np.stack([np.bincount(place, weights=column * weights) for column in values.T], axis=1)
    drawn = (row for block in _times_drawn(len(counts), samples, seed) for row in block)
    return np.stack([row @ sums / (row @ counts) for row in drawn]), sums, counts


def cluster_weights(clusters: np.ndarray, samples: int, seed: int) -> Iterator[np.ndarray]:
    """Bootstrap weights of units: how often the cluster of each is drawn.

    The random numbers are those of `clustered_bootstrap` with the same clusters, samples and seed.

    Args:
      clusters: [n], the cluster of each unit.
      samples: how many times the clusters are drawn.
      seed: of the draws.

    Yields:
      float64 [up to BLOCK, n], `samples` rows in all.
    """
    _check_samples(samples)
    values, place = np.unique(clusters, return_inverse=True)
    for block in _times_drawn(len(values), samples, seed):
        yield block[:, place].astype(np.float64)


def _times_drawn(n: int, samples: int, seed: int) -> Iterator[np.ndarray]:
    """int64 [up to BLOCK, n]: how often each of n things is drawn when n are drawn with replacement."""
    random = np.random.default_rng(seed)
    for start in range(0, samples, BLOCK):
        drawn = random.integers(n, size=(min(BLOCK, samples - start), n))
        yield np.stack([np.bincount(row, minlength=n) for row in drawn])


def sign_flip_test(differences: np.ndarray, samples: int = 10_000, seed: int = 0) -> np.ndarray:
    """Two-sided p-values of the hypothesis that each unit's difference is as likely to be its negative.

    The statistic is the absolute mean difference. With n units that differ and 2**n <= samples, all sign
    patterns are tried and the p-value is exact; otherwise `samples` random patterns are, and the observed one
    counts as one of them: p = (1 + at least as extreme) / (1 + samples), so p is never 0.

    Args:
      differences: float [n, M]; all columns see the same signs.
      samples: of the sign patterns.
      seed: of the patterns.

    Returns:
      float64 [M].
    """
    differences = _table(differences)
    _check_samples(samples)
    differences = differences[(differences != 0).any(axis=1)]  # a unit without a difference changes no sum
    n, columns = differences.shape
    if n == 0:
        return np.ones(columns)
    # Sums that are equal on paper may differ in the last bits.
    observed = np.abs(differences.sum(axis=0)) - 1e-12 * np.abs(differences).sum(axis=0)
    exact = n < 63 and 2**n <= samples
    patterns = 2**n if exact else samples
    random = np.random.default_rng(seed)
    extreme = np.zeros(columns, np.int64)
    block = max(BLOCK_BYTES // (8 * n), 1)
    for start in range(0, patterns, block):
        rows = np.arange(start, min(start + block, patterns))
        if exact:
            plus = (rows[:, None] >> np.arange(n)) & 1
        else:
            plus = np.stack(
                [np.unpackbits(np.frombuffer(random.bytes(-(-n // 8)), np.uint8), count=n) for _ in range(len(rows))]
            )
        sums = (2.0 * plus - 1.0) @ differences
        extreme += (np.abs(sums) >= observed).sum(axis=0)
    return extreme / patterns if exact else (extreme + 1) / (patterns + 1)


def _table(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or not len(values):
        raise ValueError(f"values has shape {values.shape}; it must be [units, numbers], with at least one unit")
    if not np.isfinite(values).all():
        raise ValueError(f"row {int(np.argmax(~np.isfinite(values).all(axis=1)))} of values is not finite")
    return values


def _shares(values: np.ndarray) -> np.ndarray:
    """bool [M]: the columns whose numbers all lie between 0 and 1."""
    return (values.min(axis=0) >= 0) & (values.max(axis=0) <= 1)


def _check_samples(samples: int) -> None:
    if samples < 1:
        raise ValueError(f"samples is {samples}; it must be at least 1")
