"""The card of a log: statistics of its arrays, the rows dropped, its inputs and options."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from mu.data.logs.importing.first_pass import FirstPass
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.rows import ColumnRoles
from mu.data.logs.interactions import OUTCOMES

FORMAT_VERSION = 2
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
CHUNK = 1 << 20


def make_card(
    folder: Path,
    n_tracks: int,
    first_pass: FirstPass,
    roles: ColumnRoles,
    options: LogImportOptions,
    n_rejected: int,
    dropped: dict[str, int],
    inputs: list[dict[str, Any]],
) -> dict[str, Any]:
    """The card of the log in `folder`.

    Args:
      folder: of the arrays.
      n_tracks: number of tracks, those without plays too.
      first_pass: what was read.
      roles: of the columns.
      options: of the import.
      n_rejected: number of rows in rejected.csv.
      dropped: rule -> number of plays that it dropped.
      inputs: name, sha256 and bytes of each file.
    """
    columns: dict[str, Any] = {}
    catalogue: dict[str, Any] = {}
    if first_pass.event_columns:
        columns = {"event_columns": first_pass.vocabularies}
    light = {"min_weight": first_pass.light} if options.min_weight else {}
    if options.min_rating is not None:
        light["min_rating"] = first_pass.disliked
    if table := first_pass.catalogue:
        catalogue = {"unknown_tracks": {"tracks": table.unknown_tracks, "plays": table.unknown_plays}}
    if roles.event_numbers:
        columns["event_numbers"] = list(roles.event_numbers)
    if options.track_features:
        columns["track_features"] = list(options.track_features)
    return {
        "format_version": FORMAT_VERSION,
        **describe(folder, n_tracks),
        "time_unit": "ms" if roles.time else "order",
        "time_unit_read": ", ".join(first_pass.times.read) if roles.time else None,
        "rows_in": first_pass.rows_in,
        "rejected": n_rejected,
        "rows_dropped": {"bad": first_pass.bad, "min_play_s": first_pass.short}
        | dict(first_pass.set_aside)
        | light
        | dropped,
        "clock_backwards": first_pass.backward.n if roles.time else None,
        "implausible_years": first_pass.implausible.n if roles.time else None,
        **columns,
        **catalogue,
        "inputs": inputs,
        "columns": dataclasses.asdict(roles),
        "ids": "numbered by first appearance in the input; then tracks without plays, as in the track table",
        "options": options.recorded(),
    }


def describe(folder: Path, n_tracks: int) -> dict[str, Any]:
    """Statistics of the arrays: counts, quantiles of history length, concentration, first and last time, outcomes."""
    lengths = np.diff(np.load(folder / "indptr.npy"))
    items = np.load(folder / "items.npy", mmap_mode="r")
    times = np.load(folder / "times.npy", mmap_mode="r")
    counts = np.zeros(n_tracks, np.int64)
    first, last = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    for start in range(0, len(items), CHUNK):
        counts += np.bincount(items[start : start + CHUNK], minlength=n_tracks)
        part = times[start : start + CHUNK]
        first, last = min(first, int(part.min())), max(last, int(part.max()))
    more: dict[str, Any] = {}
    if (folder / "outcomes.npy").exists():
        outcomes = np.load(folder / "outcomes.npy", mmap_mode="r")
        more["outcomes"] = {name: int(np.count_nonzero(outcomes == code)) for code, name in enumerate(OUTCOMES)}
    n_top = -(-n_tracks // 100)
    top = np.partition(counts, n_tracks - n_top)[n_tracks - n_top :].sum() if n_tracks else 0
    quantiles = np.quantile(lengths, QUANTILES) if len(lengths) else np.zeros(len(QUANTILES))
    return {
        "users": len(lengths),
        "tracks": n_tracks,
        "tracks_without_plays": int(np.count_nonzero(counts == 0)),
        "events": len(items),
        "first_time": first if len(items) else None,
        "last_time": last if len(items) else None,
        "history_length_quantiles": {f"{q:g}": float(value) for q, value in zip(QUANTILES, quantiles, strict=True)},
        "top_1_percent_share": round(float(top / max(len(items), 1)), 6),
    } | more
