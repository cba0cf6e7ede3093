"""Sizes and laws of a simulated world: every constant of the generative model, with its unit."""

import dataclasses

import numpy as np

DAY_MS = 24 * 3600 * 1000
WEEK_MS = 7 * DAY_MS
START_MS = 1_704_412_800_000
"""Friday 2024-01-05 00:00 UTC, the start of every world. Weeks begin, and tracks come out, on Fridays."""
SESSION_GAP_MS = 30 * 60 * 1000
"""Two plays belong to one session if and only if the second starts less than this after the first."""


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

    tracks: int
    listeners: int
    plays: int
    weeks: int = 52
    min_plays: int = 5
    released_before: float = 0.7
    zipf_exponent: float = 0.8
    zipf_shift: float = 0.01
    novelty: float = 3.0
    novelty_weeks: float = 4.0
    taste_scale: float = 1.8
    drift: float = 0.5
    drift_weeks: float = 12.0
    context: float = 1.0
    feedback: float = 0.15
    feedback_weeks: float = 4.0
    session_plays: float = 8.0
    album: float = 0.12
    flow: float = 0.3
    repeat: float = 0.1
    habit_concentration: float = 20.0
    repeat_span: int = 50
    repeat_decay: float = 0.95
    flow_tracks: int = 12
    flow_decay: float = 0.8
    slate_tracks: int = 10
    policy_uniform: float = 0.2
    policy_popularity: float = 0.7
    policy_taste: float = 1.5
    examine_decay: float = 0.8
    accept_bias: float = -1.0
    accept_slope: float = 3.0

    def __post_init__(self) -> None:
        for name in ("tracks", "listeners", "weeks", "min_plays"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: a world needs at least 1")
        if self.plays < self.listeners * self.min_plays:
            raise ValueError(
                f"plays={self.plays} is too few for {self.listeners} listeners with"
                f" min_plays={self.min_plays} each; ask for {self.listeners * self.min_plays} or more"
            )
        shares = (self.album, self.flow, self.repeat)
        if min(shares) <= 0 or sum(shares) >= 1:
            raise ValueError(
                f"album, flow, repeat = {shares}: each must be above 0 and the sum below 1,"
                " because the rest of a session is drawn by taste"
            )
        for name in ("repeat_decay", "flow_decay"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: it must lie strictly between 0 and 1")
        for name, smallest in (("session_plays", 1), ("repeat_span", 2), ("flow_tracks", 1)):
            if getattr(self, name) < smallest:
                raise ValueError(f"{name}={getattr(self, name)}: it must be at least {smallest}")
        if not 1 <= self.slate_tracks <= 100:
            raise ValueError(f"slate_tracks={self.slate_tracks}: it must lie between 1 and 100")
        for name in ("drift", "taste_scale", "context", "novelty", "zipf_exponent", "zipf_shift", "examine_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}={getattr(self, name)}: it must not be negative")
        for name in ("drift", "taste_scale", "context"):
            if getattr(self, name) > 50:
                raise ValueError(f"{name}={getattr(self, name)}: at most 50, or exp(taste . track) leaves float64")
        for name in ("drift_weeks", "novelty_weeks", "feedback_weeks", "habit_concentration"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)}: it must be above 0")
        for name in ("released_before", "policy_uniform"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: it must lie in (0, 1]")
        if not 0 <= self.feedback < 1:
            raise ValueError(
                f"feedback={self.feedback}: it must lie in [0, 1), because what nobody played stays likely"
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
