"""Content-based recommender: tracks that sound like those a user has played; nothing is learnt from other users."""

from typing import Any, Self

import numpy as np

from mu.baselines.fitting import fitted
from mu.baselines.mfcc import clip_statistics
from mu.protocols import Log
from mu.topk import TopKRecommender


class ContentNeighbours(TopKRecommender):
    """Scores an item by the cosine of its vector with the mean of those that the listener has played.

    Vectors are standardised by the tracks that training has seen. An item without sound scores 0, and all do where no
    track with sound was played in training.

    Args:
      vectors: float [V, A], of every track, zeros for one without sound; None takes statistics of MFCCs (120 numbers a
        track, `mu.baselines.mfcc`) of the log's own sound.
    """

    dot_product = False
    time_aware = False

    def __init__(self, vectors: np.ndarray | None = None):
        self._track_vectors = vectors
        self._vectors: np.ndarray | None = None

    def check_data(self, train: Any) -> None:
        """Raises ValueError where there are not as many vectors as tracks, or a log has no sound to make them of."""
        if self._track_vectors is not None and len(self._track_vectors) != train.n_items:
            raise ValueError(f"there are {len(self._track_vectors):,} vectors for {train.n_items:,} tracks")
        if self._track_vectors is None and getattr(train, "sound", None) is None:
            raise ValueError("the log has no sound to take MFCCs of; leave this baseline out")

    def fit(self, log: Any) -> Self:
        """Standardises the vectors by the tracks of the training log, and scales them to length one.

        Raises:
          ValueError: see `check_data`.
        """
        self.check_data(log)
        vectors = self._track_vectors
        vectors = mfcc_statistics(log.sound) if vectors is None else np.asarray(vectors, np.float64)
        has_vector = np.any(vectors != 0, axis=1)
        played = vectors[has_vector & (log.counts() > 0)]
        self._vectors = np.zeros(vectors.shape)
        if len(played):
            standard = (vectors[has_vector] - played.mean(axis=0)) / np.maximum(played.std(axis=0), 1e-9)
            self._vectors[has_vector] = standard / np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-9)
        return self

    def scores(self, users: np.ndarray, histories: Log, times_ms: np.ndarray | None = None) -> np.ndarray:
        """float32 [B, V]; see `mu.protocols.Recommender`."""
        del users, times_ms
        vectors = fitted(self._vectors, "ContentNeighbours")
        lengths = np.diff(histories.indptr)
        total = np.zeros((len(lengths), vectors.shape[1]))
        np.add.at(total, np.repeat(np.arange(len(lengths)), lengths), vectors[histories.items])
        total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9)
        return (total @ vectors.T).astype(np.float32)


def mfcc_statistics(sound: Any) -> np.ndarray:
    """float64 [V, 120] of every track of a `mu.data.listening.listening.Sound`; zeros for one without."""
    statistics = np.zeros((len(sound.lengths), 120))
    for track in np.flatnonzero(sound.lengths):
        audio = sound.waveform(int(track), 0, int(sound.lengths[track]))
        statistics[track] = clip_statistics(audio, sound.sample_rate_hz)
    return statistics
