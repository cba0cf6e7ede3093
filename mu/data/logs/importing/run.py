"""The import of a log, read top to bottom."""

import dataclasses
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.checksums import write_hashes
from mu.data.logs.importing.archives import archives_closed_after
from mu.data.logs.importing.bad_rows import RejectedRows, damage_named
from mu.data.logs.importing.card import make_card
from mu.data.logs.importing.columns import choose_roles, require_column, shown
from mu.data.logs.importing.defaults import with_defaults
from mu.data.logs.importing.entity_tables import EntityTable, find_table, join_table, read_table, with_numbers
from mu.data.logs.importing.external_sort import ExternalSort
from mu.data.logs.importing.first_pass import FirstPass
from mu.data.logs.importing.formats import NO_PART, LogSource, ReadOptions, load_format
from mu.data.logs.importing.input_hashes import InputHashes
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.output import whole_folder
from mu.data.logs.importing.rows import ColumnRoles
from mu.data.logs.importing.rules import apply_rules
from mu.data.logs.importing.sources import find_sources
from mu.data.logs.importing.tfds_source import tfds_files
from mu.data.logs.importing.track_catalogue import TrackCatalogue
from mu.data.logs.interactions import PARTS
from mu.data.options import OptionError
from mu.files import write_json

logger = logging.getLogger(__name__)


