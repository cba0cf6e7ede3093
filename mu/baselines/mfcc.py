"""The baseline that nobody should be fooled without: statistics of MFCCs and a linear model."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np

from mu.audio.mel import mfcc
from mu.baselines.linear import Linear, chosen_penalty

# Clips are padded to a multiple of so many seconds, so that few lengths are compiled for.
BLOCK_S = 2.0


class LabelledAudio(Protocol):
    """Clips with targets; `mu.data.clips.clips.Clips` is one."""

    @property
    def sample_rate_hz(self) -> int: ...
    @property
    def table(self) -> Any: ...
    @property
    def targets(self) -> Mapping[str, Any]: ...
    def __len__(self) -> int: ...
    def waveform(self, clip: int, start: int = 0, length: int | None = None) -> np.ndarray: ...


class MFCCLinear:
    """Mean and deviation over time of 20 MFCCs and their first and second differences (120 numbers), then `Linear`.

    The penalty is chosen by cross-validation inside the training clips.

    Args:
      group: column of the clips that stay together in that cross-validation; None for each on its own.
    """

    def __init__(self, *, group: str | None = None):
        self._group = group

    def fit(self, clips: LabelledAudio) -> Self:
        """Learns every target of the clips; returns itself."""
        features = statistics(clips)
        if self._group is not None and (missing := clips.table[self._group].null_count()):
            raise ValueError(f"{missing:,} clips have no {self._group!r}; take another column as the baseline's group")
        groups = np.arange(len(clips)) if self._group is None else clips.table[self._group].to_numpy()
        self._models = {}
        for name, target in clips.targets.items():
            known = target.known
            given = (target.kind, features[known], target.values[known], len(target.names))
            penalty = chosen_penalty(*given, groups[known])
            self._models[name] = Linear(target.kind, penalty).fit(*given[1:])
        return self

    def predict(self, clips: LabelledAudio) -> dict[str, np.ndarray]:
        """name -> float32 [n, C], as the task's heads give it."""
        features = statistics(clips)
        return {name: model.predict(features) for name, model in self._models.items()}


def statistics(clips: LabelledAudio) -> np.ndarray:
    """float64 [n, 120]: see `MFCCLinear`."""
    rate = clips.sample_rate_hz
    return np.stack([clip_statistics(clips.waveform(clip), rate) for clip in range(len(clips))])


def clip_statistics(audio: np.ndarray, rate: int) -> np.ndarray:
    """float64 [120] of float32 [N] at `rate` Hz: see `MFCCLinear`."""
    hop = rate // 100
    block = round(BLOCK_S * rate)
    padded = np.pad(audio, (0, -len(audio) % block))
    frames = max(-(-len(audio) // hop), 1)
    found = np.asarray(_mfcc(jnp.asarray(padded), rate, hop), np.float64)[:frames]
    rows = [found]
    for _ in range(2):
        rows.append(np.gradient(rows[-1], axis=0) if frames > 1 else np.zeros_like(found))
    together = np.concatenate(rows, axis=1)
    return np.concatenate([together.mean(axis=0), together.std(axis=0)])


def _mfcc(audio: jax.Array, rate: int, hop: int) -> jax.Array:
    n_fft = 1 << (round(0.032 * rate) - 1).bit_length()
    return _jitted(audio, rate, n_fft, hop)


_jitted = jax.jit(
    lambda audio, rate, n_fft, hop: mfcc(
        audio, rate, n_mfcc=20, n_fft=n_fft, hop_samples=hop, n_mels=40, fmin_hz=20.0, top_db=None
    ),
    static_argnums=(1, 2, 3),
)
