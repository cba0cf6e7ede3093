"""Batches of listening histories for sequence models: windows packed into rows, negatives drawn, one call a batch."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np

from mu.data.batches.base import Batch, refuse_saturated, with_local_ids
from mu.data.batches.shared_negatives import share, shared_negatives
from mu.data.evidence import EvidenceModel
from mu.data.features import HistoryFeatures, recent_repeats
from mu.data.features import earlier_plays as count_earlier_plays
from mu.data.features import habits as count_habits
from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions
from mu.data.logs.weighting import NONE, example_weights
from mu.ranges import Count, CountOrZero, Share, Size, Threads
from mu_kernels import CSR, NegativeSampler, cut_windows, fill_windows, one_per_row, pack_windows


class HistoryBatches:
    """Every transition (track, next track) of the log once an epoch, in rows of `window` positions.

    Histories longer than `window` transitions are cut into several, from the end. Packed, several short ones
    share a row, told apart by 'segments'; padded, each has a row of its own.

    Args:
      log: the training plays.
      window: T, positions a row.
      rows: B, rows a batch.
      packed: fill rows with several histories.
      negatives: K, uniform draws among the tracks that the listener has not played; 0 for none.
      negatives_per: 'position', each has K draws of its own; 'row', the positions of a row share K draws among the
        tracks that none of the row's listeners has played: a matrix product instead of a gather; or 'batch', all
        positions share K draws, of which those that its listener has played are no candidates of a position (see
        `mu.data.batches.shared_negatives`): one matrix product, for thousands of negatives. Such a batch names few
        tracks, and a lazy optimizer of tables moves no others: tables.name='dense' learns more in a step.
      popular_negatives: share of the draws that are by plays instead, where the batch shares them.
      weights: how much a transition counts in the loss by the weight of the next track's play, a name of
        `mu.data.logs.weighting`; 'none' for all alike.
      evidence: a counting model such as `mu.baselines.pctm:PCTM`, or None. It is fitted to the log, and what it says of
        targets and negatives is added to the model's scores, with learnt weights (`mu.nn.evidence`). Nothing of it
        comes from what the listener plays later.
      time_deltas: the model is told the time between a play and the play before.
      outcomes: it is told how plays ended: finished, skipped, or not known.
      earlier_plays: it is told how often the listener had played the track before.
      habits: heads for what the listener is about to do are told how often they have done it in their whole history
        (`mu.data.features.habits`).
      event_columns: it is told these event columns of the log.
      track_features: tracks are what the columns say that `data.item_columns` and `data.item_numbers` of
        `mu.data.listening.listening:load` name, beside a row of their own. A row and values that no played track has
        are left out: they would be of negatives alone.
      neighbours: tracks are also which tracks, so many, the log has nearest to them most often
        (`mu.data.neighbours.played_near`): each has a second vector for that, a parameter of the model, of which every
        step moves all: for catalogues of some hundred thousand tracks at most. In training the play before a target is
        counted where it is one of the target's neighbours by this very pair.
      threads: of the kernels; None takes every core.
      sparse: ids are local to the batch and `batch['ids']` says which they are.
      seed: of the draws.

    Attributes:
      features: the model's inputs at inference.
      crop_samples: None, there is no audio.
      left_out: reason -> listeners, and plays that are next tracks, that no example is of.
    """

    n_clips = 0
    holds_out = False
    crop_samples: int | None = None

    def __init__(
        self,
        log: Interactions,
        *,
        window: Size = 50,
        rows: Count = 32,
        packed: bool = True,
        negatives: CountOrZero = 256,
        negatives_per: Literal["position", "row", "batch"] = "position",
        popular_negatives: Share = 0.0,
        weights: str = "none",
        evidence: EvidenceModel | None = None,
        time_deltas: bool = False,
        outcomes: bool = False,
        earlier_plays: bool = False,
        habits: bool = False,
        event_columns: tuple[str, ...] = (),
        track_features: bool = False,
        neighbours: CountOrZero = 0,
        threads: Threads | None = None,
        sparse: bool,
        seed: int,
    ):
        self.log, self.window, self.batch_size, self.negatives = log, window, rows, negatives
        self._threads, self._sparse, self._seed = threads, sparse, seed
        features = _features(log, window, time_deltas, outcomes, earlier_plays, event_columns, track_features)
        told = {"habits": habits, "neighbours": neighbours, "n_tracks": log.n_items if neighbours else 0}
        self.features = dataclasses.replace(features, **told)
        self._tells_more = time_deltas or outcomes or earlier_plays or bool(event_columns)
        self._earlier = count_earlier_plays(log.indptr, log.items) if earlier_plays else None
        self._habits = count_habits(log.indptr, log.items, log.outcomes) if habits else None
        self._recent = recent_repeats(log.indptr, log.items) if habits else None
        self._windows = cut_windows(log.indptr, window)
        self.left_out = {
            "listeners without plays": int((log.lengths == 0).sum()),
            "listeners with one play": int((log.lengths == 1).sum()),
        }
        self._evidence = None
        if evidence is not None:
            if not negatives:
                raise ValueError("evidence is added to scores of targets and negatives: set negatives, at least 1")
            self._count(evidence)
        self._weights = None
        if weights != NONE:
            follows = np.ones(len(log), bool)
            follows[log.indptr[:-1][log.lengths > 0]] = False
            self._weights = example_weights(log, weights, follows)
            self.left_out["plays of weight 0"] = int((follows & (self._weights == 0)).sum())
        if packed:
            self._packing = pack_windows(self._windows.length, window)
        else:
            self._packing = one_per_row(len(self._windows))
        self._per_row = negatives_per == "row"
        known = "position", "row", "batch"
        self._shared = shared_negatives(log, negatives, negatives_per, known, popular_negatives, seed)
        self._sampler = None
        if negatives and self._shared is None:
            seen = log.seen()
            if self._per_row:
                seen = self._seen_by_row(seen)
            refuse_saturated(seen, "row of listeners" if self._per_row else "listener")
            self._sampler = NegativeSampler(seen, log.n_items)

    def _seen_by_row(self, seen: CSR) -> CSR:
        """The tracks that any listener of a row has played."""
        users = self._windows.user[self._packing.windows]
        played = seen.take(users)
        row_of_window = np.repeat(np.arange(self._packing.n_rows), np.diff(self._packing.indptr))
        row_of_track = np.repeat(row_of_window, played.counts())
        return CSR.from_pairs(row_of_track, played.indices, self._packing.n_rows, self.log.n_items)

    def _count(self, evidence: EvidenceModel) -> None:
        """Fits a counting model: batches have its evidence, and so have the inputs of the model."""
        self._evidence = evidence.fit(self.log).training_evidence()
        self.features = self._evidence.features(self.features)

    def _told(self, users: np.ndarray, plays: np.ndarray, filled: np.ndarray) -> Batch:
        """What the model is told of these plays, and, under 'next_...', of the plays that follow them."""
        told = self.features.events(self.log, users, plays, filled, users, self._earlier, self._habits)
        following = np.where(filled, plays + 1, 0)
        if self._recent is not None:
            told["next_recent_repeats"] = self._recent[following] & filled
        if not self._tells_more:
            return told
        features = dataclasses.replace(self.features, habits=False)  # those of the next play know what it is
        after = features.events(self.log, users, following, filled, users, self._earlier)
        return told | {f"next_{name}": array for name, array in after.items() if name != "seconds"}

    def _plays(self, examples: np.ndarray, segments: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """int64 [B, T]: which play of the log stands at each place of these rows; 0 where it is empty."""
        filled = segments > 0
        first = self._packing.indptr[examples][:, None]
        window = self._packing.windows[np.where(filled, first + segments - 1, 0)]
        return np.where(filled, self._windows.start[window] + self._windows.length[window] - 1 - positions, 0)

    @property
    def n_examples(self) -> int:
        """Rows an epoch."""
        return self._packing.n_rows

    @property
    def fill(self) -> float:
        """Share of positions that hold a transition."""
        return float(self._windows.length.sum()) / max(self.n_examples * self.window, 1)

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """Rows `examples` of the packing.

        Returns:
          int32 [B, T] 'items', 'targets' (of no meaning where empty), 'positions', 'segments' (0 where empty) and, of a
          log with times, 'seconds' of the plays of 'items'; what else the model is told of these plays
          (`mu.data.features.HistoryFeatures.events`) and, as 'next_...', of the plays of 'targets', with habits bool
          [B, T] 'next_recent_repeats' (`mu.data.features.recent_repeats`); float32 [B, T]
          'weights', 0 where there is no transition, else 1 in their mean. With negatives int32 [B, T, K] 'negatives'
          and float32 [B, T, K] 'log_q', both [B, 1, K] where a row shares them. Where the batch shares them they are
          [K], under 'shared', and bool [B, T, K] 'candidates' says which of them count. With evidence float32 [B, T]
          'target_evidence' and 'target_popularity', [B, T, K] 'negative_evidence' and 'negative_popularity', which has
          the shape of the negatives.
        """
        rows = fill_windows(examples, self._packing, self._windows, self.log.items, self.window, self._threads)
        filled = rows.segments > 0
        plays = self._plays(examples, rows.segments, rows.positions)
        batch: Batch = {
            "items": rows.items,
            "targets": rows.targets,
            "positions": rows.positions,
            "segments": rows.segments,
            **self._told(rows.users, plays, filled),
            "weights": filled.astype(np.float32),
        }
        if self._weights is not None:
            batch["weights"] *= self._weights[np.where(filled, plays + 1, 0)]
        names = ["items", "targets"]
        if self._sampler is not None:
            who = examples if self._per_row else rows.users.reshape(-1)
            draw = self._sampler.sample(who, self.negatives, seed=self._seed, step=step, threads=self._threads)
            shape = (len(examples), 1 if self._per_row else self.window, self.negatives)
            batch["negatives"], batch["log_q"] = draw.ids.reshape(shape), draw.log_q.reshape(shape)
            names.append("negatives")
        if self._shared is not None:
            self._shared.add(batch, rows.users, step)
            names.append("negatives")
        if self._evidence is not None:
            negatives = batch["negatives"]
            candidates = negatives.reshape((1,) * (3 - negatives.ndim) + negatives.shape)
            batch |= self._evidence.at(np.where(filled, plays, -1), rows.targets, candidates, threads=self._threads)
            batch["negative_popularity"] = batch["negative_popularity"].reshape(negatives.shape)
        if self._sparse:
            # Empty slots name a track that the batch holds anyway; as track 0 they would have its row trained by
            # every batch.
            for name in names:
                if batch[name].shape[:2] == filled.shape:
                    batch[name][~filled] = rows.items[0, 0]
            batch = with_local_ids(batch, {"items": (names, self.log.n_items)})
        return batch if self._shared is None else share(batch)


def _features(
    log: Interactions,
    window: int,
    time_deltas: bool,
    outcomes: bool,
    earlier_plays: bool,
    event_columns: Sequence[str],
    track_features: bool,
) -> HistoryFeatures:
    """The inputs of a model that is told so much; raises ValueError where the log does not know it."""
    if time_deltas and not log.has_times:
        raise ValueError("time_deltas=True, but the log has no times, only an order: import it with --time=NAME")
    if outcomes and log.outcomes is None:
        raise ValueError(
            "outcomes=True, but the log does not know how plays ended: import it with --finished, --skipped or a limit"
        )
    if unknown := [name for name in event_columns if name not in log.columns]:
        raise ValueError(
            f"event_columns names {unknown[0]!r}, which is no event column of the log; it has "
            f"{', '.join(log.columns) or 'none'}"
        )
    hash_size, numbers = 0, None
    if track_features:
        if not isinstance(log, Listening) or not (log.item_columns or log.item_numbers):
            raise ValueError(
                "track_features=True, but the data name no column of the tracks: set data.name="
                "'mu.data.listening.listening:load' and data.item_columns or data.item_numbers"
            )
        hash_size, numbers = log.hash_size if log.item_columns else 0, log.number_scale
    return HistoryFeatures(
        window=window,
        event_columns=tuple(event_columns),
        item_numbers=numbers,
        time_deltas=time_deltas,
        outcomes=outcomes,
        earlier_plays=earlier_plays,
        column_sizes=tuple(len(log.vocabulary(name)) for name in event_columns),
        hash_size=hash_size,
    )
