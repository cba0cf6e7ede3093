"""Next-play prediction among released tracks, with losses for the audio encoder on the same tracks."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import jax
import jax.numpy as jnp

from mu import losses
from mu.nn.heads import Head
from mu.nn.history import SKIPPED
from mu.ranges import CountOrZero, NonNegative, Positive, Rate, Share
from mu.tasks.audio_views import AudioModel, augmented_waveforms, encode_views, flat_crops
from mu.tasks.augmentations import Augmentations
from mu.tasks.evidence import added_evidence

EVIDENCE = ("target_evidence", "negative_evidence")
"""What counts say of the plays of a history: nothing for a listener without plays."""


class DescribedTracks(Protocol):
    """A log with features of tracks; `mu.data.listening.listening.Listening` is one."""

    @property
    def hash_size(self) -> int: ...
    @property
    def event_columns(self) -> tuple[str, ...]: ...
    @property
    def item_numbers(self) -> tuple[str, ...]: ...
    @property
    def earlier_tracks(self) -> int: ...
    @property
    def tag_names(self) -> tuple[str, ...]: ...
    @property
    def sample_rate_hz(self) -> int | None: ...
    @property
    def card(self) -> Mapping[str, Any]: ...
    def __len__(self) -> int: ...


class NextPlay:
    """Sampled softmax over the released tracks, with exact log-probabilities of the draws.

    With s_v = q . v + b(age of v) the score of a track, with evidence of counts plus its offset (`mu.nn.evidence`), the
    sum over all tracks but the target is estimated from the K uniform draws of a row and from the N plays of the
    batch's other rows (in-batch negatives): Z is the sum over all these candidates c of e^{s_c} / d_c, where
    d_c = K / V + N share(c) is how many of them are expected to be that track and share(c) its part of the training
    plays (the balance heuristic, Veach & Guibas 1995). The loss of a play is softplus(log Z - s), its -log-probability
    among target and all else. A skipped play is an explicit negative: softplus(s - log Z). Where no other track was
    released, the target has no negatives and the loss is 0.

    Args:
      data: the training plays.
      in_batch: at most so many of the batch's plays, evenly spaced, are negatives of the others; 0 for none.
      skipped: weight of skipped plays as negatives; a skipped play counts 1 - `skipped` as a play. 0 treats all plays
        alike.
      cold: weight of the same loss for queries of the users' features alone, on the first position of each row.
      tags: weight of predicting a track's tags from its audio; a track without tags weighs nothing.
      contrastive: weight of NT-Xent between two crops of a track.
      temperature: of NT-Xent.
      augment: augmentations of the audio, or None.
      evidence_dropout: see `mu.tasks.retrieval.Retrieval`.

    Attributes:
      offers: 'outputs' (heads of the audio encoder), 'sample_rate_hz', 'hash_size' and 'event_columns' (name -> number
        of values), for the model's constructor.
      requires: names that the model must return.
      compares_examples: the loss of an example depends on the others of its batch.
      needs_all_items: whether every step needs the rows of the whole catalogue.
      adds_evidence: whether evidence of counts is added to the scores of batches that have it.
    """

    requires: ClassVar[frozenset[str]] = frozenset({"tracks", "queries", "cold"})
    compares_examples = True
    needs_all_items = False
    adds_evidence = True

    def __init__(
        self,
        *,
        data: DescribedTracks,
        in_batch: CountOrZero = 512,
        skipped: Share = 0.0,
        cold: NonNegative = 0.1,
        tags: NonNegative = 0.0,
        contrastive: NonNegative = 0.0,
        temperature: Positive = 0.1,
        augment: Augmentations | None = None,
        evidence_dropout: Rate = 0.5,
    ):
        for name, value in (("in_batch", in_batch), ("cold", cold), ("tags", tags), ("contrastive", contrastive)):
            if value < 0:
                raise ValueError(f"{name}={value}; it must not be negative")
        if not 0 <= skipped <= 1:
            raise ValueError(f"skipped={skipped}; it must lie in [0, 1]")
        if temperature <= 0:
            raise ValueError(f"temperature={temperature}; it must be positive")
        if (tags or contrastive) and data.sample_rate_hz is None:
            raise ValueError(f"tags={tags}, contrastive={contrastive} need audio, and no track has any: set both 0")
        if tags and not data.tag_names:
            raise ValueError("the data have no tags: name their column as data.tags, or set tags=0")
        self._in_batch, self._skipped, self._cold, self._augment = in_batch, skipped, cold, augment
        self._tags, self._contrastive, self._temperature = tags, contrastive, temperature
        self._evidence_dropout = evidence_dropout
        self._plays = len(data)
        outputs: dict[str, Head] = {}
        if tags:
            outputs["tags"] = Head(len(data.tag_names))
        if contrastive:
            outputs["projection"] = Head(64, hidden=128)
        self._n_tags = len(data.tag_names)
        vocabularies = data.card.get("event_columns", {})
        self.offers: Mapping[str, Any] = {
            "outputs": outputs,
            "sample_rate_hz": data.sample_rate_hz,
            "hash_size": data.hash_size,
            "event_columns": {name: len(vocabularies.get(name, ())) for name in data.event_columns},
        }
        if data.item_numbers:
            self.offers = {**self.offers, "item_numbers": len(data.item_numbers)}
        if data.earlier_tracks:
            self.offers = {**self.offers, "earlier_tracks": data.earlier_tracks}

    def __repr__(self) -> str:
        """The parts of the loss, with weights where they are not 1."""
        parts = ["the next play" + (f" among {self._in_batch} plays of others too" if self._in_batch else "")]
        beside = {
            "skips as negatives": self._skipped,
            "the first play from the user's features alone": self._cold,
            f"{self._n_tags} tags from sound": self._tags,
            "which two crops are of one track": self._contrastive,
        }
        parts += [f"{weight:g} x {what}" for what, weight in beside.items() if weight]
        return "NextPlay(\n  " + "\n  + ".join(parts) + ")"

    def loss(
        self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(loss [B, T], weights [B, T]) of every play; the losses of the audio are added to each."""
        evidence_key = None
        if "target_evidence" in batch:
            key, evidence_key = jax.random.split(key)
        audio_key, model_key = jax.random.split(key)
        beside, clips = jnp.float32(0), None
        if "audio" in batch and model.audio is not None:
            beside, clips = self._audio_losses(model.audio, batch, audio_key)
        outputs = model(rows, batch, model_key, clips)
        offsets = self._offsets(model, batch, slice(None), evidence_key)
        values = self._next(model, rows, batch, outputs["tracks"], outputs["queries"], slice(None), offsets)
        if self._cold:
            first = slice(0, 1)
            nothing = {name: jnp.zeros_like(array) for name, array in batch.items() if name in EVIDENCE}
            offsets = self._offsets(model, {**batch, **nothing}, first, evidence_key)
            cold = self._next(model, rows, batch, outputs["tracks"], outputs["cold"][:, first], first, offsets)
            weights = batch["weights"][:, first]
            beside = beside + self._cold * jnp.sum(cold * weights) / jnp.maximum(jnp.sum(weights), 1.0)
        return values + beside, batch["weights"]

    def _offsets(
        self, model: Any, batch: Mapping[str, Any], columns: slice, key: jax.Array | None
    ) -> tuple[jax.Array, jax.Array] | None:
        """What counts add to the targets [B, T'] of these columns and to their candidates [B, T', K + N]; or None."""
        if "target_evidence" not in batch:
            return None
        counted = {name: batch[name][:, columns] for name in (*EVIDENCE, "target_popularity", "negative_popularity")}
        return added_evidence(model, counted, self._evidence_dropout, key)

    def _next(
        self,
        model: Any,
        rows: Mapping[str, jax.Array],
        batch: Mapping[str, Any],
        tracks: jax.Array,
        queries: jax.Array,
        columns: slice,
        offsets: tuple[jax.Array, jax.Array] | None,
    ) -> jax.Array:
        """Loss of the plays in these columns, [B, T']."""
        targets, days = batch["targets"][:, columns], batch["days"][:, columns]

        def age(ids: jax.Array) -> jax.Array:
            return rows["age_days"][ids, 0]

        own = jnp.sum(queries * tracks[targets], axis=-1) + model.age_bias(age(targets) + days)
        own = own if offsets is None else own + offsets[0]

        def scored(ids: jax.Array, density: jax.Array, counted: jax.Array, places: slice) -> jax.Array:
            """[B, T', n]: s - log density of candidates `ids` [B or 1, n], -inf where a play does not have them."""
            # Candidates of all rows are one matrix product, not one for each row.
            shared = len(ids) == 1 < rows_here
            scores = queries @ tracks[ids[0]].T if shared else jnp.einsum("btd,bnd->btn", queries, tracks[ids])
            scores = scores if offsets is None else scores + offsets[1][..., places]
            ages = age(ids)[:, None] + days[..., None]
            candidate = counted[:, None] & (ids[:, None] != targets[..., None]) & (ages >= 0)
            return jnp.where(candidate, scores + model.age_bias(ages) - jnp.log(density)[:, None], -jnp.inf)

        rows_here, shares = len(queries), rows["plays"][:, 0] / self._plays
        draws, log_q = batch["negatives"][:, 0], batch["log_q"][:, 0]
        n_draws = draws.shape[1]
        counted, first = jnp.ones(draws.shape, bool), slice(0, n_draws)
        if self._in_batch:
            width = batch["targets"].shape[1]
            spaced = slice(None, None, -(-rows_here * width // self._in_batch))
            plays = batch["targets"].reshape(1, -1)[:, spaced]
            # A row's own plays are no negatives: they depend on its targets.
            others = jnp.repeat(~jnp.eye(rows_here, dtype=bool), width, axis=1)[:, spaced]
            others = others & (batch["segments"].reshape(1, -1)[:, spaced] > 0)
            n_plays = jnp.sum(others, axis=1, keepdims=True).astype(jnp.float32)
            uniform = n_draws * jnp.exp(log_q[:, :1])
            candidates = [
                scored(draws, n_draws * jnp.exp(log_q) + n_plays * shares[draws], counted, first),
                scored(plays, uniform + n_plays * shares[plays], others, slice(n_draws, None)),
            ]
        else:
            candidates = [scored(draws, n_draws * jnp.exp(log_q), counted, first)]
        terms = jnp.concatenate(candidates, axis=-1)
        has_negatives = jnp.any(terms != -jnp.inf, axis=-1)
        # An empty sum is replaced before the logarithm: its gradient is NaN, and 0 times NaN is NaN.
        log_z = jax.nn.logsumexp(jnp.where(has_negatives[..., None], terms, 0.0), axis=-1)
        values = jax.nn.softplus(log_z - own)
        if self._skipped:
            skipped = self._skipped * (batch["next_outcomes"][:, columns] == SKIPPED).astype(values.dtype)
            values = (1.0 - skipped) * values + skipped * jax.nn.softplus(own - log_z)
        return jnp.where(has_negatives, values, 0.0)

    def _audio_losses(
        self, encoder: AudioModel, batch: Mapping[str, Any], key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(sum of the losses of the audio [], clip vectors [M, A] of the first crops)."""
        waveform_key, spectrogram_key, model_key = jax.random.split(key, 3)
        clips, crops, _ = batch["audio"].shape
        audio, samples = augmented_waveforms(self._augment, encoder.front_end, *flat_crops(batch), waveform_key)
        outputs = encode_views(
            self._augment, encoder, audio, samples, spectrogram_key=spectrogram_key, model_key=model_key
        )
        total = jnp.float32(0)
        if self._tags:
            logits = outputs["tags"].reshape(clips, crops, -1)
            missed = losses.binary_cross_entropy(logits, batch["tags"][:, None]).mean(axis=1)
            tagged = jnp.any(batch["tags"] > 0, axis=-1).astype(missed.dtype)
            total = total + self._tags * jnp.sum(missed * tagged) / jnp.maximum(jnp.sum(tagged), 1.0)
        if self._contrastive:
            views = outputs["projection"].reshape(clips, crops, -1)
            if crops != 2:
                raise ValueError(f"contrastive learning needs batches.crops=2; the batch has {crops}")
            ids = jnp.arange(clips, dtype=jnp.int32)
            total = total + self._contrastive * losses.nt_xent(views[:, 0], views[:, 1], ids, self._temperature).mean()
        return total, outputs["clip"].reshape(clips, crops, -1)[:, 0]

    def predict(self, model: Any, rows: Mapping[str, jax.Array], batch: Mapping[str, Any]) -> dict[str, jax.Array]:
        """{'query': float32 [B, D]}, one a user: after the last play, or by their features where there is none."""
        outputs = model(rows, batch)
        last = batch["last"][:, None, None]
        after = jnp.take_along_axis(outputs["queries"], jnp.maximum(last, 0), axis=1)[:, 0]
        return {"query": jnp.where(last[:, 0] >= 0, after, outputs["cold"][:, 0])}
