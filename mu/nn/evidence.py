"""Evidence of counts as an offset of scores, with learnt weights."""

import jax
import jax.numpy as jnp
from flax import nnx


class EvidenceOffset(nnx.Module):
    """alpha E + beta [E > 0] + gamma log f [E > 0] + delta log f [E = 0] of evidence E and popularity log f.

    The four weights are learnt with the model. They begin with what was learnt on Amazon Beauty with PCTM's evidence
    (validation, without a network): NDCG@10 of this offset alone is .068, of alpha E + gamma log f .028. Items without
    evidence are told apart by their popularity, those with evidence hardly.

    Args:
      alpha: initial weight of the evidence.
      beta: of there being any.
      gamma: of the popularity of items with evidence.
      delta: of the popularity of items without.
    """

    def __init__(self, *, alpha: float = 2.9, beta: float = 3.5, gamma: float = 0.11, delta: float = 0.73):
        self.weights = nnx.Param(jnp.array([alpha, beta, gamma, delta], jnp.float32), axes=(None,))

    def __call__(self, evidence: jax.Array, popularity: jax.Array) -> jax.Array:
        """float32 [...]: what is added to scores.

        Args:
          evidence: E, float32 [...].
          popularity: log f, float32 of as many axes; see `mu.data.evidence.log_popularity`.
        """
        alpha, beta, gamma, delta = self.weights[...]
        return jnp.where(evidence > 0, alpha * evidence + beta + gamma * popularity, delta * popularity)
