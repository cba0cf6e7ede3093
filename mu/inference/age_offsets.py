"""What makes a model's share of plays of recent releases the observed one: an offset of scores by age."""

import numpy as np
from scipy.optimize import minimize

PRIOR_DEVIATION = 0.5


def age_offsets(masses: np.ndarray, played: np.ndarray) -> tuple[float, ...]:
    """The likeliest offsets of scores by age, given which age the tracks of held-out plays had.

    With m_eg the softmax mass of the candidates of age g at play e, and offsets d, the last of which is 0, the play is
    of a track of age g with probability

        m_eg e^{d_g} / sum_h m_eh e^{d_h}.

    The result maximises the likelihood times a normal prior of deviation .5 around 0: with few plays little is added.

    Args:
      masses: float64 [E, G + 1], rows sum to 1; the last column is of all other candidates.
      played: int [E], the age of the track that was played, of 0, ..., G.
    """
    n_groups, precision = masses.shape[1] - 1, PRIOR_DEVIATION**-2
    counts = np.bincount(played, minlength=n_groups + 1)[:n_groups]
    plays = max(len(masses), 1)  # a mean has slopes of one size, however many plays there are

    def raised(offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The sums over ages of each play, and the shares of the first G."""
        shares = masses * np.exp(np.append(offsets, 0.0))
        sums = shares.sum(axis=1)
        return sums, shares[:, :n_groups] / sums[:, None]

    def loss(offsets: np.ndarray) -> float:
        return (np.log(raised(offsets)[0]).sum() - counts @ offsets + precision / 2 * offsets @ offsets) / plays

    def slope(offsets: np.ndarray) -> np.ndarray:
        return (raised(offsets)[1].sum(axis=0) - counts + precision * offsets) / plays

    def curvature(offsets: np.ndarray) -> np.ndarray:
        shares = raised(offsets)[1]
        return (np.diag(shares.sum(axis=0) + precision) - shares.T @ shares) / plays

    start, options = np.zeros(n_groups), {"gtol": 1e-10}
    found = minimize(loss, start, jac=slope, hess=curvature, method="trust-exact", options=options)
    return tuple(found.x.tolist())
