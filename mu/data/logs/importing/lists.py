"""Lists: a line is `user item item ...`, separated by white space, items in the order of plays."""

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


def header(source: Source, settings: Settings) -> list[str]:
    """Always user and track."""
    return ["user", "track"]


def batches(source: Source, wanted: Sequence[str], settings: Settings) -> Iterator[Batch]:
    """One row per play. A line with a user alone holds no play; blank lines are passed over."""
    line = 0
    with open_bytes(source.name) as (stream, done):
        while block := read_block(stream, BLOCK_BYTES):
            users: list[str] = []
            tracks: list[str] = []
            counts: list[int] = []
            lines: list[int] = []
            bad: list[BadRow] = []
            text = decode(block.removeprefix(b"\xef\xbb\xbf") if line == 0 else block, settings.encoding)
            valid = not is_invalid(text)
            for words in map(str.split, text.removesuffix("\n").split("\n")):
                line += 1
                if not valid and (faults := [word for word in words if is_invalid(word)]):
                    column = "user" if faults[0] is words[0] else "track"
                    bad.append(BadRow(source.label, line, column, shown(faults[0]), f"invalid {settings.encoding}"))
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
            yield Batch(frame.select(wanted), np.repeat(np.array(lines, np.int64), counts), bad, done())
