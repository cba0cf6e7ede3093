"""Retrieval: queries learn to score the track that was played next above all others."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol, cast

import jax
import jax.numpy as jnp

from mu import losses
from mu.nn.intent import IntentHeads
from mu.protocols import LearnsIntent
from mu.ranges import Count, NonNegative, Rate, Share
from mu.tasks.evidence import ModelWithEvidence, added_evidence
from mu.tasks.intent import INTENTS, check_intents, intent_loss
from mu_kernels.xla import gathered_dot

# Each takes (positive [B...], negatives [B..., K]); sampled softmax also log_q, gBCE the size of the catalogue.
SAMPLED = ("sampled_softmax", "bpr", "bce", "gbce")
MASKED = -1e30
"""Score of a draw that does not count. It is finite: the gradient of a sum over nothing but -inf is NaN."""


class QueryModel(Protocol):
    """A model of queries and item vectors."""

    def __call__(
        self, rows: Mapping[str, jax.Array], batch: Mapping[str, jax.Array], key: jax.Array | None = None
    ) -> dict[str, jax.Array]: ...

    def item_vectors(self, rows: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array | None]: ...


class ModelWithIntent(QueryModel, Protocol):
    """A model with heads for what the listener is about to do."""

    intent_heads: IntentHeads


class Retrieval:
    """Queries [B..., D] against item vectors, one target each; SASRec and factorisation alike.

    Args:
      loss: 'full_softmax', 'sampled_softmax', 'bpr', 'bce' or 'gbce' (see `mu.losses`).
      n_items: V, the catalogue.
      correct_log_q: sampled softmax uses the draws' exact log-probabilities, so that it estimates the full one.
      calibration: of gBCE.
      chunk: items at a time in the full softmax; None, see `mu.losses.full_softmax`.
      evidence_dropout: share of the examples whose scores in training are those of the model alone, where batches have
        evidence of counts (`mu.tasks.evidence`).
      intent: weights beside this loss of heads for what the next play is: 'completion' (finished), 'skip', 'repeat'
        (of a track that the listener has played before) and 'recent_repeat' (of one of their latest plays), see
        `mu.tasks.intent`. All need batches.habits, the first two batches.outcomes, 'repeat' batches.earlier_plays.

    Attributes:
      intent: as given.
      offers: 'intents', the names of these heads, where there are any.
      requires: names that the model must return.
      compares_examples: whether the loss of an example depends on the others of its batch.
      needs_all_items: whether every step needs the rows of the whole catalogue: full softmax alone.
      adds_evidence: whether evidence of counts is added to the scores of batches that have it: of sampled losses.
      reads_habits: whether the heads of intents read batch['habits'].
    """

    requires: ClassVar[frozenset[str]] = frozenset({"queries"})
    compares_examples = False
    reads_habits = True

    def __init__(
        self,
        *,
        loss: Literal["full_softmax", "sampled_softmax", "bpr", "bce", "gbce"],
        n_items: int,
        correct_log_q: bool = True,
        calibration: Share = 0.75,
        chunk: Count | None = None,
        evidence_dropout: Rate = 0.5,
        intent: Mapping[str, NonNegative] | None = None,
    ):
        check_intents(tuple(intent or ()))
        self.intent = dict(intent or {})
        self.offers: Mapping[str, Any] = {"intents": tuple(self.intent)} if self.intent else {}
        if loss != "full_softmax" and loss not in SAMPLED:
            raise ValueError(f"loss={loss!r}; known: full_softmax, {', '.join(SAMPLED)}")
        self.name = loss
        self.correct_log_q = correct_log_q
        self.chunk = chunk
        self._evidence_dropout = evidence_dropout
        self.needs_all_items = loss == "full_softmax"
        self.adds_evidence = loss in SAMPLED
        self.sampled: Callable[..., jax.Array] | None = getattr(losses, loss) if loss in SAMPLED else None
        if loss == "gbce":
            self.sampled = functools.partial(losses.gbce, n_items=n_items, calibration=calibration)

    def parts(self, model: Any, rngs: Any) -> dict[str, Any]:
        """What the run adds to the model: heads of intents, where there are any (`mu.protocols.AddsParts`)."""
        if not self.intent:
            return {}
        habits = INTENTS if self.reads_habits else ()
        return {"intent_heads": IntentHeads(model.tables()["items"].dim, tuple(self.intent), habits, rngs=rngs)}

    def loss(
        self,
        model: QueryModel,
        rows: Mapping[str, jax.Array],
        batch: Mapping[str, Any],
        key: jax.Array | None,
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B...], weights [B...]) of every query; the step sums loss x weight over the sum of weights.

        Args:
          model: gives 'queries' [B..., D].
          rows: the tables' rows of this batch.
          batch: the model's inputs; 'targets' int32 [B...]; 'weights' float32 [B...], 0 where there is no
            example; for sampled losses 'negatives' int32 and 'log_q' float32: [B..., K], a query's own; with 1 as the
            last of the axes B..., shared by those queries; or [K], shared by all. A negative counts where 'candidates'
            bool [B..., K] is True; without it all count. What 'target_evidence' and 'target_popularity' float32 [B...],
            'negative_evidence' float32 [B..., K] and 'negative_popularity', of the negatives' shape, say is added to
            the scores, see `mu.nn.evidence`. With intents also 'habits' float32 [B..., H] and what
            `mu.tasks.intent.intent_labels` takes.
          key: for dropout; None for none.
        """
        evidence_key, model_key = None, key
        if "target_evidence" in batch and key is not None:
            evidence_key, model_key = jax.random.split(key)
        queries = model(rows, batch, model_key)["queries"]
        values = self._next_track(model, rows, batch, queries, evidence_key)
        if self.intent:
            logits = cast(ModelWithIntent, model).intent_heads(queries, batch.get("habits"))
            values = values + intent_loss(logits, batch, self.intent)
        return values, batch["weights"]

    def _next_track(
        self,
        model: QueryModel,
        rows: Mapping[str, jax.Array],
        batch: Mapping[str, Any],
        queries: jax.Array,
        evidence_key: jax.Array | None,
    ) -> jax.Array:
        """[B...]: the loss of the next track."""
        vectors, bias = model.item_vectors(rows)
        targets = batch["targets"]
        if self.sampled is None:
            if "target_evidence" in batch:
                raise ValueError(
                    "batches.evidence goes with a sampled loss: set task.loss='sampled_softmax' and, for a sum close "
                    "to that over all tracks, batches.negatives_per='batch' with thousands of negatives"
                )
            flat = queries.reshape(-1, queries.shape[-1])
            values = losses.full_softmax(flat, vectors, targets.reshape(-1), bias, self.chunk)
            return values.reshape(targets.shape)
        positive, negatives = sampled_scores(queries, vectors, bias, batch)
        if "target_evidence" in batch:
            counted = cast(ModelWithEvidence, model)
            own, others = added_evidence(counted, batch, self._evidence_dropout, evidence_key)
            positive, negatives = positive + own, negatives + others
        return self.sampled_loss(positive, negatives, batch)

    def sampled_loss(self, positive: jax.Array, negatives: jax.Array, batch: Mapping[str, Any]) -> jax.Array:
        """[B...]: the loss of scores [B...] and [B..., K], with the batch's 'log_q' where it is corrected for."""
        assert self.sampled is not None
        if self.name == "sampled_softmax" and self.correct_log_q:
            return losses.sampled_softmax(positive, negatives, beside(negatives, batch["log_q"]))
        return self.sampled(positive, negatives)

    def predict(
        self, model: QueryModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any]
    ) -> dict[str, jax.Array]:
        """{'query': float32 [B, D]}, one a listener, at position `batch['last']` where queries have positions.

        A listener without plays ('last' is -1) has the query 0: the model knows nothing of them. With intents also
        'intent' float32 [B, K], the logits of the heads.
        """
        query, habits = model(rows, batch)["queries"], batch.get("habits")
        if query.ndim == 3:
            query = _latest(query, batch["last"])
            habits = None if habits is None else _latest(habits, batch["last"])
        if not (isinstance(self, LearnsIntent) and self.intent):  # a task of its own may borrow this function
            return {"query": query}
        return {"query": query, "intent": cast(ModelWithIntent, model).intent_heads(query, habits)}


