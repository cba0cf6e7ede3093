"""Decisions made after training: by how much scores of new releases are calibrated, and raised in lists."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from mu.files import read_json, write_json
from mu.ranges import NonNegative

NEW_RELEASE_DAYS = 7.0
"""A track is a new release for so long."""
CALIBRATED_DAYS = (7.0, 28.0)
"""Scores of tracks younger than the first have an offset, and those of others younger than the second."""
BOOST_STEP, MOST_BOOST = 0.25, 8.0
POLICY = "policy.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """Decisions made after training, on the validation part.

    Attributes:
      new_release_boost: added to the scores of tracks in their first `NEW_RELEASE_DAYS`. Less is known of a track that
        nobody has played than of others, so a likely guess of it rarely stands among the first; the boost is what
        showing new releases is worth to who runs the service.
      age_offsets: added to the scores of tracks by their age, one for each of `CALIBRATED_DAYS`, so that
        the model gives them the share of plays that they had on the validation part.
      weights_hash: of the model that it was fitted for (`mu.inference.recommender.weights_hash`); '' for none.
      content_sha256: of the file with the content embeddings of that model; '' where there is none.
      intent: name of an intent -> (slope, intercept) of its logit, so that probabilities agree with what was observed
        (`mu.inference.calibration`); none where nothing was fitted.
    """

    new_release_boost: float = 0.0
    age_offsets: tuple[float, ...] = (0.0,) * len(CALIBRATED_DAYS)
    weights_hash: str = ""
    content_sha256: str = ""
    intent: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)

    def without_boost(self) -> Self:
        """The same policy without a boost: scores are how much is played, not what is to be shown."""
        return dataclasses.replace(self, new_release_boost=0.0)

    def save(self, run: str | os.PathLike[str]) -> None:
        """Writes policy.json to the folder of a run."""
        write_json(Path(run) / POLICY, dataclasses.asdict(self))

    @classmethod
    def load(cls, run: str | os.PathLike[str]) -> Self:
        """The policy of a run; one that decides nothing where none was fitted.

        Raises:
          ValueError: the file is damaged.
        """
        file = Path(run) / POLICY
        try:
            if not file.is_file():
                return cls()
            fields = read_json(file)
            if "age_offsets" in fields:  # those of an earlier version have none
                fields["age_offsets"] = tuple(fields["age_offsets"])
            return cls(**fields)
        except TypeError:
            raise ValueError(f"{file} holds no policy: delete it, and `mu evaluate` fits it again") from None


def new_release_boost(score: Callable[[str, float], float], *, metric: str, max_cost: NonNegative = 0.05) -> Policy:
    """The largest boost of new releases that costs plays of known tracks no more than `max_cost`.

    It is one of 0, 1/4, 1/2, ..., 8; 0 where no boost changes the score, for then the validation part has no new
    release among its candidates, or finds no known track.

    Args:
      score: of a metric's name and a boost, the metric's value on the validation part.
      metric: 'NAME/METRIC' of config.evals, over plays of known tracks, such as 'plays/discovery/recall@20'.
      max_cost: share of the score without a boost that the boost may cost; 0 for no boost.

    Raises:
      ValueError: `max_cost` does not lie in [0, 1).
    """
    if not 0 <= max_cost < 1:
        raise ValueError(f"max_cost={max_cost}; it must lie in [0, 1)")
    if not max_cost:
        return Policy()
    without = score(metric, 0.0)
    if score(metric, MOST_BOOST) == without:
        return Policy()
    least, low, high = (1.0 - max_cost) * without, 0, round(MOST_BOOST / BOOST_STEP)
    while low < high:  # the larger the boost, the less room is left for other tracks
        middle = (low + high + 1) // 2
        low, high = (middle, high) if score(metric, middle * BOOST_STEP) >= least else (low, middle - 1)
    return Policy(new_release_boost=low * BOOST_STEP)
