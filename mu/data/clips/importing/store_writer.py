"""Writes the copy of clips for training (`mu.data.clips.store`), shard by shard in parallel, and resumes."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.audio import io
from mu.checksums import write_hashes
from mu.data.clips.importing import workers
from mu.data.clips.importing.scan import Reader
from mu.data.clips.store import CARD, NAME, ROWS, SPLIT, VERSION
from mu.files import read_json, write_json

FORMAT_VERSION = 2
RECORD_S = 32
SHARD_BYTES = 64 << 20
# One record is read at a time. zstd saves 5 % of such records and makes them three times slower to read.
_OPTIONS = "group_size:1,uncompressed"
OWN_FEATURES = ("audio", "clip", "start_frame")
_LISTS = " list"  # behind the kind of its values
_TYPES = {"text": np.str_, "int": np.int64, "float": np.float32, "bool": np.bool_}


@dataclasses.dataclass(frozen=True)
class Plan:
    """A store to be made.

    Attributes:
      key: what it is made of; a store with this key need not be made again.
      sample_rate_hz: of the store.
      clips: clip, frames (of the clip's own rate), store_frames; in order.
      attributes: of the clips, in the same order.
      reader: of the source.
    """

    key: str
    sample_rate_hz: int
    clips: pl.DataFrame
    attributes: pl.DataFrame
    reader: Reader

    @property
    def record_frames(self) -> int:
        return RECORD_S * self.sample_rate_hz


def plan_store(
    table: pl.DataFrame, attributes: list[str], table_hash: str, sample_rate_hz: int, reader: Reader
) -> Plan:
    """Plans the store for a table of clips.

    Raises:
      ValueError: an attribute that a record cannot hold.
    """
    own_hz = table["sample_rate_hz"]
    frames = (table["duration_s"] * own_hz).round().cast(pl.Int64)
    store_frames = io.resampled_samples(frames.to_numpy(), own_hz.to_numpy(), sample_rate_hz)
    clips = pl.DataFrame({"clip": table["clip"], "frames": frames, "store_frames": store_frames})
    columns = []
    for name in attributes:
        if name in OWN_FEATURES:
            raise ValueError(f"the attribute {name!r} has the name of a record's own feature; rename it in the table")
        kind, values = _kind(table[name]), table[name]
        if kind == "text":
            values = values.cast(pl.String)
        elif kind.endswith(_LISTS):  # a record cannot tell no list from an empty one; either says nothing
            values = values.cast(pl.List(pl.String)) if kind == "text" + _LISTS else values
            values = values.list.drop_nulls().fill_null([])
        columns.append(values)
    key = f"format {FORMAT_VERSION}, {sample_rate_hz} Hz, of the clips {table_hash}"
    return Plan(key, sample_rate_hz, clips, pl.DataFrame(columns), reader)


def key_of(folder: Path) -> str:
    """The key of the store at `folder`; '' where there is none."""
    card = folder / CARD
    return read_json(card)["key"] if card.is_file() else ""


def write_store(plan: Plan, folder: Path, n_workers: int, progress: Callable[[int], None]) -> None:
    """Writes the store of `plan` to `folder`; what an interrupted call with the same plan left there is kept.

    Args:
      plan: what to write.
      folder: made if missing; emptied where it holds another plan's.
      n_workers: processes.
      progress: called with the number of clips written so far.

    Raises:
      ValueError: a clip is no longer what it was; names it.
    """
    data = folder / NAME / VERSION
    mark = folder / "key"
    if not (mark.is_file() and mark.read_text(encoding="utf-8") == plan.key):
        shutil.rmtree(folder, ignore_errors=True)
        data.mkdir(parents=True)
        mark.write_text(plan.key, encoding="utf-8")
    shards = _shards(plan)
    types = {column.name: _kind(column) for column in plan.attributes}
    write = ShardWriter(plan.reader, str(data), plan.sample_rate_hz, plan.record_frames, types)
    tasks = [(name, start, end) for name, start, end in shards if not (data / name).is_file()]
    done = len(plan.clips) - sum(end - start for _, start, end in tasks)
    progress(done)
    lengths = {name: end - start for name, start, end in shards}
    filled = ((name, _rows(plan, start, end)) for name, start, end in tasks)
    # A task is megabytes of rows: one that waited would keep its sender waiting too, and every other worker.
    with contextlib.closing(workers.run(write, filled, min(n_workers, len(tasks)), ahead=1)) as answers:
        for (name, _), answer in answers:
            if isinstance(answer, workers.Failed):
                raise ValueError(f"the store cannot be written: {answer.reason}")
            done += lengths[name]
            progress(done)
    _describe(plan, folder, shards, types)


def _shards(plan: Plan) -> list[tuple[str, int, int]]:
    """Names and rows of the shards: clips in their order, about `SHARD_BYTES` each."""
    end = plan.clips["store_frames"].to_numpy().cumsum() * 2
    number = np.maximum(end - 1, 0) // SHARD_BYTES
    starts = np.flatnonzero(np.diff(number, prepend=-1))
    ends = [*starts[1:].tolist(), len(number)]
    name = f"{NAME}-{SPLIT}.array_record-{{:05d}}-of-{len(starts):05d}"
    return [(name.format(i), int(start), end) for i, (start, end) in enumerate(zip(starts, ends, strict=True))]


def _rows(plan: Plan, start: int, end: int) -> list[dict[str, Any]]:
    attributes = plan.attributes[start:end].to_dicts() or [{}] * (end - start)
    clips = plan.clips[start:end].to_dicts()
    return [clip | {"attributes": values} for clip, values in zip(clips, attributes, strict=True)]


def _describe(plan: Plan, folder: Path, shards: list[tuple[str, int, int]], types: dict[str, str]) -> None:
    """What TFDS reads first, and what `open_store` does; the card comes last."""
    import tensorflow_datasets as tfds

    data = folder / NAME / VERSION
    records = -(-plan.clips["store_frames"].to_numpy() // plan.record_frames)
    template = tfds.core.ShardedFileTemplate(
        data_dir=data,  # pyright: ignore[reportArgumentType]
        dataset_name=NAME,
        split=SPLIT,
        filetype_suffix="array_record",
    )
    split = tfds.core.SplitInfo(
        name=SPLIT,
        shard_lengths=[int(records[start:end].sum()) for _, start, end in shards],
        num_bytes=sum((data / name).stat().st_size for name, _, _ in shards),
        filename_template=template,
    )
    tfds.folder_dataset.write_metadata(
        data_dir=str(data),
        features=_features(types),
        split_infos=[split],
        check_data=False,
        description=f"16-bit mono PCM at {plan.sample_rate_hz} Hz, up to {RECORD_S} s a record (mu import-audio)",
    )
    plan.clips.select("clip", frames="store_frames").write_parquet(folder / ROWS)
    card = {
        "key": plan.key,
        "sample_rate_hz": plan.sample_rate_hz,
        "record_frames": plan.record_frames,
        "shards": [name for name, _, _ in shards],
    }
    write_hashes(folder)
    write_json(folder / CARD, card)


@dataclasses.dataclass(frozen=True)
class ShardWriter:
    """Writes a shard in a worker process; it appears under its name when it is whole."""

    reader: Reader
    folder: str
    sample_rate_hz: int
    record_frames: int
    types: dict[str, str]

    def __call__(self, task: tuple[str, list[dict[str, Any]]]) -> None:
        """`task`: the name of the shard; its clips, each with its attributes."""
        from array_record.python.array_record_module import ArrayRecordWriter

        name, clips = task
        path = os.path.join(self.folder, name)
        features = _features(self.types)
        writer = ArrayRecordWriter(path + ".part", _OPTIONS)
        for clip in clips:
            written = 0
            for audio in self._records(clip):
                example = {"audio": audio, "clip": clip["clip"], "start_frame": written, **clip["attributes"]}
                writer.write(_in_order(features.serialize_example(example)))
                written += len(audio)
            if written != clip["store_frames"]:
                raise ValueError(
                    f"{clip['clip']} has {written:,} samples at {self.sample_rate_hz} Hz, and had "
                    f"{clip['store_frames']:,} when it was scanned; if the file has changed, import again"
                )
        writer.close()
        os.replace(path + ".part", path)

    def _records(self, clip: dict[str, Any]) -> Iterator[np.ndarray]:
        """int16 arrays of `record_frames`, the last one shorter."""
        waiting = np.empty(0, np.int16)
        for block in self.reader.blocks(clip["clip"], self.sample_rate_hz, clip["frames"]):
            waiting = np.append(waiting, _to_int16(block))
            while len(waiting) > self.record_frames:
                yield waiting[: self.record_frames]
                waiting = waiting[self.record_frames :]
        if len(waiting):
            yield waiting


def _in_order(record: bytes) -> bytes:
    """A record with its features in the order of their names: as TFDS writes them it is another in each process."""
    from tensorflow_datasets.proto import tf_example_pb2

    example = tf_example_pb2.Example.FromString(record)  # pyright: ignore[reportAttributeAccessIssue]
    return example.SerializeToString(deterministic=True)


def _to_int16(x: np.ndarray) -> np.ndarray:
    """Samples of 16-bit files come out as they were; what overshoots is clipped, and what is no number is silence."""
    x = np.nan_to_num(x * np.float32(1 << 15), nan=0.0)
    return np.clip(np.rint(x), -(1 << 15), (1 << 15) - 1).astype(np.int16)


def _kind(column: pl.Series) -> str:
    dtype = column.dtype
    if isinstance(dtype, pl.List) and not dtype.inner.is_nested():
        return _kind(pl.Series(column.name, [], dtype.inner)) + _LISTS
    if dtype == pl.Boolean:
        return "bool"
    if dtype.is_integer():
        return "int"
    if dtype.is_float():
        return "float"
    if dtype.is_nested() or dtype in (pl.Object, pl.Binary):
        raise ValueError(
            f"the attribute {column.name!r} is {dtype}; records hold text, numbers and lists of these: leave it out of "
            "the table"
        )
    return "text"


def _features(types: dict[str, str]) -> Any:
    """The TFDS features of a record; an attribute may be missing."""
    import tensorflow_datasets as tfds

    attributes = {
        name: tfds.features.Sequence(tfds.features.Scalar(_TYPES[one.removesuffix(_LISTS)]))
        if one.endswith(_LISTS)
        else tfds.features.Scalar(_TYPES[one], optional=True)
        for name, one in types.items()
    }
    # Not `Audio`: TFDS cannot read that without TensorFlow.
    audio = tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes")
    own = {"audio": audio, "clip": tfds.features.Text(), "start_frame": tfds.features.Scalar(np.int64)}
    return tfds.features.FeaturesDict(own | attributes)
