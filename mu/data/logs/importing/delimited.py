"""Delimited text (CSV, TSV, RecBole's atomic files) in blocks of whole lines.

A kernel checks the structure of a block (fields of each record, quotes, line numbers) and polars parses its fields. A
block with a fault is split again, record by record, to report the fault with its line and column. Both give the same
fields for the same text. benchmarks/README.md says why this is not left to one library.

CSV is RFC 4180 (`"` quotes, `""` inside); in TSV and RecBole files a quote is a letter like any other.
"""

import collections
import csv
import dataclasses
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from mu.data.logs.importing.fields import Dialect, Lines, split_carefully, split_plain
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.text_files import BOM, decode, is_invalid, open_bytes, printable, read_block

BLOCK_BYTES = 16 << 20


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

        Raises:
          ValueError: the file is empty, or the names are not valid text or not distinct.
        """
        with open_bytes(source.name) as (stream, _):
            return self._header(stream, source, options)

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The columns `wanted`, a block of the file at a time."""
        utf8 = options.encoding.lower().replace("_", "-") in ("utf-8", "utf8")
        with open_bytes(source.name) as (stream, done):
            names = self._header(stream, source, options)
            line = 1 if options.columns else 2
            start = True
            while block := read_block(stream, BLOCK_BYTES):
                if start and options.columns:
                    block = block.removeprefix(BOM)
                start = False
                fields = split_plain(block, names, wanted, self.dialect, None if utf8 else options.encoding)
                if fields is not None:
                    frame, offsets = fields
                    yield RowBatch(frame, line + offsets, [], done())
                    line += block.count(b"\n") + (not block.endswith(b"\n"))
                else:
                    lines = Lines(block, stream, line, options.encoding)
                    frame, numbers, bad = split_carefully(lines, names, wanted, self.dialect, source.label)
                    line = lines.number
                    yield RowBatch(frame, numbers, bad, done())

    def _header(self, stream: BinaryIO, source: LogSource, options: ReadOptions) -> list[str]:
        """Reads past the line of names, if there is one."""
        if options.columns:
            return list(options.columns)
        raw = stream.readline()
        if not raw:
            raise ValueError(f"{source.label} is empty; its first line must name the columns")
        text = decode(raw.removeprefix(BOM), options.encoding)
        if is_invalid(text):
            raise ValueError(
                f"{source.label}, line 1 is not valid {options.encoding}: {printable(text)!r}; try --encoding=latin-1"
            )
        text = text.rstrip("\r\n")
        names = next(csv.reader([text]), [""]) if self.dialect.quotes else text.split(self.dialect.separator)
        if self.typed_names:
            names = [name.partition(":")[0] for name in names]
        twice = [name for name, count in collections.Counter(names).items() if count > 1]
        if twice:
            raise ValueError(f"{source.label}: two columns are called {twice[0]!r}")
        return names


csv_format = DelimitedFormat(Dialect(",", quotes=True))
tsv_format = DelimitedFormat(Dialect("\t"))
recbole_format = DelimitedFormat(Dialect("\t"), typed_names=True)
