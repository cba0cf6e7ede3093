"""Parquet, in batches of rows."""

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from mu.data.logs.importing.sources import Batch, Settings, Source

BATCH_ROWS = 1 << 19


def header(source: Source, settings: Settings) -> list[str]:
    """The columns of the schema."""
    return list(pl.read_parquet_schema(source.name))


def batches(source: Source, wanted: Sequence[str], settings: Settings) -> Iterator[Batch]:
    """Columns keep their types."""
    scan = pl.scan_parquet(source.name).select(wanted)
    n_rows = scan.select(pl.len()).collect().item()
    row = 0
    for frame in scan.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True, engine="streaming"):
        yield Batch(frame, np.arange(row + 1, row + 1 + len(frame)), [], (row + len(frame)) / max(n_rows, 1))
        row += len(frame)
