"""Matrix factorisation: a vector for each listener and each track, and a bias a track."""

from collections.abc import Mapping

import jax
from flax import nnx

from mu.nn.normalise import unit
from mu.nn.table import Table
from mu.ranges import NonNegative, Positive, Size


class Factorization(nnx.Module):
    """score(u, i) = <u, i> + b_i (Koren et al. 2009); or, with `temperature`, cos(u, i) / temperature.

    The cosine form with a softmax loss is what brings plain factorisation beside graph models
    (Wu et al., "On the Effectiveness of Sampled Softmax Loss", arXiv:2201.02327).

    Args:
      dim: D, size of the vectors.
      temperature: None for the dot product with a bias; else a positive number, and no bias.
      scale: standard deviation of the initial vectors.
      rngs: unused here; every model takes it.
    """

    def __init__(
        self, *, dim: Size = 64, temperature: Positive | None = None, scale: NonNegative = 0.1, rngs: nnx.Rngs
    ):
        del rngs
        if temperature is not None and temperature <= 0:
            raise ValueError(f"temperature={temperature}; it must be positive")
        self.dim, self.temperature, self.scale = dim, temperature, scale

    def tables(self) -> dict[str, Table]:
        """The rows the trainer keeps: users, items and, in the dot-product form, a bias a track."""
        tables = {
            "users": Table(ids="users", dim=self.dim, scale=self.scale),
            "items": Table(ids="items", dim=self.dim, scale=self.scale),
        }
        if self.temperature is None:
            tables["item_bias"] = Table(ids="items", dim=1, scale=0.0)
        return tables

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Query vectors of users.

        Args:
          rows: 'users' float32 [L, D].
          batch: 'users' int32 [B], indices into it.
          key: unused; every model takes it.

        Returns:
          'queries' float32 [B, D].
        """
        del key
        queries = rows["users"][batch["users"]]
        if self.temperature is not None:
            queries = unit(queries) / self.temperature
        return {"queries": queries}

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array | None]:
        """(float32 [L, D], bias float32 [L] or None)."""
        if self.temperature is not None:
            return unit(rows["items"]), None
        return rows["items"], rows["item_bias"][:, 0]
