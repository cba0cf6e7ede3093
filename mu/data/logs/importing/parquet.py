"""Parquet, in batches of rows."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from mu.data import tables
from mu.data.logs.importing.formats import LogSource, ReadOptions, RowBatch

BATCH_ROWS = 1 << 19


class Parquet:
    """The format of Parquet files."""

    def header(self, source: LogSource, options: ReadOptions) -> list[str]:
        """The columns of the schema."""
        return tables.parquet_columns(source.name)

    def batches(self, source: LogSource, wanted: Sequence[str], options: ReadOptions) -> Iterator[RowBatch]:
        """The columns `wanted` with their types."""
        scan = tables.scan_parquet(source.name).select(wanted)
        n_rows = scan.select(pl.len()).collect().item()
        row = 0
        for frame in scan.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True, engine="streaming"):
            lines = np.arange(row + 1, row + 1 + len(frame))
            yield RowBatch(frame, lines, [], (row + len(frame)) / max(n_rows, 1))
            row += len(frame)


parquet_format = Parquet()
