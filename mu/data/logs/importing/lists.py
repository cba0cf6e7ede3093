"""Lists: a line is `user item item ...`, separated by white space, items in the order of plays."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from mu.data.logs.importing.bad_rows import BadRow
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch
from mu.data.logs.importing.text_files import BOM, decode, is_invalid, open_bytes, printable, read_block

BLOCK_BYTES = 8 << 20


class Lists:
    """The format of a user and their items on each line."""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """Always user and track."""
        return ["user", "track"]

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """One row a play. A line with a user alone has no play; blank lines are skipped."""
        line = 0
        with open_bytes(source.name) as (stream, done):
            while block := read_block(stream, BLOCK_BYTES):
                users: list[str] = []
                tracks: list[str] = []
                counts: list[int] = []
                lines: list[int] = []
                bad: list[BadRow] = []
                text = decode(block.removeprefix(BOM) if line == 0 else block, options.encoding)
                valid = not is_invalid(text)
                for words in map(str.split, text.removesuffix("\n").split("\n")):
                    line += 1
                    if not valid and (faults := [word for word in words if is_invalid(word)]):
                        column = "user" if faults[0] is words[0] else "track"
                        reason = f"invalid {options.encoding}"
                        bad.append(BadRow(source.label, line, column, printable(faults[0]), reason))
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


lists_format = Lists()
