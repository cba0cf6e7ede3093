"""Batches for audio and listeners together: histories with event columns, and crops of some of their tracks."""

import numpy as np

from mu.data.batches.base import Batch, with_local_ids
from mu.data.batches.histories import HistoryBatches
from mu.data.crops import CropReader, crop_length
from mu.data.evidence import EvidenceModel
from mu.data.features import HistoryFeatures
from mu.data.listening.listening import Listening
from mu.ranges import Count, CountOrZero, Seconds, Share, Size, Threads
from mu_kernels import CSR, NegativeSampler, fill_windows

# Apart from other draws of the same seed and step.
_CROPS, _TARGETS = 0x63726F70, 0x74617267


class ListeningBatches(HistoryBatches):
    """Windows of histories, packed into rows, K negatives shared by a row, and every so often crops of audio.

    Negatives are uniform over the catalogue: whoever counts them leaves out the target itself.

    Args:
      log: the training plays, with the tracks' sound.
      window: T, positions a row.
      rows: B, rows a batch.
      negatives: K.
      horizon: a target is one of the next so many plays, drawn evenly: 1 learns what is played next, more what is
        played soon.
      weights: how much a play counts in the loss, as the target, a name of `mu.data.logs.weighting`; 'none' for all
        alike.
      clips: M, crops of audio in a batch that has any; 0 for none.
      clips_of_plays: the share of them that are of tracks played in the batch; the others are of any track.
      clips_every: every so many batches one has audio.
      crop_s: seconds of audio a crop; shorter tracks are filled up with silence.
      crops: C, crops of each track; contrastive learning needs two.
      evidence: a counting model such as `mu.baselines.pctm:PCTM`, or None; see
        `mu.data.batches.histories.HistoryBatches`. Tracks without plays have no evidence, so that sound and features
        speak for them.
      in_batch: at most so many plays of the batch, evenly spaced, are negatives of its other rows, by
        `mu.tasks.next_play.NextPlay`; 0 for none. They have evidence as the others do.
      threads: of the kernels and of reading; None takes every core for the kernels and two for reading.
      sparse: ids are local to the batch and `batch['ids']` says which they are.
      seed: of the draws.

    Attributes:
      features: the model's inputs at inference.
      n_clips: M, or 0 where no track has audio.
      crop_samples: N, samples of a crop; None where no track has audio.
    """

    def __init__(
        self,
        log: Listening,
        *,
        window: Size = 50,
        rows: Count = 32,
        negatives: Count = 256,
        horizon: Count = 1,
        weights: str = "none",
        clips: CountOrZero = 32,
        clips_of_plays: Share = 1.0,
        clips_every: Count = 1,
        crop_s: Seconds = 3.0,
        crops: Size = 1,
        evidence: EvidenceModel | None = None,
        threads: Threads | None = None,
        in_batch: CountOrZero = 0,
        sparse: bool,
        seed: int,
    ):
        super().__init__(
            log, window=window, rows=rows, negatives=0, weights=weights, threads=threads, sparse=sparse, seed=seed
        )
        for name, value in (
            ("negatives", negatives),
            ("horizon", horizon),
            ("clips_every", clips_every),
            ("crops", crops),
        ):
            if value < 1:
                raise ValueError(f"{name}={value}; it must be at least 1")
        if clips < 0 or not 0 <= clips_of_plays <= 1 or crop_s <= 0:
            raise ValueError(
                f"clips={clips}, clips_of_plays={clips_of_plays}, crop_s={crop_s}: clips must not be negative, "
                "clips_of_plays lies in [0, 1], crop_s is positive"
            )
        self.listening, self.negatives, self._horizon = log, negatives, horizon
        nobody = CSR(np.zeros(2, np.int64), np.zeros(0, np.int32), log.n_items)
        self._uniform = NegativeSampler(nobody, log.n_items)
        self._events = np.arange(len(log), dtype=np.int32)
        self.features = HistoryFeatures(
            window,
            log.event_columns,
            log.known_user_features(),
            log.number_scale,
            time_deltas=True,
            outcomes=True,
        )
        self._in_batch = in_batch
        if evidence is not None:
            self._count(evidence)
        self.n_clips = clips if log.sound is not None else 0
        self._share, self._every, self._crops = clips_of_plays, clips_every, crops
        if log.sound is not None:
            # Tracks that come out later do not exist yet.
            self._has_audio = (log.sound.lengths > 0) & (log.released_ms <= log.end_ms)
            self._audible = np.flatnonzero(self._has_audio)
            lengths = log.sound.lengths if clips else np.zeros(0, np.int64)  # without clips no crop can be silent
            self.crop_samples = crop_length(crop_s, log.sound.sample_rate_hz, lengths)
            self._reader = CropReader(self.crop_samples, threads or 2)
            if clips > len(self._audible):
                raise ValueError(f"clips={clips}, but {len(self._audible)} tracks that are out have audio: set fewer")

    def __repr__(self) -> str:
        """What a batch holds, and how many there are of an epoch."""
        sound, audio = self.listening.sound, "no sound"
        if sound is not None and self.crop_samples is not None and self.n_clips:
            every = "each batch" if self._every == 1 else f"one batch in {self._every}"
            seconds = self.crop_samples / sound.sample_rate_hz
            audio = f"{self.n_clips} x {self._crops} crops of {seconds:g} s in {every}"
        epoch = f"{self.n_examples:,} rows an epoch, {self.fill:.0%} filled"
        return (
            f"ListeningBatches({self.batch_size} rows of {self.window} plays, {epoch},\n"
            f"  {self.negatives} negatives a row, {audio})"
        )

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """Rows `examples` of the packing.

        Returns:
          int32 [B, T] 'items', 'targets', 'positions', 'segments' (0 where empty), and for the play of 'items' the
          arrays of `mu.data.features.HistoryFeatures.events`; int32 [B, T] 'next_outcomes', of the target; float32
          [B, T] 'weights' (of the target) and 'days' (when the target is played, `Listening.days`); int32 and float32
          [B, 1, K] 'negatives' and 'log_q'. With audio also float32 [M, C, N] 'audio', int32 [M, C] 'samples', int32
          [M] 'clip_items' (the tracks of the crops) and float32 [M, G] 'tags'. With evidence float32 [B, T]
          'target_evidence' and 'target_popularity', and [B, T, K + N] 'negative_evidence' and 'negative_popularity': of
          the negatives, and of N plays of the batch, every ceil(B T / in_batch)-th. With local ids and `earlier_tracks`
          of the log also, under 'shared', int32 [L, N] 'earlier': see `with_earlier_tracks`.
        """
        log = self.listening
        rows = fill_windows(examples, self._packing, self._windows, self._events, self.window, self._threads)
        empty = rows.segments == 0
        at = np.where(empty, 0, rows.items)
        ahead = np.minimum(rows.positions + 1, self._horizon)  # positions count the plays that are left
        random = np.random.default_rng([_TARGETS, self._seed, step])
        after = np.where(empty, 0, at + 1 + np.floor(random.random(at.shape) * ahead).astype(np.int32))
        users = np.where(empty, 0, rows.users)
        draw = self._uniform.sample(
            np.zeros(len(examples), np.int64), self.negatives, seed=self._seed, step=step, threads=self._threads
        )
        outcomes = np.zeros(at.shape, np.int32)
        if log.outcomes is not None:
            outcomes = log.outcomes[after].astype(np.int32)
        batch: Batch = {
            "items": log.items[at],
            "targets": log.items[after],
            "positions": rows.positions,
            "segments": rows.segments,
            **self.features.events(log, users, at, ~empty, users),
            "next_outcomes": outcomes,
            "days": log.days(log.times[after]),
            "weights": (~empty).astype(np.float32) if self._weights is None else self._weights[after] * ~empty,
            "negatives": draw.ids[:, None],
            "log_q": draw.log_q[:, None],
        }
        names = ["items", "targets", "negatives"]
        # Empty slots name a track that the batch holds anyway; as track 0 they would have its row trained by each.
        for name in ("items", "targets"):
            batch[name][empty] = batch["items"][0, 0]
        if self._evidence is not None:
            plays = batch["targets"].reshape(1, 1, -1)
            plays = plays[..., :: -(-plays.size // self._in_batch)] if self._in_batch else plays[..., :0]
            plays = np.broadcast_to(plays, (len(examples), 1, plays.shape[-1]))
            batch |= self._evidence.at(
                np.where(empty, -1, at),
                batch["targets"],
                np.concatenate([batch["negatives"], plays], axis=-1),
                played_later=True,
                threads=self._threads,
            )
        if self.n_clips and step % self._every == 0:
            batch |= self._clips(batch["targets"][~empty], step)
            names.append("clip_items")
        if not self._sparse:
            return batch
        return with_earlier_tracks(batch, names, log.earlier, log.n_items)

    def _clips(self, played: np.ndarray, step: int) -> Batch:
        """Crops of M different tracks, a share of them among the `played` ones."""
        log = self.listening
        assert log.sound is not None and self.crop_samples is not None
        random = np.random.default_rng([_CROPS, self._seed, step])
        here = np.unique(played)
        here = here[self._has_audio[here]]
        wanted = min(round(self._share * self.n_clips), len(here))
        tracks = random.choice(here, wanted, replace=False)
        if wanted < self.n_clips:
            # So many that enough are left without those above: no array as long as the catalogue.
            drawn = self._audible[random.choice(len(self._audible), self.n_clips, replace=False)]
            tracks = np.concatenate([tracks, drawn[~np.isin(drawn, tracks)][: self.n_clips - wanted]])
        tracks = tracks.astype(np.int32)
        spare = np.maximum(log.sound.lengths[tracks] - self.crop_samples, 0)[:, None]
        starts = np.floor(random.random((self.n_clips, self._crops)) * (spare + 1)).astype(np.int64)
        audio, samples = self._reader.read(log.sound, np.repeat(tracks, self._crops), starts.reshape(-1))
        shape = (self.n_clips, self._crops)
        return {
            "clip_items": tracks,
            "audio": audio.reshape(*shape, -1),
            "samples": samples.reshape(shape),
            "tags": log.tags[tracks],
        }


def with_earlier_tracks(batch: Batch, names: list[str], earlier: np.ndarray | None, n_items: int) -> Batch:
    """The batch with local ids, those of the earlier tracks of its tracks' artists among them.

    Args:
      batch: with global ids.
      names: of the arrays that hold ids of tracks.
      earlier: int32 [V, N] of `Listening.earlier`; None for none.
      n_items: V.

    Returns:
      As of `with_local_ids`; with earlier tracks also, under 'shared', int32 [L, N] 'earlier': those of each local id,
      -1 for none. The batch holds all of its own tracks; of a track that is here as an earlier one alone, some.
    """
    if earlier is None:
        return with_local_ids(batch, {"items": (names, n_items)})
    tracks = np.concatenate([batch[name].reshape(-1) for name in names])
    related = earlier[tracks]
    related = np.where(related < 0, tracks[:, None], related)  # as many for every batch: arrays of one shape
    local = with_local_ids({**batch, "related": related}, {"items": ([*names, "related"], n_items)})
    del local["related"]
    ids = local["ids"]["items"]
    here = np.where(ids[:, None] < n_items, earlier[np.minimum(ids, n_items - 1)], -1)  # the others fill up
    places = np.minimum(np.searchsorted(ids, here), len(ids) - 1)
    local["shared"] = {"earlier": np.where((here >= 0) & (ids[places] == here), places, -1).astype(np.int32)}
    return local
