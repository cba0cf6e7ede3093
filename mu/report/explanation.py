"""Why a track is recommended: the parts of its score that are largest beyond those of the mean track."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

MOST_REASONS = 3
LEAST_REASON = 0.05
PART_NAMES = {"own": "who else plays it", "sound": "its sound"}


class Explanation:
    """Names the parts of scores.

    Args:
      parts: name -> float32 [V, D]; the track vectors are their sum. Columns of the track table go by their name.
      bias: float32 [V], what the age of each track adds to its score.
      released: bool [V], the tracks that the mean is over.
      tracks: the log's table of tracks.
    """

    def __init__(self, parts: Mapping[str, np.ndarray], bias: np.ndarray, released: np.ndarray, tracks: pl.DataFrame):
        self._parts, self._bias, self._released, self._tracks = parts, bias, released, tracks

    def reasons(self, query: np.ndarray, tracks: np.ndarray) -> list[list[tuple[str, float]]]:
        """For each track the largest parts of its score beyond the mean track's, [(part in words, amount), ...].

        Args:
          query: float32 [D], of the listener.
          tracks: int [k].
        """
        if not self._parts:
            return [[] for _ in tracks]
        scores = {PART_NAMES.get(name, name): part @ query for name, part in self._parts.items()}
        scores["its age"] = self._bias
        above = {name: score[tracks] - score[self._released].mean() for name, score in scores.items()}
        return [self._largest(above, place, int(track)) for place, track in enumerate(tracks)]

    def _largest(self, above: Mapping[str, np.ndarray], place: int, track: int) -> list[tuple[str, float]]:
        amounts = [(float(values[place]), self._words(name, track)) for name, values in above.items()]
        largest = sorted(amounts, reverse=True)[:MOST_REASONS]
        return [(name, amount) for amount, name in largest if amount > LEAST_REASON]

    def _words(self, part: str, track: int) -> str:
        """'artist Nova' for a column of the track table; other parts as they are."""
        if part not in self._tracks.columns:
            return part
        return f"{part} {self._tracks[part][track]}".replace("|", ", ")


def attribute_words(table: pl.DataFrame, row: int, columns: Sequence[str]) -> str:
    """The values of a row in these columns, those that there are, as a line of words."""
    words = []
    for column in columns:
        if column in table.columns and table[column][row] is not None:
            value = table[column][row]
            words.append(f"{float(value):.0f} bpm" if column == "tempo_bpm" else str(value))
    return ", ".join(words)
