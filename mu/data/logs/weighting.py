"""How much a play counts by its weight: the functions that a config names, and what they give for a log.

The weight of a play is the number that its log was imported with: a play count, a rating, seconds. It counts nowhere
until an option names a function of it, under the name `weights` or `gains`:

  none          every play counts alike
  linear        w: a row of weight 3 counts as three plays
  log           log(1 + w): of play counts, whose largest are thousands (Hu, Koren & Volinsky 2008, with alpha and
                epsilon 1; the 1 that they add is for pairs that were not seen, which are no examples here)
  exponential   2^w - 1: of ratings, the usual gain of NDCG (Burges et al. 2005)
  >=X           1 from weight X on, else 0: ratings as likes
  package.module:function   any other: weights float [n] -> float [n], finite and not negative

The weights of a user's plays of one track are summed before the function is applied, wherever users and tracks make a
matrix. Where each play is an example of its own, the function is applied to each.
"""

from collections.abc import Callable

import numpy as np

from mu.data.logs.interactions import Interactions
from mu.names import locate, nearest
from mu_kernels import CSR

NONE = "none"
Weighting = Callable[[np.ndarray], np.ndarray]
FUNCTIONS: dict[str, Weighting] = {
    "linear": lambda weights: weights,
    "log": np.log1p,
    "exponential": lambda weights: np.exp2(weights) - 1,
}


def weighting(name: str) -> Weighting | None:
    """The function that an option names; None where every play counts alike.

    Raises:
      ValueError: there is no such function; names those that there are.
    """
    if name == NONE:
        return None
    if name.startswith(">="):
        try:
            least = float(np.float32(name[2:]))  # as a log stores weights: 3.3 is one of '>=3.3'
        except ValueError:
            raise ValueError(f"weights {name!r}: behind '>=' stands a number, such as '>=4'") from None
        return lambda weights: (weights >= least).astype(np.float64)
    if ":" in name:
        return locate(name)
    if name not in FUNCTIONS:
        known = (NONE, *FUNCTIONS, ">=X")
        raise ValueError(
            f"weights {name!r} are not known{nearest(name, known)}; there is {', '.join(known)}, and any "
            "package.module:function"
        )
    return FUNCTIONS[name]


def example_weights(log: Interactions, name: str, examples: np.ndarray | None = None) -> np.ndarray:
    """float32 [E]: how much each play counts as an example of a loss.

    They are divided by their mean over the examples of more than 0, so that the mean of those is 1.

    Args:
      log: of E plays.
      name: see above.
      examples: bool [E], the plays that are examples, others have the weight 0; None for all.

    Raises:
      ValueError: there is no such function, it gives a negative number or none, or no example counts at all.
    """
    values = counted(log.weights, name)
    if examples is not None:
        values = values * examples
    positive = values > 0
    if not positive.any():
        raise ValueError(f"weights={name!r}: none of {len(log):,} plays counts more than 0; choose another")
    return (values / values[positive].mean()).astype(np.float32)


def pair_weights(log: Interactions, name: str) -> tuple[CSR, np.ndarray]:
    """What each user has played, and how much each of these tracks counts: 1 where every play counts alike.

    Returns:
      (CSR [U, V] as `Interactions.seen`, float64: a number for each of its entries).

    Raises:
      ValueError: as `example_weights`.
    """
    seen = log.seen()
    return seen, np.ones(len(seen)) if name == NONE else counted(pair_sums(log, seen), name)


def track_totals(log: Interactions, name: str) -> np.ndarray:
    """float64 [V]: the sum over users of how much each track counts; with 'none' its number of different users."""
    seen, values = pair_weights(log, name)
    return np.bincount(seen.indices, weights=values, minlength=log.n_items)


def pair_sums(log: Interactions, seen: CSR) -> np.ndarray:
    """float64: the weights of a user's plays of a track, summed, for each entry of `seen` (of `Interactions.seen`)."""
    users, columns = np.arange(log.n_users, dtype=np.int64), seen.n_columns
    pairs = np.repeat(users, seen.counts()) * columns + seen.indices
    places = np.searchsorted(pairs, np.repeat(users, log.lengths) * columns + log.items)
    return np.bincount(places, weights=log.weights, minlength=len(pairs))


def counted(weights: np.ndarray, name: str) -> np.ndarray:
    """float64 [n]: how much weights count by the function of this name.

    Raises:
      ValueError: there is no such function, or it gives a negative number or none.
    """
    function = weighting(name)
    if function is None:
        return np.ones(len(weights))
    with np.errstate(over="ignore"):
        values = np.asarray(function(np.asarray(weights, np.float64)), np.float64)
    if values.shape != weights.shape:
        raise ValueError(f"weights={name!r} gave {values.shape} for {weights.shape} weights; it must give one for each")
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            f"weights={name!r} makes {values[place]} of the weight {weights[place]}; what counts must be finite and "
            "not negative: choose another function, such as 'log'"
        )
    return values
