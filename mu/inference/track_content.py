"""What a trained model hears of every track of a log: clip vectors of whole tracks, computed anew."""

import copy
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from mu.data.batches.listening import ListeningBatches
from mu.data.crops import CropReader
from mu.data.faults import Fault
from mu.inference.pooling import TILES, clip_vectors, read_tiles
from mu.inference.recommender import BLOCK

FRESH_DAYS = 7.0
"""A track is fresh for so long: see `TimedScores`."""


class Hearing:
    """The jitted part: audio in, clip vectors out; one for a run, whatever its parameters.

    Args:
      graph: of a `mu.models.audio_user.AudioUser`.
      batches: read the audio.
    """

    def __init__(self, graph: nnx.GraphDef, batches: ListeningBatches):
        self._batches = batches

        def vectors(params: Any, audio: jax.Array, samples: jax.Array) -> jax.Array:
            return nnx.merge(graph, params).audio({}, {"audio": audio, "samples": samples})["clip"]

        self._vectors = jax.jit(vectors)

    def content(self, params: Any, known: np.ndarray, tracks: np.ndarray | None = None) -> np.ndarray:
        """float32 [V, A]: the mean of a track's tiles, each weighed by how much of it is sound, as `mu embed` takes it.

        Tiles have the length of the crops in training and cover the track; the last reaches back (`tile_starts`).

        Args:
          params: of the model.
          known: float32 [V, A], kept for tracks that are not heard now.
          tracks: bool [V], to be heard; None for all that have audio.

        Raises:
          ValueError: the vector of a track is not finite.
        """
        sound = self._batches.listening.sound
        assert sound is not None and self._batches.crop_samples is not None
        reader = CropReader(self._batches.crop_samples)
        wanted = np.flatnonzero((sound.lengths > 0) & (True if tracks is None else tracks))

        def vectors(audio: np.ndarray, samples: np.ndarray) -> np.ndarray:
            missing = TILES - len(audio)  # every call has this shape, so the encoder compiles once
            padded = np.pad(audio, ((0, missing), (0, 0))), np.pad(samples, (0, missing))
            return np.asarray(self._vectors(params, *padded))[: len(audio)]

        content = np.array(known, np.float32)
        for track, found in clip_vectors(vectors, read_tiles(reader, sound, sound.lengths, wanted)):
            if isinstance(found, Fault):
                name = self._batches.listening.tracks["track"][track]
                raise ValueError(f"track {name!r} cannot be heard: {found.reason}")
            content[track] = found
        return content


class TimedScores:
    """A listening model's recommender that knows what time it is: `scores_at` beside the protocol's.

    Args:
      encoder: `mu.inference.recommender.Encoder` of the run.
      graph: of the model.
      params, rows: of `mu.training.state.weights`, with what was heard of the tracks in 'content'.
      days: from unix milliseconds to days after the training log's end (`Listening.days`).
      boost: added to the scores of tracks in their first `FRESH_DAYS`. Of a track that nobody has played, less is known
        than of others, so a likely guess of it rarely stands among the first; the boost is what showing new releases is
        worth to who runs the service.

    Attributes:
      vectors: float32 [V, D]. bias: float32 [V], as of the end of the training log.
    """

    def __init__(
        self, encoder: Any, graph: nnx.GraphDef, params: Any, rows: Mapping[str, Any], days: Any, boost: float = 0.0
    ):
        self._encoder, self._graph, self._days = encoder, graph, days
        self.params, self.rows = params, rows
        age_days = jnp.asarray(rows["age_days"])[:, 0]

        def bias(params: Any, days: jax.Array, boost: jax.Array) -> jax.Array:
            ages = age_days[None] + days[:, None]
            return nnx.merge(graph, params).age_bias(ages) + boost * ((ages >= 0) & (ages < FRESH_DAYS))

        self._bias = jax.jit(bias)
        self.vectors, _ = encoder.vectors(params, rows)
        self.boost = boost

    def boosted(self, boost: float) -> "TimedScores":
        """The same with another boost."""
        other = copy.copy(self)
        other.boost = boost
        return other

    @property
    def bias(self) -> np.ndarray:
        """float32 [V]: see the class."""
        return np.asarray(self._bias(self.params, jnp.zeros(1), jnp.float32(self.boost)))[0]

    def bias_at(self, times_ms: np.ndarray) -> np.ndarray:
        """float32 [B, V]: what the age of each track, and the boost, add to its score at these times."""
        return np.asarray(self._bias(self.params, jnp.asarray(self._days(times_ms)), jnp.float32(self.boost)))

    def parts(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the vectors of tracks are the sum of, the words told apart by where they stand.

        Args:
          columns: name -> int32 [V, P], words that together are all that the tracks have.

        Returns:
          'own', 'sound' where it is heard, and each column's, float32 [V, D].
        """
        model = nnx.merge(self._graph, self.params)
        parts = {name: np.asarray(part) for name, part in model.track_parts(self.rows).items() if name != "features"}
        count = sum((words >= 0).sum(axis=1, keepdims=True) for words in columns.values())
        for name, words in columns.items():
            own = (words >= 0).sum(axis=1, keepdims=True)
            parts[name] = np.asarray(model.track_features(words)) * np.sqrt(own / np.maximum(count, 1)).astype(
                np.float32
            )
        return parts

    def newcomers(self, content: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tracks that training never saw, as of the day of their release.

        Args:
          content: float32 [n, A], their clip vectors (`mu embed`). words: int32 [n, P], -1 for none.

        Returns:
          (vectors float32 [n, D], bias float32 [n]).
        """
        n = len(content)
        rows = {
            "items": np.zeros((n, self.vectors.shape[1]), np.float32),
            "plays": np.zeros((n, 1), np.float32),
            "age_days": np.zeros((n, 1), np.float32),
            "item_features": words,
            "content": content,
        }
        vectors, bias = nnx.merge(self._graph, self.params).item_vectors(rows)
        return np.asarray(vectors), np.asarray(bias)

    def log_share(
        self, queries: np.ndarray, vectors: np.ndarray, bias: np.ndarray, catalogue_bias: np.ndarray
    ) -> np.ndarray:
        """float32 [B, n]: log of how large a share of their plays each listener would give these tracks, beside the
        whole catalogue: s_v - log sum_w e^{s_w}. It compares listeners; for one listener it orders tracks as scores do.

        Args:
          queries: float32 [B, D]. vectors: float32 [n, D]. bias: float32 [n].
          catalogue_bias: float32 [V], of the catalogue's tracks at that moment; -inf for what is not out then.
        """
        log_z = np.empty((len(queries), 1))
        for start in range(0, len(queries), BLOCK):
            scores = queries[start : start + BLOCK] @ self.vectors.T + catalogue_bias
            most = scores.max(axis=1, keepdims=True)
            log_z[start : start + BLOCK] = most + np.log(np.exp(scores - most).sum(axis=1, keepdims=True))
        return (queries @ vectors.T + bias - log_z).astype(np.float32)

    def queries(self, users: np.ndarray, histories: Any) -> np.ndarray:
        """float32 [B, D]: what the track vectors are multiplied with."""
        return self._encoder.queries(self.params, self.rows, users, histories)

    def scores(self, users: np.ndarray, histories: Any) -> np.ndarray:
        """float32 [B, V], as of the end of the training log."""
        return self.queries(users, histories) @ self.vectors.T + self.bias

    def scores_at(self, users: np.ndarray, histories: Any, times_ms: np.ndarray) -> np.ndarray:
        """float32 [B, V], at these times: tracks are as old then as they are."""
        return self.queries(users, histories) @ self.vectors.T + self.bias_at(times_ms)
