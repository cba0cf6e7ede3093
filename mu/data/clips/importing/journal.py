"""Journal of a scan: an append-only file of measurements, with which a killed scan resumes."""

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import Any

import polars as pl

from mu.data.clips.importing.scan import Facts
from mu.files import naming
from mu.locks import Lock

FILE, LOCK = "scan.jsonl", ".import.lock"
FLUSH_EVERY_S = 1.0
FLUSH_EVERY = 64
_TYPES: dict[Any, Any] = {str: pl.String, int: pl.Int64, bool: pl.Boolean, float: pl.Float64, float | None: pl.Float64}
# A line: which bytes were scanned (clip, size, mtime_ns), and what was found.
_KEY = {"clip": pl.String, "size": pl.Int64, "mtime_ns": pl.Int64}
_SCHEMA = {field.name: _TYPES[field.type] for field in dataclasses.fields(Facts)} | _KEY
_BLOCK_BYTES = 1 << 13
# A journal's first bytes.
_BEGINS = b'{"source": '


class Journal:
    """The journal of the scan that writes to `folder`; only one process may have it open.

    Args:
      folder: the output of the import.
      source: what is scanned; a journal of another source is refused.
      versions: of what measures; a journal of other versions is begun again.

    Raises:
      FileExistsError: the folder holds the import of another source, or is being written by another process.
    """

    def __init__(self, folder: Path, source: str, versions: dict[str, Any]):
        self.path = folder / FILE
        self._head = {"source": source, "versions": versions}
        self._lock = Lock(folder / LOCK)
        self._lock.acquire()
        try:
            self._file = open(self.path, "a+b")  # noqa: SIM115
        except BaseException:
            self._lock.release()
            raise
        try:
            with naming(self.path):
                self._begin(folder)
        except BaseException:
            self.__exit__()
            raise
        self._waiting, self._flushed = 0, time.monotonic()

    def _begin(self, folder: Path) -> None:
        self._file.seek(0)
        first = self._file.readline()
        try:
            # A line without an end was being written when the process was killed.
            head = json.loads(first) if first.endswith(b"\n") else {}
        except ValueError:
            head = None
        ours = isinstance(head, dict) and set(head) in (set(), set(self._head))
        if not ours or (not head and not first.startswith(_BEGINS[: len(first)])):
            raise FileExistsError(f"{self.path} is no journal of an import; choose another --output")
        if head and head["source"] != self._head["source"]:
            raise FileExistsError(
                f"{folder} holds the import of another source ({head['source']}); "
                "choose another --output, or delete that folder"
            )
        if head != self._head:
            self._file.truncate(0)
            self._file.write(json.dumps(self._head).encode() + b"\n")
            self._file.flush()
        else:
            self._drop_half_a_line()

    def _drop_half_a_line(self) -> None:
        """What a kill in the middle of a write left behind the last line."""
        end = self._file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(end - _BLOCK_BYTES, 0)
            self._file.seek(start)
            newline = self._file.read(end - start).rfind(b"\n")
            if newline >= 0:
                self._file.truncate(start + newline + 1)
                return
            end = start

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            with naming(self.path):
                self._file.close()
        finally:
            self._lock.release()

    def append(self, facts: Facts, size: int, mtime_ns: int) -> None:
        """Adds what was found of a clip. It goes to the operating system, which a kill cannot undo (a power cut can),
        with one of the next clips: when a second has passed, or with `FLUSH_EVERY` of them."""
        line = facts.as_dict() | {"size": size, "mtime_ns": mtime_ns}
        with naming(self.path):
            self._file.write(json.dumps(line).encode() + b"\n")
        self._waiting += 1
        if self._waiting >= FLUSH_EVERY or time.monotonic() - self._flushed > FLUSH_EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Everything so far, to the operating system."""
        with naming(self.path):
            self._file.flush()
        self._waiting, self._flushed = 0, time.monotonic()

    def facts(self, clips: pl.DataFrame) -> pl.DataFrame:
        """The latest measurements of unchanged `clips` (clip, size, mtime_ns), in their order."""
        self.flush()
        with open(self.path, "rb") as file:  # of a path, polars makes a pattern
            lines = pl.scan_ndjson(file, schema=_SCHEMA).filter(pl.col("clip").is_not_null())  # the head has no clip
            latest = lines.unique(list(_KEY), keep="last", maintain_order=True).collect()
        # Lines from before there was such a thing do not say whether an error was transient.
        latest = latest.with_columns(pl.col("transient").fill_null(False))
        return clips.join(latest, on=list(_KEY), how="inner", maintain_order="left")
