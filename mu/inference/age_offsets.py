"""What makes a model's share of plays of recent releases the observed one: an offset of scores by age."""

import numpy as np

PRIOR_DEVIATION = 0.5
NEWTON_STEPS, LONGEST_STEP = 30, 1.0


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
    n_groups = masses.shape[1] - 1
    counts = np.bincount(played, minlength=n_groups + 1)[:n_groups]
    offsets = np.zeros(n_groups)
    for _ in range(NEWTON_STEPS):
        shares = masses * np.exp(np.append(offsets, 0.0))
        shares = (shares / shares.sum(axis=1, keepdims=True))[:, :n_groups]
        slope = counts - shares.sum(axis=0) - offsets / PRIOR_DEVIATION**2
        curvature = np.diag(shares.sum(axis=0) + 1 / PRIOR_DEVIATION**2) - shares.T @ shares
        step = np.linalg.solve(curvature, slope)
        offsets = offsets + np.clip(step, -LONGEST_STEP, LONGEST_STEP)
    return tuple(offsets.tolist())