@archives_closed_after()
def import_log(
    inputs: Sequence[str],
    output: str | os.PathLike[str],
    options: LogImportOptions | None = None,
    *,
    train: Sequence[str] = (),
    valid: Sequence[str] = (),
    test: Sequence[str] = (),
    overwrite: bool = False,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> dict[str, Any]:
    """Imports a log of plays into the folder `output` (see `mu.data.logs.interactions.load`); returns its card.

    Users and tracks are numbered in the order in which they first appear in the input (of those that the rules keep).
    With `catalogue='all'` the tracks of the track table without plays come after them, in the order of the table, so
    that arrays and ids are the same as without.

    Rules apply in this order: bad rows, min_play_s, min_weight, min_rating, unknown_tracks, repeats, k_core,
    min_history. The card counts the rows that each of them dropped; `rows_in` minus all of them is `events`. Rules drop
    plays, and users and tracks with their last play; but with `catalogue='all'`, where the table is the catalogue, no
    track of the table.

    The log is never in memory as a whole: in memory are one field of it (8 bytes a play at most), the moves of the sort
    (4 bytes a play), the ids, the tables, and one batch of rows.

    Args:
      inputs: files, or `tfds:NAME[#SPLIT]`, in order; or else the parts.
      output: the folder to make.
      options: of the import.
      train: files of the training part, for logs with a split (parts.npy: 0, 1, 2).
      valid: files of the validation part.
      test: files of the test part.
      overwrite: replace an imported log at `output`.
      progress: is called with a stage and the share of it that is done.

    Raises:
      BadRowError: a row cannot be read and `options.on_error` is 'stop'.
      FileExistsError: `output` exists.
      FileNotFoundError: an input does not exist.
      OptionError: an option is wrong, or does not fit the files.
      ValueError: a file cannot be read, or no play is left.
    """
    options = options or LogImportOptions()
    sources = _sources(inputs, (train, valid, test), options)
    read_options = ReadOptions(options.encoding, options.columns, options.data_dir)
    table_sources = _table_sources(sources[0], options)
    headers = _headers(sources, read_options)
    options = with_defaults(options, sources[0], headers[0])
    roles = _roles(sources, headers, options, "track" in table_sources)
    paths = [path for source in (*sources, *table_sources.values()) for path in _files(source, read_options)]
    with InputHashes(paths) as hashes, whole_folder(Path(output), overwrite) as folder:
        with (
            RejectedRows(folder / "rejected.csv", options.on_error == "skip") as rejected,
            ExternalSort(
                folder / "sort", _fields(sources, roles, options), roles.event_columns, roles.event_numbers
            ) as sort,
        ):
            tables = {}
            for role, source in table_sources.items():
                column, key = getattr(roles, role), getattr(options, f"{role}_key")
                own_header = dataclasses.replace(read_options, columns=())
                tables[role] = read_table(source, role, own_header, column, key, rejected)
            if "track" in tables:
                _check_features(options.track_features, roles, tables["track"])
            catalogue = TrackCatalogue(tables["track"]) if "track" in tables else None
            first_pass = FirstPass(roles, options, catalogue, rejected)
            first_pass.read(sources, read_options, sort, progress)
            for warning in (first_pass.backward.warning(), first_pass.implausible.warning()):
                if warning:
                    logger.warning(warning)
            entities = _entities(first_pass, tables, options)
            sort.place(folder, len(first_pass.users), first_pass.vocabularies, lambda share: progress("placing", share))
        users, tracks, dropped = _apply_rules(folder, first_pass, options)
        entities["track"] = with_numbers(entities["track"], options.track_features)
        entities["user"][users].write_parquet(folder / "users.parquet")
        entities["track"][tracks].write_parquet(folder / "tracks.parquet")
        card = make_card(folder, len(tracks), first_pass, roles, options, rejected.n, dropped, inputs=hashes.records())
        write_hashes(folder)
        write_json(folder / "card.json", card)  # the last file: an import without it was interrupted
    return card


def _sources(inputs: Sequence[str], parts: tuple[Sequence[str], ...], options: LogImportOptions) -> list[LogSource]:
    """The inputs, or the files of the parts."""
    names = [name for name, files in zip(PARTS, parts, strict=True) if files]
    if bool(inputs) == bool(names):
        raise OptionError("give either the files of the log, or its parts by --train, --valid, --test")
    if names and "train" not in names:
        raise OptionError(f"--{names[0]} was given without --train")
    sources = find_sources(inputs, options.format)
    for part, files in enumerate(parts):
        sources += find_sources(files, options.format, part)
    return sources


def _table_sources(log: LogSource, options: LogImportOptions) -> dict[str, LogSource]:
    """The files of the tables that there are, by role: 'track', 'user'."""
    tables = {
        "track": find_table(options.track_table, log, ".item"),
        "user": find_table(options.user_table, log, ".user"),
    }
    if tables["track"] is None and (options.catalogue == "all" or options.unknown_tracks != "keep"):
        flag = "catalogue=all" if options.catalogue == "all" else f"unknown_tracks={options.unknown_tracks}"
        raise OptionError(f"--{flag} needs a table of the tracks: add --track_table=FILE")
    return {role: source for role, source in tables.items() if source}


def _headers(sources: list[LogSource], read_options: ReadOptions) -> list[list[str]]:
    """The columns of each file."""
    headers = []
    for source in sources:
        with damage_named(source.name):
            headers.append(load_format(source.format).header(source, read_options))
    return headers


def _roles(
    sources: list[LogSource], headers: list[list[str]], options: LogImportOptions, has_track_table: bool
) -> ColumnRoles:
    """The roles of the columns of the first file; the others must have the same columns."""
    roles = choose_roles(headers[0], sources[0].name, options, has_track_table)
    for source, names in zip(sources, headers, strict=True):
        if lacking := [name for name in roles.wanted() if name not in names]:
            raise ValueError(
                f"{source.name} has no column {lacking[0]!r}, which {sources[0].name} has; it has: {shown(names)}"
            )
    return roles


def _check_features(features: Sequence[str], roles: ColumnRoles, table: EntityTable) -> None:
    """Raises OptionError for a numeric feature that neither the log nor the track table has, before plays are read."""
    names = [*roles.track_attributes.values(), *table.attributes.columns]
    for name in features:
        require_column(name, names, "track_features", f"the table of tracks, {table.label},")


def _fields(sources: list[LogSource], roles: ColumnRoles, options: LogImportOptions) -> list[str]:
    """The arrays of the log, apart from users and items."""
    present = {
        "times": roles.time,
        "weights": roles.weight,
        "parts": sources[0].part != NO_PART,
        "outcomes": roles.finished or roles.skipped or options.skip_below_s or options.skip_below_share,
    }
    return [name for name, there in present.items() if there]


def _files(source: LogSource, read_options: ReadOptions) -> list[Path]:
    """The files of a source."""
    return tfds_files(source, read_options) if source.format == "tfds" else [Path(source.path)]


def _entities(
    first_pass: FirstPass, tables: dict[str, EntityTable], options: LogImportOptions
) -> dict[str, pl.DataFrame]:
    """The tables of users and tracks, row = dense id."""
    n_played = {"user": len(first_pass.users), "track": len(first_pass.tracks)}
    if options.catalogue == "all" and first_pass.catalogue:
        first_pass.catalogue.add_unplayed(first_pass.tracks)
    entities = {"user": first_pass.users.table(), "track": first_pass.tracks.table()}
    for role, table in tables.items():
        entities[role] = join_table(entities[role], role, table, n_played[role], options.title)
    return entities


def _apply_rules(
    folder: Path, first_pass: FirstPass, options: LogImportOptions
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Applies the rules that need the whole log; returns the users and tracks that stay, and the plays dropped."""
    dropped = {"unknown_tracks": first_pass.skipped} if options.unknown_tracks == "skip" else {}
    drop_repeats = options.repeats == "drop"
    if not (drop_repeats or options.k_core > 1 or options.min_history > 1 or first_pass.skipped):
        return np.arange(len(first_pass.users)), np.arange(len(first_pass.tracks)), dropped
    catalogue = np.empty(0, np.int64)
    if options.catalogue == "all" and first_pass.catalogue:
        catalogue = first_pass.catalogue.in_table_order()
    rules = (drop_repeats, options.k_core, options.min_history)
    users, tracks, by_rule = apply_rules(folder, len(first_pass.tracks), catalogue, *rules)
    if len(users) == 0:
        raise ValueError(f"the rules leave no play ({', '.join(f'{rule} drops {n:,}' for rule, n in by_rule.items())})")
    return users, tracks, dropped | by_rule
