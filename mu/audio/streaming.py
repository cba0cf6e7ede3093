"""Features of a signal that arrives in chunks: the frames that `mu.audio` gives for the whole, once they are known.

    stream = streaming_features.log_mel(16_000, n_fft=512, hop_samples=160)
    state = start(stream)
    for chunk in microphone:                       # any number of samples, none too
        state, frames = push(stream, state, chunk)
    frames = finish(stream, state)                 # what the padding of the end completes

One mechanism for all: samples that a later frame needs are carried, and whole frames go through the offline function
with `center=False`. A feature with a memory of its own (PCEN's smoother, the frames that onset strength compares)
carries that beside the samples. The state is all there is: plain arrays of a bounded size, to keep, save or branch off.

A chunk may complete any number of frames. To compile no program for each number, they are cut into blocks of 64, 8 and
1 frames: three programs a stream, run on whole blocks without masks. `Stream.step`, one such block, is pure and may be
scanned inside jit where chunks have a fixed size.

Shapes: `...` leading axes given to `start`, S samples, W samples a frame, F frames.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

BLOCK_FRAMES = (64, 8, 1)


@dataclasses.dataclass(frozen=True)
class Stream:
    """A feature of a signal's frames, compiled: make it once, for any number of signals.

    Attributes:
      step: (carry, float32 [..., (F - 1) hop + W]) -> (carry, [..., F, ...]).
      initial: carry before the first frame, given the leading axes.
      frame_samples: W.
      hop_samples: between the starts of frames.
      pad_mode: how frame_samples // 2 samples are added at either end ('constant', 'edge', 'reflect', 'symmetric');
        None for frames that begin at the first sample and end at the last.
    """

    step: Callable[[Any, Any], tuple[Any, jax.Array]]
    initial: Callable[[tuple[int, ...]], Any]
    frame_samples: int
    hop_samples: int
    pad_mode: str | None

    def __post_init__(self):
        if self.pad_mode not in (None, *_HEARD_TO_PAD):
            raise ValueError(f"pad_mode={self.pad_mode!r} is not one of {[*_HEARD_TO_PAD]}")
        if self.frame_samples < 1 or self.hop_samples < 1:
            raise ValueError(f"frame_samples={self.frame_samples}, hop_samples={self.hop_samples}: both at least 1")
        object.__setattr__(self, "step", jax.jit(self.step))

    @property
    def padding(self) -> int:
        """Samples added at either end."""
        return 0 if self.pad_mode is None else self.frame_samples // 2

    @property
    def needed(self) -> int:
        """Samples at either end that the padding is made of."""
        return 0 if self.pad_mode is None else _HEARD_TO_PAD[self.pad_mode](self.padding)


# Samples of the signal's beginning (end) that the padding before (after) it is made of.
_HEARD_TO_PAD = {
    "constant": lambda padding: 0,
    "edge": lambda padding: 1,
    "symmetric": lambda padding: padding,
    "reflect": lambda padding: padding + 1,
}


class State(NamedTuple):
    """The part of a signal's past that its next frames depend on.

    Attributes:
      samples: float32 [..., S], received (or padding before them) and not yet done with.
      skip: where among them the next frame begins; beyond them when hops leave gaps.
      begun: the padding before the signal is in place.
      carry: the feature's own memory.
      nothing: [..., 0, ...], what a push returns that completes no frame.
    """

    samples: np.ndarray
    skip: int
    begun: bool
    carry: Any
    nothing: np.ndarray


def framewise(
    feature: Callable[[jax.Array], jax.Array],
    frame_samples: int,
    hop_samples: int,
    center: bool = True,
    pad_mode: str = "constant",
) -> Stream:
    """The stream of any feature that looks at frames one by one.

    Args:
      feature: float32 [..., (F - 1) hop + W] -> [..., F, ...], its frames not centred: `center=False`.
      center: see `spectral.stft`.
      pad_mode: see `spectral.stft`.
    """
    return Stream(
        step=lambda carry, samples: (carry, feature(samples)),
        initial=lambda leading: (),
        frame_samples=frame_samples,
        hop_samples=hop_samples,
        pad_mode=pad_mode if center else None,
    )


def start(stream: Stream, leading: tuple[int, ...] = ()) -> State:
    """The state before the first sample of a signal [*leading, N]."""
    carry = stream.initial(leading)
    one, two = (_frames_shape(stream, carry, leading, frames) for frames in (1, 2))
    axis = len(leading)
    if (one.shape[axis], two.shape[axis]) != (1, 2):
        raise ValueError(
            f"of 1 and 2 frames of {stream.frame_samples} samples, hop {stream.hop_samples}, the feature makes "
            f"{one.shape[axis]} and {two.shape[axis]}: give it these lengths, and center=False"
        )
    nothing = np.empty((*leading, 0, *one.shape[axis + 1 :]), one.dtype)
    return State(np.empty((*leading, 0), np.float32), 0, False, carry, nothing)


def push(stream: Stream, state: State, chunk: np.ndarray | jax.Array) -> tuple[State, np.ndarray]:
    """Takes the next samples of a signal, and gives the frames that they complete.

    Args:
      chunk: float32 [..., S], S >= 0; NumPy's float64 is converted, as by the offline functions.

    Returns:
      The state after them, and the frames [..., F, ...], F >= 0, that they complete (NumPy, as chunks come and go on
      the host).
    """
    chunk = np.asarray(chunk)
    chunk = chunk.astype(np.float32) if chunk.dtype == np.float64 else chunk
    if chunk.dtype != np.float32 or chunk.shape[:-1] != state.samples.shape[:-1] or chunk.ndim == 0:
        expected = f"float32 [{', '.join([*map(str, state.samples.shape[:-1]), 'S'])}]"
        raise TypeError(f"the chunk must be {expected} as the stream was started; got {chunk.dtype} {chunk.shape}")
    samples = np.concatenate([state.samples, chunk], axis=-1)
    begun = state.begun
    if not begun:
        if samples.shape[-1] < max(stream.needed, 1):
            return state._replace(samples=samples), state.nothing
        samples, begun = _pad(samples, stream.padding, 0, stream.pad_mode), True
    return _advance(stream, state._replace(samples=samples, begun=begun))


def finish(stream: Stream, state: State) -> np.ndarray:
    """The last frames, which the padding after the signal completes; none where no sample came."""
    if not state.samples.shape[-1] and not state.begun:
        return state.nothing
    before = 0 if state.begun else stream.padding
    samples = _pad(state.samples, before, stream.padding, stream.pad_mode)
    return _advance(stream, state._replace(samples=samples))[1]


def then(
    stream: Stream,
    step: Callable[[Any, jax.Array], tuple[Any, jax.Array]],
    initial: Callable[[tuple[int, ...]], Any],
) -> Stream:
    """A stream whose frames go through a function with a memory.

    Args:
      step: (carry, [..., F, ...]) -> (carry, [..., F, ...]), as many frames out as in.
      initial: carry before the first frame, given the shape of one frame [..., 1, ...].
    """

    def both(carry: tuple[Any, Any], samples: jax.Array) -> tuple[tuple[Any, Any], jax.Array]:
        inner, frames = stream.step(carry[0], samples)
        outer, frames = step(carry[1], frames)
        return (inner, outer), frames

    def begin(leading: tuple[int, ...]) -> tuple[Any, Any]:
        inner = stream.initial(leading)
        return inner, initial(_frames_shape(stream, inner, leading, 1).shape)

    return dataclasses.replace(stream, step=both, initial=begin)


def _advance(stream: Stream, state: State) -> tuple[State, np.ndarray]:
    """Computes all whole frames of the samples, and drops the samples that no later frame needs."""
    samples, skip, carry = state.samples, state.skip, state.carry
    ready = max((samples.shape[-1] - skip - stream.frame_samples) // stream.hop_samples + 1, 0)
    blocks = []
    for size in BLOCK_FRAMES:
        while ready >= size:
            end = skip + (size - 1) * stream.hop_samples + stream.frame_samples
            carry, frames = stream.step(carry, samples[..., skip:end])
            blocks.append(frames)
            skip += size * stream.hop_samples
            ready -= size
    drop = max(min(skip, samples.shape[-1] - stream.needed), 0)
    # A copy: a view would hold on to the whole chunk.
    state = state._replace(samples=samples[..., drop:].copy(), skip=skip - drop, carry=carry)
    axis = samples.ndim - 1
    return state, np.concatenate([np.asarray(block) for block in blocks], axis) if blocks else state.nothing


def _pad(samples: np.ndarray, before: int, after: int, pad_mode: str | None) -> np.ndarray:
    if pad_mode is None:
        return samples
    widths = [(0, 0)] * (samples.ndim - 1) + [(before, after)]
    return np.pad(samples, widths, mode=pad_mode)  # type: ignore[call-overload]  # one of four literals


def _frames_shape(stream: Stream, carry: Any, leading: tuple[int, ...], frames: int) -> jax.ShapeDtypeStruct:
    samples = (*leading, (frames - 1) * stream.hop_samples + stream.frame_samples)
    return jax.eval_shape(stream.step, carry, jax.ShapeDtypeStruct(samples, jnp.float32))[1]
