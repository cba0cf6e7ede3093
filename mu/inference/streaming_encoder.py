"""An audio encoder over sound that is still coming: what it gives is what it gives of the whole recording.

    encoder = StreamingEncoder(graph, params)      # of mu.models.audio_encoder with trunk='streaming_cnn'
    state = encoder.start()
    for chunk in microphone:                       # any number of samples, none too
        state, frames = encoder.push(state, chunk)
    frames, clip = encoder.finish(state)           # the frames that end here, and the vector of all so far

States are values: `finish` ends nothing, so that the vector of what has come so far is at hand at any time.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
from flax import nnx

from mu.audio import streaming
from mu.models.audio_encoder import AudioEncoder
from mu.models.streaming_trunk import StreamingCNN
from mu.nn.pooling import LEAST_VARIANCE

BLOCK_FRAMES = (16, 1)
"""Frames of the encoder that one call computes: a program each."""


class Pooled(NamedTuple):
    """What attention pooling has of the frames so far, float64.

    Attributes:
      largest: of the scores.
      weight: sum of exp(score - largest).
      first: [D], the weighted sum of frames.
      second: [D], of their squares.
    """

    largest: float
    weight: float
    first: np.ndarray
    second: np.ndarray


class StreamState(NamedTuple):
    """What the next frames depend on.

    Attributes:
      samples: how many have come.
      sound: state of the front end's stream.
      waiting: float32 [1, f, M], spectrogram frames that make no frame of the encoder yet.
      spectrogram_frames: how many the front end has given.
      past: of the trunk.
      pooled: of all frames so far.
    """

    samples: int
    sound: streaming.State
    waiting: np.ndarray
    spectrogram_frames: int
    past: Any
    pooled: Pooled


class StreamingEncoder:
    """Frames and the clip vector of sound that comes in chunks, equal to the encoder's own of the whole.

    A frame is given as soon as the samples that it depends on are there: its own `stride_samples`, and
    `look_ahead_samples` after them.

    Args:
      graph: of an `AudioEncoder` with trunk='streaming_cnn'.
      params: values of the model.

    Raises:
      ValueError: the model is no such encoder.

    Attributes:
      sample_rate_hz: of the sound.
      stride_samples: from frame to frame.
      look_ahead_samples: after a frame's own that it waits for.
      dim: D of a frame; a clip vector has 2 D numbers.
    """

    def __init__(self, graph: nnx.GraphDef, params: Any):
        model = nnx.merge(graph, params)
        if not isinstance(model, AudioEncoder) or not isinstance(model.trunk, StreamingCNN):
            raise ValueError(
                f"{type(model).__name__} cannot encode sound that is still coming: train mu.models.audio_encoder:"
                "AudioEncoder with trunk='streaming_cnn' and normalisation='fixed'"
            )
        front_end, self._stride = model.front_end, model.trunk.stride_frames
        self.sample_rate_hz, self.dim = front_end.sample_rate_hz, model.trunk.dim
        self._hop, self._n_mels = front_end.hop_samples, front_end.n_mels
        self.stride_samples = self._stride * self._hop
        self.look_ahead_samples = max(front_end.n_fft // 2 - self._hop, 0)
        self._sound, self._before = front_end.stream(), jax.jit(lambda: nnx.merge(graph, params).trunk.before(1))()
        self._params = jax.device_put(params)

        def step(params: Any, x: jax.Array, past: Any) -> tuple[jax.Array, jax.Array, Any]:
            model = nnx.merge(graph, params)
            frames, past = model.trunk.step(x, past)
            return frames[0], model.pooling.scores(frames)[0], past

        def clip(params: Any, statistics: jax.Array) -> jax.Array:
            return nnx.merge(graph, params).clip_norm(statistics, training=False)[0]

        self._step, self._clip = jax.jit(step), jax.jit(clip)

    def start(self) -> StreamState:
        """The state before the first sample."""
        pooled = Pooled(-np.inf, 0.0, np.zeros(self.dim), np.zeros(self.dim))
        nothing = np.zeros((1, 0, self._n_mels), np.float32)
        return StreamState(0, streaming.start(self._sound, (1,)), nothing, 0, self._before, pooled)

    def push(self, state: StreamState, samples: np.ndarray) -> tuple[StreamState, np.ndarray]:
        """The state after more samples, float32 [N], and the frames that they complete, float32 [f, D].

        Raises:
          ValueError: the samples are not one channel of finite float32 numbers.
        """
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise ValueError(f"samples are {samples.dtype} {samples.shape}; they must be float32 [N], one channel")
        if not np.isfinite(samples).all():
            raise ValueError("samples hold infinities or no numbers")
        sound, spectrogram = streaming.push(self._sound, state.sound, samples[None])
        state = state._replace(samples=state.samples + len(samples), sound=sound)
        return self._advanced(state, spectrogram)

    def finish(self, state: StreamState) -> tuple[np.ndarray, np.ndarray]:
        """The frames that the end completes, float32 [f, D], and the clip vector of all frames, float32 [2 D].

        Raises:
          ValueError: no sample has come.
        """
        if not state.samples:
            raise ValueError("no sample has come: there is nothing to encode")
        spectrogram = streaming.finish(self._sound, state.sound)
        wanted = -(-state.samples // self._hop) - state.spectrogram_frames
        # The last centred frame may lie beyond the end; zeros fill the encoder's last frame up.
        spectrogram = spectrogram[:, :wanted]
        filling = -(state.waiting.shape[1] + spectrogram.shape[1]) % self._stride
        state, frames = self._advanced(state, np.pad(spectrogram, ((0, 0), (0, filling), (0, 0))))
        pooled = state.pooled
        mean = pooled.first / pooled.weight
        variance = np.maximum(pooled.second / pooled.weight - mean**2, 0.0)
        statistics = np.concatenate([mean, np.sqrt(variance + LEAST_VARIANCE)]).astype(np.float32)
        return frames, np.asarray(self._clip(self._params, statistics[None]))

    def _advanced(self, state: StreamState, spectrogram: np.ndarray) -> tuple[StreamState, np.ndarray]:
        """Encodes all whole frames of the spectrogram's frames that wait."""
        count = state.spectrogram_frames + spectrogram.shape[1]
        waiting = np.concatenate([state.waiting, spectrogram], axis=1)
        past, pooled, frames = state.past, state.pooled, [np.zeros((0, self.dim), np.float32)]
        for size in BLOCK_FRAMES:
            length = size * self._stride
            while waiting.shape[1] >= length:
                block, scores, past = self._step(self._params, waiting[:, :length], past)
                waiting = waiting[:, length:]
                frames.append(np.asarray(block, np.float32))
                if not np.isfinite(frames[-1]).all():
                    raise ValueError("the encoder gives infinities or no numbers: nothing can be made of its frames")
                pooled = _with(pooled, frames[-1], np.asarray(scores, np.float64))
        # A copy: a view would hold on to the whole chunk.
        return state._replace(
            waiting=waiting.copy(), spectrogram_frames=count, past=past, pooled=pooled
        ), np.concatenate(frames)


def _with(pooled: Pooled, frames: np.ndarray, scores: np.ndarray) -> Pooled:
    """Adds frames [f, D] of scores [f]."""
    largest = max(pooled.largest, float(scores.max()))
    kept, weights, x = np.exp(pooled.largest - largest), np.exp(scores - largest), frames.astype(np.float64)
    return Pooled(
        largest,
        kept * pooled.weight + weights.sum(),
        kept * pooled.first + weights @ x,
        kept * pooled.second + weights @ np.square(x),
    )
