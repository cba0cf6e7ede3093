"""What a page calls the events of a log: plays, or ratings."""

import dataclasses

from mu.evals.protocols.rated_candidates import RATED
from mu.evals.result import Result


@dataclasses.dataclass(frozen=True)
class LogWords:
    """What the events of a log are.

    Attributes:
      event: one of them: 'play'.
      done: what a listener has done with a track: 'played'.
      do: what listeners do: 'play'.
    """

    event: str
    done: str
    do: str


PLAYS, RATINGS = LogWords("play", "played", "play"), LogWords("rating", "rated", "rate")


def are_ratings(result: Result) -> bool:
    """Whether an evaluation orders the tracks that each listener rated (`mu.evals.protocols.rated_candidates`)."""
    return RATED in result.same


def log_words(result: Result) -> LogWords:
    """What the log of an evaluation holds."""
    return RATINGS if are_ratings(result) else PLAYS
