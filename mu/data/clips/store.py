"""A copy of the clips that is ready for training, opened: 16-bit mono PCM at one rate, in ArrayRecord shards.

    store = open_store('DIR/store')                                              # by rows of clips.parquet
    data = tfds.builder_from_directory('DIR/store/clips/1.0.0').as_data_source('train')     # plain TFDS, no TensorFlow

A record holds up to 32 s: `audio` (int16 [n]), `clip`, `start_frame` (where it begins in the clip) and the clip's
attributes. Longer clips have several: ArrayRecord is read by whole records only, so a crop of a long clip would cost
the whole of it. Samples that are no numbers (`--keep=not_finite`) are silence. `mu import-audio` makes it by
`mu.data.clips.importing.store_writer`.
"""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.checksums import check_hashes
from mu.data import tables
from mu.files import read_json

CARD, ROWS = "store.json", "rows.parquet"
NAME, VERSION, SPLIT = "clips", "1.0.0", "train"
REMEDY = "make the store again with `mu import-audio --store`"


@dataclasses.dataclass(frozen=True)
class Store:
    """Random access to the clips of a store, row by row of `clips.parquet`; can be sent to other processes.

    Attributes:
      sample_rate_hz: of all clips.
      clips: String [n], their ids.
      frames: int64 [n], their samples.
    """

    sample_rate_hz: int
    clips: pl.Series
    frames: np.ndarray
    _first_record: np.ndarray
    _record_frames: int
    _records: Any
    _folder: Path

    def __len__(self) -> int:
        return len(self.frames)

    def waveform(self, row: int, start_frame: int = 0, n_frames: int | None = None) -> np.ndarray:
        """int16 [n]: `n_frames` samples (or as many as there are) from `start_frame` on; 32768 is full scale.

        Reads the records that hold the part, of up to 32 s each.

        Raises:
          IndexError: there is no such row.
          ValueError: a negative `start_frame`, or a record that is damaged.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row is {row}; the store has {len(self)}")
        if start_frame < 0:
            raise ValueError(f"start_frame is {start_frame}; it must be 0 or more")
        length = int(self.frames[row])
        end = length if n_frames is None else min(length, start_frame + n_frames)
        if end <= start_frame:
            return np.empty(0, np.int16)
        first, last = start_frame // self._record_frames, (end - 1) // self._record_frames
        base = int(self._first_record[row])
        try:
            parts = [_audio(self._records[base + k]) for k in range(first, last + 1)]
        except RuntimeError as error:  # of the reader, which verifies the checksum of each record
            said = str(error).splitlines()[0]
            raise ValueError(f"{self._folder} is damaged, in {self.clips[row]!r}: {said}; {REMEDY}") from None
        offset = first * self._record_frames
        return (parts[0] if len(parts) == 1 else np.concatenate(parts))[start_frame - offset : end - offset]


def open_store(folder: str | os.PathLike[str]) -> Store:
    """Opens `DIR/store` of an import.

    Raises:
      FileNotFoundError: there is none; says how to make it.
      ValueError: a file is not the one that was written (records have checksums of their own); names it.
    """
    from array_record.python.array_record_data_source import ArrayRecordDataSource

    path = Path(folder)
    if not (path / CARD).is_file():
        raise FileNotFoundError(
            f"no store of clips at {path} ({CARD} is missing); make one with `mu import-audio --store`"
        )
    check_hashes(path, REMEDY, whole=False)
    card = read_json(path / CARD)
    if missing := {"sample_rate_hz", "record_frames", "shards"} - set(card):
        raise ValueError(f"{path / CARD} is the card of something else (no {', '.join(sorted(missing))}); {REMEDY}")
    rows = tables.read_parquet(path / ROWS)
    frames = rows["frames"].to_numpy()
    records = -(-frames // card["record_frames"])
    shards = [str(path / NAME / VERSION / shard) for shard in card["shards"]]
    return Store(
        card["sample_rate_hz"],
        rows["clip"],
        frames,
        np.cumsum(records) - records,
        card["record_frames"],
        ArrayRecordDataSource(shards),
        path,
    )


def _audio(record: bytes) -> np.ndarray:
    """The samples of a record alone; `deserialize_example_np` would take apart the rest too, at ten times the cost."""
    from tensorflow_datasets.proto import tf_example_pb2

    example = tf_example_pb2.Example.FromString(record)  # pyright: ignore[reportAttributeAccessIssue]
    return np.frombuffer(example.features.feature["audio"].bytes_list.value[0], np.dtype("<i2"))
