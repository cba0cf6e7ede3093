"""Why a track is recommended: the largest parts of its score, or the played tracks that are most similar to it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import polars as pl

from mu.data.logs.interactions import Interactions
from mu.inference.time_aware import TimeAwareRecommender
from mu.report.neighbours import unit
from mu.report.score_parts import ScoreParts, asked

MOST_NEAR = 2
LEAST_COSINE = 0.2


class Why(Protocol):
    """Says why tracks are recommended.

    Attributes:
      how_to_read: a sentence about what is said.
    """

    how_to_read: str

    def reasons(self, user: int, tracks: np.ndarray) -> list[str]:
        """What speaks for each track (int [k]), in words; empty for nothing."""
        ...


class LargestParts:
    """Names the parts of scores that are largest beyond those of the mean track.

    Args:
      parts: of the scores.
      recommender: whose scores they are.
      histories: what they played before the test.
    """

    how_to_read = "What speaks for a track are the largest parts of its score, beyond what they are for the mean track."

    def __init__(self, parts: ScoreParts, recommender: TimeAwareRecommender, histories: Interactions):
        self._parts, self._recommender, self._histories = parts, recommender, histories

    def reasons(self, user: int, tracks: np.ndarray) -> list[str]:
        """For each track (int [k]) the largest parts of its score beyond the mean track's: 'its sound +1.2'."""
        users = np.array([user])
        (listener,) = asked(self._recommender, users, self._histories.take(users))
        largest = self._parts.reasons(listener, tracks)
        return ["; ".join(f"{name} {amount:+.1f}" for name, amount in reasons) for reasons in largest]


class NearPlayed:
    """Names the played tracks whose vectors are most similar to that of a track.

    Args:
      vectors: float32 [V, D], of a model whose scores are products with them.
      histories: what listeners played before the test.
      titles: of the tracks.
    """

    how_to_read = (
        "'near' names played tracks whose vectors are most similar to that of the recommended one (cosine): the model "
        "sees them alike; it is no proof that they caused the recommendation."
    )

    def __init__(self, vectors: np.ndarray, histories: Interactions, titles: Sequence[str]):
        self._vectors, self._histories, self._titles = vectors, histories, titles

    def reasons(self, user: int, tracks: np.ndarray) -> list[str]:
        """For each track (int [k]) the most similar ones among those played: 'near Halo (.82)'."""
        played = np.unique(self._histories.row(user))
        cosines = unit(self._vectors[tracks]) @ unit(self._vectors[played]).T
        words = []
        for row in cosines:
            nearest = [
                int(place) for place in np.argsort(-row, kind="stable")[:MOST_NEAR] if row[place] >= LEAST_COSINE
            ]
            named = [f"{self._titles[played[place]]} ({f'{row[place]:.2f}'.removeprefix('0')})" for place in nearest]
            words.append(f"near {', '.join(named)}" if named else "")
        return words


def attribute_words(table: pl.DataFrame, row: int, columns: Sequence[str]) -> str:
    """The values of a row in these columns, those that there are, as a line of words."""
    words = []
    for column in columns:
        if column in table.columns and table[column][row] is not None:
            value = table[column][row]
            words.append(f"{float(value):.0f} bpm" if column == "tempo_bpm" else str(value))
    return ", ".join(words)
