"""Summary of a log, saved with a run: enough to rebuild its model and to recommend without the log."""

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from mu.data import tables
from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions
from mu.data.track_names import track_titles
from mu.files import read_json, write_json

SUMMARY, RELEASED = "log.json", "released_ms.npy"
COLUMNS = ("item_columns", "user_columns", "event_columns", "tag_names", "item_numbers", "number_columns")


@dataclasses.dataclass(frozen=True, eq=False)
class LogSummary:
    """The users and tracks of a log, and what its features mean.

    Attributes:
      folder: where the tables are.
      card: of the log.
      sizes: id space -> number of ids.
      n_plays: of the training part.
      end_ms: time of the last play of the training part.
      now_ms: time of the last play of the log.
      item_columns: columns of the tracks' table that the model is given.
      user_columns: the same of the users' table.
      event_columns: columns of plays that the model is given.
      item_numbers: names of the numbers of a track that the model is given.
      number_columns: those of them that are columns of the tracks' table; the others are of embeddings.
      artist: column of the tracks' table with the artist, of a run with earlier tracks.
      earlier_tracks: so many earlier tracks of its artist stand for a track without plays.
      hash_size: how many places these features are hashed to; 0 without such features.
      tag_names: of the tags that the model may predict from sound.
      sample_rate_hz: of the audio, None where there is none.
      crop_samples: samples of the crops in training, None without audio.
      released_ms: int64 [V], unix milliseconds, -1 where not known; None for a log without releases.
    """

    folder: Path
    card: dict[str, Any]
    sizes: dict[str, int]
    n_plays: int
    end_ms: int
    now_ms: int
    item_columns: tuple[str, ...] = ()
    user_columns: tuple[str, ...] = ()
    event_columns: tuple[str, ...] = ()
    item_numbers: tuple[str, ...] = ()
    number_columns: tuple[str, ...] = ()
    artist: str | None = None
    earlier_tracks: int = 0
    hash_size: int = 0
    tag_names: tuple[str, ...] = ()
    sample_rate_hz: int | None = None
    crop_samples: int | None = None
    released_ms: np.ndarray | None = None

    def __len__(self) -> int:
        return self.n_plays

    @functools.cached_property
    def users(self) -> pl.DataFrame:
        """The table of users, row = id in the run."""
        return tables.read_parquet(self.folder / "users.parquet")

    @functools.cached_property
    def tracks(self) -> pl.DataFrame:
        """The table of tracks, row = id in the run."""
        return tables.read_parquet(self.folder / "tracks.parquet")

    @classmethod
    def of(cls, data: Interactions, train: Interactions, folder: Path, crop_samples: int | None = None) -> Self:
        """The summary of a log, to be saved in `folder`.

        Args:
          data: the whole log.
          train: its training part.
          folder: where its tables will be.
          crop_samples: samples of the crops in training.
        """
        options: dict[str, Any] = {}
        if isinstance(data, Listening):
            names = (*COLUMNS, "artist", "earlier_tracks", "hash_size", "sample_rate_hz", "released_ms")
            options = {name: getattr(data, name) for name in names} | {"crop_samples": crop_samples}
        return cls(
            folder=Path(folder),
            card=data.card,
            sizes=dict(data.sizes),
            n_plays=len(train),
            end_ms=int(train.times.max()),
            now_ms=int(data.times.max()),
            **options,
        )

    def save(self, data: Interactions) -> None:
        """Writes the summary, and the tables of `data`, to its folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        data.users.write_parquet(self.folder / "users.parquet")
        data.tracks.write_parquet(self.folder / "tracks.parquet")
        if self.released_ms is not None:
            np.save(self.folder / RELEASED, self.released_ms)
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        write_json(self.folder / SUMMARY, {k: v for k, v in fields.items() if k not in ("folder", "released_ms")})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """The summary in a folder; tables are read when they are used.

        Raises:
          FileNotFoundError: there is none.
        """
        folder = Path(folder)
        if not (folder / SUMMARY).is_file():
            raise FileNotFoundError(f"{folder} has no summary of a log ({SUMMARY} is missing): train the run again")
        fields = read_json(folder / SUMMARY)
        fields.setdefault("number_columns", fields.get("item_numbers", ()))  # runs before 2026-12 knew columns alone
        fields |= {name: tuple(fields.get(name, ())) for name in COLUMNS}
        released = np.load(folder / RELEASED) if (folder / RELEASED).is_file() else None
        return cls(folder=folder, released_ms=released, **fields)

    def out_at(self, time_ms: int) -> np.ndarray | None:
        """bool [V]: the tracks that are out at a time; None for all of a log without releases."""
        return None if self.released_ms is None else self.released_ms <= time_ms

    def titles(self) -> list[str]:
        """'title, artist' of each track where the log knows them, else its id."""
        return track_titles(self.tracks)
