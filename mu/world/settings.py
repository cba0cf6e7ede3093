"""Sizes and laws of a simulated world: every constant of the generative model, with its unit."""

import dataclasses
import typing
from typing import Annotated

import numpy as np

from mu.ranges import AtLeast, Between, Count, Decay, NonNegative, PartialShare, Positive, Rate, faults_of

DAY_MS = 24 * 3600 * 1000
WEEK_MS = 7 * DAY_MS
START_MS = 1_704_412_800_000
"""Friday 2024-01-05 00:00 UTC, the start of every world. Weeks begin, and tracks come out, on Fridays."""
SESSION_GAP_MS = 30 * 60 * 1000
"""Two plays belong to one session if and only if the second starts less than this after the first."""

Exponent = Annotated[float, Between(0, 50)]
"""At most 50, or `exp(taste . track)` leaves float64."""
Weight = Annotated[float, Between(-50, 50)]
"""The same, of either sign."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sizes and laws of a world; the equations are in this package's README.md.

    Attributes:
      tracks: how many.
      listeners: how many.
      plays: how many; the number is met exactly.
      weeks: length of the simulated time.
      min_plays: the fewest plays of a listener.
      released_before: share of releases that are out when the simulation starts.
      zipf_exponent: of the popularity weight `(rank + zipf_shift * tracks) ** -zipf_exponent`.
      zipf_shift: of the same.
      novelty: a release counts `1 + novelty * exp(-age / novelty_weeks)` times as much.
      novelty_weeks: of the same.
      taste_scale: length of a listener's long-term taste vector; 0 makes everybody like the charts.
      drift: standard deviation of the drifting part of each coordinate of a taste; 0 keeps tastes still.
      drift_weeks: correlation time of that drift.
      context: how far contexts move tastes; 0 makes every session an everyday one.
      feedback: share of a week's popularity that comes from earlier plays, in [0, 1); 0 is no feedback.
      feedback_weeks: a play counts `exp(-age / feedback_weeks)` there, and in the charts that the service reads.
      session_plays: mean number of plays of a session.
      album: mean share of plays inside a session that follow the album.
      flow: mean share of plays that go on to a track that goes well after the last.
      repeat: mean share of plays that go back to a recent track; the rest is drawn by taste.
      habit_concentration: how alike listeners are in those shares (Dirichlet); larger is more alike.
      repeat_span: a repeat goes 2 to `repeat_span` plays back, L plays with weight `repeat_decay ** L`.
      repeat_decay: of the same.
      flow_tracks: how many tracks go well after a track; the k-th has weight `flow_decay ** k`.
      flow_decay: of the same.
      slate_tracks: how many tracks the service shows when a session opens; at most 100.
      policy_uniform: share of uniform draws in the service's policy, in (0, 1].
      policy_popularity: the rest draws a track with weight `(recent plays + 1) ** policy_popularity *
        exp(policy_taste * segment's profile . track)`.
      policy_taste: of the same.
      examine_decay: a listener looks at one place of the slate, the j-th with weight `j ** -examine_decay`.
      accept_bias: they play the track there with probability `sigmoid(accept_bias + accept_slope * cos(taste, track))`.
      accept_slope: of the same.
    """

    tracks: Count
    listeners: Count
    plays: Count
    weeks: Annotated[int, Between(1, 5_000)] = 52
    min_plays: Count = 5
    released_before: Decay = 0.7
    zipf_exponent: Exponent = 0.8
    zipf_shift: NonNegative = 0.01
    novelty: NonNegative = 3.0
    novelty_weeks: Positive = 4.0
    taste_scale: Exponent = 1.8
    drift: Exponent = 0.5
    drift_weeks: Positive = 12.0
    context: Exponent = 1.0
    feedback: Rate = 0.15
    feedback_weeks: Positive = 4.0
    session_plays: Annotated[float, AtLeast(1)] = 8.0
    album: PartialShare = 0.12
    flow: PartialShare = 0.3
    repeat: PartialShare = 0.1
    habit_concentration: Positive = 20.0
    repeat_span: Annotated[int, AtLeast(2)] = 50
    repeat_decay: PartialShare = 0.95
    flow_tracks: Count = 12
    flow_decay: PartialShare = 0.8
    slate_tracks: Annotated[int, Between(1, 100)] = 10
    policy_uniform: Decay = 0.2
    policy_popularity: Weight = 0.7
    policy_taste: Weight = 1.5
    examine_decay: NonNegative = 0.8
    accept_bias: Weight = -1.0
    accept_slope: Weight = 3.0

    def __post_init__(self) -> None:
        if wrong := faults_of(vars(self), typing.get_type_hints(Settings, include_extras=True)):
            raise ValueError("\n".join(wrong))
        if self.plays < self.listeners * self.min_plays:
            raise ValueError(
                f"plays={self.plays} is too few for {self.listeners} listeners with"
                f" min_plays={self.min_plays} each; ask for {self.listeners * self.min_plays} or more"
            )
        shares = (self.album, self.flow, self.repeat)
        if sum(shares) >= 1:
            raise ValueError(
                f"album, flow, repeat = {shares}: each must be above 0 and the sum below 1, because the rest of a"
                " session is drawn by taste"
            )

    @property
    def end_ms(self) -> int:
        """Unix milliseconds at which the last week ends."""
        return START_MS + self.weeks * WEEK_MS


SIZES = {
    "tiny": Settings(tracks=300, listeners=100, plays=5_000),
    "small": Settings(tracks=3_000, listeners=2_000, plays=100_000),
    "medium": Settings(tracks=100_000, listeners=50_000, plays=10_000_000),
}


def settings_of(size: str | Settings) -> Settings:
    """The settings behind a size's name; settings pass through.

    Raises:
      ValueError: no size has this name.
    """
    if isinstance(size, Settings):
        return size
    if size not in SIZES:
        raise ValueError(f"size={size!r}: there is no such world; choose one of {', '.join(SIZES)}")
    return SIZES[size]


def week_of(times_ms: np.ndarray, settings: Settings) -> np.ndarray:
    """int64: the week of each time; times outside the simulation belong to its first or last week."""
    return np.clip((np.asarray(times_ms, dtype=np.int64) - START_MS) // WEEK_MS, 0, settings.weeks - 1)
