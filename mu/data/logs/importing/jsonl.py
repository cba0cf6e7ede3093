"""JSON lines: one object a line. Numbers are taken as they are written, so that no id loses a digit."""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from mu.data.logs.importing.sources import (
    BadRow,
    Batch,
    Settings,
    Source,
    decode,
    is_invalid,
    open_bytes,
    read_block,
    shown,
)

BLOCK_BYTES = 8 << 20
HEADER_LINES = 100
_decoder = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def header(source: Source, settings: Settings) -> list[str]:
    """The keys of the first hundred objects, in order of appearance."""
    names: dict[str, None] = {}
    with open_bytes(source.name) as (stream, _):
        for _ in range(HEADER_LINES):
            record, _fault = _record(decode(stream.readline(), settings.encoding))
            names |= dict.fromkeys(record)
    if not names:
        raise ValueError(f"{source.label}: no JSON object in its first {HEADER_LINES} lines")
    return list(names)


def batches(source: Source, wanted: Sequence[str], settings: Settings) -> Iterator[Batch]:
    """Keys `wanted`; a missing key and null are missing fields."""
    line = 0
    with open_bytes(source.name) as (stream, done):
        while block := read_block(stream, BLOCK_BYTES):
            columns: list[list[str]] = [[] for _ in wanted]
            lines: list[int] = []
            bad: list[BadRow] = []
            for text in decode(block, settings.encoding).removesuffix("\n").split("\n"):
                line += 1
                if not text.strip():
                    continue
                record, fault = _record(text)
                column, value = "(line)", text
                values = [record.get(name) for name in wanted]
                if is_invalid(text):
                    fault = f"invalid {settings.encoding} (see --encoding)"
                    for name, field in record.items():
                        if isinstance(field, str) and is_invalid(field):
                            column, value = name, field
                            break
                elif not fault:
                    for name, field in zip(wanted, values, strict=True):
                        if isinstance(field, dict | list):
                            column, value, fault = name, json.dumps(field), "one value is due, not several"
                            break
                if fault:
                    bad.append(BadRow(source.label, line, column, shown(value), fault))
                    continue
                lines.append(line)
                for out, field in zip(columns, values, strict=True):
                    out.append("" if field is None else str(field))
            series = [pl.Series(name, out, dtype=pl.String) for name, out in zip(wanted, columns, strict=True)]
            yield Batch(pl.DataFrame(series), np.array(lines, np.int64), bad, done())


def _record(text: str) -> tuple[dict[str, object], str]:
    """The object of a line, or an empty one and what is wrong."""
    try:
        record = _decoder.decode(text.removeprefix("\ufeff").strip())
    except json.JSONDecodeError as error:
        return {}, f"not JSON: {error.msg} at character {error.pos + 1}"
    if not isinstance(record, dict):
        return {}, "not a JSON object"
    return record, ""
