"""Clips with what listeners said of them: liked or not, by whom; cut into parts by clip, like any clips."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Sequence
from typing import cast

import numpy as np

from mu.data.clips.clips import Clips, whole_column
from mu.data.ratings.ratings import Cohort, Responses, learnt_cohort, read_responses


@dataclasses.dataclass(frozen=True, eq=False)
class Opinions(Clips):
    """Clips and the responses to them; a part of the clips has the responses to these alone.

    Attributes:
      responses: to these clips.
      said: names of what was said, T of them.
      least, bins: of `mu.data.ratings.ratings.learnt_cohort`.
      cells, taste, strength: of `mu.data.ratings.cell_rates`.
    """

    responses: Responses = dataclasses.field(kw_only=True)
    said: tuple[str, ...] = dataclasses.field(kw_only=True)
    least: int = dataclasses.field(kw_only=True)
    bins: int = dataclasses.field(kw_only=True)
    cells: tuple[str, ...] = dataclasses.field(kw_only=True)
    taste: str | None = dataclasses.field(kw_only=True)
    strength: float = dataclasses.field(kw_only=True)

    @functools.cached_property
    def cohort(self) -> Cohort:
        """How listeners are put into numbers, learnt from these responses and no others."""
        return learnt_cohort(self.responses, least=self.least, bins=self.bins)

    @functools.cached_property
    def by_clip(self) -> tuple[np.ndarray, np.ndarray]:
        """(starts int64 [clips + 1], order int64 [n]): clip c's responses are `order[starts[c]:starts[c + 1]]`."""
        counts = np.bincount(self.responses.clips, minlength=len(self))
        return np.concatenate([[0], np.cumsum(counts)]), np.argsort(self.responses.clips, kind="stable")

    def take(self, rows: np.ndarray) -> "Opinions":
        """The clips at these places, each once, in this order, with the responses to them."""
        rows = np.asarray(rows, np.int64)
        place = np.full(len(self), -1)
        place[rows] = np.arange(len(rows))
        clips = place[self.responses.clips]
        kept = np.flatnonzero(clips >= 0)
        part = cast("Opinions", super().take(rows))
        return dataclasses.replace(part, responses=self.responses.take(kept, clips[kept]))

    def merged(self, other: "Opinions") -> "Opinions":  # pyright: ignore[reportIncompatibleMethodOverride]
        """These clips and then the others, of the same table."""
        whole = cast("Opinions", super().merged(other))
        return dataclasses.replace(whole, responses=self.responses.merged(other.responses, len(self)))

    def hash(self) -> str:
        """sha256 over the clips and the responses: equal data have equal hashes."""
        digest = hashlib.sha256(super().hash().encode())
        found = self.responses
        digest.update(repr((self.said, self.least, self.bins, self.cells, self.taste, self.strength)).encode())
        for array in (found.clips, found.said, *found.numbers.values()):
            digest.update(np.ascontiguousarray(array).data)
        for name, words in found.words.items():
            digest.update(repr((name, words.tolist())).encode())
        return digest.hexdigest()


def load(
    *,
    clips: Clips,
    responses: str | os.PathLike[str],
    clip_column: str,
    key: str = "clip",
    said: Sequence[str],
    words: Sequence[str] = (),
    numbers: Sequence[str] = (),
    least: int = 30,
    bins: int = 8,
    cells: Sequence[str] = (),
    taste: str | None = None,
    strength: float = 10.0,
) -> Opinions:
    """Clips with a table of responses; see `mu.data.ratings.ratings.read_responses`.

    Args:
      clips: a spec of `mu.data.clips.clips:load`.
      responses: the table, CSV or Parquet.
      clip_column: of the table, the response's clip.
      key: column of the clips that it speaks in.
      said: columns of the table with 0 or 1: what is to be foretold.
      words, numbers: columns of the table, what is known of the listener.
      least: responses that a word needs in training to be told from 'other'.
      bins: most bins of a number.
      cells: columns of `words` and `numbers`, the wider first, which together make cells of listeners who may be
        one person or a few: what is said begins at the rate of the cell among the training responses.
      taste: a target of the clips, of classes: a cell has such a rate for each class.
      strength: responses that the wider cell counts for in a narrower one.

    Raises:
      FileNotFoundError, ValueError: as `read_responses`; or two clips have one key.
    """
    if least < 1 or bins < 1:
        raise ValueError(f"least={least} and bins={bins}; both must be at least 1")
    if strength <= 0:
        raise ValueError(f"strength={strength}; it must be positive")
    for name in cells:
        if name not in (*words, *numbers):
            raise ValueError(
                f"cells names {name!r}; of listeners there is {', '.join((*words, *numbers)) or 'nothing'}"
            )
    if taste is not None and (taste not in clips.targets or clips.targets[taste].kind != "class"):
        raise ValueError(f"taste={taste!r} is no target of classes: name the column in data.clips.classes")
    keys = [str(value) for value in whole_column(clips.table, key)]
    places = {name: place for place, name in enumerate(keys)}
    if len(places) < len(keys):
        twice = next(name for place, name in enumerate(keys) if places[name] != place)
        raise ValueError(f"two clips have {key}={twice!r}: responses to it could be of either; take another key")
    found = read_responses(responses, places, clip_column=clip_column, said=said, words=words, numbers=numbers)
    own = {field.name: getattr(clips, field.name) for field in dataclasses.fields(Clips)}
    options = {"said": tuple(said), "least": least, "bins": bins, "cells": tuple(cells)}
    return Opinions(**own, responses=found, taste=taste, strength=strength, **options)
