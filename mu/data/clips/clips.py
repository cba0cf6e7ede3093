"""Clips: recordings, their attributes and targets, from the folder that `mu import-audio` wrote."""

import dataclasses
import functools
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from mu import trust
from mu.audio import io
from mu.data import tables
from mu.data.clips.store import Store, open_store
from mu.data.clips.targets import Target, targets_of
from mu.data.logs.attributes import column_of
from mu.files import hash_file, read_json, write_json
from mu.names import path_of
from mu.ngrams import ngram_rows
from mu.ranges import SampleRate, Seconds

TABLE, FACTS, TARGETS = "clips.parquet", "clips.json", "targets.npz"
TEXTS = "texts"


@dataclasses.dataclass(frozen=True, eq=False)
class Clips:
    """Recordings in the order of their table.

    Attributes:
      table: a row a clip: 'clip', 'file', 'content_hash', 'duration_s', 'sample_rate_hz' (of the file), then its
        attributes.
      sample_rate_hz: of the waveforms, whatever the files have.
      targets: name -> target; codes are those of the whole table, also in a part of it.
      root: the folder that 'file' starts from.
      store: the copy made by `mu import-audio --store`, which is read instead of the files; or None.
      store_rows: int64 [n], each clip's row there.
      first_s: seconds of each clip that are used; None for all.
      card: of the import.
      texts: int32 [n, G], hashed n-grams of each clip's words (`mu.ngrams`), -1 where it has fewer; None for clips
        without texts.
      text_columns: that these words are from.
    """

    table: pl.DataFrame
    sample_rate_hz: int
    targets: dict[str, Target]
    root: Path
    store: Store | None
    store_rows: np.ndarray
    first_s: float | None = None
    card: dict[str, Any] = dataclasses.field(default_factory=dict)
    texts: np.ndarray | None = None
    text_columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def group(self) -> str:
        """The column whose equal values belong together, as the import found it; 'content_hash' where it found none."""
        return self.card.get("group") or "content_hash"

    @property
    def sizes(self) -> dict[str, int]:
        """No tables have rows for clips."""
        return {}

    def track_rows(self) -> dict[str, np.ndarray]:
        """No features of tracks beside the clips themselves."""
        return {}

    @functools.cached_property
    def lengths(self) -> np.ndarray:
        """int64 [n]: samples of each clip at `sample_rate_hz`."""
        own_hz = self.table["sample_rate_hz"].to_numpy().astype(np.int64)
        frames = np.rint(self.table["duration_s"].to_numpy() * own_hz).astype(np.int64)
        samples = io.resampled_samples(frames, own_hz, self.sample_rate_hz)
        return samples if self.first_s is None else np.minimum(samples, round(self.first_s * self.sample_rate_hz))

    def take(self, rows: np.ndarray) -> Self:
        """The clips at these places, in this order."""
        rows = np.asarray(rows, np.int64)
        targets = {name: target.take(rows) for name, target in self.targets.items()}
        return dataclasses.replace(
            self,
            table=self.table[rows],
            targets=targets,
            store_rows=self.store_rows[rows],
            texts=None if self.texts is None else self.texts[rows],
        )

    def merged(self, other: Self) -> Self:
        """These clips and then the others (of the same table)."""
        targets = {
            name: dataclasses.replace(target, values=np.concatenate([target.values, other.targets[name].values]))
            for name, target in self.targets.items()
        }
        return dataclasses.replace(
            self,
            table=pl.concat([self.table, other.table]),
            targets=targets,
            store_rows=np.concatenate([self.store_rows, other.store_rows]),
            texts=None if self.texts is None or other.texts is None else np.concatenate([self.texts, other.texts]),
        )

    def waveform(self, clip: int, start: int = 0, length: int | None = None) -> np.ndarray:
        """float32, mono: samples `start` to `start + length` of a clip at `sample_rate_hz`, or to its end.

        Raises:
          mu.audio.io.AudioError: the file is gone, or no longer what was imported; names it.
        """
        most = int(self.lengths[clip]) - start
        length = most if length is None else min(length, most)
        if self.store is not None:
            return self.store.waveform(int(self.store_rows[clip]), start, length).astype(np.float32) / 32768
        file = self.path(clip)
        audio, _ = io.read(
            file,
            sample_rate_hz=self.sample_rate_hz,
            start_s=start / self.sample_rate_hz,
            duration_s=length / self.sample_rate_hz,
        )
        return audio

    def path(self, clip: int) -> Path:
        """The file of a clip."""
        return self.root / self.table["file"][clip]

    def save_without_sound(self, folder: Path) -> None:
        """Writes table and targets to a folder that exists: what a run keeps of its training clips.

        A subclass with fields of its own writes them too, and reads them in `load_without_sound`.
        """
        self.table.write_parquet(folder / TABLE)
        targets = [{"name": name, "type": path_of(type(one)), "names": one.names} for name, one in self.targets.items()]
        facts = {"sample_rate_hz": self.sample_rate_hz, "first_s": self.first_s, "targets": targets, "card": self.card}
        facts |= {} if self.texts is None else {"text_columns": self.text_columns}
        write_json(folder / FACTS, facts)
        values = {str(place): one.values for place, one in enumerate(self.targets.values())}
        values |= {} if self.texts is None else {TEXTS: self.texts}
        np.savez_compressed(folder / TARGETS, **values)  # pyright: ignore[reportArgumentType]

    @classmethod
    def load_without_sound(cls, folder: Path, **fields: Any) -> Self:
        """The clips that `save_without_sound` wrote; they have no waveforms.

        Args:
          folder: that it wrote to.
          **fields: of a subclass.
        """
        table, facts = tables.read_parquet(folder / TABLE), read_json(folder / FACTS)
        with np.load(folder / TARGETS) as values:
            targets = {
                one["name"]: trust.locate(one["type"], "targets", folder / FACTS)(
                    tuple(one["names"]), values[str(place)]
                )
                for place, one in enumerate(facts["targets"])
            }
            texts = values.get(TEXTS)
        return cls(
            table=table,
            sample_rate_hz=facts["sample_rate_hz"],
            targets=targets,
            root=folder,
            store=None,
            store_rows=np.arange(len(table)),
            first_s=facts["first_s"],
            card=facts["card"],
            texts=texts,
            text_columns=tuple(facts.get("text_columns", ())),
            **fields,
        )

    def hash(self) -> str:
        """sha256 over the recordings' contents, the rate and the targets: equal data have equal hashes."""
        digest = hashlib.sha256(f"{self.sample_rate_hz} {self.first_s}".encode())
        digest.update("\n".join(self.table["content_hash"]).encode())
        for name, target in self.targets.items():
            digest.update(json.dumps([name, target.kind, target.names]).encode())
            digest.update(np.ascontiguousarray(target.values).data)
        if self.texts is not None:
            digest.update(np.ascontiguousarray(self.texts).data)
        return digest.hexdigest()


