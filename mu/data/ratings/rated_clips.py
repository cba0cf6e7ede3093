"""Clips with ratings by listeners: liked or not, by whom; split by clip, like any clips."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from mu.data.clips.clips import Clips, whole_column
from mu.data.clips.targets import ClassTarget
from mu.data.ratings.listener_codes import ListenerCodes, fit_listener_codes
from mu.data.ratings.ratings import Ratings
from mu.data.ratings.reading import read_ratings
from mu.files import read_json, write_json
from mu.ranges import Count, Positive, Size

OPTIONS = "ratings.json"
OPTION_NAMES = ("label_names", "min_count", "bins", "cells", "class_target", "prior_strength")


@dataclasses.dataclass(frozen=True, eq=False)
class RatedClips(Clips):
    """Clips with their ratings; a subset keeps the ratings of its own clips.

    Attributes:
      ratings: of these clips.
      label_names: names of the T labels of a rating.
      min_count: of `mu.data.ratings.listener_codes.fit_listener_codes`.
      bins: of the same.
      cells: attributes of the listener that make the cells of `mu.data.ratings.cell_rates`, the wider first.
      class_target: target of the clips with classes; a cell has a rate for each class. None for one rate a cell.
      prior_strength: ratings that the surrounding cell counts for.
    """

    ratings: Ratings = dataclasses.field(kw_only=True)
    label_names: tuple[str, ...] = dataclasses.field(kw_only=True)
    min_count: int = dataclasses.field(kw_only=True)
    bins: int = dataclasses.field(kw_only=True)
    cells: tuple[str, ...] = dataclasses.field(kw_only=True)
    class_target: str | None = dataclasses.field(kw_only=True)
    prior_strength: float = dataclasses.field(kw_only=True)

    @functools.cached_property
    def listener_codes(self) -> ListenerCodes:
        """Integer codes of listeners' attributes, fitted to these ratings and no others."""
        return fit_listener_codes(self.ratings, min_count=self.min_count, bins=self.bins)

    @functools.cached_property
    def by_clip(self) -> tuple[np.ndarray, np.ndarray]:
        """(starts int64 [clips + 1], order int64 [n]): the ratings of clip c are `order[starts[c]:starts[c + 1]]`."""
        counts = np.bincount(self.ratings.clips, minlength=len(self))
        return np.concatenate([[0], np.cumsum(counts)]), np.argsort(self.ratings.clips, kind="stable")

    def take(self, rows: np.ndarray) -> Self:
        """The clips at these places, each once, in this order, with the ratings of them."""
        rows = np.asarray(rows, np.int64)
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        clips = place[self.ratings.clips]
        kept = np.flatnonzero(clips >= 0)
        return dataclasses.replace(super().take(rows), ratings=self.ratings.take(kept, clips[kept]))

    def merged(self, other: Self) -> Self:
        """These clips and then the others, of the same table."""
        return dataclasses.replace(super().merged(other), ratings=self.ratings.merged(other.ratings, len(self)))

    def save_without_sound(self, folder: Path) -> None:
        """Writes the clips and their ratings; see `Clips.save_without_sound`."""
        super().save_without_sound(folder)
        self.ratings.save(folder)
        write_json(folder / OPTIONS, {name: getattr(self, name) for name in OPTION_NAMES})

    @classmethod
    def load_without_sound(cls, folder: Path, **fields: Any) -> Self:
        """The clips that `save_without_sound` wrote, with their ratings."""
        options = read_json(folder / OPTIONS)
        options |= {name: tuple(options[name]) for name in ("label_names", "cells")}
        return super().load_without_sound(folder, ratings=Ratings.load(folder), **options, **fields)

    def hash(self) -> str:
        """sha256 over the clips, the ratings and the options: equal data have equal hashes."""
        digest = hashlib.sha256(super().hash().encode())
        digest.update(repr(tuple(getattr(self, name) for name in OPTION_NAMES)).encode())
        for array in (self.ratings.clips, self.ratings.labels, *self.ratings.numbers.values()):
            digest.update(np.ascontiguousarray(array).data)
        for name, values in self.ratings.categories.items():
            digest.update(repr((name, values.tolist())).encode())
        return digest.hexdigest()


def load(
    *,
    clips: Clips,
    ratings: str | os.PathLike[str],
    clip_column: str,
    key: str = "clip",
    labels: Sequence[str],
    categories: Sequence[str] = (),
    numbers: Sequence[str] = (),
    min_count: Count = 30,
    bins: Size = 8,
    cells: Sequence[str] = (),
    class_target: str | None = None,
    prior_strength: Positive = 10.0,
) -> RatedClips:
    """Clips with a table of ratings; see `mu.data.ratings.reading.read_ratings`.

    Args:
      clips: a spec of `mu.data.clips.clips:load`.
      ratings: the table, CSV or Parquet.
      clip_column: of the table, the clip that a rating is of.
      key: column of the clips with the values of `clip_column`.
      labels: columns of the table with 0 or 1, to be predicted.
      categories: columns of the table with strings, attributes of the listener.
      numbers: columns of the table with numbers, attributes of the listener.
      min_count: training ratings that a category needs for a code of its own.
      bins: most bins of a number.
      cells: columns of `categories` and `numbers`, the wider first. Together they make cells of listeners, down to
        one person or a few; the model starts from the rate of the cell among the training ratings.
      class_target: a target of the clips with classes: a cell has such a rate for each class.
      prior_strength: ratings that the wider cell counts for in a narrower one.

    Raises:
      FileNotFoundError, ValueError: as `read_ratings`; or two clips have one key.
    """
    if min_count < 1 or bins < 1:
        raise ValueError(f"min_count={min_count} and bins={bins}; both must be at least 1")
    if prior_strength <= 0:
        raise ValueError(f"prior_strength={prior_strength}; it must be positive")
    for name in cells:
        if name not in (*categories, *numbers):
            raise ValueError(
                f"cells names {name!r}; attributes of listeners are {', '.join((*categories, *numbers)) or 'none'}"
            )
    if class_target is not None and not isinstance(clips.targets.get(class_target), ClassTarget):
        raise ValueError(f"class_target={class_target!r} is no target of classes: name it in data.clips.classes")
    keys = [str(value) for value in whole_column(clips.table, key)]
    places = {name: place for place, name in enumerate(keys)}
    if len(places) < len(keys):
        twice = next(name for place, name in enumerate(keys) if places[name] != place)
        raise ValueError(f"two clips have {key}={twice!r}: ratings of it could be of either; take another key")
    table = read_ratings(
        ratings, places, clip_column=clip_column, labels=labels, categories=categories, numbers=numbers
    )
    own = {field.name: getattr(clips, field.name) for field in dataclasses.fields(Clips)}
    return RatedClips(
        **own,
        ratings=table,
        label_names=tuple(labels),
        min_count=min_count,
        bins=bins,
        cells=tuple(cells),
        class_target=class_target,
        prior_strength=prior_strength,
    )
