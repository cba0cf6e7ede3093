"""Cloze: some plays of a history are hidden, and their queries learn to score the hidden track above all others."""

from collections.abc import Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from mu.nn.history import PLAY_FEATURES
from mu.ranges import Count, NonNegative, PartialShare, Share
from mu.tasks.retrieval import QueryModel, Retrieval


class Cloze(Retrieval):
    """Retrieval of hidden plays by a model that sees the plays before and after them (BERT4Rec, Sun et al. 2019).

    The sequence of a window are the targets of its transitions: each play of a listener but the first is in one window
    of an epoch. Each play is hidden with probability `share`, and the loss is that of the hidden plays: the paper's
    (arXiv:1904.06690) with 'full_softmax', or one with negatives. With probability `last` a window has its latest play
    hidden alone, which is what the model is asked at inference: there a hidden play is appended to the history. A
    hidden play is never shown as another or as itself, as in the authors' code (`mask_prob=1.0`). Nothing that is told
    of the plays beside it comes from it: the play after it has no 'time_deltas', and `earlier_plays`, which counts
    hidden plays too, is refused.

    Args:
      loss: as of `mu.tasks.retrieval.Retrieval`.
      n_items: V, the catalogue.
      share: probability that a play is hidden; the authors take 0.2 to 0.6, more for shorter histories.
      last: probability that a history has its latest play hidden alone: 1 in 11 in the authors' code.
      correct_log_q: as of `mu.tasks.retrieval.Retrieval`.
      calibration: of gBCE.
      chunk: items at a time in the full softmax; None, see `mu.losses.full_softmax`.
      intent: as of `mu.tasks.retrieval.Retrieval`, without repeats and habits, in which hidden plays are counted;
        learnt from hidden plays that are the latest of their window, as at inference, where no play after them says how
        they ended.

    Attributes:
      hides_plays: the model must not read the plays of 'hidden'.
    """

    hides_plays = True
    reads_habits = False

    def __init__(
        self,
        *,
        loss: Literal["full_softmax", "sampled_softmax", "bpr", "bce", "gbce"],
        n_items: int,
        share: PartialShare = 0.4,
        last: Share = 0.1,
        correct_log_q: bool = True,
        calibration: Share = 0.75,
        chunk: Count | None = None,
        intent: Mapping[str, NonNegative] | None = None,
    ):
        super().__init__(
            loss=loss,
            n_items=n_items,
            correct_log_q=correct_log_q,
            calibration=calibration,
            chunk=chunk,
            intent=intent,
        )
        if not 0 < share < 1:
            raise ValueError(f"share={share}; it must lie between 0 and 1")
        if repeats := [name for name in self.intent if name.endswith("repeat")]:
            raise ValueError(
                f"intent names {repeats[0]!r}, and Cloze hides plays: what was played before would tell the hidden "
                "ones; leave it out, or take mu.tasks.retrieval:Retrieval"
            )
        self._share, self._last = share, last
        self.adds_evidence = False  # it is counted for the play after a history, and a hidden play has others after it

    def loss(
        self, model: QueryModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B, T], weights [B, T]) of every play, 0 where it is not hidden.

        Args:
          model: takes 'hidden' bool [B, T] beside its other inputs.
          rows: the tables' rows of this batch.
          batch: of `mu.data.batches.histories.HistoryBatches`.
          key: decides what is hidden, and is for dropout.
        """
        hidden_key, model_key = jax.random.split(key)
        hidden = self._hidden(batch["segments"], batch["positions"], hidden_key)
        weights = batch["weights"] * hidden.astype(jnp.float32)
        told = {name: batch[f"next_{name}"] for name in PLAY_FEATURES if name in batch}
        if "time_deltas" in told:
            told["time_deltas"] = jnp.where(_follows(hidden, batch["segments"]), 0, told["time_deltas"])
        if "next_outcomes" in batch:  # what the heads learn: 0 teaches them nothing
            told["next_outcomes"] = jnp.where(batch["positions"] == 0, batch["next_outcomes"], 0)
        masked = {**batch, **told, "items": batch["targets"], "hidden": hidden, "weights": weights}
        return super().loss(model, rows, masked, model_key)

    def _hidden(self, segments: jax.Array, positions: jax.Array, key: jax.Array) -> jax.Array:
        """bool [B, T]: which plays are hidden."""
        play_key, history_key = jax.random.split(key)
        any_play = jax.random.bernoulli(play_key, jnp.float32(self._share), segments.shape)
        # A row has at most as many histories as places; place s of the draws is that of segment s.
        by_history = jax.random.bernoulli(history_key, jnp.float32(self._last), (len(segments), segments.shape[1] + 1))
        only_last = jnp.take_along_axis(by_history, segments, axis=1)
        return jnp.where(only_last, positions == 0, any_play) & (segments > 0)

    def predict(
        self, model: QueryModel, rows: Mapping[str, jax.Array], batch: Mapping[str, Any]
    ) -> dict[str, jax.Array]:
        """{'query': float32 [B, D], ...}, one a listener, of a hidden play that is appended to the history.

        A full window forgets its oldest play for it. A listener without plays ('last' is -1) has the query 0.
        """
        length, last = batch["items"].shape[1], batch["last"][:, None]
        full = (last == length - 1).astype(jnp.int32)
        places = jnp.arange(length, dtype=jnp.int32)[None]
        after = last + 1 - full
        earlier = jnp.minimum(places + full, length - 1)
        seen = {name: batch[name] for name in ("items", *PLAY_FEATURES) if name in batch}
        appended = {
            **{name: _at(array, earlier) for name, array in seen.items()},
            "positions": jnp.maximum(after - places, 0),
            "segments": (places <= after).astype(jnp.int32),
            "hidden": places == after,
            "last": jnp.where(last[:, 0] < 0, -1, after[:, 0]),
        }
        return super().predict(model, rows, appended)


def _follows(hidden: jax.Array, segments: jax.Array) -> jax.Array:
    """bool [B, T]: whether the play before, of the same history, is hidden; from there the time is not known."""
    before = hidden[:, :-1] & (segments[:, :-1] == segments[:, 1:])
    return jnp.pad(before, ((0, 0), (1, 0)))


def _at(array: jax.Array, places: jax.Array) -> jax.Array:
    """The entries of [B, T, ...] at places [B, T] of the second axis."""
    return jnp.take_along_axis(array, places.reshape(*places.shape, *[1] * (array.ndim - 2)), axis=1)
