"""What to make of the files: the flags of `mu import`, checked."""

import dataclasses
import os
from typing import Any

from mu.data.logs.importing.clock import UNITS
from mu.data.logs.importing.columns import NONE
from mu.data.logs.importing.sources import FORMATS, ascii_superset


@dataclasses.dataclass(frozen=True)
class Options:
    """What to make of the files; the flags of `mu import`.

    Attributes:
      format: of files: one of `FORMATS` but tfds; None goes by the extension.
      user, track, time, weight, duration, title: columns of the log; None looks for a usual name (said
        aloud), 'none' does without.
      finished: column of the log that says by 1 or true that a play was finished, by 0 or false that it was skipped;
        None does without.
      skipped: the same the other way round.
      event_columns: columns of the log with a category of each play (device, platform, context), kept as they are.
      track_attributes, user_attributes: columns of the log kept in the tables, by the first play of each.
      track_table, user_table: a file with more attributes, joined by id (any format).
      track_key, user_key: the column of that file that holds the id; None looks for it.
      catalogue: 'played', the tracks that were played; or 'all', those of the track table too, so that a track that
        came out after the log can be recommended.
      unknown_tracks: what becomes of plays of tracks that the track table does not know: 'keep', 'skip' or 'error'.
      time_unit: 's', 'ms', 'iso'; 'auto' decides by magnitude.
      duration_unit: 's' or 'ms'; 'auto' takes 'ms' where the name of the column says so.
      skip_below_s: plays of fewer seconds were skipped; 0 does not ask.
      skip_below_share: plays of less than this share of the track's length were skipped; 0 does not ask.
      length: column of the log or the track table with the track's length; None looks in the table.
      length_unit: its unit, as `duration_unit`.
      columns: names for the columns of files without a header.
      encoding: of text files.
      data_dir: folder of TFDS.
      repeats: 'keep', or 'drop' for the first play only of each user and track.
      k_core: users and tracks with fewer plays go, until none is left; 0 keeps all.
      min_history: users with fewer plays go; 0 keeps all.
      min_play_s: plays of fewer seconds go; 0 keeps all.
      on_error: 'stop', or 'skip' to set bad rows aside in rejected.csv.
    """

    format: str | None = None
    user: str | None = None
    track: str | None = None
    time: str | None = None
    weight: str | None = None
    duration: str | None = None
    title: str | None = None
    finished: str | None = None
    skipped: str | None = None
    event_columns: tuple[str, ...] = ()
    track_attributes: tuple[str, ...] = ()
    user_attributes: tuple[str, ...] = ()
    track_table: str | None = None
    user_table: str | None = None
    track_key: str | None = None
    user_key: str | None = None
    catalogue: str = "played"
    unknown_tracks: str = "keep"
    time_unit: str = "auto"
    duration_unit: str = "auto"
    skip_below_s: float = 0.0
    skip_below_share: float = 0.0
    length: str | None = None
    length_unit: str = "auto"
    columns: tuple[str, ...] | None = None
    encoding: str = "utf-8"
    data_dir: str | None = None
    repeats: str = "keep"
    k_core: int = 0
    min_history: int = 0
    min_play_s: float = 0.0
    on_error: str = "stop"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("format", (None, *FORMATS[:-1])),
            ("time_unit", UNITS),
            ("duration_unit", ("auto", "s", "ms")),
            ("length_unit", ("auto", "s", "ms")),
            ("catalogue", ("played", "all")),
            ("unknown_tracks", ("keep", "skip", "error")),
            ("repeats", ("keep", "drop")),
            ("on_error", ("stop", "skip")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {allowed}")
        for name in ("k_core", "min_history", "min_play_s", "skip_below_s"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if not 0 <= self.skip_below_share <= 1:
            raise ValueError(f"skip_below_share is {self.skip_below_share}; it must lie in [0, 1]")
        if len(set(self.event_columns)) < len(self.event_columns):
            raise ValueError(f"event_columns is {self.event_columns}; it must name each column once")
        said = [name for name in ("finished", "skipped") if getattr(self, name) not in (None, NONE)]
        rules = [name for name in ("skip_below_s", "skip_below_share") if getattr(self, name)]
        if len(said) > 1 or (said and rules):
            first, second = (said + rules)[:2]
            raise ValueError(f"--{first} and --{second} both say how a play ended; give one of them")
        if self.length and not self.skip_below_share:
            raise ValueError("--length is for --skip_below_share, which was not given")
        if self.time == NONE and self.time_unit != "auto":
            raise ValueError("time_unit says how to read times, but time is 'none'")
        ascii_superset(self.encoding)

    def recorded(self) -> dict[str, Any]:
        """For the card; of files their names alone, so that a card does not tell where they lay."""
        recorded = dataclasses.asdict(self)
        for name in ("track_table", "user_table"):
            if recorded[name]:
                recorded[name] = os.path.basename(recorded[name])
        del recorded["data_dir"]
        return recorded
