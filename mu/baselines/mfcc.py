"""The baseline of every audio task: statistics of MFCCs and a linear model."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio.mel import mfcc
from mu.baselines.linear import chosen_linear
from mu.data.clips.targets import Target
from mu.data.logs.attributes import column_of
from mu.data.whole_numbers import integers_where_possible

# Clips are padded to a multiple of so many seconds, so that few lengths are compiled for.
BLOCK_S = 2.0


class LabelledAudio(Protocol):
    """Clips with targets; `mu.data.clips.clips.Clips` is one."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def first_s(self) -> float | None: ...
    @property
    def table(self) -> Any: ...
    @property
    def targets(self) -> Mapping[str, Target]: ...
    def __len__(self) -> int: ...
    def waveform(self, clip: int, start: int = 0, length: int | None = None) -> np.ndarray: ...


class MFCCLinear:
    """A linear model (`mu.baselines.linear`) on 120 statistics of MFCCs.

    They are the mean and deviation over time of 20 MFCCs and of their first and second differences.

    The penalty is chosen by cross-validation inside the training clips.

    Args:
      group: column of the clips that stay together in that cross-validation; None for each on its own.
    """

    def __init__(self, *, group: str | None = None):
        self._group = group

    def check_data(self, train: LabelledAudio) -> None:
        """Raises ValueError where clips have no group."""
        if self._group is not None and (missing := column_of(train.table, self._group).null_count()):
            raise ValueError(f"{missing:,} clips have no {self._group!r}; take another column as the baseline's group")

    def fit(self, clips: LabelledAudio) -> Self:
        """Learns every target of the clips; returns itself. Raises ValueError as `check_data`."""
        self.check_data(clips)
        features = statistics(clips)
        groups = np.arange(len(clips))
        if self._group is not None:
            groups = integers_where_possible(clips.table[self._group]).to_numpy()
        self._models = {}
        for name, target in clips.targets.items():
            is_known = target.known
            self._models[name] = chosen_linear(features[is_known], target.take(is_known), groups[is_known])
        return self

    def predict(self, clips: LabelledAudio) -> dict[str, np.ndarray]:
        """name -> float32 [n, C], as the task's heads give it."""
        features = statistics(clips)
        return {name: model.predict(features) for name, model in self._models.items()}


_cache: dict[tuple[str, int, float | None], np.ndarray] = {}


def statistics(clips: LabelledAudio) -> np.ndarray:
    """The 120 statistics of `MFCCLinear` of every clip; float64 [n, 120].

    Those of clips with a content hash are kept in memory, since other folds and seeds need them again.
    """
    rate, hashes = clips.sample_rate_hz, clips.table.get_column("content_hash", default=None)
    if hashes is None:
        return np.stack([clip_statistics(clips.waveform(clip), rate) for clip in range(len(clips))])
    keys = [(content, rate, clips.first_s) for content in hashes]
    for clip, key in enumerate(keys):
        if key not in _cache:
            _cache[key] = clip_statistics(clips.waveform(clip), rate)
    return np.stack([_cache[key] for key in keys])


def clip_statistics(audio: np.ndarray, rate: int) -> np.ndarray:
    """The 120 statistics of `MFCCLinear` of one waveform, float32 [N] at `rate` Hz; float64 [120]."""
    hop, n_fft = rate // 100, 1 << (round(0.032 * rate) - 1).bit_length()
    block = round(BLOCK_S * rate)
    padded = np.pad(audio, (0, -len(audio) % block))
    frames = max(-(-len(audio) // hop), 1)
    mfccs = np.asarray(_jitted(jnp.asarray(padded), rate, n_fft, hop), np.float64)[:frames]
    series = [mfccs]
    for _ in range(2):
        series.append(np.gradient(series[-1], axis=0) if frames > 1 else np.zeros_like(mfccs))
    columns = np.concatenate(series, axis=1)
    return np.concatenate([columns.mean(axis=0), columns.std(axis=0)])


_jitted = jax.jit(
    lambda audio, rate, n_fft, hop: mfcc(
        audio, rate, n_mfcc=20, n_fft=n_fft, hop_samples=hop, n_mels=40, fmin_hz=20.0, top_db=None
    ),
    static_argnums=(1, 2, 3),
)
