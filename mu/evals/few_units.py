"""Intervals from bootstrap draws, widened where there are too few units, or too few that differ, to draw from.

`docs/intervals.md` says the rule, and how often its intervals hold the truth in simulations.
"""

import numpy as np

UPPER = 0.975
"""The quantile at the upper end of an interval of 95 %."""
FEW = 100
"""Below so many clusters the percentile interval is widened; from there on by less than 2 %, which is left out."""
ROUNDING = 1e-12


def interval(
    drawn: np.ndarray,
    values: np.ndarray | float,
    n_clusters: np.ndarray | int,
    sizes: np.ndarray | float,
    shares: np.ndarray | bool,
) -> tuple[np.ndarray, np.ndarray]:
    """The interval of numbers from their bootstrap draws.

    The percentile interval, with both sides longer by what Student's t asks for where there are few clusters. A share
    whose draws reach 0 or 1, or do not differ, gets what Wilson's interval of `sizes` units holds, too. With one
    cluster, what is no share has no interval.

    Args:
      drawn: float [samples, ...], the number under each draw of clusters; NaN where it is not defined.
      values: float [...], the number of all clusters.
      n_clusters: [...], that were drawn from.
      sizes: float [...], how many independent units a share is of (`effective_size`).
      shares: bool [...], whether it lies between 0 and 1, as the mean of numbers that do.

    Returns:
      (low, high), float64 [...] each; NaN where there is none.
    """
    values, shares = np.asarray(values, np.float64), np.broadcast_to(shares, np.shape(values))
    low, high = percentiles(drawn)
    longer = np.broadcast_to(t_factor(n_clusters), values.shape)
    widened = longer != 1.0  # the bits of all others stay
    low, high = (np.where(widened, values + longer * (end - values), end) for end in (low, high))
    least, most = extremes(drawn)
    edge = shares & ((least <= ROUNDING) | (most >= 1 - ROUNDING) | (most - least <= ROUNDING))
    wilson_low, wilson_high = wilson(values, sizes)
    low, high = np.where(edge, np.fmin(low, wilson_low), low), np.where(edge, np.fmax(high, wilson_high), high)
    return np.where(shares, np.maximum(low, 0.0), low), np.where(shares, np.minimum(high, 1.0), high)


def difference_interval(
    drawn: np.ndarray,
    gains: np.ndarray | float,
    losses: np.ndarray | float,
    n_clusters: np.ndarray | int,
    sizes: np.ndarray | float,
    shares: np.ndarray | bool,
    few: np.ndarray | bool,
) -> tuple[np.ndarray, np.ndarray]:
    """The interval of differences of two numbers from their bootstrap draws.

    The rule of `interval`; where `few` units of shares differ, with what Newcombe's interval holds: that of the gain
    less the loss, each a share with Wilson's interval.

    Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 1998,
    method 10.

    Args:
      drawn: float [samples, ...], the difference under each draw of clusters.
      gains: float [...], the mean of what is above 0 in the units' differences.
      losses: float [...], minus the mean of what is below.
      n_clusters: [...], that were drawn from.
      sizes: float [...], see `interval`.
      shares: bool [...], whether both lie between 0 and 1.
      few: bool [...], whether a draw of clusters may well hold none that differs.

    Returns:
      (low, high), float64 [...] each.
    """
    values = gains - losses
    low, high = interval(drawn, values, n_clusters, sizes, False)
    (gain_low, gain_high), (loss_low, loss_high) = (wilson(one, sizes) for one in (gains, losses))
    down = values - np.hypot(gains - gain_low, loss_high - losses)
    up = values + np.hypot(gain_high - gains, losses - loss_low)
    newcombe = np.asarray(shares) & few
    low, high = np.where(newcombe, np.fmin(low, down), low), np.where(newcombe, np.fmax(high, up), high)
    return np.where(shares, np.maximum(low, -1.0), low), np.where(shares, np.minimum(high, 1.0), high)


def interval_text(low: float, high: float, form: str = ".4f") -> str:
    """'[0.1200, 0.1268]', each end in the form `form`; '[unknown]' where there is no interval."""
    return f"[{low:{form}}, {high:{form}}]" if np.isfinite([low, high]).all() else "[unknown]"


def may_be_missed(n_different: np.ndarray, n_clusters: int) -> np.ndarray:
    """Whether a draw of clusters has a chance above 1 in 1,000 to hold none of the `n_different`, [...] -> bool."""
    return (1.0 - np.asarray(n_different) / n_clusters) ** n_clusters > 1e-3


def percentiles(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The interval that holds the middle 95 % of the draws.

    Args:
      drawn: float [samples, ...], a statistic under each draw; NaN where it is not defined.

    Returns:
      (low, high), float64 [...] each, over the draws in which the statistic is defined; NaN where it never is.
    """
    bounds = np.full((2, *drawn.shape[1:]), np.nan)
    defined = np.isfinite(drawn).any(axis=0)
    # np.nanquantile warns of columns that hold nothing but NaN.
    bounds[:, defined] = np.nanquantile(drawn[:, defined], [1 - UPPER, UPPER], axis=0)
    return bounds[0], bounds[1]


def extremes(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(least, greatest) of the draws in which each statistic is defined, [samples, ...] -> [...]; NaN for none."""
    return np.fmin.reduce(drawn, axis=0), np.fmax.reduce(drawn, axis=0)


def t_factor(n_clusters: np.ndarray | int) -> np.ndarray:
    """How much longer the sides of a percentile interval are made: 1 from `FEW` clusters on, NaN for a single one.

    The draws of n clusters spread by sqrt((n - 1) / n) too little, and the normal quantile takes their spread for
    known: t_{n - 1} / z * sqrt(n / (n - 1)).
    """
    from scipy import special  # 30 ms, for which who opens a run need not wait

    n = np.asarray(n_clusters, np.float64)
    freedom = np.where((n > 1) & (n < FEW), n - 1, np.nan)
    factor = special.stdtrit(freedom, UPPER) / special.ndtri(UPPER) * np.sqrt(n / freedom)
    return np.where(n >= FEW, 1.0, factor)


def wilson(share: np.ndarray | float, size: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval of a share of `size` independent units, [...] -> (low, high), [...] each.

    It holds for means of numbers between 0 and 1, too: of equal mean, those that are 0 or 1 vary most.

    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 1927.
    """
    from scipy import special  # see `t_factor`

    size = np.maximum(np.asarray(size, np.float64), 1.0)
    z = special.ndtri(UPPER)
    inside = np.clip(share, 0.0, 1.0)
    centre = (inside + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(inside * (1 - inside) / size + z**2 / (4 * size**2))
    return np.maximum(centre - half, 0.0), np.minimum(centre + half, 1.0)


def effective_size(counts: np.ndarray) -> np.ndarray:
    """How many independent units clusters of these sizes are worth, where units of a cluster say the same.

    (sum c)^2 / sum c^2 (Kish): the number of clusters where all are as large, less where a few hold most units.

    Args:
      counts: float [clusters, ...].

    Returns:
      float64 [...]; 0 where there is no unit.
    """
    squares = np.square(counts).sum(axis=0)
    return np.divide(np.square(counts.sum(axis=0)), squares, out=np.zeros(np.shape(squares)), where=squares > 0)
