"""Repeat-aware retrieval: a track that the listener has played gets a learnt, time-aware offset."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol, cast

import jax
import jax.numpy as jnp

from mu.nn.repeats import RepeatOffset
from mu.tasks.retrieval import MASKED, QueryModel, Retrieval, beside, sampled_scores


class ModelWithRepeats(QueryModel, Protocol):
    """A model of histories with an offset for what was played."""

    repeat_offset: RepeatOffset


class RepeatRetrieval(Retrieval):
    """Softmax of s(v) = q . v + b_v + offset(v), the offset of the tracks in the history (`mu.nn.repeats`).

    Negatives are tracks that the listener has not played, so a plain `Retrieval` never learns which of the played ones
    come next. Here all plays of the history in the window count in the sum beside the negatives: with w_s what the play
    of place s counts for,

        loss = log(sum_k e^{s(v_k)} / (K q_k) + sum_s w_s e^{q . v_s + b} + [target is new] e^{s(target)}) - s(target)

    The scores are no dot product: `mu.inference.repeats:RepeatRecommender` scores all tracks.

    Args:
      loss: the sampled softmax.
      n_items: V, the catalogue.

    Attributes:
      offsets_repeats: `predict` gives what the places of the history count for.
    """

    offsets_repeats = True

    def __init__(self, *, loss: Literal["sampled_softmax"] = "sampled_softmax", n_items: int):
        if loss != "sampled_softmax":
            raise ValueError(f"loss={loss!r}; the plays of the history are terms of a softmax: leave it out")
        super().__init__(loss=loss, n_items=n_items)
        self.adds_evidence = False

    def parts(self, model: Any, rngs: Any) -> dict[str, Any]:
        """What the run adds to the model: the offset."""
        return {**super().parts(model, rngs), "repeat_offset": RepeatOffset(model.tables()["items"].dim, rngs=rngs)}

    def _next_track(
        self,
        model: QueryModel,
        rows: Mapping[str, jax.Array],
        batch: Mapping[str, Any],
        queries: jax.Array,
        evidence_key: jax.Array | None,
    ) -> jax.Array:
        """[B, T]: the loss of the next track."""
        vectors, bias = model.item_vectors(rows)
        new, negatives = sampled_scores(queries, vectors, bias, batch)
        log_draws = beside(negatives, batch["log_q"]) + jnp.log(jnp.float32(negatives.shape[-1]))
        others = jax.nn.logsumexp(negatives - log_draws, axis=-1)
        played = jnp.einsum("btd,bsd->bts", queries, vectors[batch["items"]])
        if bias is not None:
            played = played + bias[batch["items"]][:, None]
        places = jnp.where(seen_places(batch["segments"]), played + self._offsets(model, batch, queries), MASKED)
        is_target = batch["items"][:, None, :] == batch["targets"][..., None]
        repeated = jax.nn.logsumexp(jnp.where(is_target, places, MASKED), axis=-1)
        rest = jax.nn.logsumexp(jnp.where(is_target, MASKED, places), axis=-1)
        target = jnp.where(repeated > MASKED / 2, repeated, new)
        return jax.nn.softplus(jnp.logaddexp(others, rest) - target)

    @staticmethod
    def _offsets(model: QueryModel, batch: Mapping[str, Any], queries: jax.Array) -> jax.Array:
        return cast(ModelWithRepeats, model).repeat_offset(queries, batch.get("seconds"))

    def predict(
        self, model: QueryModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any]
    ) -> dict[str, jax.Array]:
        """Those of `Retrieval.predict`, and 'place_offsets' float32 [B, T]: see `mu.nn.repeats.RepeatOffset`."""
        offsets = self._offsets(model, batch, model(rows, batch)["queries"])
        last = jnp.maximum(batch["last"], 0)[:, None, None]
        return {
            **super().predict(model, rows, batch),
            "place_offsets": jnp.take_along_axis(offsets, last, axis=1)[:, 0],
        }


def seen_places(segments: jax.Array) -> jax.Array:
    """bool [B, T, S]: whether place s is of the same history as place t, and not after it; int32 [B, T]."""
    length = segments.shape[1]
    causal = jnp.tril(jnp.ones((length, length), bool))[None]
    return causal & (segments[:, :, None] == segments[:, None, :]) & (segments[:, None, :] > 0)
