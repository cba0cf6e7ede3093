"""Evidence of counts as an offset of scores, with learnt weights."""

import jax
import jax.numpy as jnp
from flax import nnx

START = (2.9, 3.5, 0.11, 0.73)
"""alpha, beta, gamma and delta before training: near those that were learnt on Amazon Beauty with PCTM's evidence."""


class EvidenceOffset(nnx.Module):
    """alpha E + beta [E > 0] + gamma log f [E > 0] + delta log f [E = 0] of evidence E and popularity log f.

    The four weights are learnt with the model, from `START` on. Items without evidence are told apart by their
    popularity, those with evidence hardly. A track that nobody has played has neither, and the offset 0: its sound, its
    features and its age decide.
    """

    def __init__(self):
        self.weights = nnx.Param(jnp.array(START, jnp.float32), axes=(None,))

    def __call__(self, evidence: jax.Array, popularity: jax.Array) -> jax.Array:
        """float32 [...]: what is added to scores.

        Args:
          evidence: E, float32 [...].
          popularity: log f, float32, broadcasts to that; see `mu.data.evidence_features.log_popularity`.
        """
        alpha, beta, gamma, delta = self.weights[...]
        popularity = jnp.broadcast_to(popularity, evidence.shape)
        return jnp.where(evidence > 0, alpha * evidence + beta + gamma * popularity, delta * popularity)
