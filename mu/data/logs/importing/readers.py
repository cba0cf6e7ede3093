"""Formats by name."""

from typing import cast

from mu.data.logs.importing import delimited, jsonl, lists, parquet, tfds_source
from mu.data.logs.importing.sources import Reader, Source

_READERS = {
    "csv": delimited,
    "tsv": delimited,
    "recbole": delimited,
    "jsonl": jsonl,
    "lists": lists,
    "parquet": parquet,
    "tfds": tfds_source,
}


def reader(source: Source) -> Reader:
    """The module that reads `source`."""
    return cast(Reader, _READERS[source.format])
