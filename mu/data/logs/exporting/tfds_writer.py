"""Writes a log as a TFDS data set that plain `tfds.load` reads, without TensorFlow: a record a play, in ArrayRecord."""

import dataclasses
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.data.logs.exporting.play_order import import_order
from mu.data.logs.interactions import FINISHED, PARTS, SKIPPED, Interactions
from mu.locks import rewriting

VERSION = "1.0.0"
SHARD_RECORDS = 1 << 20
BATCH = 1 << 14
# Records are small: many share a chunk, as TFDS's own writer has it. Random access reads a chunk for each record.
OPTIONS = "group_size:1"
OUTCOME_TEXTS = {FINISHED: "1", SKIPPED: "0"}
logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ExportedLog:
    """What was written.

    Attributes:
      folder: of the data set, DIR/NAME/VERSION.
      splits: name -> number of plays.
      import_flags: of `mu import`, with which it gives the log back.
    """

    folder: Path
    splits: dict[str, int]
    import_flags: list[str]


def export_tfds(
    log: Interactions,
    output: str | os.PathLike[str],
    name: str = "plays",
    *,
    overwrite: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> ExportedLog:
    """Writes a log as the TFDS data set `output`/`name`.

    A record holds `user`, `track`, `time` (unix ms), `weight`, `finished` ('1', '0' or ''), the event columns,
    the numbers of plays, and the attributes of the track and the user as text, each where the log has it. Splits are
    the parts of the log, or 'train'. The records are in an order that gives the equal log when it is imported.
    Where rules dropped plays there may be no such order, or values and tracks without plays, which are in no record: a
    warning says so.

    Args:
      log: of `mu.data.logs.interactions.load`.
      output: the folder of data sets (`data_dir` of TFDS).
      name: of the data set: letters, digits and '_'.
      overwrite: replace the data set that is there.
      progress: called with the share that is done.

    Raises:
      FileExistsError: the data set exists.
      ValueError: a bad name, no play, or columns of one name.
    """
    if not name.isidentifier() or not name.isascii():
        raise ValueError(f"--name={name}: a name of a TFDS data set has letters, digits and '_' alone")
    if not len(log):
        raise ValueError("the log has no plays: there is nothing to export")
    order, keeps_ids = import_order(log)
    if not keeps_ids:
        logger.warning("the ids of this log are not in order of first appearance: an import numbers them otherwise")
    if unplayed := int(np.count_nonzero(log.counts() == 0)):
        logger.warning("%s tracks without plays are in no record", f"{unplayed:,}")
    for column, codes in log.columns.items():
        if unplayed := len(log.vocabulary(column)) - len(np.unique(codes)):
            logger.warning("%s values of %s without plays are in no record", f"{unplayed:,}", column)
    columns = _columns(log)
    folder = Path(output) / name
    with rewriting(folder, lambda: _check(folder, overwrite)) as partial:
        data = partial / VERSION
        data.mkdir()
        splits = _write_splits(log, order, columns, data, name, progress)
    return ExportedLog(folder / VERSION, splits, _import_flags(log, output, columns))


def _check(folder: Path, overwrite: bool) -> None:
    if not folder.exists():
        return
    if not (folder / VERSION / "dataset_info.json").is_file():
        raise FileExistsError(f"{folder} holds something else than a TFDS data set; choose another --name or --output")
    if not overwrite:
        raise FileExistsError(f"{folder} exists; choose another --name or --output, or add --overwrite to replace it")


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns of records beside `user` and `track`.

    Attributes:
      event: names of event columns.
      track: attributes of tracks as text, row = dense id.
      user: the same of users.
    """

    event: list[str]
    track: pl.DataFrame
    user: pl.DataFrame


def _columns(log: Interactions) -> Columns:
    track, user = (table.select(_text(column) for column in table) for table in (log.tracks, log.users))
    fixed = ["time", "weight", "finished"]
    names = [*fixed, *log.columns, *log.numbers, *track.columns, *user.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"the log has several columns called {twice[0]!r}; a record has one of each name")
    return Columns(list(log.columns), track, user)


def _text(column: pl.Series) -> pl.Series:
    return column.cast(pl.String).fill_null("")


def _features(log: Interactions, columns: Columns) -> dict[str, Any]:
    """The TFDS features of a record by name."""
    import tensorflow_datasets as tfds

    numbers: dict[str, Any] = {"time": np.int64} if log.has_times else {}
    if _has_weights(log):
        numbers["weight"] = np.float32
    numbers |= dict.fromkeys(log.numbers, np.float32)
    texts = ["finished"] if log.outcomes is not None else []
    texts += [*columns.event, *columns.track.columns, *columns.user.columns]
    features = {name: tfds.features.Scalar(dtype) for name, dtype in numbers.items()}
    return features | {name: tfds.features.Text() for name in texts}


def _has_weights(log: Interactions) -> bool:
    return bool((log.weights != 1).any())


def _write_splits(
    log: Interactions,
    order: np.ndarray,
    columns: Columns,
    data: Path,
    name: str,
    progress: Callable[[float], None],
) -> dict[str, int]:
    """Writes the shards of every split, and what TFDS reads first."""
    import tensorflow_datasets as tfds
    from array_record.python.array_record_module import ArrayRecordWriter

    features = tfds.features.FeaturesDict(_features(log, columns))
    users = np.repeat(np.arange(log.n_users), log.lengths)
    parts = np.zeros(len(log), np.uint8) if log.parts is None else np.asarray(log.parts)
    infos, counts, done = [], {}, 0
    for part in np.unique(parts):
        plays, split = order[parts[order] == part], PARTS[int(part)]
        counts[split] = len(plays)
        n_shards = -(-len(plays) // SHARD_RECORDS)
        lengths, n_bytes = [], 0
        for shard in range(n_shards):
            path = data / f"{name}-{split}.array_record-{shard:05d}-of-{n_shards:05d}"
            writer = ArrayRecordWriter(str(path), OPTIONS)
            rows = plays[shard * SHARD_RECORDS : (shard + 1) * SHARD_RECORDS]
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                for record in _records(log, users, batch, columns):
                    writer.write(record)
                done += len(batch)
                progress(done / len(log))
            writer.close()
            lengths.append(len(rows))
            n_bytes += path.stat().st_size
        template = tfds.core.ShardedFileTemplate(
            data_dir=data,  # pyright: ignore[reportArgumentType]
            dataset_name=name,
            split=split,
            filetype_suffix="array_record",
        )
        infos.append(
            tfds.core.SplitInfo(name=split, shard_lengths=lengths, num_bytes=n_bytes, filename_template=template)
        )
    tfds.folder_dataset.write_metadata(
        data_dir=str(data),
        features=features,
        split_infos=infos,
        check_data=False,
        description=f"{len(log):,} plays of {log.n_users:,} listeners and {log.n_items:,} tracks (mu export-tfds)",
    )
    return counts


def _records(log: Interactions, users: np.ndarray, plays: np.ndarray, columns: Columns) -> Iterator[bytes]:
    """The records of the plays, in their order, as TFDS serialises them (its own function takes five times as long)."""
    from tensorflow_datasets.proto import tf_example_pb2

    fields: dict[str, list[Any]] = {}
    if log.has_times:
        fields["time"] = log.times[plays].tolist()
    if _has_weights(log):
        fields["weight"] = log.weights[plays].tolist()
    if log.outcomes is not None:
        fields["finished"] = [OUTCOME_TEXTS.get(outcome, "") for outcome in log.outcomes[plays].tolist()]
    for name in columns.event:
        vocabulary = log.vocabulary(name)
        fields[name] = [vocabulary[code] for code in log.columns[name][plays].tolist()]
    fields |= {name: values[plays].tolist() for name, values in log.numbers.items()}
    for table, rows in ((columns.track, log.items[plays]), (columns.user, users[plays])):
        fields |= table[np.asarray(rows, np.int64)].to_dict(as_series=False)
    kinds = {"time": "int64_list", "weight": "float_list"} | dict.fromkeys(log.numbers, "float_list")
    example = tf_example_pb2.Example()  # pyright: ignore[reportAttributeAccessIssue]
    lists = [getattr(example.features.feature[name], kinds.get(name, "bytes_list")).value for name in fields]
    for values in zip(*fields.values(), strict=True):
        for one, value in zip(lists, values, strict=True):
            one[:] = [value.encode() if isinstance(value, str) else value]
        yield example.SerializeToString(deterministic=True)


def _import_flags(log: Interactions, output: str | os.PathLike[str], columns: Columns) -> list[str]:
    """The flags of `mu import` that say what the columns of the records are."""
    flags = [f"--data_dir={os.fspath(output)}"]
    flags += ["--time=time", "--time_unit=ms"] if log.has_times else ["--time=none"]
    flags.append("--weight=weight" if _has_weights(log) else "--weight=none")
    if log.outcomes is not None:
        flags.append("--finished=finished")
    if columns.event:
        flags.append(f"--event_columns={','.join(columns.event)}")
    if log.numbers:
        flags.append(f"--event_numbers={','.join(log.numbers)}")
    features = list(log.card.get("track_features", ()))
    if features:
        flags.append(f"--track_features={','.join(features)}")
    attributes = [name for name in columns.track.columns if name not in ("track", "title", *features)]
    flags.append("--title=title" if "title" in columns.track.columns else "--title=none")
    if attributes:
        flags.append(f"--track_attributes={','.join(attributes)}")
    if others := [name for name in columns.user.columns if name != "user"]:
        flags.append(f"--user_attributes={','.join(others)}")
    return flags
