"""Intent: whether the next play is finished, skipped, a repeat or a recent one, as losses beside that of its track."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mu import losses
from mu.nn.history import FINISHED, SKIPPED

INTENTS = ("completion", "skip", "repeat", "recent_repeat")
"""In the order of the batches' habits (`mu.data.features.HABITS`)."""


def intent_labels(batch: Mapping[str, Any], name: str) -> tuple[jax.Array, jax.Array]:
    """(bool [B, T], whether the next play is so; bool [B, T], whether that is known).

    Args:
      batch: 'next_outcomes' int32 [B, T] for 'completion' and 'skip', 0 where it is not known how the play ended;
        'next_earlier_plays' int32 [B, T] for 'repeat': the listener has played the track before; 'next_recent_repeats'
        bool [B, T] for 'recent_repeat': one of their latest plays is of it.
      name: one of `INTENTS`.
    """
    if name == "repeat":
        earlier = batch["next_earlier_plays"]
        return earlier > 0, jnp.ones_like(earlier, bool)
    if name == "recent_repeat":
        recent = batch["next_recent_repeats"]
        return recent, jnp.ones_like(recent)
    outcomes = batch["next_outcomes"]
    return outcomes == (FINISHED if name == "completion" else SKIPPED), outcomes > 0


def intent_loss(logits: jax.Array, batch: Mapping[str, Any], weights: Mapping[str, float]) -> jax.Array:
    """float32 [B, T]: sum over the intents k of weight_k times the cross entropy of head k, 0 where k is not known.

    Args:
      logits: float32 [B, T, K], in the order of `weights`.
      batch: see `intent_labels`.
      weights: intent -> its weight beside the loss of the next track.
    """
    total = jnp.zeros(logits.shape[:-1], jnp.float32)
    for place, (name, weight) in enumerate(weights.items()):
        labels, known = intent_labels(batch, name)
        missed = losses.binary_cross_entropy(logits[..., place : place + 1], labels[..., None].astype(jnp.float32))
        total = total + weight * jnp.where(known, missed, 0.0)
    return total


def check_intents(names: Sequence[str]) -> None:
    """Raises ValueError where one is no intent."""
    if unknown := [name for name in names if name not in INTENTS]:
        raise ValueError(f"intent names {unknown[0]!r}; known: {', '.join(INTENTS)}")