def load(
    path: str | os.PathLike[str],
    *,
    sample_rate_hz: SampleRate,
    classes: Sequence[str] = (),
    tags: Sequence[str] = (),
    numbers: Sequence[str] = (),
    texts: Sequence[str] = (),
    first_s: Seconds | None = None,
    root: str | os.PathLike[str] | None = None,
    audio: bool = True,
) -> Clips:
    """Opens the folder that `mu import-audio` wrote.

    Args:
      path: the folder.
      sample_rate_hz: of the waveforms.
      classes: columns that hold one of several names; each becomes a target.
      tags: columns that hold lists of names, or names separated by '|'; each becomes a target.
      numbers: columns of numbers; together they become the target 'numbers'.
      texts: columns whose words together are the text of a clip: titles, tags, descriptions.
      first_s: use so many seconds of each clip and no more; None for all.
      root: where the audio lies, if it has moved since.
      audio: False where no waveform is needed: the files may be gone.

    Raises:
      FileNotFoundError: `path` is no such folder, or its audio is gone; says what to do.
      ValueError: a column is missing, or does not hold what it should; names the column and the clip.
    """
    folder = Path(path)
    if not (folder / TABLE).is_file():
        raise FileNotFoundError(f"no clips at {folder} ({TABLE} is missing); make them with `mu import-audio`")
    if not (folder / "card.json").is_file():
        raise FileNotFoundError(
            f"there is no {folder / 'card.json'}: the import was interrupted; give the same `mu import-audio` again"
        )
    card = read_json(folder / "card.json")
    if card.get("clips_sha256") not in (None, hash_file(folder / TABLE)):
        raise ValueError(
            f"{folder / TABLE} is not what was written (its sha256 differs from that in card.json): bring it back, or "
            "give the same `mu import-audio` again; if the change is meant, delete clips_sha256 and sha256 from it"
        )
    table = tables.read_parquet(folder / TABLE)
    targets = targets_of(table, classes=classes, tags=tags, numbers=numbers)
    words = texts_of(table, texts) if texts else None
    if words is not None and "text" in targets:
        raise ValueError("a target cannot be called 'text' where clips have texts: rename the column")
    store = open_store(folder / "store") if audio and (folder / "store").is_dir() else None
    if store is not None and store.sample_rate_hz != sample_rate_hz:
        store = None  # made for another rate: the files are decoded
    place = audio_root(folder, card, root) if audio and store is None else folder
    if place is None:
        raise FileNotFoundError(
            f"{folder} has no audio at {sample_rate_hz} Hz: import it again with --store_rate_hz={sample_rate_hz}"
        )
    return Clips(
        table, sample_rate_hz, targets, place, store, np.arange(len(table)), first_s, card, words, tuple(texts)
    )


