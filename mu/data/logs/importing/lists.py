"""Lists: a line is `user item item ...`, separated by white space, items in the order of plays."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from mu.data.logs.importing.archives import open_source
from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.fields import WHOLE_LINE
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.text_files import BOM, TOO_LONG, decode, invalid_text, is_invalid, printable, read_blocks

BLOCK_BYTES = 8 << 20


class Lists:
    """The format of a user and their items on each line."""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """Always user and track."""
        return ["user", "track"]

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """One row a play. A line with a user alone has no play; blank lines are skipped."""
        line = 0
        with open_source(source) as (stream, done):
            for block, too_long, _ in read_blocks(stream, BLOCK_BYTES):
                users: list[str] = []
                tracks: list[str] = []
                counts: list[int] = []
                lines: list[int] = []
                bad: list[BadRow] = []
                text = decode(block.removeprefix(BOM) if line == 0 else block, options.encoding)
                doubtful = too_long or is_invalid(text) or "\r" in text
                for row in text.removesuffix("\n").split("\n"):
                    line += 1
                    words = row.split()
                    if doubtful and (fault := _fault(row, words, too_long, options.encoding)):
                        column, value, reason = fault
                        bad.append(BadRow(source.name, line, column, printable(value), reason))
                    elif words:
                        users.append(words[0])
                        counts.append(len(words) - 1)
                        lines.append(line)
                        tracks += words[1:]
                user_column = pl.Series("user", users, dtype=pl.String)
                repeat = np.repeat(np.arange(len(users)), counts)
                frame = pl.DataFrame(
                    {"user": user_column.gather(repeat), "track": pl.Series("track", tracks, dtype=pl.String)}
                )
                yield RowBatch(frame.select(wanted), np.repeat(np.array(lines, np.int64), counts), bad, done())


def _fault(row: str, words: list[str], too_long: bool, encoding: str) -> tuple[str, str, str] | None:
    """The column, value and reason of a bad line; None for a good one."""
    if too_long:
        return WHOLE_LINE, row, TOO_LONG
    if "\r" in row.removesuffix("\r"):
        return WHOLE_LINE, row, "a carriage return inside of the line, as old Macs end lines"
    for word in words:
        if is_invalid(word):
            return "user" if word is words[0] else "track", word, invalid_text(encoding)
    return None


lists_format = Lists()
