"""Faults of recordings, and the ledger that lists them: `faults.jsonl`, one JSON object a line."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

LEDGER = "faults.jsonl"


class Fault(NamedTuple):
    """One thing that is wrong with one recording.

    Attributes:
      fault: its name: 'missing', 'undecodable', ... (`mu.data.clips.importing.faults`), or 'changed'.
      reason: what was observed, in words.
    """

    fault: str
    reason: str


def read_ledger(path: Path) -> tuple[dict[str, str], ...]:
    """The entries of a ledger; none where there is no file."""
    if not path.is_file():
        return ()
    return tuple(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def ledger_text(entries: Iterable[dict[str, str]]) -> str:
    """The text of a ledger: file, fault, reason, done ('left out' or 'kept') of each entry."""
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
