"""Several queries at each position, one for each interest: a track's score is that of the interest nearest to it."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp

from mu.ranges import Share
from mu.tasks.retrieval import QueryModel, Retrieval, sampled_scores


class MultiInterest(Retrieval):
    """Retrieval by M queries a position: score(v) = max_m q_m . v + b_v (ComiRec, Cen et al. 2020, arXiv:2005.09347).

    The loss is that of these scores, of target and negatives alike. ComiRec scores the negatives in training by the
    query that is nearest to the target; then nothing keeps the other queries from scoring wrong tracks higher. The
    queries are linear maps of a hidden state (`SASRec(interests=M)`), not ComiRec's attention or routing over the
    plays.

    A maximum is no dot product: `mu.inference.multi_interest:MultiInterestRecommender` scores all tracks.

    Args:
      loss: a sampled one, as of `mu.tasks.retrieval.Retrieval`.
      n_items: V, the catalogue.
      correct_log_q: as of `mu.tasks.retrieval.Retrieval`.
      calibration: of gBCE.

    Attributes:
      several_queries: `predict` gives M a listener.
    """

    several_queries = True
    requires: ClassVar[frozenset[str]] = frozenset({"interests"})

    def __init__(
        self,
        *,
        loss: Literal["sampled_softmax", "bpr", "bce", "gbce"],
        n_items: int,
        correct_log_q: bool = True,
        calibration: Share = 0.75,
    ):
        if loss == "full_softmax":
            raise ValueError("loss='full_softmax' is of one query a position; take a sampled loss")
        super().__init__(loss=loss, n_items=n_items, correct_log_q=correct_log_q, calibration=calibration)
        self.adds_evidence = False

    def loss(
        self, model: QueryModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B...], weights [B...]) of every position; see `Retrieval.loss`.

        Args:
          model: gives 'interests' float32 [B..., M, D].
          rows: the tables' rows of this batch.
          batch: as of `Retrieval.loss`.
          key: for dropout.
        """
        interests = model(rows, batch, key)["interests"]
        each = [
            sampled_scores(interests[..., number, :], *model.item_vectors(rows), batch)
            for number in range(interests.shape[-2])
        ]
        positive, negatives = (jnp.max(jnp.stack(scores), axis=0) for scores in zip(*each, strict=True))
        return self.sampled_loss(positive, negatives, batch), batch["weights"]

    def predict(
        self, model: QueryModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any]
    ) -> dict[str, jax.Array]:
        """{'query': float32 [B, M, D]}, after the last play; 0 of a listener without plays ('last' is -1)."""
        last = batch["last"][:, None, None, None]
        after = jnp.take_along_axis(model(rows, batch)["interests"], jnp.maximum(last, 0), axis=1)[:, 0]
        return {"query": jnp.where(last[:, 0] >= 0, after, 0.0)}
