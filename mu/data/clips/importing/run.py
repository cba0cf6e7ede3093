"""The import of a library, read top to bottom."""

import contextlib
import functools
import logging
import os
from pathlib import Path
from typing import Any

import polars as pl

from mu.audio import io
from mu.data.clips.importing import journal, results, scan, workers
from mu.data.clips.importing.faults import MISSING_FILE, faults_of, left_out
from mu.data.clips.importing.groups import check_group
from mu.data.clips.importing.journal import Journal
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.scan import Facts
from mu.data.clips.importing.source import MISSING, OWN_COLUMNS, AudioSource
from mu.data.clips.importing.sources import open_source
from mu.data.clips.importing.tags import TAGS
from mu.data.faults import Fault
from mu.protocols import ProgressCallback
from mu_kernels.threads import available_cpus

logger = logging.getLogger(__name__)


def import_audio(
    name: str,
    output: str | os.PathLike[str],
    options: AudioImportOptions | None = None,
    *,
    progress: ProgressCallback = lambda stage, done, total, note: None,
) -> dict[str, Any]:
    """Scans a library into the folder `output`; returns its card.

    The folder holds `clips.parquet` (a row for each good clip, in order of ids), `faults.jsonl` (which file has which
    fault, and whether it was left out), `card.json`, by option `store` (`mu.data.clips.store`), and `scan.jsonl`, the
    journal. A call that was interrupted goes on where it was, and a later call scans only files that are new or have
    changed, or that the machine failed to read. The number of workers does not show in the result.

    Args:
      name: a folder, a table, `tfds:NAME`, `mirdata:NAME` or what `options.source` takes (see `sources.open_source`).
      output: the folder to make, or to bring up to date.
      options: see `AudioImportOptions`.
      progress: called with the stage, how much of how much is done, and a note.

    Raises:
      OptionError: there is no column `options.group`.
      ValueError: options or a source that make no sense, no clip left, or with `on_error='stop'` a bad one.
      FileNotFoundError: no such source.
      FileExistsError: `output` holds something else.
    """
    options = options or AudioImportOptions()
    source = open_source(
        name,
        options.source,
        root=options.root,
        file_column=options.file_column,
        data_dir=options.data_dir,
        sample_rate_hz=options.sample_rate_hz,
    )
    folder = Path(output)
    _check_output(folder, source, name)
    if options.group is not None and source.attributes is not None:  # of records it is known when they have been read
        known = [*OWN_COLUMNS, *source.attributes.columns, *TAGS, *(f"tag_{name}" for name in TAGS)]
        check_group(options.group, list(dict.fromkeys(known)))
    folder.mkdir(parents=True, exist_ok=True)
    versions = {"scan": scan.VERSION, "libsndfile": io.LIBRARIES["libsndfile"]}
    n_workers = options.workers or available_cpus()
    with Journal(folder, source.identity, versions) as log:
        _scan(source, log, options, n_workers, progress)
        scanned = log.facts(source.clips)
        rows, ledger = results.apply_faults(source, scanned, options)
        if options.on_error == "stop":
            for entry in ledger:
                _stop(entry["file"], [Fault(entry["fault"], entry["reason"])], left_out(options.keep, options.drop))
        table = results.table(source, scanned[rows])
        return results.write(folder, name, source, table, ledger, options, n_workers, progress)


def _check_output(folder: Path, source: AudioSource, name: str) -> None:
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / journal.FILE).is_file():
            raise FileExistsError(f"{folder} holds something else than an import of audio; choose another --output")
    elif folder.exists() or folder.is_symlink():
        raise FileExistsError(f"{folder} exists and is not a folder; choose another --output")
    # A table names its files; of a folder the next scan would find what this one writes.
    if source.identity.startswith("folder ") and folder.resolve().is_relative_to(Path(name).resolve()):
        raise ValueError(f"--output={folder} lies inside {name}, the folder that is scanned; choose one outside")


def _scan(
    source: AudioSource,
    log: Journal,
    options: AudioImportOptions,
    n_workers: int,
    progress: ProgressCallback,
) -> None:
    """Brings the journal up to date; with `on_error='stop'` ends at the first bad clip that is met."""
    excluding = left_out(options.keep, options.drop) if options.on_error == "stop" else frozenset()
    there = source.clips.filter(pl.col("size") != MISSING)
    for clip, fault in [*source.unnamed, *((clip, MISSING_FILE) for clip in source.missing())]:
        _stop(clip, [fault], excluding)
    scanned = log.facts(there).filter(pl.col("transient").not_())
    for facts in results.facts_of_rows(scanned):
        _stop(facts.clip, faults_of(facts, options.silent_dbfs), excluding)
    todo = there.join(scanned, on="clip", how="anti", maintain_order="left")
    done, total, bad = len(scanned), len(there), 0
    if done and len(todo):
        logger.info("%s of %s clips are known from an earlier scan", f"{done:,}", f"{total:,}")
    progress("scanning", done, total, "")
    function = functools.partial(scan.scan_row, source.reader)
    n_workers = min(n_workers, len(todo))
    running = workers.run(function, todo.iter_rows(), n_workers, limit_s=options.timeout_s)
    with contextlib.closing(running) as answers:
        try:
            for (clip, size, mtime_ns), facts in answers:
                if isinstance(facts, workers.Failed):
                    facts = Facts(clip, facts.reason, transient=facts.transient)
                log.append(facts, size, mtime_ns)
                faults = faults_of(facts, options.silent_dbfs)
                _stop(clip, faults, excluding)
                done, bad = done + 1, bad + bool(faults)
                progress("scanning", done, total, f"{bad:,} with faults" if bad else "")
        finally:
            log.flush()


def _stop(clip: str, faults: list[Fault], excluding: frozenset[str]) -> None:
    """Raises ValueError if one of the faults leaves the clip out."""
    for fault, reason in faults:
        if fault in excluding:
            raise ValueError(
                f"{clip}: {fault} ({reason}). Mend or remove the file, or import without --on_error=stop: "
                "such files are then left out and named in the ledger"
            )
