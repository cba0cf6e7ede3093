"""CSV, TSV and RecBole's atomic files, in blocks of whole lines.

A block in which every line is plain (as many separators as the header, no quotes, valid text) is cut by a
kernel and by polars, one with quotes by Python's reader. A block in which either finds a fault is cut again, record
by record, to say what is wrong where. All give the same fields for the same text.

CSV is RFC 4180 (`"` quotes, `""` inside); in TSV and RecBole files a quote is a letter like any other.
"""

import collections
import csv
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl

from mu.data.logs.importing import kernels
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

BLOCK_BYTES = 16 << 20
BOM = b"\xef\xbb\xbf"
WHOLE_LINE = "(line)"


def header(source: Source, settings: Settings) -> list[str]:
    """The names in the first line (RecBole's without their types), or `settings.columns`.

    Raises:
      ValueError: the file is empty, or the names are not text or not all different.
    """
    with open_bytes(source.name) as (stream, _):
        return _header(stream, source, settings)


def _header(stream: BinaryIO, source: Source, settings: Settings) -> list[str]:
    """Reads past the line of names, if there is one."""
    if settings.columns:
        return list(settings.columns)
    raw = stream.readline()
    if not raw:
        raise ValueError(f"{source.label} is empty; its first line must name the columns")
    text = decode(raw.removeprefix(BOM), settings.encoding)
    if is_invalid(text):
        raise ValueError(
            f"{source.label}, line 1 is not valid {settings.encoding}: {shown(text)!r}; try --encoding=latin-1"
        )
    text = text.rstrip("\r\n")
    names = next(csv.reader([text]), [""]) if source.format == "csv" else text.split("\t")
    if source.format == "recbole":
        names = [name.partition(":")[0] for name in names]
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{source.label}: two columns are called {twice[0]!r}")
    return names


def batches(source: Source, wanted: Sequence[str], settings: Settings) -> Iterator[Batch]:
    """See the module."""
    utf8 = settings.encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    with open_bytes(source.name) as (stream, done):
        names = _header(stream, source, settings)
        line = 1 if settings.columns else 2
        start = True
        while block := read_block(stream, BLOCK_BYTES):
            if start and settings.columns:
                block = block.removeprefix(BOM)
            start = False
            cut = _cut_plain(block, names, wanted, source.format, None if utf8 else settings.encoding)
            if cut is not None:
                frame, offsets = cut
                yield Batch(frame, line + offsets, [], done())
                line += block.count(b"\n") + (not block.endswith(b"\n"))
            else:
                frame, lines, bad, line = _cut_carefully(block, stream, line, names, wanted, source, settings)
                yield Batch(frame, lines, bad, done())


def _cut_plain(
    block: bytes, names: list[str], wanted: Sequence[str], format: str, encoding: str | None
) -> tuple[pl.DataFrame, np.ndarray] | None:
    """The fields of a block of sound lines, whole numbers as Int64, and the line of each row from 0; None otherwise."""
    if not block.isascii():
        try:
            text = block.decode(encoding or "utf-8")
        except UnicodeDecodeError:
            return None
        if encoding:
            block = text.encode("utf-8")
        del text
    if b"\0" in block:
        return None
    if format == "csv" and b'"' in block:
        return _cut_quoted(block.decode(), names, wanted)
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if b"\r" in block:
        return None
    block = block.rstrip(b"\n") + b"\n"  # blank lines at the end of a block hold nothing
    n_rows = block.count(b"\n")
    separator = "," if format == "csv" else "\t"
    if len(names) == 1:
        return None  # a blank line and an empty field look alike
    slot_of = np.full(len(names), -1, np.int64)
    for slot, name in enumerate(wanted):
        slot_of[names.index(name)] = slot
    numbers = np.empty((len(wanted), n_rows), np.int64)
    integer = np.ones(len(wanted), bool)
    data = np.frombuffer(block, np.uint8)
    if kernels.cut_integers(data, ord(separator), len(names), slot_of, numbers, integer) != n_rows:
        return None
    texts = [name for name, whole in zip(wanted, integer, strict=True) if not whole]
    columns = {name: pl.Series(name, numbers[slot]) for slot, name in enumerate(wanted) if integer[slot]}
    del numbers
    if texts:
        read = pl.read_csv(
            io.BytesIO(block),
            has_header=False,
            separator=separator,
            quote_char=None,
            infer_schema=False,
            columns=sorted(names.index(name) for name in texts),
        )
        if len(read) != n_rows:
            return None
        for name, column in zip(sorted(texts, key=names.index), read, strict=True):
            columns[name] = column.alias(name).fill_null("")
    return pl.DataFrame([columns[name] for name in wanted]), np.arange(n_rows)