def _latest(values: jax.Array, last: jax.Array) -> jax.Array:
    """float32 [B, D]: values [B, T, D] at the places `last`, int32 [B]; 0 where that is -1."""
    places = last[:, None, None]
    return jnp.where(places[:, 0] >= 0, jnp.take_along_axis(values, jnp.maximum(places, 0), axis=1)[:, 0], 0.0)


def sampled_scores(
    queries: jax.Array, vectors: jax.Array, bias: jax.Array | None, batch: Mapping[str, Any]
) -> tuple[jax.Array, jax.Array]:
    """(float32 [B...] of the targets, float32 [B..., K] of the negatives, `MASKED` where one does not count).

    Args:
      queries: float32 [B..., D].
      vectors: float32 [L, D].
      bias: float32 [L] or None.
      batch: 'targets', 'negatives' and 'candidates', see `Retrieval.loss`.
    """
    targets, negatives = batch["targets"], batch["negatives"]
    positive_scores = jnp.sum(queries * vectors[targets], axis=-1)
    if negatives.ndim == 1:
        negative_scores = queries @ vectors[negatives].T
    elif negatives.shape[:-1] == targets.shape:
        flat = negatives.reshape(-1, negatives.shape[-1])
        scores = gathered_dot(queries.reshape(-1, queries.shape[-1]), vectors, flat)
        negative_scores = scores.reshape(negatives.shape)
    else:
        negative_scores = jnp.einsum("...td,...kd->...tk", queries, vectors[negatives[..., 0, :]])
    if bias is not None:
        positive_scores = positive_scores + bias[targets]
        negative_scores = negative_scores + beside(negative_scores, bias[negatives])
    if "candidates" in batch:
        negative_scores = jnp.where(batch["candidates"], negative_scores, MASKED)
    return positive_scores, negative_scores


def beside(scores: jax.Array, values: jax.Array) -> jax.Array:
    """Values of shared negatives with as many axes as scores [B..., K] have."""
    return values.reshape((1,) * (scores.ndim - values.ndim) + values.shape)
