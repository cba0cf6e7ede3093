"""Imports of audio in one worker, and what they leave on disk."""

import json

from mu.data.clips.importing.options import AudioImportOptions

ONE = AudioImportOptions(workers=1)


def ledger_of(folder):
    """The entries of the ledger of faults."""
    return [json.loads(line) for line in (folder / "faults.jsonl").read_text().splitlines()]


def contents(folder):
    """The result, byte by byte; the journal and the card's name for the source are no part of it."""
    return {name: (folder / name).read_bytes() for name in ("clips.parquet", "faults.jsonl")}
