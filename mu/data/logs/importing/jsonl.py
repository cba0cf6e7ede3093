"""JSON: one object a line, or an array of objects. Numbers are kept as written, so that no id loses a digit."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl

from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.fields import WHOLE_LINE
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.json_array import array_records
from mu.data.logs.importing.json_values import JsonRecord, as_text, fault_of, read_object
from mu.data.logs.importing.text_files import TOO_LONG, decode, is_invalid, open_bytes, printable, read_blocks

BLOCK_BYTES = 2 << 20
HEADER_RECORDS = 100
HEADER_BYTES = 1 << 16
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*(?:[{\]]|$)")


class Json:
    """The format of JSON lines, and of arrays of objects."""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """The keys of the first hundred objects, in order of appearance."""
        names: dict[str, None] = {}
        records_of = _reader(source)
        with open_bytes(source.name) as (stream, _):
            n = 0
            for records in records_of(stream, options.encoding, HEADER_BYTES):
                for row in records[: HEADER_RECORDS - n]:
                    names |= dict.fromkeys(row.record)
                n += len(records)
                if n >= HEADER_RECORDS:
                    break
        if not names:
            raise ValueError(
                f"{source.name}: no JSON object in its first {HEADER_RECORDS} lines; it must hold one object a line, "
                "or one array of objects"
            )
        return list(names)

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The values of the keys `wanted`; a key that is missing or null is a missing field."""
        records_of = _reader(source)
        names = [(name, name in options.one_value) for name in wanted]
        with open_bytes(source.name) as (stream, done):
            for records in records_of(stream, options.encoding, BLOCK_BYTES):
                columns: list[list[str]] = [[] for _ in wanted]
                lines: list[int] = []
                bad: list[BadRow] = []
                for number, text, record, wrong_json in records:
                    fault = (WHOLE_LINE, text, wrong_json) if wrong_json else None
                    if is_invalid(text):
                        fault = fault_of(record, text, options.encoding)
                    texts = []
                    for name, one in names:
                        field = record.get(name)
                        if not (type(field) is str and field.isascii()):
                            field, wrong = as_text(name, field, text, one)
                            if wrong and not fault:
                                fault = (name, field, wrong)
                        texts.append(field)
                    if fault:
                        column, value, reason = fault
                        bad.append(BadRow(source.name, number, column, printable(value), reason))
                        continue
                    lines.append(number)
                    for out, field in zip(columns, texts, strict=True):
                        out.append(field)
                series = [pl.Series(name, out, dtype=pl.String) for name, out in zip(wanted, columns, strict=True)]
                yield RowBatch(pl.DataFrame(series), np.array(lines, np.int64), bad, done())


jsonl_format = Json()


def _reader(source: LogSource) -> Callable[[BinaryIO, str, int], Iterator[list[JsonRecord]]]:
    """The reader of the file: of an array, or of lines."""
    with open_bytes(source.name) as (stream, _):
        return array_records if _ARRAY.match(stream.read(HEADER_BYTES)) else line_records


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
