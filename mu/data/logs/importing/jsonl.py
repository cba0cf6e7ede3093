"""JSON lines: one object a line. Numbers are kept as they are written, so that no id loses a digit."""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.fields import WHOLE_LINE
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.text_files import decode, is_invalid, open_bytes, printable, read_block

BLOCK_BYTES = 8 << 20
HEADER_LINES = 100
_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class JsonLines:
    """The format of JSON lines."""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """The keys of the first hundred objects, in order of appearance."""
        names: dict[str, None] = {}
        with open_bytes(source.name) as (stream, _):
            for _ in range(HEADER_LINES):
                record, _fault = _record(decode(stream.readline(), options.encoding))
                names |= dict.fromkeys(record)
        if not names:
            raise ValueError(f"{source.label}: no JSON object in its first {HEADER_LINES} lines")
        return list(names)

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The values of the keys `wanted`; a key that is missing or null is a missing field."""
        line = 0
        with open_bytes(source.name) as (stream, done):
            while block := read_block(stream, BLOCK_BYTES):
                columns: list[list[str]] = [[] for _ in wanted]
                lines: list[int] = []
                bad: list[BadRow] = []
                for text in decode(block, options.encoding).removesuffix("\n").split("\n"):
                    line += 1
                    if not text.strip():
                        continue
                    record, fault = _record(text)
                    values = [record.get(name) for name in wanted]
                    problem = _problem(text, record, fault, dict(zip(wanted, values, strict=True)), options.encoding)
                    if problem:
                        column, value, reason = problem
                        bad.append(BadRow(source.label, line, column, printable(value), reason))
                        continue
                    lines.append(line)
                    for out, field in zip(columns, values, strict=True):
                        out.append("" if field is None else str(field))
                series = [pl.Series(name, out, dtype=pl.String) for name, out in zip(wanted, columns, strict=True)]
                yield RowBatch(pl.DataFrame(series), np.array(lines, np.int64), bad, done())


jsonl_format = JsonLines()


def _record(text: str) -> tuple[dict[str, object], str]:
    """The object of a line and '', or an empty object and what is wrong."""
    try:
        record = _decoder.decode(text.removeprefix("\ufeff").strip())
    except json.JSONDecodeError as error:
        return {}, f"not JSON: {error.msg} at character {error.pos + 1}"
    if not isinstance(record, dict):
        return {}, "not a JSON object"
    return record, ""


def _problem(
    text: str, record: dict[str, object], fault: str, values: dict[str, object], encoding: str
) -> tuple[str, str, str] | None:
    """The column, value and reason of a bad line; None for a good one."""
    if is_invalid(text):
        reason = f"invalid {encoding} (see --encoding)"
        for name, field in record.items():
            if isinstance(field, str) and is_invalid(field):
                return name, field, reason
        return WHOLE_LINE, text, reason
    if fault:
        return WHOLE_LINE, text, fault
    for name, field in values.items():
        if isinstance(field, dict | list):
            return name, json.dumps(field), "one value is due, not several"
    return None
