"""iALS: factorisation of the whole matrix of users and items by alternating least squares."""

from typing import Literal, Self, cast

import numpy as np

from mu.baselines.fitting import check_options, fitted
from mu.baselines.play_matrix import SparseMatrix, play_matrix
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import weighting
from mu.protocols import Histories, Log
from mu.ranges import Count, NonNegative, Positive, Seed, Size, Threads
from mu.topk import TopKRecommender
from mu_kernels import CSR
from mu_kernels.least_squares import improve_rows, solve_rows


class IALS(TopKRecommender):
    """Scores by products of factors x_u . y_i that minimise, over the whole matrix of users and items,

        sum over played (u, i) of c_ui (x_u.y_i - 1)^2  +  a sum over all (u, i) of (x_u.y_i)^2
            +  l2 (sum over u of (n_u + a V)^e |x_u|^2  +  sum over i of (n_i + a U)^e |y_i|^2),

    c 1 or, with `weights`, how much the plays count, n_u and n_i its sums (Hu, Koren & Volinsky, "Collaborative
    filtering for implicit feedback datasets", ICDM 2008; Rendle, Krichene, Zhang & Koren, "Revisiting the performance
    of iALS on item recommendation benchmarks", RecSys 2022). Users and items are solved for in turn, each exactly
    ('cholesky') or by some steps of conjugate gradients from the last solution (Takács, Pilászy & Tikk 2011).

    Before each half of an epoch the factors are turned into the basis in which the Gram matrix of the fixed side is
    diagonal, which changes no product: then a listener of n plays costs a system of min(n, dim) unknowns, and a
    conjugate gradient n dim multiplications, not dim^2. The query of any listener, in the log or not, is the exact
    solution for the history that is asked with.

    Args:
      dim: numbers of a factor.
      epochs: how often users and items are solved for.
      l2: see above.
      unobserved_weight: a, what a pair that was not played counts beside one that was.
      regularisation_exponent: e; 1 scales the penalty with how often a user or item counts, 0 leaves all alike.
      solver: 'cholesky' or 'conjugate_gradients'.
      steps: of conjugate gradients, in a half of an epoch.
      weights: how much the plays of a user of an item count by their weights, summed: a name of
        `mu.data.logs.weighting`; 'none' for all alike.
      seed: of the factors at the start, normal of deviation 0.1 / sqrt(dim).
      threads: of the kernels; None for all CPUs. The result does not depend on it.
    """

    dot_product = True
    time_aware = False

    def __init__(
        self,
        dim: Size = 64,
        epochs: Count = 16,
        l2: Positive = 0.003,
        unobserved_weight: Positive = 0.1,
        regularisation_exponent: NonNegative = 1.0,
        solver: Literal["cholesky", "conjugate_gradients"] = "cholesky",
        steps: Count = 3,
        weights: str = "none",
        seed: Seed = 0,
        threads: Threads | None = None,
    ):
        check_options(IALS, locals())
        weighting(weights)
        self._dim, self._epochs, self._l2, self._unobserved = dim, epochs, l2, unobserved_weight
        self._exponent, self._steps, self._weights = regularisation_exponent, steps, weights
        self._exact, self._seed, self._threads = solver == "cholesky", seed, threads
        self._items: np.ndarray | None = None

    def fit(self, log: Interactions) -> Self:
        """Solves for users and items in turn."""
        played = play_matrix(log, log.n_items, self._weights)
        players = played.T.tocsr()
        random = np.random.default_rng(self._seed)
        users, items = (
            (random.standard_normal((n, self._dim), np.float32) * (0.1 / np.sqrt(self._dim))).astype(np.float32)
            for n in (log.n_users, log.n_items)
        )
        for _ in range(self._epochs):
            users, items = self._half_epoch(played, users, items)
            items, users = self._half_epoch(players, items, users)
        self._gram_values, basis = _eigenvectors(items)
        vectors = items @ basis
        vectors.flags.writeable = False
        self._items = vectors
        return self

    def _half_epoch(self, rows: SparseMatrix, solved: np.ndarray, fixed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(the factors of the rows, solved for; the fixed ones), both in the basis of the fixed ones."""
        values, basis = _eigenvectors(fixed)
        fixed = fixed @ basis
        if self._exact:
            return self._solutions(rows, fixed, values), fixed
        start = solved @ basis
        return improve_rows(*self._system(rows, fixed, values), start, self._steps, threads=self._threads), fixed

    def _solutions(self, rows: SparseMatrix, fixed: np.ndarray, gram_values: np.ndarray) -> np.ndarray:
        """float32 [R, dim]: the exact factors of rows."""
        return solve_rows(*self._system(rows, fixed, gram_values), threads=self._threads)

    def _system(
        self, rows: SparseMatrix, fixed: np.ndarray, gram_values: np.ndarray
    ) -> tuple[CSR, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The arguments of `mu_kernels.least_squares.solve_rows`."""
        sums = np.asarray(rows.sum(axis=1)) + self._unobserved * len(fixed)
        pairs = CSR(rows.indptr, rows.indices, rows.shape[1])
        return pairs, rows.data, fixed, self._unobserved * gram_values, self._l2 * np.power(sums, self._exponent)

    @property
    def item_vectors(self) -> np.ndarray:
        """float32 [V, dim]."""
        return fitted(self._items, "IALS")

    def item_bias(self, times_ms: np.ndarray | None = None) -> np.ndarray | None:
        """None: there is no bias."""
        del times_ms
        return None

    def queries(self, users: np.ndarray, histories: Histories, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, dim]: the factors that fit these histories; zeros for one without plays."""
        del users, times_ms
        items = self.item_vectors
        played = play_matrix(cast(Log, histories), len(items), self._weights)
        return self._solutions(played, items, self._gram_values)

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        return self.queries(users, histories, times_ms) @ self.item_vectors.T


def _eigenvectors(factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(eigenvalues float64 [D], eigenvectors float32 [D, D] as columns) of the factors' Gram matrix."""
    wide = factors.astype(np.float64)
    values, vectors = np.linalg.eigh(wide.T @ wide)
    return np.maximum(values, 0), vectors.astype(np.float32)
