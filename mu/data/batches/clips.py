"""Batches of audio: random crops to train on, fixed tiles to judge by; files are read by threads ahead of the step."""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mu.data.batches.base import Batch
from mu.data.clips.clips import Clips


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

    def __init__(
        self,
        clips: Clips,
        *,
        clips_per_batch: int = 32,
        crop_s: float = 5.0,
        crops: int = 1,
        repeats: int = 1,
        threads: int = 2,
        seed: int,
    ):
        if crop_s <= 0:
            raise ValueError(f"crop_s={crop_s}; it must be positive")
        for name, value in (("clips_per_batch", clips_per_batch), ("crops", crops), ("repeats", repeats)):
            if value < 1:
                raise ValueError(f"{name}={value}; it must be at least 1")
        self.clips, self.batch_size, self.crops = clips, clips_per_batch, crops
        self.crop_samples = round(crop_s * clips.sample_rate_hz)
        self._repeats, self._seed = repeats, seed
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="clips")

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
          [B], ones; 'rows' int32 [B], which clips they are; and each target under its name.
        """
        rows = np.asarray(examples) % len(self.clips)
        draws = np.random.default_rng([self._seed, step]).random((len(rows), self.crops))
        spare = np.maximum(self.clips.lengths[rows] - self.crop_samples, 0)
        starts = np.floor(draws * (spare[:, None] + 1)).astype(np.int64)
        audio, samples = self._read(np.repeat(rows, self.crops), starts.reshape(-1))
        return {
            "audio": audio.reshape(len(rows), self.crops, -1),
            "samples": samples.reshape(len(rows), self.crops),
            "weights": np.ones(len(rows), np.float32),
            "rows": rows.astype(np.int32),
            **{name: target.values[rows] for name, target in self.clips.targets.items()},
        }

    def tiles(self, clips: Clips, per_batch: int = 64) -> Iterator[tuple[np.ndarray, Batch]]:
        """All of the clips' audio, once, in pieces of the crop's length laid out from the start.

        The last piece of a clip that is longer than one reaches back, so that it is full; a shorter clip is filled up
        with silence. The pieces are a function of the clip alone.

        Args:
          clips: any, at the rate of those trained on.
          per_batch: pieces at once; the last batch is filled up, so that every call has one shape.

        Yields:
          (int64 [n], the clips that the pieces belong to; batch with 'audio' [per_batch, 1, N] and 'samples').
        """
        owners, starts = tile_starts(clips.lengths, self.crop_samples)
        for first in range(0, len(owners), per_batch):
            part = slice(first, first + per_batch)
            audio, samples = self._read(owners[part], starts[part], clips)
            missing = per_batch - len(audio)
            yield (
                owners[part],
                {
                    "audio": np.pad(audio, ((0, missing), (0, 0)))[:, None],
                    "samples": np.pad(samples, (0, missing))[:, None],
                },
            )

    def _read(self, rows: np.ndarray, starts: np.ndarray, clips: Clips | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(audio float32 [n, N], samples int32 [n]) of one crop each."""
        source = clips or self.clips
        audio = np.zeros((len(rows), self.crop_samples), np.float32)
        samples = np.zeros(len(rows), np.int32)

        def read(place: int) -> None:
            found = source.waveform(int(rows[place]), int(starts[place]), self.crop_samples)
            audio[place, : len(found)] = found
            samples[place] = len(found)

        list(self._pool.map(read, range(len(rows))))
        return audio, samples


def tile_starts(lengths: np.ndarray, tile: int) -> tuple[np.ndarray, np.ndarray]:
    """(owners, starts) int64: pieces of `tile` samples that cover clips of these lengths, the last reaching back."""
    counts = np.maximum(-(-lengths // tile), 1)
    owners = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.minimum(number * tile, np.maximum(lengths[owners] - tile, 0))
    return owners, starts
