"""JSON: one object a line, or an array of objects. Numbers are kept as written, so that no id loses a digit."""

import collections
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl

from mu.data.logs.importing.archives import open_source
from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.columns import usual_column
from mu.data.logs.importing.fields import WHOLE_LINE
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.json_array import array_records
from mu.data.logs.importing.json_values import JsonRecord, as_text, fault_of, read_object
from mu.data.logs.importing.text_files import TOO_LONG, decode, is_invalid, printable, read_blocks

BLOCK_BYTES = 2 << 20
HEADER_RECORDS = 100
HEADER_BYTES = 1 << 16
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*(?:[{\]]|$)")


Row = dict[str, object]


@dataclasses.dataclass(frozen=True)
class Json:
    """The format of JSON lines, and of arrays of objects; by `rows` that of a service.

    Attributes:
      rows: an object of the file -> the rows that it holds, with single values or lists of them; or what it is where it
        is no play of a track; a ValueError says that it is a bad row, and why. None: the object is the row.
      columns: the keys of these rows; empty where the file says them.
      array: the key of the array, in files that are an object with one.
      optional: columns that a file has where its first objects have a key -> this key.
      listener_keys: usual names of keys that say whose a play is, where the service's own files have none: the first
        that there is becomes a column.
      account: a key whose value is the listener in files that are no arrays; they have a column `user` then.
    """

    rows: Callable[[Row], Sequence[Row] | str] | None = None
    columns: tuple[str, ...] = ()
    array: str | None = None
    optional: Mapping[str, str] = dataclasses.field(default_factory=dict)
    listener_keys: tuple[str, ...] = ()
    account: str = ""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """`columns`, or the keys of the first hundred objects, in order of appearance."""
        names: dict[str, None] = {}
        valued: set[str] = set()
        n = 0
        for records, _ in self._records(source, options.encoding, HEADER_BYTES):
            for record in records[: HEADER_RECORDS - n]:
                names |= dict.fromkeys(record.record)
                valued |= {name for name, value in record.record.items() if value is not None}
            n += len(records)
            if n >= HEADER_RECORDS:
                break
        if not names and not (self.columns and not n):
            raise ValueError(
                f"{source.name}: no JSON object in its first {HEADER_RECORDS} lines; it must hold one object a line, "
                "or one array of objects"
            )
        lacking = {column for column, key in self.optional.items() if key not in names}
        listener = usual_column(self.listener_keys, [name for name in names if name not in self.columns])
        if listener is None and self.account in valued and self._array_key(source) is None:
            listener = "user"
        columns = [*self.columns, *([listener] if listener else [])] if self.columns else names
        return [name for name in columns if name not in lacking]

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The values of the keys `wanted`; a key that is missing or null is a missing field."""
        names = [(name, name in options.one_value) for name in wanted]
        for records, done in self._records(source, options.encoding, BLOCK_BYTES):
            columns: list[list[str]] = [[] for _ in wanted]
            lines: list[int] = []
            bad: list[BadRow] = []
            set_aside = collections.Counter[str]()
            for number, text, record, wrong_json in records:
                fault = (WHOLE_LINE, text, wrong_json) if wrong_json else None
                if is_invalid(text):
                    fault = fault_of(record, text, options.encoding)
                try:
                    rows = [record] if self.rows is None or fault else self.rows(record)
                except ValueError as error:
                    rows, fault = [record], (WHOLE_LINE, text, str(error))
                if isinstance(rows, str):
                    set_aside[rows] += 1
                    continue
                for row in rows:
                    texts = []
                    for name, one in names:
                        field = row.get(name)
                        if not (type(field) is str and field.isascii()):
                            field, wrong = as_text(name, field, text, one)
                            if wrong and not fault:
                                fault = (name, field, wrong)
                        texts.append(field)
                    if fault:
                        column, value, reason = fault
                        bad.append(BadRow(source.name, number, column, printable(value), reason))
                        fault = None
                        continue
                    lines.append(number)
                    for out, field in zip(columns, texts, strict=True):
                        out.append(field)
            series = [pl.Series(name, out, dtype=pl.String) for name, out in zip(wanted, columns, strict=True)]
            yield RowBatch(pl.DataFrame(series), np.array(lines, np.int64), bad, done, set_aside)

    def _records(self, source: LogSource, encoding: str, size: int) -> Iterator[tuple[list[JsonRecord], float]]:
        """The objects of the file, some at a time, and the share read so far."""
        key = self._array_key(source)
        with open_source(source) as (stream, done):
            if key is not None:
                pieces = array_records(stream, encoding, size, key or None)
            else:
                pieces = line_records(stream, encoding, size)
            for records in pieces:
                yield records, done()

    def _array_key(self, source: LogSource) -> str | None:
        """The key of the array that a file holds, '' for a file that is an array; None for lines."""
        with open_source(source) as (stream, _):
            head = stream.read(HEADER_BYTES)
        if self.array and re.search(rf'"{self.array}"\s*:\s*\['.encode(), head):
            return self.array
        return "" if _ARRAY.match(head) else None


jsonl_format = Json()


def line_records(stream: BinaryIO, encoding: str, size: int) -> Iterator[list[JsonRecord]]:
    """The records of JSON lines, those of about `size` bytes at a time; their number is that of their line."""
    line = 0
    for block, too_long, _ in read_blocks(stream, size):
        text = decode(block, encoding).removeprefix("\ufeff") if line == 0 else decode(block, encoding)
        records = []
        if too_long:
            line += 1
            records.append(JsonRecord(line, text, {}, TOO_LONG))
        else:
            for row in text.removesuffix("\n").split("\n"):
                line += 1
                if row.strip():
                    records.append(JsonRecord(line, row, *read_object(row)))
        yield records
