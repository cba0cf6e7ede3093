"""Crops of recordings, filled up with silence: read by threads, or cut from a waveform in memory."""

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np


class Waveforms(Protocol):
    """Recordings by row; clips (`mu.data.clips.clips.Clips`) and the sound of a log's tracks alike."""

    def waveform(self, row: int, start: int, length: int, /) -> np.ndarray:
        """float32 [n], mono: samples `start` to `start + length`, or to the end. Called from threads."""
        ...


def crop_length(crop_s: float, sample_rate_hz: int, lengths: np.ndarray) -> int:
    """Samples of a crop of `crop_s` seconds.

    Args:
      crop_s: seconds.
      sample_rate_hz: of the recordings.
      lengths: int [n], their samples; shorter ones than a crop are filled up with silence.

    Raises:
      ValueError: a crop has no sample, or would be silence for the most part even of the longest recording.
    """
    samples, longest = round(crop_s * sample_rate_hz), int(lengths.max(initial=0))
    if samples < 1:
        raise ValueError(f"crop_s={crop_s} is not one sample at {sample_rate_hz} Hz: set a longer crop")
    if longest and samples > 2 * longest:
        raise ValueError(
            f"crop_s={crop_s} is more than twice the longest recording, {longest / sample_rate_hz:.3g} s: more than "
            "half of every crop would be silence; set a shorter one"
        )
    return samples


class CropReader:
    """Reads crops of one length with a pool of threads, which lives as long as the reader.

    Args:
      crop_samples: N.
      threads: that read; they change no result.
    """

    def __init__(self, crop_samples: int, threads: int = 2):
        self.crop_samples = crop_samples
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="crops")

    def read(self, source: Waveforms, rows: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One crop of each row, and how much of it is sound.

        Args:
          source: the recordings.
          rows: int [n], of the source.
          starts: int [n], the first sample of each crop.

        Returns:
          (audio float32 [n, N], samples int32 [n]).
        """
        crops = _silence(len(rows), self.crop_samples)

        def read(place: int) -> None:
            _fill(crops, place, source.waveform(int(rows[place]), int(starts[place]), self.crop_samples))

        list(self._pool.map(read, range(len(rows))))
        return crops


def cut(waveform: np.ndarray, starts: np.ndarray, crop_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """(audio float32 [n, N], samples int32 [n]): the crops of one waveform that begin at `starts`."""
    crops = _silence(len(starts), crop_samples)
    for place, start in enumerate(starts):
        _fill(crops, place, waveform[start : start + crop_samples])
    return crops


def tile_starts(lengths: np.ndarray, tile: int) -> tuple[np.ndarray, np.ndarray]:
    """Tiles of `tile` samples that cover recordings from their beginning; the last tile of each reaches back.

    Args:
      lengths: int [n], samples of each recording. One shorter than a tile has one.
      tile: samples of a tile.

    Returns:
      (owners, starts), int64 [tiles]: the recording of each tile, and its first sample.
    """
    counts = np.maximum(-(-lengths // tile), 1)
    owners = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.minimum(number * tile, np.maximum(lengths[owners] - tile, 0))
    return owners, starts


def _silence(n: int, crop_samples: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((n, crop_samples), np.float32), np.zeros(n, np.int32)


def _fill(crops: tuple[np.ndarray, np.ndarray], place: int, sound: np.ndarray) -> None:
    audio, samples = crops
    audio[place, : len(sound)] = sound
    samples[place] = len(sound)
