"""The import, read top to bottom."""

import dataclasses
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.data.logs.importing import card as cards
from mu.data.logs.importing import tfds_source
from mu.data.logs.importing.catalogue import Catalogue
from mu.data.logs.importing.columns import NAMED, NONE, USUAL, choose_roles
from mu.data.logs.importing.external_sort import ExternalSort
from mu.data.logs.importing.faults import Rejected, readable
from mu.data.logs.importing.options import Options
from mu.data.logs.importing.output import whole_folder
from mu.data.logs.importing.readers import reader
from mu.data.logs.importing.reading import Reading
from mu.data.logs.importing.rows import Roles
from mu.data.logs.importing.rules import apply_rules
from mu.data.logs.importing.sources import (
    NO_PART,
    Settings,
    Source,
    file_digest,
    find_sources,
)
from mu.data.logs.importing.tables import Table, extend, find_table, read_table
from mu.data.logs.interactions import PARTS


def import_log(
    inputs: Sequence[str],
    output: str | os.PathLike[str],
    options: Options | None = None,
    *,
    train: Sequence[str] = (),
    valid: Sequence[str] = (),
    test: Sequence[str] = (),
    overwrite: bool = False,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> dict[str, Any]:
    """Imports a log of plays into the folder `output` (see `mu.data.logs.interactions.load`); returns its card.

    Users and tracks are numbered in the order in which they first appear in the input (of those that the
    rules leave); with `catalogue='all'` the tracks of the track table without plays come after them, in its order,
    so arrays and ids are those of the import without.
    Rules apply in this order: bad rows, min_play_s, unknown_tracks, repeats, k_core, min_history; the card counts
    the rows dropped by each, and `rows_in` less all of them is `events`. Rules drop plays, and users and tracks
    with their last play; but no track of the table with `catalogue='all'`, since there the table says what the
    catalogue is. The log is never held in memory: what is, is one field of it (8 bytes a play at most), the moves
    of the sort (4 bytes a play), the ids, the tables, and one batch.

    Args:
      inputs: files, or `tfds:NAME[#SPLIT]`, in order; or
      train, valid, test: the same, where the log comes in parts (parts.npy: 0, 1, 2).
      overwrite: replace an imported log at `output`.
      say: is told of choices made for the caller, and of clocks that run backwards.
      progress: is told the stage and the share of it that is done.

    Raises:
      BadRowError: a row cannot be read and `options.on_error` is 'stop'.
      FileExistsError: `output` exists.
      FileNotFoundError, ValueError: files or options that make no sense; says what to do.
    """
    options = options or Options()
    sources = _sources(inputs, (train, valid, test), options)
    settings = Settings(options.encoding, options.columns, options.data_dir)
    no_names = dataclasses.replace(settings, columns=None)  # tables have a header of their own
    extra = {
        "track": find_table(options.track_table, sources[0], ".item"),
        "user": find_table(options.user_table, sources[0], ".user"),
    }
    if extra["track"] is None and (options.catalogue == "all" or options.unknown_tracks != "keep"):
        flag = "catalogue=all" if options.catalogue == "all" else f"unknown_tracks={options.unknown_tracks}"
        raise ValueError(f"--{flag} needs a table that says which tracks there are: say --track_table=FILE")
    roles = _roles(sources, settings, options, extra["track"] is not None, say)
    arrays = {
        "times": roles.time,
        "weights": roles.weight,
        "parts": sources[0].part != NO_PART,
        "outcomes": roles.finished or roles.skipped or options.skip_below_s or options.skip_below_share,
    }
    fields = [name for name, there in arrays.items() if there]
    files = _files([*sources, *(source for source in extra.values() if source)], settings)
    hasher, stop_hashing = ThreadPoolExecutor(1), threading.Event()
    try:
        with whole_folder(Path(output), overwrite) as folder:
            digests = [(path, hasher.submit(file_digest, path, stop_hashing)) for path in files]
            with (
                Rejected(folder / "rejected.csv", options.on_error == "skip") as rejected,
                ExternalSort(folder / "sort", fields, roles.event_columns) as sort,
            ):
                tables = {
                    role: read_table(
                        source, role, no_names, getattr(roles, role), getattr(options, f"{role}_key"), rejected, say
                    )
                    for role, source in extra.items()
                    if source
                }
                catalogue = Catalogue(tables["track"]) if "track" in tables else None
                state = Reading(roles, options, catalogue, rejected, say)
                state.read(sources, settings, sort, progress)
                if warning := state.order.warning():
                    say(warning)
                entities = _entities(state, tables, options, say)
                sort.place(folder, len(state.users), state.vocabularies(), lambda share: progress("placing", share))
            users, tracks, dropped = _apply_rules(folder, state, options)
            entities["user"][users].write_parquet(folder / "users.parquet")
            entities["track"][tracks].write_parquet(folder / "tracks.parquet")
            card = {
                "format_version": cards.FORMAT_VERSION,
                **cards.describe(folder, len(tracks)),
                "time_unit": "ms" if roles.time else "order",
                "time_unit_read": state.clock.unit if roles.time else None,
                "rows_in": state.rows_in,
                "rejected": rejected.n,
                "rows_dropped": {"bad": state.bad, "min_play_s": state.short} | dropped,
                "clock_backwards": state.order.n_backwards if roles.time else None,
                **_told(state),
                "inputs": _inputs(digests),
                "columns": dataclasses.asdict(roles),
                "ids": "numbered by first appearance in the input; then tracks without plays, as in the track table",
                "options": options.recorded(),
            }
            cards.write(folder, card)
    finally:
        stop_hashing.set()
        hasher.shutdown(wait=True, cancel_futures=True)
    return card


def _sources(inputs: Sequence[str], parts: tuple[Sequence[str], ...], options: Options) -> list[Source]:
    given = [name for name, files in zip(PARTS, parts, strict=True) if files]
    if bool(inputs) == bool(given):
        raise ValueError("give either the files of the log, or its parts by --train, --valid, --test")
    if given and "train" not in given:
        raise ValueError(f"--{given[0]} was given without --train")
    sources = find_sources(inputs, options.format)
    for part, files in enumerate(parts):
        sources += find_sources(files, options.format, part)
    return sources


def _roles(
    sources: list[Source], settings: Settings, options: Options, has_tracks: bool, say: Callable[[str], None]
) -> Roles:
    """Chosen by the first file; every other must have the same columns."""
    roles = None
    for source in sources:
        with readable(source.label):
            names = reader(source).header(source, settings)
        if roles is None:
            flags = {role: getattr(options, role) for role in (*USUAL, *NAMED)}
            if options.track_table and options.title not in names:
                flags["title"] = NONE  # it is looked for in the table
            if has_tracks and options.length not in names:
                flags["length"] = None  # the same
            rules = ("min_play_s", "skip_below_s", "skip_below_share")
            roles = choose_roles(
                names,
                source.label,
                flags,
                options.track_attributes,
                options.user_attributes,
                options.event_columns,
                next((rule for rule in rules if getattr(options, rule)), None),
                say,
            )
        elif lacking := [name for name in roles.wanted() if name not in names]:
            raise ValueError(
                f"{source.label} has no column {lacking[0]!r}, which {sources[0].label} has; it has: {', '.join(names)}"
            )
    assert roles is not None
    return roles


def _entities(
    state: Reading, tables: dict[str, Table], options: Options, say: Callable[[str], None]
) -> dict[str, pl.DataFrame]:
    """The tables of users and tracks, row = dense id."""
    n_played = {"user": len(state.users), "track": len(state.tracks)}
    if options.catalogue == "all" and state.catalogue:
        state.catalogue.complete(state.tracks)
    entities = {"user": state.users.table(), "track": state.tracks.table()}
    for role, table in tables.items():
        entities[role] = extend(entities[role], role, table, n_played[role], options.title, say)
    return entities


def _apply_rules(folder: Path, state: Reading, options: Options) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """The rules that look at the whole log, where there are any; the users and tracks that stay."""
    dropped = {"unknown_tracks": state.skipped} if options.unknown_tracks == "skip" else {}
    drop_repeats = options.repeats == "drop"
    if not (drop_repeats or options.k_core > 1 or options.min_history > 1 or state.skipped):
        return np.arange(len(state.users)), np.arange(len(state.tracks)), dropped
    catalogue = np.empty(0, np.int64)
    if options.catalogue == "all" and state.catalogue:
        catalogue = state.catalogue.in_order()
    rules = (drop_repeats, options.k_core, options.min_history)
    users, tracks, by_rule = apply_rules(folder, len(state.tracks), catalogue, *rules)
    if len(users) == 0:
        raise ValueError(f"the rules leave no play ({', '.join(f'{rule} drops {n:,}' for rule, n in by_rule.items())})")
    return users, tracks, dropped | by_rule


def _told(state: Reading) -> dict[str, Any]:
    """The card's entries of event columns and of the track table, where there are any."""
    told: dict[str, Any] = {}
    if state.event_columns:
        told["event_columns"] = state.vocabularies()
    if state.catalogue:
        told["unknown_tracks"] = {"tracks": state.catalogue.unknown_tracks, "plays": state.catalogue.unknown_plays}
    return told


def _files(sources: list[Source], settings: Settings) -> list[Path]:
    """The files behind the sources, each once, in order."""
    paths: dict[Path, None] = {}
    for source in sources:
        found = tfds_source.files(source, settings) if source.format == "tfds" else [Path(source.name)]
        paths |= dict.fromkeys(found)
    return list(paths)


def _inputs(digests: list[tuple[Path, Future[str]]]) -> list[dict[str, Any]]:
    return [{"name": path.name, "sha256": digest.result(), "bytes": path.stat().st_size} for path, digest in digests]
