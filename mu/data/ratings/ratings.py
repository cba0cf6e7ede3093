"""Ratings of clips by listeners: one row a rating, with binary labels and attributes of the listener."""

import dataclasses
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from mu.data import tables

LABELS, LISTENERS = "ratings.npz", "listeners.parquet"


@dataclasses.dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings of the clips of one table; n ratings, T labels.

    Attributes:
      clips: int64 [n], the row of the clip that each rating is of.
      names: [n], the clip's key and the row of the file, unique.
      categories: column -> [n] object, a string, or None where it is unknown.
      numbers: column -> float64 [n], NaN where it is unknown.
      labels: float32 [n, T], 0 or 1.
    """

    clips: np.ndarray
    names: np.ndarray
    categories: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.clips)

    def column(self, name: str) -> np.ndarray:
        """str [n]: the values of an attribute of the listener as written; 'None' or 'nan' where they are unknown."""
        return (self.categories[name] if name in self.categories else self.numbers[name]).astype(str)

    def take(self, rows: np.ndarray, clips: np.ndarray) -> "Ratings":
        """The ratings `rows`, which are now of `clips`."""
        return Ratings(
            clips,
            self.names[rows],
            {name: values[rows] for name, values in self.categories.items()},
            {name: values[rows] for name, values in self.numbers.items()},
            self.labels[rows],
        )

    def merged(self, other: "Ratings", n_clips: int) -> "Ratings":
        """These ratings and then the others, whose clips come after the `n_clips` of these."""
        return Ratings(
            np.concatenate([self.clips, other.clips + n_clips]),
            np.concatenate([self.names, other.names]),
            {name: np.concatenate([values, other.categories[name]]) for name, values in self.categories.items()},
            {name: np.concatenate([values, other.numbers[name]]) for name, values in self.numbers.items()},
            np.concatenate([self.labels, other.labels]),
        )

    def save(self, folder: Path) -> None:
        """Writes the ratings to a folder that exists."""
        np.savez_compressed(folder / LABELS, clips=self.clips, names=self.names, labels=self.labels)
        categories = [pl.Series(name, values.tolist(), pl.String) for name, values in self.categories.items()]
        numbers = [pl.Series(name, values) for name, values in self.numbers.items()]
        pl.DataFrame([*categories, *numbers]).write_parquet(folder / LISTENERS)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The ratings that `save` wrote."""
        listeners = tables.read_parquet(folder / LISTENERS)
        values = {column.name: column.to_numpy() for column in listeners}
        words = [name for name in values if listeners[name].dtype == pl.String]
        with np.load(folder / LABELS) as arrays:
            return cls(
                clips=arrays["clips"],
                names=arrays["names"],
                categories={name: values[name] for name in words},
                numbers={name: values[name] for name in values if name not in words},
                labels=arrays["labels"],
            )
