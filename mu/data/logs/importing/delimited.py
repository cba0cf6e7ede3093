"""Delimited text (CSV, TSV, RecBole's atomic files) in blocks of whole lines.

A kernel checks the structure of a block (fields of each record, quotes, line numbers) and polars parses its fields. A
block with a fault is split again, record by record, to report the fault with its line and column. Both give the same
fields for the same text. benchmarks/README.md says why this is not left to one library.

CSV is RFC 4180 (`"` quotes, `""` inside); in TSV and RecBole files a quote is a letter like any other.
"""

import csv
import dataclasses
import io
import logging
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import polars as pl

from mu.data.logs.importing.archives import open_source
from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.fields import WHOLE_LINE, Dialect, Lines, split_carefully, split_plain
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.text_files import (
    BOM,
    TOO_LONG,
    decode,
    is_invalid,
    printable,
    read_blocks,
    read_line,
)
from mu.data.tables import distinct_names

BLOCK_BYTES = 16 << 20
MAX_NAME = 1000  # characters in the name of a column
MAX_NAMES = 100_000
SEPARATORS = {
    ",": "add --format=csv",
    ";": "add --format=semicolons",
    "\t": "add --format=tsv",
    "|": "",
    "::": "",
    " ": "",
}
logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class DelimitedFormat:
    """A format of separated fields, with the names of the columns in the first line.

    Attributes:
      dialect: how fields are separated.
      typed_names: whether the names have types (`user_id:token`), which are dropped.
    """

    dialect: Dialect
    typed_names: bool = False

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """The names in the first line, or `options.columns`.

        A column without a name is called `column_2` by its place, a repeated name `name_2`.

        Raises:
          ValueError: the file is empty, or its first line does not name columns.
        """
        with open_source(source) as (stream, _):
            written = self._header(stream, source, options)
        names = self._distinct(written)
        repeated = len(set(written)) < len(written) and not self.typed_names
        changed = [f"{old!r} as {new!r}" for old, new in zip(written, names, strict=True) if old.strip() and new != old]
        if repeated and changed:
            logger.warning("%s has several columns of one name; read %s", source.name, ", ".join(changed))
        return names

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The columns `wanted`, a block of the file at a time."""
        utf8 = options.encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        with open_source(source) as (stream, done):
            written = self._header(stream, source, options)
            names = self._distinct(written)
            header = {} if options.columns else dict(zip(names, written, strict=True))
            line = 1 if options.columns else 2
            start = True
            for block, too_long, followed in read_blocks(stream, BLOCK_BYTES):
                if start and options.columns:
                    block = block.removeprefix(BOM)
                start = False
                if too_long:
                    bad = [BadRow(source.name, line, WHOLE_LINE, printable(decode(block, options.encoding)), TOO_LONG)]
                    yield RowBatch(pl.DataFrame(schema=dict.fromkeys(wanted, pl.String)), np.empty(0, int), bad, done())
                    line += 1
                    continue
                fields = split_plain(block, names, wanted, self.dialect, None if utf8 else options.encoding)
                if fields is not None:
                    frame, offsets = fields
                    batch = RowBatch(frame, line + offsets, [], done())
                    line += block.count(b"\n") + (not block.endswith(b"\n"))
                else:
                    lines = Lines(block, stream if followed else io.BytesIO(), line, options.encoding)
                    frame, numbers, bad = split_carefully(lines, names, wanted, self.dialect, source.name)
                    line = lines.number
                    batch = RowBatch(frame, numbers, bad, done())
                yield _without_headers(batch, header, source.name)

    def _header(self, stream: BinaryIO, source: LogSource, options: ReadOptions) -> list[str]:
        """Reads past the line of names, if there is one; the names as they are written."""
        if options.columns:
            return list(options.columns)
        raw, whole = read_line(stream)
        if not raw:
            raise ValueError(f"{source.name} is empty; its first line must name the columns")
        text = decode(raw.removeprefix(BOM), options.encoding).rstrip("\r\n")
        if is_invalid(text):
            raise ValueError(
                f"{source.name}, line 1 is not valid {options.encoding}: {printable(text)!r}; try --encoding=latin-1"
            )
        if "\r" in text:
            raise ValueError(
                f"{source.name} has line ends of old Macs (carriage returns); convert them first: "
                "tr '\\r' '\\n' < OLD > NEW"
            )
        due = "the first line must name the columns (or give --columns)"
        if not whole or not text.strip():
            raise ValueError(f"{source.name}: its first line is {'blank' if whole else TOO_LONG}; {due}")
        try:
            names = self._split(text)
        except csv.Error as error:
            raise ValueError(f"{source.name}: its first line cannot be split into names ({error}); {due}") from error
        if longest := max((name for name in names if len(name) > MAX_NAME), key=len, default=""):
            raise ValueError(f"{source.name}: its first line has a name of {len(longest):,} characters; {due}")
        if len(names) > MAX_NAMES:
            raise ValueError(f"{source.name}: its first line names {len(names):,} columns; {due}")
        for separator, remedy in SEPARATORS.items() if len(names) == 1 else ():
            if separator in names[0]:
                raise ValueError(
                    f"{source.name}: its first line, {printable(names[0])!r}, names one column; it looks separated by "
                    f"{separator!r}, where {self.dialect.separator!r} is due: "
                    f"{remedy + ', or ' if remedy else ''}convert the file"
                )
        return names

    def _split(self, text: str) -> list[str]:
        if not self.dialect.quotes:
            return text.split(self.dialect.separator)
        return next(csv.reader([text], delimiter=self.dialect.separator, strict=True))

    def _distinct(self, written: list[str]) -> list[str]:
        """The names without types; empty and repeated ones get a number, of their place or of their turn."""
        return distinct_names([name.partition(":")[0] if self.typed_names else name for name in written])


def _without_headers(batch: RowBatch, header: dict[str, str], label: str) -> RowBatch:
    """The batch without rows that name the columns again, as in files that were put together: they are bad rows."""
    frame = batch.frame
    if not header or any(dtype != pl.String for dtype in frame.dtypes) or not len(frame):
        return batch
    again = frame.select(pl.all_horizontal(pl.col(name) == header[name] for name in frame.columns)).to_series()
    if not again.any():
        return batch
    bad = [
        BadRow(label, int(line), WHOLE_LINE, "", "names the columns again") for line in batch.lines[again.to_numpy()]
    ]
    rows = sorted([*batch.bad, *bad], key=lambda row: row.line)
    return RowBatch(frame.filter(~again), batch.lines[~again.to_numpy()], rows, batch.done)


csv_format = DelimitedFormat(Dialect(",", quotes=True))
semicolon_format = DelimitedFormat(Dialect(";", quotes=True))
tsv_format = DelimitedFormat(Dialect("\t"))
recbole_format = DelimitedFormat(Dialect("\t"), typed_names=True)
