"""Play counts so far, decayed by age: what popularity feeds back, and what the listening service reads."""

import dataclasses

import numpy as np

from mu.world import names
from mu.world.catalogue import AUDIBLE, Catalogue, weekly_weights
from mu.world.settings import Settings

N_SEGMENTS = len(names.COUNTRIES) * len(names.AGE_GROUPS)
PROFILE_PRIOR_PLAYS = 20.0
"""A segment's profile is drawn to 0 as if it had this many plays more, of tracks at the origin."""


@dataclasses.dataclass(frozen=True, eq=False)
class Charts:
    """Decayed play counts at the beginning of each week.

    W weeks, V tracks, G segments (country x age group), N audible coordinates.

    Attributes:
      recent: float64 [W, V], plays of each track in all weeks before; a play counts `exp(-age / feedback_weeks)` with
        the age in weeks, 0 for the last week.
      segment_plays: float64 [W, G], the same by the listener's segment.
      segment_sums: float64 [W, G, N], audible coordinates of those plays, summed with the same weights.
    """

    recent: np.ndarray
    segment_plays: np.ndarray
    segment_sums: np.ndarray

    def note(self, week: int, tracks: np.ndarray, segments: np.ndarray, vectors: np.ndarray, keep: float) -> None:
        """Fills the row after `week` from its plays; `tracks` and `segments` are int [plays of the week]."""
        self.recent[week + 1] = keep * self.recent[week] + np.bincount(tracks, minlength=self.recent.shape[1])
        self.segment_plays[week + 1] = keep * self.segment_plays[week] + np.bincount(segments, minlength=N_SEGMENTS)
        for i in range(len(AUDIBLE)):
            sums = np.bincount(segments, weights=vectors[tracks, i], minlength=N_SEGMENTS)
            self.segment_sums[week + 1, :, i] = keep * self.segment_sums[week, :, i] + sums

    def weights(self, catalogue: Catalogue, weeks: np.ndarray, settings: Settings) -> np.ndarray:
        """float64 [len(weeks), V]: the weight of each track without taste.

        Of the mass of popularity and novelty a share `feedback` goes to tracks in proportion to their recent plays;
        before the first play there is nothing to feed back.
        """
        base = weekly_weights(catalogue, weeks, settings)
        recent = self.recent[weeks]
        total = recent.sum(axis=1, keepdims=True)
        share = np.where(total > 0, settings.feedback, 0.0)
        return (1 - share) * base + share * base.sum(axis=1, keepdims=True) * recent / np.maximum(total, 1e-300)

    def profiles(self, week: int) -> np.ndarray:
        """float64 [G, N]: the mean audible coordinates of what each segment played of late."""
        return self.segment_sums[week] / (self.segment_plays[week] + PROFILE_PRIOR_PLAYS)[:, None]


def empty_charts(n_tracks: int, settings: Settings) -> Charts:
    """Charts in which nothing was played."""
    return Charts(
        recent=np.zeros((settings.weeks, n_tracks)),
        segment_plays=np.zeros((settings.weeks, N_SEGMENTS)),
        segment_sums=np.zeros((settings.weeks, N_SEGMENTS, len(AUDIBLE))),
    )
