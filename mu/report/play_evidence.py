"""Scores as sums over the plays of a history: which play says how much for a track."""

import numpy as np
import polars as pl

from mu.data.track_names import track_titles
from mu.protocols import EvidenceByPlay, Histories
from mu.report.score_parts import MOST_REASONS

POPULARITY = "how often it is played"
"""The name of the background."""


class PlayEvidence:
    """Names the plays that a score is the sum of, and those that say most beyond what they say for the mean track.

    Args:
      recommender: whose scores they are.
      released: bool [V], the tracks that the mean is over; at least one.
      tracks: the log's table of tracks.
    """

    def __init__(self, recommender: EvidenceByPlay, released: np.ndarray, tracks: pl.DataFrame):
        self._recommender, self._released, self._tracks = recommender, released, tracks

    def reasons(self, history: Histories, tracks: np.ndarray) -> list[list[tuple[str, float]]]:
        """For each track the plays that say most for it beyond the mean track, [('after TITLE', amount), ...].

        Args:
          history: one history.
          tracks: int [k].
        """
        played, own, mean = self._by_track(history, tracks)
        beyond = own - mean[:, None]
        reasons = []
        for column in beyond.T:
            best = np.argsort(-column, kind="stable")[:MOST_REASONS]
            reasons.append([(self._after(int(played[at])), float(column[at])) for at in best if column[at] > 0])
        return reasons

    def contributions(self, history: Histories, track: int) -> list[tuple[str, float, float]]:
        """[('after TITLE', what these plays add to the score of the track, what to that of the mean track), ...].

        Args:
          history: one history.
          track: its number in the log.
        """
        played, own, mean = self._by_track(history, np.array([track]))
        background = self._recommender.background
        parts = [(POPULARITY, float(background[track]), float(background[self._released].mean()))]
        by_play = zip(played, own[:, 0], mean, strict=True)
        return parts + [(self._after(int(item)), float(value), float(of_mean)) for item, value, of_mean in by_play]

    def _by_track(self, history: Histories, tracks: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(the n tracks of the history, [n, k] what they say for tracks, [n] what for the mean track)."""
        evidence = self._recommender.play_evidence(history)
        played, places = np.unique(np.asarray(history.items), return_inverse=True)
        own, mean = np.zeros((len(played), len(tracks))), np.zeros(len(played))
        values = np.zeros(evidence.n_columns)
        for play, place in enumerate(places):
            items, given = evidence.row(play)
            values[items] = given
            own[place] += values[tracks]
            mean[place] += given[self._released[items]].sum()
            values[items] = 0
        return played, own, mean / self._released.sum()

    def _after(self, track: int) -> str:
        return f"after {track_titles(self._tracks[[track]])[0]}"
