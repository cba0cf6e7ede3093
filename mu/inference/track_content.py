"""Content embeddings of all tracks: what a trained audio encoder makes of their sound, kept with the run."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import jax
import numpy as np
from flax import nnx

from mu.data.crops import CropReader, Waveforms
from mu.data.faults import Fault
from mu.files import hash_file, replacing
from mu.inference.compiled import once
from mu.inference.pooling import TILES, clip_vectors, read_tiles

CONTENT = "track_content.npy"


class Sound(Waveforms, Protocol):
    """The audio of tracks; see `mu.data.listening.listening.Sound`."""

    @property
    def lengths(self) -> np.ndarray:
        """int64 [V], samples of each track; 0 where there is no audio."""
        ...


class ContentEncoder:
    """Computes the content embeddings of tracks with the audio encoder of a model.

    Args:
      graph: of a model with an audio encoder `audio`, such as `mu.models.audio_user.AudioUser`.
      sound: of the tracks.
      crop_samples: N, samples of a tile, as of the crops in training.
      track_ids: of the tracks, for error messages; None for their rows.
    """

    def __init__(self, graph: nnx.GraphDef, sound: Sound, crop_samples: int, track_ids: Sequence[object] | None = None):
        self._vectors = _clip_vectors(graph)
        self._sound, self._reader = sound, CropReader(crop_samples)
        self._track_ids = track_ids

    def content(self, params: Any, content: np.ndarray, tracks: np.ndarray | None = None) -> np.ndarray:
        """The mean over a track's tiles, each weighed by how much of it is sound, as `mu embed` computes it.

        Args:
          params: values of the model.
          content: float32 [V, A], kept for tracks that are not encoded now.
          tracks: bool [V], to be encoded; None for all that have audio.

        Returns:
          float32 [V, A].

        Raises:
          ValueError: the vector of a track is not finite.
        """
        wanted = np.flatnonzero((self._sound.lengths > 0) & (True if tracks is None else tracks))

        def encode(audio: np.ndarray, samples: np.ndarray) -> np.ndarray:
            missing = TILES - len(audio)  # every call has this shape, so the encoder compiles once
            padded = np.pad(audio, ((0, missing), (0, 0))), np.pad(samples, (0, missing))
            return np.asarray(self._vectors(params, *jax.device_put(padded)))[: len(audio)]

        content = np.array(content, np.float32)
        tiles = read_tiles(self._reader, self._sound, self._sound.lengths, wanted)
        for track, vector in clip_vectors(encode, tiles):
            if isinstance(vector, Fault):
                name = track if self._track_ids is None else self._track_ids[track]
                raise ValueError(f"track {name!r} cannot be encoded: {vector.reason}")
            content[track] = vector
        return content


def save(run: str | os.PathLike[str], content: np.ndarray) -> str:
    """Writes track_content.npy, float32 [V, A], to the folder of a run; returns the sha256 of the file."""
    with replacing(Path(run) / CONTENT) as file:
        with open(file, "wb") as stream:
            np.save(stream, content)
        return hash_file(file)


def load(run: str | os.PathLike[str], shape: tuple[int, ...], sha256: str) -> np.ndarray | None:
    """The content embeddings that were saved with a run, memory-mapped; None where there are none of this shape.

    Args:
      run: its folder.
      shape: (V, A).
      sha256: of the file, as the run's policy has it; '' where an earlier version saved it without.

    Raises:
      ValueError: the file is not the one that was saved.
    """
    file = Path(run) / CONTENT
    if not file.is_file():
        return None
    if sha256 and hash_file(file) != sha256:
        raise ValueError(
            f"{file} is not what was written (its sha256 differs from that in policy.json): delete it, and "
            "`mu evaluate` makes it again"
        )
    content = np.load(file, mmap_mode="r")
    return content if content.shape == shape else None


def scored(rows: Mapping[str, Any], content: np.ndarray) -> dict[str, Any]:
    """The rows of a model with the content embeddings that it scores tracks by.

    A track that was played in training keeps the vector, or the lack of one, that its own row has learnt beside: that
    row says what the vector does not, and would be wrong beside another. All others get theirs of `content`.

    Args:
      rows: as training left them; 'content' float32 [V, A] and 'plays' float32 [V, 1] among them.
      content: float32 [V, A], of the whole sound of all tracks.
    """
    played = np.asarray(rows["plays"]) > 0
    return {**rows, "content": np.where(played, np.asarray(rows["content"]), content)}


@once
def _clip_vectors(graph: nnx.GraphDef) -> Callable[..., jax.Array]:
    def vectors(params: Any, audio: jax.Array, samples: jax.Array) -> jax.Array:
        return nnx.merge(graph, params).audio({}, {"audio": audio, "samples": samples})["clip"]

    return jax.jit(vectors)
