"""The fields of blocks of delimited text: fast for blocks without faults, record by record for the others."""

import collections
import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl

from mu.data.logs.importing import text_kernels
from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.text_files import TOO_LONG, decode, invalid_text, is_invalid, printable, read_line

WHOLE_LINE = "(line)"


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How the fields of a line are separated.

    Attributes:
      separator: one ASCII character.
      quotes: whether fields may be quoted as in RFC 4180.
    """

    separator: str
    quotes: bool = False


def split_plain(
    block: bytes, names: list[str], wanted: Sequence[str], dialect: Dialect, encoding: str | None
) -> tuple[pl.DataFrame, np.ndarray] | None:
    """The fields of a block without faults, and the line of each row from 0; None for any other block.

    Without quotes, columns of whole numbers are Int64; all other columns are String.
    """
    if not block.isascii():
        try:
            text = block.decode(encoding or "utf-8")
        except UnicodeDecodeError:
            return None
        if encoding:
            block = text.encode("utf-8")
        del text
    if b"\0" in block or len(names) == 1:
        return None  # in one column, a blank line looks like an empty field
    quoted = dialect.quotes and b'"' in block
    lines = np.empty(0, np.int64)
    if quoted:
        block = _end_with_newline(block)
        lines = np.empty(block.count(b"\n") + 1, np.int64)
        data = np.frombuffer(block, np.uint8)
        n_rows = text_kernels.find_records(data, ord(dialect.separator), len(names), lines)
        if n_rows < 0:
            return None
        lines = lines[:n_rows].copy()
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if b"\r" in block:
        return None
    if quoted:
        fields = _texts(block, names, wanted, dialect)
        return None if fields is None or len(fields) != len(lines) else (fields, lines)
    return _split_unquoted(_end_with_newline(block), names, wanted, dialect)


def _end_with_newline(block: bytes) -> bytes:
    """The block without the blank lines at its end."""
    return block.rstrip(b"\r\n") + b"\n"


def _split_unquoted(
    block: bytes, names: list[str], wanted: Sequence[str], dialect: Dialect
) -> tuple[pl.DataFrame, np.ndarray] | None:
    """The same for a block without quotes and carriage returns."""
    n_rows = block.count(b"\n")
    slot_of = np.full(len(names), -1, np.int64)
    for slot, name in enumerate(wanted):
        slot_of[names.index(name)] = slot
    numbers = np.empty((len(wanted), n_rows), np.int64)
    integer = np.ones(len(wanted), bool)
    data = np.frombuffer(block, np.uint8)
    if text_kernels.split_integers(data, ord(dialect.separator), len(names), slot_of, numbers, integer) != n_rows:
        return None
    columns = {name: pl.Series(name, numbers[slot]) for slot, name in enumerate(wanted) if integer[slot]}
    del numbers
    if texts := [name for name, whole in zip(wanted, integer, strict=True) if not whole]:
        frame = _texts(block, names, texts, dialect)
        if len(frame) != n_rows:
            return None
        columns |= {column.name: column for column in frame}
    return pl.DataFrame([columns[name] for name in wanted]), np.arange(n_rows)


def _texts(block: bytes, names: list[str], wanted: Sequence[str], dialect: Dialect) -> pl.DataFrame:
    """The columns `wanted` as String, '' for empty fields."""
    frame = pl.read_csv(
        io.BytesIO(block),
        has_header=False,
        separator=dialect.separator,
        quote_char='"' if dialect.quotes else None,
        infer_schema=False,
        columns=sorted(names.index(name) for name in wanted),
    )
    frame.columns = sorted(wanted, key=names.index)
    return frame.select(pl.col(wanted).fill_null(""))


class Lines:
    """The lines of a block, with their numbers; where a quoted field goes on, further lines of the stream.

    Attributes:
      number: of the next line.
      encoding: of the text.
    """

    def __init__(self, block: bytes, stream: BinaryIO, number: int, encoding: str):
        # Lines end with a newline only: a carriage return elsewhere does not end one.
        self._waiting = collections.deque((line + b"\n", True) for line in block.removesuffix(b"\n").split(b"\n"))
        self._stream, self.number, self.encoding = stream, number, encoding

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def next_record(self, dialect: Dialect) -> tuple[list[str], str, str]:
        """The fields of the next record (none for a blank line), its text, and its fault or ''."""
        taken: list[tuple[bytes, bool]] = []

        def lines() -> Iterator[str]:
            while (line := self._waiting.popleft() if self._waiting else read_line(self._stream))[0]:
                taken.append(line)
                if not line[1]:
                    raise csv.Error(TOO_LONG)
                yield decode(line[0], self.encoding)

        fields, fault = [], ""
        if dialect.quotes:
            try:
                fields = next(csv.reader(lines(), delimiter=dialect.separator, strict=True))
            except csv.Error as error:
                fault = f"unreadable line: {error}"
                self._waiting.extendleft(reversed(taken[1:]))  # the lines after the bad one may have no fault
                del taken[1:]
        else:
            text = next(lines()).removesuffix("\n").removesuffix("\r")
            fields = text.split(dialect.separator) if text else []
            if any(len(field) > text_kernels.MAX_FIELD for field in fields):
                fault = f"a field of more than {text_kernels.MAX_FIELD:,} characters"
        self.number += len(taken)
        return fields, decode(b"".join(line for line, _ in taken), self.encoding), fault


def split_carefully(
    lines: Lines, names: list[str], wanted: Sequence[str], dialect: Dialect, label: str
) -> tuple[pl.DataFrame, np.ndarray, list[BadRow]]:
    """The fields of any block (String), the line of each row, and the bad rows."""
    places = [names.index(name) for name in wanted]
    columns: list[list[str]] = [[] for _ in wanted]
    numbers: list[int] = []
    bad: list[BadRow] = []
    while lines:
        number = lines.number
        fields, text, fault = lines.next_record(dialect)
        if not fault and not fields:
            continue
        column, value = WHOLE_LINE, text.rstrip("\r\n")
        if is_invalid(text):
            fault = invalid_text(lines.encoding)
            for name, field in zip(names, fields, strict=False):
                if is_invalid(field):
                    column, value = name, field
                    break
        elif not fault and len(fields) != len(names):
            fault = f"{len(fields)} fields where {len(names)} are due"
        if fault:
            bad.append(BadRow(label, number, column, printable(value), fault))
        else:
            numbers.append(number)
            for values, place in zip(columns, places, strict=True):
                values.append(fields[place])
    series = [pl.Series(name, values, dtype=pl.String) for name, values in zip(wanted, columns, strict=True)]
    return pl.DataFrame(series), np.array(numbers, np.int64), bad
