"""Batches of rated clips: one crop of each clip, with the labels of many listeners."""

import copy

import numpy as np

from mu.data.batches.base import Batch
from mu.data.batches.clips import ClipBatches
from mu.data.ratings.cell_rates import cell_rates
from mu.data.ratings.rated_clips import RatedClips
from mu.ranges import Count, Seconds, Threads


class RatingBatches(ClipBatches):
    """One random crop of each clip an epoch, and R of the ratings of it.

    All ratings count alike. Of a clip with more than R, R are drawn anew each time and weigh for all; where there are
    fewer, all are taken and the rest of the row weighs nothing.

    Args:
      clips: to train on.
      ratings_per_clip: R.
      clips_per_batch: of `mu.data.batches.clips.ClipBatches`.
      crop_s: of the same.
      repeats: of the same.
      threads: of the same.
      seed: of the crops and the ratings.
    """

    clips: RatedClips

    def __init__(
        self,
        clips: RatedClips,
        *,
        ratings_per_clip: Count = 64,
        clips_per_batch: Count = 32,
        crop_s: Seconds = 5.0,
        repeats: Count = 1,
        threads: Threads = 2,
        seed: int,
    ):
        if ratings_per_clip < 1:
            raise ValueError(f"ratings_per_clip={ratings_per_clip}; it must be at least 1")
        super().__init__(
            clips, clips_per_batch=clips_per_batch, crop_s=crop_s, repeats=repeats, threads=threads, seed=seed
        )
        self._per_clip = ratings_per_clip
        self._train = clips
        self._codes = clips.listener_codes.encode(clips.ratings)
        self._rates = cell_rates(clips)

    def on(self, clips: RatedClips) -> "RatingBatches":  # pyright: ignore[reportIncompatibleMethodOverride]
        """The same batches of other clips, with listener codes and cell rates of the training clips."""
        other = copy.copy(self)
        other.clips = clips
        other._codes, other._rates = self.listener_inputs(clips)
        return other

    def listener_inputs(self, clips: RatedClips) -> tuple[np.ndarray, np.ndarray]:
        """(codes int32 [n, columns], cell rates float32 [n, 1 + G, T]) of the listeners of other clips' ratings."""
        return self._train.listener_codes.encode(clips.ratings), cell_rates(self._train, clips.ratings)

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """The arrays of `ClipBatches.batch`, and ratings of each clip.

        Returns:
          also 'listener_codes' int32 [B, R, columns], 'cell_rates' float32 [B, R, 1 + G, T]
          (`mu.data.ratings.cell_rates`), 'labels' float32 [B, R, T] and 'counts' float32 [B, R], the number of ratings
          that each stands for.
        """
        batch = super().batch(examples, step)
        rows = np.asarray(examples) % len(self.clips)
        starts, order = self.clips.by_clip
        random = np.random.default_rng([self._seed, step, 1])
        chosen = np.zeros((len(rows), self._per_clip), np.int64)
        counts = np.zeros(chosen.shape, np.float32)
        for place, clip in enumerate(rows):
            own = order[starts[clip] : starts[clip + 1]]
            some = own if len(own) <= self._per_clip else random.choice(own, self._per_clip, replace=False)
            chosen[place, : len(some)] = some
            counts[place, : len(some)] = len(own) / max(len(some), 1)
        return batch | {
            "listener_codes": self._codes[chosen],
            "cell_rates": self._rates[chosen],
            "labels": self.clips.ratings.labels[chosen],
            "counts": counts,
        }
