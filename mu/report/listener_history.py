"""Numbers of one listener's plays: by year, hour and month; sessions, skips, repeats and what was new."""

import dataclasses

import numpy as np
import polars as pl

from mu.data.logs.interactions import FINISHED, SKIPPED, Interactions

SESSION_GAP_MS = 30 * 60_000
HOUR_MS = 3_600_000


@dataclasses.dataclass(frozen=True)
class Sessions:
    """Sessions: a new one begins where 30 minutes pass between two times.

    Attributes:
      count: their number.
      median_plays: plays of the median session.
      most_plays: plays of the longest.
    """

    count: int
    median_plays: float
    most_plays: int


class ListenerHistory:
    """The plays of the only listener of a log, in order of time.

    Args:
      log: of one listener, with times.

    Raises:
      ValueError: the log has several listeners, or no times, or no plays.

    Attributes:
      log: the same.
      artists: the artist of each track; null where it is not known; None where none is.
      months: int64 [E], months since January of the year 0 of each play (UTC).
    """

    def __init__(self, log: Interactions):
        if log.n_users != 1 or not log.has_times or not len(log):
            raise ValueError(
                f"a page of one listener needs plays of one, with times; the log has {log.n_users:,} listeners and "
                f"{len(log):,} plays, {'with' if log.has_times else 'without'} times"
            )
        self.log = log
        artists = log.tracks["artist"].cast(pl.String) if "artist" in log.tracks.columns else None
        self.artists = artists if artists is not None and artists.count() else None
        self._moments = log.times.astype("datetime64[ms]")
        self.months = self._moments.astype("datetime64[M]").astype(np.int64) + 1970 * 12

    def hours(self) -> float | None:
        """Hours played, where the log has milliseconds played as a number of plays; None where it has not."""
        played_ms = self.log.numbers.get("ms_played")
        return None if played_ms is None else float(np.nansum(played_ms, dtype=np.float64)) / HOUR_MS

    def by_year(self) -> dict[int, int]:
        """Plays of each year, from the first to the last."""
        years = self.months // 12
        counts = np.bincount(years - years[0])
        return {int(years[0]) + at: int(count) for at, count in enumerate(counts)}

    def by_hour(self) -> list[int]:
        """Plays of each of the 24 hours of the day, UTC."""
        return np.bincount(self.log.times // HOUR_MS % 24, minlength=24).tolist()

    def by_weekday(self) -> list[int]:
        """Plays of each day of the week, UTC, from Monday."""
        days = self._moments.astype("datetime64[D]").astype(np.int64)
        return np.bincount((days + 3) % 7, minlength=7).tolist()  # 1970-01-01 was a Thursday

    def top(self, names: pl.Series) -> pl.DataFrame:
        """The names of tracks or artists by plays: columns name, plays, first, last (days).

        Args:
          names: of each track; plays of those without are left out.
        """
        plays = pl.DataFrame({"name": names.gather(self.log.items), "day": self._moments.astype("datetime64[D]")})
        counted = plays.drop_nulls("name").group_by("name", maintain_order=True)
        table = counted.agg(pl.len().alias("plays"), pl.min("day").alias("first"), pl.max("day").alias("last"))
        return table.sort("plays", descending=True, maintain_order=True)

    def of_name(self, names: pl.Series, name: str) -> np.ndarray:
        """bool [E]: the plays of a track or an artist."""
        return (names == name).fill_null(False).to_numpy()[self.log.items]

    def sessions(self) -> Sessions:
        """The sessions of all plays."""
        starts = np.flatnonzero(np.diff(self.log.times) > SESSION_GAP_MS) + 1
        lengths = np.diff(np.concatenate([[0], starts, [len(self.log)]]))
        return Sessions(len(lengths), float(np.median(lengths)), int(lengths.max()))

    def new_tracks(self) -> np.ndarray:
        """bool [E]: whether the track had not been played before."""
        return first_times(self.log.items)

    def new_artists(self) -> np.ndarray | None:
        """bool [E]: whether the artist had not been played before; None without artists."""
        if self.artists is None:
            return None
        codes = self.artists.rank("dense").fill_null(0).to_numpy()[self.log.items]
        return first_times(codes) & (codes > 0)

    def skips(self) -> tuple[np.ndarray, np.ndarray] | None:
        """bool [E] twice: plays whose end is known, and those that were skipped; None where no end is known."""
        outcomes = self.log.outcomes
        if outcomes is None:
            return None
        known = (outcomes == FINISHED) | (outcomes == SKIPPED)
        return (known, outcomes == SKIPPED) if known.any() else None


def first_times(values: np.ndarray) -> np.ndarray:
    """bool [n]: whether a value has not come before."""
    first = np.zeros(len(values), bool)
    first[np.unique(values, return_index=True)[1]] = True
    return first
