"""Batches of audio: random crops of clips; files are read by threads ahead of the step."""

import copy
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mu.data.batches.base import Batch
from mu.data.clips.clips import Clips
from mu.data.crops import CropReader, crop_length
from mu.ranges import Count, Seconds, Size, Threads


class ClipBatches:
    """One or more random crops of each clip an epoch.

    Args:
      clips: to train on.
      clips_per_batch: B.
      crop_s: seconds of audio an example; shorter clips are filled up with silence.
      crops: C, crops of each clip in a batch; contrastive learning needs two.
      repeats: how often an epoch comes to each clip, for sets so small that batches would be.
      threads: that read files.
      seed: of the crops.
    """

    n_clips = 0  # the examples themselves are the recordings
    left_out: Mapping[str, int] = MappingProxyType({})
    holds_out = True
    features = None

    def __init__(
        self,
        clips: Clips,
        *,
        clips_per_batch: Count = 32,
        crop_s: Seconds = 5.0,
        crops: Size = 1,
        repeats: Count = 1,
        threads: Threads = 2,
        seed: int,
    ):
        if crop_s <= 0:
            raise ValueError(f"crop_s={crop_s}; it must be positive")
        for name, value in (("clips_per_batch", clips_per_batch), ("crops", crops), ("repeats", repeats)):
            if value < 1:
                raise ValueError(f"{name}={value}; it must be at least 1")
        self.clips, self.batch_size, self.crops = clips, clips_per_batch, crops
        self.crop_samples = crop_length(crop_s, clips.sample_rate_hz, clips.lengths)
        self._repeats, self._seed = repeats, seed
        self._reader = CropReader(self.crop_samples, threads)

    def on(self, clips: Clips) -> "ClipBatches":
        """The same batches of other clips."""
        other = copy.copy(self)
        other.clips = clips
        return other

    @property
    def n_examples(self) -> int:
        """Examples an epoch."""
        return len(self.clips) * self._repeats

    def batch(self, examples: np.ndarray, step: int) -> Batch:
        """Crops of these examples; where they lie is a function of (seed, step, place in the batch).

        Returns:
          'audio' float32 [B, C, N]; 'samples' int32 [B, C], how many of them are the clip's own; 'weights' float32
          [B], ones; 'rows' int32 [B], which clips they are; 'text' int32 [B, G], of clips with texts; and each target
          under its name.
        """
        rows = np.asarray(examples) % len(self.clips)
        draws = np.random.default_rng([self._seed, step]).random((len(rows), self.crops))
        spare = np.maximum(self.clips.lengths[rows] - self.crop_samples, 0)
        starts = np.floor(draws * (spare[:, None] + 1)).astype(np.int64)
        audio, samples = self._reader.read(self.clips, np.repeat(rows, self.crops), starts.reshape(-1))
        return {
            "audio": audio.reshape(len(rows), self.crops, -1),
            "samples": samples.reshape(len(rows), self.crops),
            "weights": np.ones(len(rows), np.float32),
            "rows": rows.astype(np.int32),
            **({} if self.clips.texts is None else {"text": self.clips.texts[rows]}),
            **{name: target.values[rows] for name, target in self.clips.targets.items()},
        }
