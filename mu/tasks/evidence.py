"""Evidence of counts in the scores of a batch, which some examples of training do without."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from mu.nn.evidence import EvidenceOffset


class ModelWithEvidence(Protocol):
    """A model whose scores have evidence of counts added."""

    evidence_offset: EvidenceOffset


def added_evidence(
    model: ModelWithEvidence, batch: Mapping[str, Any], dropout: float, key: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    """What evidence adds to the scores of targets, float32 [B...], and of negatives, [B..., K].

    Args:
      model: has the weights.
      batch: 'target_evidence' and 'target_popularity' float32 [B...], 'negative_evidence' float32 [B..., K] and
        'negative_popularity', which broadcasts to that.
      dropout: share of the examples that nothing is added to, where there is a key. With evidence everywhere the model
        learns only what counts do not say, and that is soon noise.
      key: draws these examples; None for none.
    """
    own = model.evidence_offset(batch["target_evidence"], batch["target_popularity"])
    others = model.evidence_offset(batch["negative_evidence"], batch["negative_popularity"])
    if key is None:
        return own, others
    added = jax.random.bernoulli(key, jnp.float32(1 - dropout), own.shape)
    return jnp.where(added, own, 0.0), jnp.where(added[..., None], others, 0.0)