def texts_of(table: pl.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """int32 [n, G]: the n-grams of the words in these columns, together (`mu.ngrams`).

    Raises:
      ValueError: there is no such column, or no clip has a word in them.
    """
    joined = []
    for name in columns:
        values = column_of(table, name)
        as_text = values.cast(pl.List(pl.String)).list.join(" ") if values.dtype == pl.List else values.cast(pl.String)
        joined.append(as_text.fill_null("").to_list())
    places = ngram_rows([" ".join(words) for words in zip(*joined, strict=True)])
    if not (places >= 0).any():
        raise ValueError(f"no clip has a word in the column{'s' * (len(columns) > 1)} {', '.join(columns)}")
    return places


def audio_root(folder: Path, card: Mapping[str, Any], root: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder that the files of an import lie below; None for clips that never were files.

    The path from the import's folder is tried first, since both may have moved together, and then the path that the
    import was called with, since the import alone may have moved.

    Args:
      folder: of the import.
      card: its card.
      root: the only place to look at; None for those of the card.

    Raises:
      FileNotFoundError: it is gone; says how to say where it is.
    """
    if root is None and card.get("root") is None:
        return None
    places = [Path(root or card["root"])]
    if root is None and "root_from_here" in card:
        places.insert(0, folder / card["root_from_here"])
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"the audio of {folder} is no longer at {places[0]}: say where with data.root=DIR (of mu embed, --root=DIR)"
    )


def whole_column(table: pl.DataFrame, name: str) -> pl.Series:
    """A column that has a value for every clip; ValueError names the first that has none."""
    values = column_of(table, name)
    missing = values.is_null() | values.is_nan() if values.dtype.is_float() else values.is_null()
    if missing.any():
        raise ValueError(
            f"clip {table['clip'][int(missing.arg_max() or 0)]!r} has no {name!r} ({int(missing.sum()):,} of "
            f"{len(table):,} have none): fill it in or leave such clips out of the import, or name another column"
        )
    return values
