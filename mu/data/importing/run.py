"""The import, read top to bottom."""

import dataclasses
import os
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.data.importing import card as cards
from mu.data.importing import tfds_source
from mu.data.importing.attributes import Entities
from mu.data.importing.clock import Clock
from mu.data.importing.columns import NONE, choose_roles
from mu.data.importing.faults import Rejected, readable
from mu.data.importing.options import Options
from mu.data.importing.output import whole_folder
from mu.data.importing.readers import reader
from mu.data.importing.rows import Plays, Roles, check
from mu.data.importing.rules import apply_rules
from mu.data.importing.sources import (
    NO_PART,
    Settings,
    Source,
    file_digest,
    find_sources,
)
from mu.data.importing.spill import Spill
from mu.data.importing.tables import extend, find_table

PARTS = ("train", "valid", "test")


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
    """Imports a log of plays into the folder `output` (see `mu.data.interactions.load`); returns its card.

    Users and tracks are numbered in the order in which they first appear in the input (of those that the
    rules leave).
    Rules apply in this order: bad rows, min_play_s, repeats, k_core, min_history; the card counts the rows
      dropped by
    each, and `rows_in` less all of them is `events`. The log is never held in memory: what is, is one field
    of it (8 bytes a play at most), the moves of the sort (4 bytes a play), the ids, and one batch.

    Args:
      inputs: files, or `tfds:NAME[#SPLIT]`, in order; or
      train, valid, test: the same, where the log comes in parts (parts.npy: 0, 1, 2).
      overwrite: replace an imported log at `output`.
      say: is told of choices made for the caller.
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
    roles = _roles(sources, settings, options, say)
    extra = {
        "track": find_table(options.track_table, sources[0], ".item"),
        "user": find_table(options.user_table, sources[0], ".user"),
    }
    fields = [("times", roles.time), ("weights", roles.weight), ("parts", sources[0].part != NO_PART)]
    files = _files([*sources, *(source for source in extra.values() if source)], settings)
    hasher, stop_hashing = ThreadPoolExecutor(1), threading.Event()
    try:
        with whole_folder(Path(output), overwrite) as folder:
            digests = [(path, hasher.submit(file_digest, path, stop_hashing)) for path in files]
            with (
                Rejected(folder / "rejected.csv", options.on_error == "skip") as rejected,
                Spill(folder / "spill", [name for name, there in fields if there]) as spill,
            ):
                state = _read(sources, settings, roles, options, spill, rejected, say, progress)
                tables = {"user": state.users.table(), "track": state.tracks.table()}
                for role, source in extra.items():
                    if source:
                        log_column = getattr(roles, role)
                        tables[role] = extend(tables[role], role, source, no_names, log_column, options, rejected, say)
                spill.place(folder, len(state.users), lambda share: progress("placing", share))
            users, tracks, dropped = _apply_rules(folder, state, options)
            tables["user"][users].write_parquet(folder / "users.parquet")
            tables["track"][tracks].write_parquet(folder / "tracks.parquet")
            card = {
                "format_version": cards.FORMAT_VERSION,
                **cards.describe(folder, len(tracks)),
                "time_unit": "ms" if roles.time else "order",
                "time_unit_read": state.clock.unit if roles.time else None,
                "rows_in": state.rows_in,
                "rejected": rejected.n,
                "rows_dropped": {"bad": state.bad, "min_play_s": state.short} | dropped,
                "inputs": _inputs(digests),
                "columns": dataclasses.asdict(roles),
                "ids": "numbered by first appearance in the input",
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


def _roles(sources: list[Source], settings: Settings, options: Options, say: Callable[[str], None]) -> Roles:
    """Chosen by the first file; every other must have the same columns."""
    roles = None
    for source in sources:
        with readable(source.label):
            names = reader(source).header(source, settings)
        if roles is None:
            flags = {role: getattr(options, role) for role in ("user", "track", "time", "weight", "duration", "title")}
            if options.track_table and options.title not in names:
                flags["title"] = NONE  # it is looked for in the table
            roles = choose_roles(
                names,
                source.label,
                flags,
                options.track_attributes,
                options.user_attributes,
                options.min_play_s > 0,
                say,
            )
        elif lacking := [name for name in roles.wanted() if name not in names]:
            raise ValueError(
                f"{source.label} has no column {lacking[0]!r}, which {sources[0].label} has; it has: {', '.join(names)}"
            )
    assert roles is not None
    return roles


@dataclasses.dataclass
class _State:
    users: Entities
    tracks: Entities
    clock: Clock
    rows_in: int = 0
    bad: int = 0
    short: int = 0


def _read(
    sources: list[Source],
    settings: Settings,
    roles: Roles,
    options: Options,
    spill: Spill,
    rejected: Rejected,
    say: Callable[[str], None],
    progress: Callable[[str, float], None],
) -> _State:
    """Every row once: checked, numbered, spilled."""
    state = _State(
        Entities("user", roles.user_attributes),
        Entities("track", roles.track_attributes),
        Clock(options.time_unit),
    )
    least = _least_played(roles, options, say)
    for index, source in enumerate(sources):
        with readable(source.label):
            for batch in reader(source).batches(source, roles.wanted(), settings):
                plays, bad = check(batch, roles, state.clock, source.label)
                rejected(bad)
                state.rows_in += len(batch.frame) + len(batch.bad)
                state.bad += len(bad)
                if plays.played is not None:
                    long = plays.played >= least
                    state.short += int(np.count_nonzero(~long))
                    plays = _where(plays, long)
                _spill(spill, state, plays, source.part)
                progress("reading", (index + batch.done) / len(sources))
    if spill.n == 0:
        raise ValueError(f"no plays in the input ({state.rows_in} rows read, {state.bad} bad, {state.short} too short)")
    return state


def _spill(spill: Spill, state: _State, plays: Plays, part: int) -> None:
    arrays = {
        "users": state.users.number(plays.users, plays),
        "items": state.tracks.number(plays.tracks, plays),
    }
    if plays.times is not None:
        arrays["times"] = plays.times
    if plays.weights is not None:
        arrays["weights"] = plays.weights
    if part != NO_PART:
        arrays["parts"] = np.full(len(plays.users), part, np.uint8)
    spill.append(**arrays)


def _least_played(roles: Roles, options: Options, say: Callable[[str], None]) -> float:
    """min_play_s in the unit of the column."""
    unit = options.duration_unit
    if unit == "auto" and roles.duration:
        name = roles.duration.lower()
        unit = "ms" if re.search(r"(^|_)ms|ms$|milli", name) else "s"
        say(f"column {roles.duration!r} is taken to be in {unit} (--duration_unit to choose)")
    return options.min_play_s * (1000 if unit == "ms" else 1)


def _where(plays: Plays, keep: np.ndarray) -> Plays:
    if keep.all():
        return plays
    mask = pl.Series(keep)
    arrays = {
        name: None if (array := getattr(plays, name)) is None else array[keep]
        for name in ("times", "weights", "played")
    }
    return Plays(plays.users.filter(mask), plays.tracks.filter(mask), frame=plays.frame.filter(mask), **arrays)


def _apply_rules(folder: Path, state: _State, options: Options) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """The rules that look at the whole log, where there are any; the users and tracks that stay."""
    drop_repeats = options.repeats == "drop"
    if not (drop_repeats or options.k_core > 1 or options.min_history > 1):
        return np.arange(len(state.users)), np.arange(len(state.tracks)), {}
    users, tracks, dropped = apply_rules(folder, len(state.tracks), drop_repeats, options.k_core, options.min_history)
    if len(users) == 0:
        raise ValueError(f"the rules leave no play ({', '.join(f'{rule} drops {n:,}' for rule, n in dropped.items())})")
    return users, tracks, dropped


def _files(sources: list[Source], settings: Settings) -> list[Path]:
    """The files behind the sources, each once, in order."""
    paths: dict[Path, None] = {}
    for source in sources:
        found = tfds_source.files(source, settings) if source.format == "tfds" else [Path(source.name)]
        paths |= dict.fromkeys(found)
    return list(paths)


def _inputs(digests: list[tuple[Path, Future[str]]]) -> list[dict[str, Any]]:
    return [{"name": path.name, "sha256": digest.result(), "bytes": path.stat().st_size} for path, digest in digests]
