"""The pitch of one voice or instrument over time, by a network that looks at a frame at a time."""

import dataclasses
import os
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.audio.io import AudioError, read

FRAMES = 256


@dataclasses.dataclass(frozen=True, eq=False)
class PitchTrack:
    """Pitches of frames.

    Attributes:
      times_s: float64 [F], the middle of each frame.
      midi_pitch: float32 [F], 69 is A4 = 440 Hz; fractions are parts of a semitone.
      confidence: float32 [F], between 0 and 1: whether there is a pitch. What a network says where there is none means
        nothing.
    """

    times_s: np.ndarray
    midi_pitch: np.ndarray
    confidence: np.ndarray

    @property
    def frequency_hz(self) -> np.ndarray:
        """float32 [F]: 440 * 2 ** ((midi_pitch - 69) / 12)."""
        return (440.0 * 2.0 ** ((self.midi_pitch - 69.0) / 12.0)).astype(np.float32)


class PitchTracker:
    """Recordings of any length to pitches; the same as of the whole at once, since each frame is by itself.

    Args:
      graph: of a model with `window_samples`, `hop_samples`, `pad_mode` and `pitches(frames)`, such as
        `mu.models.pesto` and `mu.models.crepe`.
      params: its values.
      sample_rate_hz: of the audio.

    Raises:
      ValueError: the model tracks no pitch.
    """

    def __init__(self, graph: nnx.GraphDef, params: Any, *, sample_rate_hz: int):
        self.sample_rate_hz = sample_rate_hz
        self._params = jax.device_put(params)
        model = nnx.merge(graph, self._params)
        try:
            self._window, self._hop, self._pad_mode = model.window_samples, model.hop_samples, model.pad_mode
        except AttributeError as error:
            raise ValueError(f"{type(model).__name__} tracks no pitch: {error}") from None

        def compute(params: Any, frames: jax.Array) -> dict[str, jax.Array]:
            outputs = nnx.merge(graph, params).pitches(frames)
            return {name: outputs[name] for name in ("midi_pitch", "confidence")}

        self._compute = jax.jit(compute)

    def track(self, audio: np.ndarray) -> PitchTrack:
        """The pitches of a waveform, one for every hop from its first sample on: N // hop + 1.

        Args:
          audio: float32 [N] at `sample_rate_hz`.

        Raises:
          ValueError: there are no samples, or some are not finite.
        """
        if audio.ndim != 1 or not len(audio):
            raise ValueError(f"audio {audio.shape}: it must be one waveform [samples], with at least one")
        if not np.isfinite(audio).all():
            raise ValueError("the audio holds samples that are infinite or no numbers")
        padded = np.pad(audio.astype(np.float32, copy=False), self._window // 2, mode=self._pad_mode)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._window)[:: self._hop]
        made: dict[str, list[np.ndarray]] = {"midi_pitch": [], "confidence": []}
        for first in range(0, len(frames), FRAMES):
            block = np.zeros((FRAMES, self._window), np.float32)
            part = frames[first : first + FRAMES]
            block[: len(part)] = part
            for name, values in jax.device_get(self._compute(self._params, jax.device_put(block))).items():
                made[name].append(values[: len(part)])
        times_s = np.arange(len(frames)) * (self._hop / self.sample_rate_hz)
        return PitchTrack(times_s, *(np.concatenate(values) for values in made.values()))

    def track_file(self, file: str | os.PathLike[str]) -> PitchTrack:
        """The pitches of a file, decoded and resampled (`mu.audio.io.read`).

        Raises:
          AudioError: the file cannot be decoded, or holds no sound or samples that are no numbers.
        """
        audio, _ = read(file, sample_rate_hz=self.sample_rate_hz)
        try:
            return self.track(audio)
        except ValueError as error:
            raise AudioError(os.fspath(file), str(error)) from None
