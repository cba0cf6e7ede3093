"""A world as files, such as a listening service hands over, and a card from which it can be made again."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from mu.files import write_json
from mu.locks import rewriting
from mu.world import names
from mu.world.catalogue import AUDIBLE
from mu.world.contexts import CONTEXTS
from mu.world.listeners import Listeners
from mu.world.plays import Plays
from mu.world.score import VOICES
from mu.world.slates import Exposures
from mu.world.world import World


def track_ids(n: int) -> list[str]:
    """'track-000000', 'track-000001', ... as the log calls the tracks."""
    return [f"track-{track:06d}" for track in range(n)]


def listener_ids(n: int) -> list[str]:
    """'listener-00000', 'listener-00001', ... as the log calls the listeners."""
    return [f"listener-{listener:05d}" for listener in range(n)]


def plays_table(plays: Plays, n_tracks: int) -> pl.DataFrame:
    """One row a play, by time: user, track, time (unix ms), played_s, finished (0 or 1), context (its name)."""
    rows = np.repeat(np.arange(len(plays.indptr) - 1), np.diff(plays.indptr))
    order = np.lexsort((rows, plays.times_ms))
    users = pl.Series("user", listener_ids(len(plays.indptr) - 1))
    tracks = pl.Series("track", track_ids(n_tracks))
    return pl.DataFrame(
        [
            users.gather(rows[order]),
            tracks.gather(plays.tracks[order]),
            pl.Series("time", plays.times_ms[order]),
            pl.Series("played_s", plays.played_ms[order] / 1000),
            pl.Series("finished", plays.finished[order].astype(np.int8)),
            pl.Series("context", CONTEXTS).gather(plays.contexts[order]),
        ]
    )


def exposures_table(exposures: Exposures, n_listeners: int, n_tracks: int) -> pl.DataFrame:
    """One row a track of a slate, by time: slate (from 0), user, time (unix ms), context, track, position (from 1),
    propensity, played (0 or 1). An empty place has no row."""
    order = np.lexsort((exposures.listeners, exposures.times_ms))
    slate, place = np.nonzero(exposures.tracks[order] >= 0)
    row = order[slate]
    return pl.DataFrame(
        [
            pl.Series("slate", slate),
            pl.Series("user", listener_ids(n_listeners)).gather(exposures.listeners[row]),
            pl.Series("time", exposures.times_ms[row]),
            pl.Series("context", CONTEXTS).gather(exposures.contexts[row]),
            pl.Series("track", track_ids(n_tracks)).gather(exposures.tracks[row, place]),
            pl.Series("position", (place + 1).astype(np.int8)),
            pl.Series("propensity", exposures.propensities[row, place]),
            pl.Series("played", (place == exposures.accepted[row]).astype(np.int8)),
        ]
    )


def tracks_table(world: World) -> pl.DataFrame:
    """One row a track: id, title, artist, release and its date (ISO 8601), genre, tags, length, attributes."""
    catalogue = world.catalogue
    released = catalogue.released_ms.astype("datetime64[ms]").astype("datetime64[D]")
    shares = {name: catalogue.shares[:, i].round(4) for i, name in enumerate(AUDIBLE[1:])}
    high_and_low = {
        "energy": ("energetic", "calm"),
        "brightness": ("bright", "dark"),
        "acousticness": ("acoustic", "electric"),
        "valence": ("happy", "sad"),
    }
    tags = []
    for track in range(len(catalogue)):
        track_tags = [names.GENRES[catalogue.genre[track]]]
        for name, (high, low) in high_and_low.items():
            if shares[name][track] > 0.7:
                track_tags.append(high)
            elif shares[name][track] < 0.3:
                track_tags.append(low)
        tags.append("|".join(track_tags))
    return pl.DataFrame(
        {
            "track": track_ids(len(catalogue)),
            "title": catalogue.titles,
            "artist": [catalogue.artist_names[artist] for artist in catalogue.artist],
            "release": [catalogue.release_titles[release] for release in catalogue.release],
            "track_number": catalogue.track_number,
            "release_date": np.datetime_as_string(released).tolist(),
            "genre": [names.GENRES[genre] for genre in catalogue.genre],
            "tags": tags,
            "length_s": catalogue.duration_ms / 1000,
            "tempo_bpm": catalogue.tempo_bpm,
            "key": [names.KEYS[key] for key in catalogue.key],
            "mode": np.where(catalogue.major, "major", "minor").tolist(),
            "metre": catalogue.metre,
            "chords": [VOICES[voice] for voice in catalogue.chords],
            "lead": [VOICES[voice] for voice in catalogue.lead],
            **shares,
        }
    )


def listeners_table(listeners: Listeners) -> pl.DataFrame:
    """One row a listener: id, country, age group."""
    return pl.DataFrame(
        {
            "user": listener_ids(len(listeners)),
            "country": [names.COUNTRIES[country] for country in listeners.country],
            "age_group": [names.AGE_GROUPS[group] for group in listeners.age_group],
        }
    )


def check_output(folder: str | os.PathLike[str]) -> Path:
    """The folder as a path, if a world may be written there.

    Raises:
      FileExistsError: the folder is not empty.
      NotADirectoryError: it is a file.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file; name a folder for the world")
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; remove it or name another folder for the world")
    return folder


