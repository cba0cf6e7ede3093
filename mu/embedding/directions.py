"""Directions of recordings: what cosines between the vectors of a library are taken of."""

import dataclasses
from typing import Self

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Directions:
    """From vectors to directions: each number less its mean over a library and over its deviation, to length one.

        u = z / |z|,  z_d = (x_d - mean_d) / deviation_d

    Without this a number that is large for all recordings decides every cosine. A number that is the same for all of
    them says nothing, and is 0.

    Attributes:
      mean: float64 [D].
      scale: float64 [D], one over the deviation; 0 for a number that is the same for all.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> Self:
        """The directions of a library.

        Args:
          vectors: float [n, D], one a recording.

        Raises:
          ValueError: there are none, or one holds NaN or infinity; says which.
        """
        check_finite(vectors)
        if not len(vectors):
            raise ValueError("the library has no embeddings")
        mean = vectors.mean(axis=0, dtype=np.float64)
        deviation = vectors.std(axis=0, dtype=np.float64)
        # What is left of equal numbers after float32 rounding is no deviation.
        constant = deviation <= 1e-6 * np.maximum(np.abs(mean), 1e-30)
        return cls(mean, np.where(constant, 0.0, 1.0 / np.where(constant, 1.0, deviation)))

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """float32 [n, D] of length one; zeros for a recording that is the mean of its library.

        Args:
          vectors: float [n, D], by the encoder of the library.

        Raises:
          ValueError: they have another D, or one holds NaN or infinity.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.mean):
            raise ValueError(
                f"vectors have the shape {vectors.shape}; those of the library have {len(self.mean)} numbers"
            )
        check_finite(vectors)
        centred = (vectors - self.mean) * self.scale
        length = np.linalg.norm(centred, axis=1, keepdims=True)
        return (centred / np.where(length > 0, length, 1.0)).astype(np.float32)


def check_finite(vectors: np.ndarray) -> None:
    """Raises ValueError where a vector holds NaN or infinity; names the first row."""
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if wrong.size:
        raise ValueError(
            f"{wrong.size:,} of {len(vectors):,} vectors hold NaN or infinity, the first is row {wrong[0]}: the "
            "encoder is broken, or the file is"
        )
