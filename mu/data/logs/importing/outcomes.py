"""How a play ended: told by a column, or judged by how long it lasted."""

import dataclasses

import numpy as np
import polars as pl

from mu.data.logs.interactions import FINISHED, SKIPPED, UNKNOWN

YES = ("1", "1.0", "true", "t", "yes", "y")
NO = ("0", "0.0", "false", "f", "no", "n")


def outcomes_of(column: pl.Series, yes: int) -> tuple[np.ndarray, np.ndarray]:
    """The outcomes that a column of 0 and 1, true and false, or such words tells.

    Args:
      column: numbers, booleans or text; case and spaces around aside.
      yes: `FINISHED` or `SKIPPED`: what 1 and true stand for; 0 and false are the other, empty is unknown.

    Returns:
      uint8 [n] outcomes, and bool [n]: where it is none of these.

    Raises:
      ValueError: the column holds dates, lists or the like.
    """
    if column.dtype == pl.Boolean or column.dtype.is_numeric():
        values = column.cast(pl.Float64).fill_null(np.nan).to_numpy()
        is_yes, is_no, empty = values == 1, values == 0, np.isnan(values)
    elif column.dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null):
        text = column.cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
        is_yes, is_no, empty = (text.is_in(words).to_numpy() for words in (YES, NO, ("",)))
    else:
        raise ValueError(f"the column {column.name!r} holds {column.dtype}; an outcome must be 0 or 1, true or false")
    outcomes = np.full(len(column), UNKNOWN, np.uint8)
    outcomes[is_yes] = yes
    outcomes[is_no] = FINISHED + SKIPPED - yes
    return outcomes, ~(is_yes | is_no | empty)


@dataclasses.dataclass(frozen=True)
class Judge:
    """Outcomes by time played, where a log tells no more.

    A play is skipped where it lasted less than `below_s` seconds, or less than the share `below_share` of its
    track; finished where neither; unknown where the share would decide and the track's length is not known.
    Streaming services count a play from 30 s on, Last.fm from half of the track.

    Attributes:
      below_s: 0 does not ask.
      below_share: 0 does not ask.
    """

    below_s: float
    below_share: float

    def __call__(self, played_s: np.ndarray, length_s: np.ndarray | None) -> np.ndarray:
        """uint8 [n] of float64 [n] and, with `below_share`, float64 [n] (NaN or 0 where not known)."""
        outcomes = np.full(len(played_s), FINISHED, np.uint8)
        if length_s is not None:
            outcomes[~(length_s > 0)] = UNKNOWN
            outcomes[played_s < self.below_share * length_s] = SKIPPED
        outcomes[played_s < self.below_s] = SKIPPED
        return outcomes
