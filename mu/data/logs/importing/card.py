"""The card of a log: where it came from, what was left out, what it looks like."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from mu.data.logs.interactions import OUTCOMES

FORMAT_VERSION = 1
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
CHUNK = 1 << 20


def describe(folder: Path, n_tracks: int) -> dict[str, Any]:
    """Numbers of the arrays in `folder`: counts, quantiles of history length, concentration, span of time,
    outcomes."""
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


def write(folder: Path, card: dict[str, Any]) -> None:
    """Writes card.json, the last file of an import."""
    (folder / "card.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
