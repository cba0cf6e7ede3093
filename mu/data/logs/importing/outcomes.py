"""Outcomes of plays (finished or skipped): from a column of the log, or by a rule from the time played."""

import dataclasses

import numpy as np
import polars as pl

from mu.data.logs.interactions import FINISHED, SKIPPED, UNKNOWN
from mu.data.tables import ColumnError

YES = ("1", "1.0", "true", "t", "yes", "y")
NO = ("0", "0.0", "false", "f", "no", "n")


def outcomes_of(column: pl.Series, yes: int) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes from a column of 0 and 1, true and false, or such words.

    Args:
      column: numbers, booleans or text; case and surrounding spaces are ignored.
      yes: the outcome of 1 and true, `FINISHED` or `SKIPPED`; 0 and false are the other one, empty is unknown.

    Returns:
      uint8 [n] outcomes, and bool [n]: where the value is none of these.

    Raises:
      ColumnError: the column holds dates, lists or the like.
    """
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        is_yes, is_no, empty = values == 1, values == 0, np.isnan(values)
    elif column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        text = column.cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
        is_yes, is_no, empty = (text.is_in(words).to_numpy() for words in (YES, NO, ("",)))
    else:
        raise ColumnError(f"the column {column.name!r} holds {column.dtype}; an outcome must be 0 or 1, true or false")
    outcomes = np.full(len(column), UNKNOWN, np.uint8)
    outcomes[is_yes] = yes
    outcomes[is_no] = FINISHED + SKIPPED - yes
    return outcomes, ~(is_yes | is_no | empty)


@dataclasses.dataclass(frozen=True)
class OutcomeRule:
    """Outcomes by time played, for logs without a column of outcomes.

    A play is skipped if it lasted less than `below_s` seconds, or less than the share `below_share` of its track.
    Otherwise it is finished. It is unknown if the time played is not known, or if the share decides and the duration of
    the track is not known. Streaming services count a play from 30 s on, Last.fm from half of the track.

    Attributes:
      below_s: seconds; 0 for no such rule.
      below_share: share of the track; 0 for no such rule.
    """

    below_s: float
    below_share: float

    def apply(self, played_s: np.ndarray, track_s: np.ndarray | None) -> np.ndarray:
        """The outcomes of plays.

        Args:
          played_s: float64 [n], seconds played, NaN where not known.
          track_s: float64 [n], seconds of the track, NaN or 0 where not known; None without `below_share`.

        Returns:
          uint8 [n].
        """
        outcomes = np.full(len(played_s), FINISHED, np.uint8)
        if track_s is not None:
            outcomes[~(track_s > 0)] = UNKNOWN
            outcomes[played_s < self.below_share * track_s] = SKIPPED
        outcomes[np.isnan(played_s)] = UNKNOWN
        outcomes[played_s < self.below_s] = SKIPPED
        return outcomes
