"""Tiles of a library's recordings, read by threads ahead of the encoder; a bad file gives a fault, no exception."""

import collections
import dataclasses
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.audio import io
from mu.data.clips.clips import Clips, audio_root, load
from mu.data.clips.store import open_store
from mu.data.crops import cut, tile_starts
from mu.data.faults import Fault
from mu.files import hash_file
from mu.inference.pooling import Tiles

# A recording is read in pieces of so many seconds: memory does not depend on how long it is.
PIECE_S = 300.0
# Tiles that wait for the encoder, at most (and one piece): as many pieces of long recordings as there are processors
# would fill the memory.
WAITING_BYTES = 1 << 29


def open_library(path: str | os.PathLike[str], sample_rate_hz: int, root: str | None = None) -> Clips:
    """The clips of an import, whose files are read even where there is a store.

    A store holds 16 bits a sample: what is embedded would depend on whether there is one. Clips that never were
    files (TFDS) are read from it.

    Args:
      path: the folder that `mu import-audio` wrote.
      sample_rate_hz: at which the audio is wanted.
      root: where the files lie, if they have moved since.

    Raises:
      FileNotFoundError: there is no import, or its audio is gone.
      ValueError: it holds no clips.
    """
    clips = load(path, sample_rate_hz=sample_rate_hz, audio=False)
    if not len(clips):
        raise ValueError(f"{path} holds no clips; there is nothing to embed")
    odd = clips.table.filter(~pl.col("content_hash").str.contains("^[0-9a-f]{64}$").fill_null(False))
    if len(odd):
        raise ValueError(
            f"clip {odd['clip'][0]!r} of {path} has the content_hash {odd['content_hash'][0]!r}, which is no sha256: "
            "import the library again"
        )
    place = audio_root(Path(path), clips.card, root)
    if place is None:
        return dataclasses.replace(clips, store=open_store(Path(path) / "store"))
    return dataclasses.replace(clips, root=place)


def pieces(clips: Clips, rows: Iterable[int], tile_samples: int, threads: int) -> Generator[tuple[int, Tiles | Fault]]:
    """(row, tiles or fault) of the clips at `rows`, in order; a long clip comes in several pieces.

    Tiles cover a recording from its beginning, the last one reaching back (`mu.data.crops.tile_starts`).

    Args:
      clips: as `open_library` gives them.
      rows: of its table.
      tile_samples: N.
      threads: that read; they change no result.
    """
    per_piece = max(int(PIECE_S * clips.sample_rate_hz / tile_samples), 1)

    def tasks() -> Iterator[tuple[int, np.ndarray, int]]:
        for row in rows:
            _, starts = tile_starts(clips.lengths[row : row + 1], tile_samples)
            for first in range(0, len(starts), per_piece):
                yield row, starts[first : first + per_piece], len(starts)

    def size(task: tuple[int, np.ndarray, int]) -> int:
        return len(task[1]) * tile_samples * 4

    for (row, _, _), answer in _ahead(lambda task: _read(clips, tile_samples, *task), tasks(), size, threads):
        yield row, answer


def _read(clips: Clips, tile_samples: int, row: int, starts: np.ndarray, n_tiles: int) -> Tiles | Fault:
    """Tiles that begin at `starts`."""
    begin, end = int(starts[0]), int(starts[-1]) + tile_samples
    try:
        if clips.store is not None:
            sound = _stored(clips, row)[: int(clips.lengths[row])][begin:end]
        else:
            if begin == 0 and (fault := _changed(clips, row)):
                return fault
            sound = clips.waveform(row, begin, end - begin)
    except io.AudioError as error:
        return Fault("undecodable", error.reason)
    audio, samples = cut(sound, starts - begin, tile_samples)
    if not samples.all():
        end_s, expected_s = (begin + len(sound)) / clips.sample_rate_hz, clips.table["duration_s"][row]
        return Fault("truncated", f"it ends at {end_s:.3f} s; when it was imported it held {expected_s:.3f} s")
    return Tiles(n_tiles, audio, samples)


def _changed(clips: Clips, row: int) -> Fault | None:
    """What is wrong with the file, if it is not the one that was imported."""
    path = clips.root / clips.table["file"][row]
    try:
        content_hash = hash_file(os.fspath(path))
    except FileNotFoundError:
        return Fault("missing", f"there is no file {path}")
    except OSError as error:
        return Fault("undecodable", f"it cannot be read ({error.strerror})")
    if content_hash != clips.table["content_hash"][row]:
        return Fault("changed", "it holds other bytes than when it was imported: import the library again")
    return None


def _stored(clips: Clips, row: int) -> np.ndarray:
    """A whole record, at the rate that is asked for."""
    store: Any = clips.store
    sound = store.waveform(int(clips.store_rows[row])).astype(np.float32) / 32768
    return io.resample(sound, store.sample_rate_hz, clips.sample_rate_hz)


def _ahead(
    function: Callable[[Any], Any], tasks: Iterable[Any], size: Callable[[Any], int], threads: int
) -> Iterator[tuple[Any, Any]]:
    """(task, function(task)) in order, a few of them done ahead by threads: fewer where their answers' sizes add up."""
    waiting: collections.deque[tuple[Any, Future[Any]]] = collections.deque()
    waiting_bytes = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="embed") as pool:
        try:
            for task in tasks:
                while waiting and (len(waiting) > 2 * threads or waiting_bytes + size(task) > WAITING_BYTES):
                    done, answer = waiting.popleft()
                    yield done, answer.result()
                    waiting_bytes -= size(done)
                waiting.append((task, pool.submit(function, task)))
                waiting_bytes += size(task)
            while waiting:
                done, answer = waiting.popleft()
                yield done, answer.result()
        finally:
            pool.shutdown(cancel_futures=True)
