"""The results of an import: the table of clips, the ledger of faults, the card."""

import dataclasses
import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from mu import __version__
from mu.audio import io
from mu.data.clips.importing import scan, store_writer
from mu.data.clips.importing.faults import FAULTS, MISSING_FILE, ORDER, faults_of, left_out
from mu.data.clips.importing.groups import group_column
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.scan import Facts
from mu.data.clips.importing.source import OWN_COLUMNS, AudioSource
from mu.data.clips.importing.tags import TAGS
from mu.data.faults import LEDGER, Fault, ledger_text
from mu.files import write_json
from mu.protocols import ProgressCallback

FORMAT_VERSION = 1
CLIPS, CARD, STORE = "clips.parquet", "card.json", "store"
Ledger = list[dict[str, str]]
_FACTS = {field.name for field in dataclasses.fields(Facts)}


def facts_of_rows(rows: pl.DataFrame) -> Iterator[Facts]:
    """The rows of a journal, one by one."""
    for row in rows.iter_rows(named=True):
        yield Facts(**{name: value for name, value in row.items() if name in _FACTS})


def apply_faults(source: AudioSource, scanned: pl.DataFrame, options: AudioImportOptions) -> tuple[list[int], Ledger]:
    """Decides which clips stay.

    Args:
      source: with the clips that have no file.
      scanned: rows of the journal.
      options: which faults leave a clip out.

    Returns:
      The numbers of the rows that stay, and the ledger: file, fault, reason, done; in order of files.
    """
    excluding = left_out(options.keep, options.drop)
    rows: list[int] = []
    ledger: Ledger = []
    first: dict[str, str] = {}  # by content

    def enter(clip: str, faults: list[Fault]) -> None:
        for fault, reason in faults:
            done = "left out" if fault in excluding else "kept"
            ledger.append({"file": clip, "fault": fault, "reason": reason, "done": done})

    for clip, fault in [*source.unnamed, *((clip, MISSING_FILE) for clip in source.missing())]:
        enter(clip, [fault])
    for row, facts in enumerate(facts_of_rows(scanned)):
        faults = faults_of(facts, options.silent_dbfs)
        if not any(fault in excluding for fault, _ in faults):
            original = first.setdefault(facts.content_hash, facts.clip)
            if original != facts.clip:
                faults.append(Fault("duplicate", f"the same bytes as {original}"))
            if original == facts.clip or "duplicate" not in excluding:
                rows.append(row)
        enter(facts.clip, faults)
    return rows, sorted(ledger, key=lambda entry: (entry["file"], ORDER.index(entry["fault"])))


def table(source: AudioSource, good: pl.DataFrame) -> pl.DataFrame:
    """The table of clips for the rows `good` of a journal: what was measured, the source's attributes, and tags.

    A tag that some file has is a column; it is called tag_NAME where the source has a column of its name.
    """
    own = good.select(
        "clip",
        file=pl.col("clip") if source.root is not None else pl.lit(None, pl.String),
        content_hash="content_hash",
        duration_s=pl.col("frames") / pl.col("sample_rate_hz"),
        sample_rate_hz="sample_rate_hz",
        channels="channels",
        peak="peak",
        loudness_lufs="loudness_lufs",
    )
    if source.attributes is not None:
        described = own.join(source.attributes, on="clip", how="left", maintain_order="left")
        tags = _tags(good)
        return described.hstack([tag.alias(f"tag_{tag.name}") if tag.name in described else tag for tag in tags])
    records = [json.loads(text) for text in good["attributes"]]
    taken = {*OWN_COLUMNS, *store_writer.OWN_FEATURES}
    records = [{f"record_{key}" if key in taken else key: value for key, value in one.items()} for one in records]
    return pl.concat([own, pl.DataFrame(records, infer_schema_length=None, strict=False)], how="horizontal")


