"""How sure a mean over users is: bootstrap intervals and the sign-flip test of paired differences.

Users are what is drawn again, because what is claimed is claimed of users like these. Differences between two
recommenders are taken user by user first: what makes a user easy or hard for both then cancels.
"""

import numpy as np

# Resampling weights of so many bytes at once; a million users take a block of 8 samples.
BLOCK_BYTES = 64 << 20


def bootstrap(
    values: np.ndarray, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals of the means of `values`, users drawn with replacement.

    All columns see the same drawn users. The result depends on `values`, `samples` and `seed` alone.

    Args:
      values: float [n, M], M numbers of each of n users.
      samples: how many times n users are drawn.
      level: the share of the drawn means inside the interval.

    Returns:
      (low, high), float64 [M] each.
    """
    values = _table(values)
    _check_samples(samples)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1")
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
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def sign_flip_test(differences: np.ndarray, samples: int = 10_000, seed: int = 0) -> np.ndarray:
    """Two-sided p-values of the hypothesis that each user's difference is as likely to be its negative.

    The statistic is the absolute mean difference. With n users that differ and 2**n <= samples, all sign
    patterns are tried and the p-value is exact; otherwise `samples` random patterns are, and the observed one
    counts as one of them: p = (1 + at least as extreme) / (1 + samples), so p is never 0.

    Args:
      differences: float [n, M]; all columns see the same signs.

    Returns:
      float64 [M].
    """
    differences = _table(differences)
    _check_samples(samples)
    differences = differences[(differences != 0).any(axis=1)]  # whoever has no difference changes no sum
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
        raise ValueError(f"values has shape {values.shape}; it must be [users, numbers], with at least one user")
    if not np.isfinite(values).all():
        raise ValueError(f"row {int(np.argmax(~np.isfinite(values).all(axis=1)))} of values is not finite")
    return values


def _check_samples(samples: int) -> None:
    if samples < 1:
        raise ValueError(f"samples is {samples}; it must be at least 1")


def clustered_bootstrap(
    values: np.ndarray,
    clusters: np.ndarray,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile intervals of the means over plays when it is their listeners who are drawn with replacement.

    A drawn mean is the drawn listeners' weighted sum over their weights (the ratio estimator): plays of one listener
    are alike, and intervals that took them for independent would be too narrow.

    Args:
      values: float [n, M], M numbers of each of n plays.
      clusters: int [n], whose they are.
      samples: how many times the listeners are drawn.
      level: the share of the drawn means inside the interval.
      weights: float [n], how much each play counts; None for all alike.

    Returns:
      (low, high), float64 [M] each.
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
    random = np.random.default_rng(seed)
    means = np.empty((samples, values.shape[1]))
    for sample in range(samples):
        drawn = np.bincount(random.integers(len(counts), size=len(counts)), minlength=len(counts))
        means[sample] = drawn @ sums / (drawn @ counts)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