def _cut_quoted(text: str, names: list[str], wanted: Sequence[str]) -> tuple[pl.DataFrame, np.ndarray] | None:
    """The same with quotes, as long as every record is sound and ends within the block: one reader for all."""
    places = [names.index(name) for name in wanted]
    columns: list[list[str]] = [[] for _ in wanted]
    ends = []
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    try:
        for fields in reader:
            if len(fields) != len(names):
                return None
            ends.append(reader.line_num)
            for values, place in zip(columns, places, strict=True):
                values.append(fields[place])
    except csv.Error:
        return None
    offsets = np.array([0, *ends[:-1]], np.int64)  # a record begins where the one before ended
    series = [pl.Series(name, values, dtype=pl.String) for name, values in zip(wanted, columns, strict=True)]
    return pl.DataFrame(series), offsets


def _cut_carefully(
    block: bytes,
    stream: BinaryIO,
    line: int,
    names: list[str],
    wanted: Sequence[str],
    source: Source,
    settings: Settings,
) -> tuple[pl.DataFrame, np.ndarray, list[BadRow], int]:
    """The fields of any block; takes further lines from `stream` where a quoted field goes on.

    Returns:
      The columns (String), the line of each row, the bad rows, and the line after the block.
    """
    waiting = collections.deque(_lines(block))
    places = [names.index(name) for name in wanted]
    columns: list[list[str]] = [[] for _ in wanted]
    lines: list[int] = []
    bad: list[BadRow] = []
    while waiting:
        taken: list[bytes] = []
        fields, fault = _next_record(waiting, stream, taken, source.format, settings.encoding)
        if fault:
            waiting.extendleft(reversed(taken[1:]))  # what follows the bad line may be sound
            del taken[1:]
        text = decode(b"".join(taken), settings.encoding)
        if not fault and not fields:
            line += len(taken)
            continue
        column, value = WHOLE_LINE, text.rstrip("\r\n")
        if is_invalid(text):
            fault = f"invalid {settings.encoding} (see --encoding)"
            for name, field in zip(names, fields, strict=False):
                if is_invalid(field):
                    column, value = name, field
                    break
        elif not fault and len(fields) != len(names):
            fault = f"{len(fields)} fields where {len(names)} are due"
        if fault:
            bad.append(BadRow(source.label, line, column, shown(value), fault))
        else:
            lines.append(line)
            for values, place in zip(columns, places, strict=True):
                values.append(fields[place])
        line += len(taken)
    series = [pl.Series(name, values, dtype=pl.String) for name, values in zip(wanted, columns, strict=True)]
    return pl.DataFrame(series), np.array(lines, np.int64), bad, line


def _lines(block: bytes) -> list[bytes]:
    """Lines by newline alone: a carriage return elsewhere is no end of a line."""
    return [line + b"\n" for line in block.removesuffix(b"\n").split(b"\n")]


def _next_record(
    waiting: collections.deque[bytes], stream: BinaryIO, taken: list[bytes], format: str, encoding: str
) -> tuple[list[str], str]:
    """The fields of the next record (none for a blank line) and its fault, if any; `taken` gets its lines."""

    def lines() -> Iterator[str]:
        while raw := waiting.popleft() if waiting else stream.readline():
            taken.append(raw)
            yield decode(raw, encoding)

    if format != "csv":
        text = next(lines()).removesuffix("\n").removesuffix("\r")
        return (text.split("\t") if text else []), ""
    try:
        return next(csv.reader(lines(), strict=True)), ""
    except csv.Error as error:
        return [], f"unreadable line: {error}"