def _tags(good: pl.DataFrame) -> list[pl.Series]:
    """A column for each tag that a file of the journal has, in the order of `TAGS`; null where a file lacks it."""
    rows = [json.loads(text) if text else {} for text in good["attributes"]]
    columns = []
    for name in TAGS:
        values = [row.get(name) for row in rows]
        if any(value is not None for value in values):
            columns.append(pl.Series(name, values, dtype=pl.Int64 if name == "year" else pl.String))
    return columns


def write(
    folder: Path,
    name: str,
    source: AudioSource,
    clips: pl.DataFrame,
    ledger: Ledger,
    options: AudioImportOptions,
    n_workers: int,
    progress: ProgressCallback,
) -> dict[str, Any]:
    """Writes everything and returns the card.

    All files are written under names of their own first. Then the old card goes, the files take their places, and the
    new card comes: a folder with a card is whole, whenever the process is killed.

    Raises:
      ValueError: no clip is good; an old store does not belong to these clips.
    """
    if len(clips) == 0:
        if not ledger:
            raise ValueError(f"{name} holds no clips")
        first = "{file}: {fault} ({reason})".format(**ledger[0])
        counts = ", ".join(f"{sum(counted.values()):,} {fault}" for fault, counted in count(ledger).items())
        raise ValueError(f"no clip of {name} is good: {counts}. The first: {first}")
    group = group_column(clips, options.group)
    part = {file: folder / f"{file}.part" for file in (CLIPS, LEDGER, CARD)}
    clips.write_parquet(part[CLIPS])
    clips_sha256 = hashlib.sha256(part[CLIPS].read_bytes()).hexdigest()
    part[LEDGER].write_text(ledger_text(ledger), encoding="utf-8")
    attributes = [column for column in clips.columns if column not in OWN_COLUMNS]
    new_store = None
    if options.store or source.root is None:
        plan = store_writer.plan_store(clips, attributes, clips_sha256, options.store_rate_hz, source.reader)
        if store_writer.key_of(folder / STORE) != plan.key:
            new_store = folder / f"{STORE}.part"
            store_writer.write_store(
                plan, new_store, n_workers, lambda done: progress("writing the store", done, len(clips), "")
            )
    elif (folder / STORE).exists() and not store_writer.key_of(folder / STORE).endswith(clips_sha256):
        raise ValueError(
            f"{folder / STORE} holds other clips than there are now: say --store to make it again, or delete it"
        )
    card = {
        "format_version": FORMAT_VERSION,
        "source": name,
        # As it was given; and from the folder of this card, wherever a command runs and whatever links lead there.
        "root": source.root,
        "root_from_here": source.root and os.path.relpath(os.path.realpath(source.root), os.path.realpath(folder)),
        "clips": len(clips),
        "hours": round(math.fsum(clips["duration_s"]) / 3600, 4),
        "listed": len(source.clips) + len(source.unnamed),
        "faults": count(ledger),
        "ignored_files": dict(sorted(source.ignored.items())),
        "attributes": attributes,
        "group": group,
        "groups": clips["content_hash" if group is None else group].n_unique(),
        "clips_sha256": clips_sha256,
        "store": STORE if new_store or (folder / STORE).exists() else None,
        "options": {"keep": options.keep, "drop": options.drop, "silent_dbfs": options.silent_dbfs},
        "versions": {
            "mu": __version__,
            "scan": scan.VERSION,
            **io.LIBRARIES,
        },
    }
    write_json(part[CARD], card)
    (folder / CARD).unlink(missing_ok=True)
    for file in (CLIPS, LEDGER):
        os.replace(part[file], folder / file)
    if new_store:
        shutil.rmtree(folder / STORE, ignore_errors=True)
        os.replace(new_store, folder / STORE)
    os.replace(part[CARD], folder / CARD)
    return card


def count(ledger: Ledger) -> dict[str, dict[str, int]]:
    """{'silent': {'left out': 3}, ...}"""
    counts: dict[str, dict[str, int]] = {}
    for fault in FAULTS:
        for done in ("left out", "kept"):
            if n := sum(entry["fault"] == fault and entry["done"] == done for entry in ledger):
                counts.setdefault(fault, {})[done] = n
    return counts
