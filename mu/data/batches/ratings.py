"""Batches of clips with responses to each: one crop is heard and many listeners' opinions of it are learnt."""

import copy

import numpy as np

from mu.data.batches.base import Batch
from mu.data.batches.clips import ClipBatches
from mu.data.ratings.cell_rates import tastes
from mu.data.ratings.rated_clips import Opinions


class OpinionBatches(ClipBatches):
    """One random crop of each clip an epoch, and R of the responses to it.

    All responses count alike: of a clip with more than R, R are drawn anew each time and weigh for all; where there
    are fewer, all are taken and the rest of the row weighs nothing.

    Args:
      clips: to train on.
      responses_per_clip: R.
      clips_per_batch, crop_s, repeats, threads, seed: of `mu.data.batches.clips.ClipBatches`.
    """

    clips: Opinions

    def __init__(
        self,
        clips: Opinions,
        *,
        responses_per_clip: int = 64,
        clips_per_batch: int = 32,
        crop_s: float = 5.0,
        repeats: int = 1,
        threads: int = 2,
        seed: int,
    ):
        if responses_per_clip < 1:
            raise ValueError(f"responses_per_clip={responses_per_clip}; it must be at least 1")
        super().__init__(
            clips, clips_per_batch=clips_per_batch, crop_s=crop_s, repeats=repeats, threads=threads, seed=seed
        )
        self._per_clip = responses_per_clip
        self._train = clips
        self._codes = clips.cohort.codes(clips.responses)
        self._tastes = tastes(clips)

    def on(self, clips: Opinions) -> "OpinionBatches":  # pyright: ignore[reportIncompatibleMethodOverride]
        """The same batches of other clips, listeners in the codes and with the tastes of those trained on."""
        other = copy.copy(self)
        other.clips = clips
        other._codes = self._train.cohort.codes(clips.responses)
        other._tastes = tastes(self._train, clips.responses)
        return other

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """What `ClipBatches` gives, and the responses.

        Returns:
          also 'cohort' int32 [B, R, columns], 'tastes' float32 [B, R, 1 + G, T] (`mu.data.ratings.cell_rates`), 'said'
          float32 [B, R, T] and 'counts' float32 [B, R], how many responses each stands for.
        """
        found = super().batch(examples, step)
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
        return found | {
            "cohort": self._codes[chosen],
            "tastes": self._tastes[chosen],
            "said": self.clips.responses.said[chosen],
            "counts": counts,
        }
