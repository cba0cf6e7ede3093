"""TFDS data sets stored as ArrayRecord, read through `tfds.data_source`, without TensorFlow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.text_files import decode, is_invalid, printable
from mu.data.options import OptionError
from mu.data.tables import ColumnError
from mu.names import nearest

BATCH_ROWS = 1 << 14


class TfdsFormat:
    """The format of TFDS data sets."""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """The features with one value (nested ones as `outer/inner`)."""
        from tensorflow_datasets.core.features import FeaturesDict

        return list(_flat(_builder(source, options).info.features, FeaturesDict))

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The features `wanted`; rows are numbered from 1 over the splits, bytes are decoded as UTF-8."""
        builder = _builder(source, options)
        splits = [builder.as_data_source(split) for split in _splits(source, builder)]
        n_rows = sum(map(len, splits))
        row = 0
        for split in splits:
            for start in range(0, len(split), BATCH_ROWS):
                records = split.__getitems__(range(start, min(start + BATCH_ROWS, len(split))))
                columns: list[list[Any]] = [[] for _ in wanted]
                lines: list[int] = []
                bad: list[BadRow] = []
                for record in records:
                    row += 1
                    flat = _flat(record, dict)
                    values = [flat[name] for name in wanted]
                    texts = [decode(value, "utf-8") if isinstance(value, bytes) else value for value in values]
                    for name, text in zip(wanted, texts, strict=True):
                        if isinstance(text, str) and is_invalid(text):
                            bad.append(BadRow(source.name, row, name, printable(text), "invalid utf-8"))
                            break
                    else:
                        lines.append(row)
                        for column, text in zip(columns, texts, strict=True):
                            column.append(text)
                series = [_series(name, values) for name, values in zip(wanted, columns, strict=True)]
                yield RowBatch(pl.DataFrame(series), np.array(lines, np.int64), bad, row / max(n_rows, 1))


tfds_format = TfdsFormat()


def tfds_files(source: LogSource, options: ReadOptions) -> list[Path]:
    """The files of the splits that are read."""
    builder = _builder(source, options)
    names = [name for split in _splits(source, builder) for name in builder.info.splits[split].filenames]
    return [Path(builder.data_dir) / name for name in sorted(set(names))]


def _builder(source: LogSource, options: ReadOptions) -> Any:
    """The builder of the data set, which is downloaded and prepared if it is not in the data folder.

    Raises:
      OptionError: no such data set.
      ValueError: it cannot be prepared here (most data sets need TensorFlow for that, once).
    """
    import tensorflow_datasets as tfds

    name = source.name.removeprefix("tfds:").partition("#")[0]
    try:
        builder = tfds.builder(name, data_dir=options.data_dir, file_format="array_record")
    except tfds.core.DatasetNotFoundError as error:
        hint = next((line for line in str(error).splitlines() if line.startswith("Did you mean")), "")
        where = options.data_dir or "the default folder of TFDS (see --data_dir)"
        raise OptionError(f"{source.name}: no such data set, in TFDS or in {where}. {hint}".rstrip()) from None
    if not Path(builder.data_dir).exists():
        try:
            builder.download_and_prepare(file_format="array_record")
        except ImportError as error:
            raise ValueError(
                f"{source.name} is not in {builder.data_dir} and cannot be prepared here ({error}). Where that is "
                f"installed, run tfds.builder({name!r}, file_format='array_record').download_and_prepare()"
            ) from error
    format = builder.info.file_format
    if format != tfds.core.FileFormat.ARRAY_RECORD:
        raise ValueError(
            f"{source.name} is stored in {builder.data_dir} as {format.value if format else 'nothing'}; "
            "it must be array_record"
        )
    return builder


def _splits(source: LogSource, builder: Any) -> list[str]:
    """The split after `#`, or all, in TFDS's order."""
    split = source.name.partition("#")[2]
    names = list(builder.info.splits)
    if split and split not in names:
        raise OptionError(f"{source.name}: no such split{nearest(split, names)}; it has: {', '.join(names)}")
    return [split] if split else names


def _flat(tree: Any, nested: type, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested mappings of type `nested`, named `outer/inner`."""
    leaves = {}
    for key, value in tree.items():
        if isinstance(value, nested):
            leaves |= _flat(value, nested, f"{prefix}{key}/")
        else:
            leaves[prefix + key] = value
    return leaves


def _series(name: str, values: list[Any]) -> pl.Series:
    if values and isinstance(values[0], str):
        return pl.Series(name, values, dtype=pl.String)
    array = np.asarray(values)
    if array.ndim != 1:
        raise ColumnError(f"the feature {name!r} has shape {array.shape[1:]}; a column must hold one value a row")
    return pl.Series(name, array)