def write(
    world: World,
    folder: str | os.PathLike[str],
    plays_as: str = "csv",
    *,
    sound: bool = False,
    threads: int | None = None,
    stored: Callable[[int], None] | None = None,
) -> list[Path]:
    """Writes `plays` and `exposures`, `tracks.csv`, `listeners.csv` and `world.json`, and returns their paths.

    The folder appears only once all files are complete. `plays.csv` and `exposures.csv` have times as ISO 8601 in UTC
    to the millisecond, the Parquet files as int64 unix milliseconds.

    Args:
      world: what is written.
      folder: it must not exist yet, or be empty.
      plays_as: 'csv' or 'parquet', the format of plays and exposures.
      sound: stores every track in `sound/`; `tracks.csv` gets their paths in a column `file`.
      threads: see `recordings.write_sound`.
      stored: see `recordings.write_sound`.

    Raises:
      ValueError: `plays_as` is neither 'csv' nor 'parquet'.
      FileExistsError: see `check_output`.
      NotADirectoryError: see `check_output`.
    """
    if plays_as not in ("csv", "parquet"):
        raise ValueError(f"plays_as={plays_as!r}: it must be 'csv' or 'parquet'")
    folder = Path(folder)
    with rewriting(folder, lambda: check_output(folder)) as partial:
        logs = {
            "plays": lambda: plays_table(world.plays, len(world.catalogue)),
            "exposures": lambda: exposures_table(world.exposures, len(world.listeners), len(world.catalogue)),
        }
        for name, table in logs.items():  # one after the other: each is large
            if plays_as == "csv":
                time = pl.from_epoch("time", time_unit="ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
                table().with_columns(time).write_csv(partial / f"{name}.csv")
            else:
                table().write_parquet(partial / f"{name}.parquet")
        tracks, written = tracks_table(world), ["tracks.csv", "listeners.csv", "world.json"]
        if sound:
            from mu.world.recordings import write_sound  # soundfile is needed here only

            files = write_sound(world, partial, tracks["track"].to_list(), threads, stored)
            tracks, written = tracks.with_columns(pl.Series("file", files)), [*written, "sound"]
        tracks.write_csv(partial / "tracks.csv")
        listeners_table(world.listeners).write_csv(partial / "listeners.csv")
        card = {
            "settings": dataclasses.asdict(world.settings),
            "seed": world.seed,
            "log_hash": world.log().hash(),
            "exposures_hash": world.exposures.hash(),
        }
        write_json(partial / "world.json", card)
    return [folder / name for name in (*(f"{name}.{plays_as}" for name in logs), *written)]
