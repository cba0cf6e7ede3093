"""Arrays that the kernels of the simulation read and write.

Letters: U listeners, W weeks, V tracks, A artists padded to P, D coordinates, S sessions, C contexts, E plays, K places
of a slate, G segments of listeners.
"""

from typing import NamedTuple

import numpy as np


class TasteTables(NamedTuple):
    """Arrays of tracks for draws by taste; tracks are consecutive by artist.

    Attributes:
      bounds: int64 [A + 1]; artist a has the tracks `bounds[a]` to `bounds[a + 1] - 1`.
      cumulated: float64 [W, V], weights of a week cumulated within each artist.
      masses: float64 [W, P], the sum of each artist's weights.
      centres: float64 [D, P], the mean of each artist's vectors.
      radii: float64 [P], the largest distance of an artist's vectors from their centre.
      reach: no track is farther than this from the origin, its artist's radius included.
      vectors: float64 [V, D].
      squares: float64 [V], squared lengths of the vectors.
    """

    bounds: np.ndarray
    cumulated: np.ndarray
    masses: np.ndarray
    centres: np.ndarray
    radii: np.ndarray
    reach: float
    vectors: np.ndarray
    squares: np.ndarray


class People(NamedTuple):
    """Arrays of listeners, contexts and the time of day.

    Attributes:
      tastes: float64 [W + 1, U, D].
      habits: float64 [U, 4].
      susceptibility: float64 [U].
      segment: int32 [U].
      play_bounds: int64 [U + 1].
      session_bounds: int64 [U + 1].
      starts: int64 [S], the earliest time at which each session starts.
      shifts: float64 [C, D].
      contexts_by_hour: float64 [24, C], cumulated.
    """

    tastes: np.ndarray
    habits: np.ndarray
    susceptibility: np.ndarray
    segment: np.ndarray
    play_bounds: np.ndarray
    session_bounds: np.ndarray
    starts: np.ndarray
    shifts: np.ndarray
    contexts_by_hour: np.ndarray


class Music(NamedTuple):
    """Arrays of tracks.

    Attributes:
      successor: int32 [V], the next track of the release, or -1.
      flow: int32 [V, number of tracks that go well after one], -1 where there are fewer.
      released_ms: int64 [V].
      duration_ms: int64 [V].
    """

    successor: np.ndarray
    flow: np.ndarray
    released_ms: np.ndarray
    duration_ms: np.ndarray


class Shelves(NamedTuple):
    """Arrays from which the service draws the slates of a week: a stratum for each place of a slate.

    Attributes:
      order: int64 [released tracks], by stratum.
      bounds: int64 [K + 1].
      cumulated: float64 [G, released tracks], the policy's probabilities cumulated within strata.
    """

    order: np.ndarray
    bounds: np.ndarray
    cumulated: np.ndarray


class Log(NamedTuple):
    """Output arrays of the simulation: plays by listener and time, slates by session.

    Attributes:
      tracks: int32 [E].
      times_ms: int64 [E].
      played_ms: int64 [E].
      finished: bool [E].
      origins: int8 [E].
      contexts: int8 [E].
      opened_ms: int64 [S].
      session_contexts: int8 [S].
      slates: int32 [S, K].
      propensities: float64 [S, K].
      accepted: int8 [S].
    """

    tracks: np.ndarray
    times_ms: np.ndarray
    played_ms: np.ndarray
    finished: np.ndarray
    origins: np.ndarray
    contexts: np.ndarray
    opened_ms: np.ndarray
    session_contexts: np.ndarray
    slates: np.ndarray
    propensities: np.ndarray
    accepted: np.ndarray


class Laws(NamedTuple):
    """Scalars that the kernels read; see `mu.world.settings`.

    Attributes:
      start_ms: when the simulation starts.
      end_ms: when it ends.
      week_ms: length of a week.
      day_ms: length of a day.
      session_gap_ms: the pause that ends a session.
      stop_probability: of a session, after each play.
      repeat_span: how many plays a repeat may go back.
      repeat_decay: weight of a repeat for each play further back.
      flow_decay: weight of a track for each place further down the list of those that go well.
      accept_bias: of the probability to play what is seen in a slate.
      accept_slope: of the same.
    """

    start_ms: int
    end_ms: int
    week_ms: int
    day_ms: int
    session_gap_ms: int
    stop_probability: float
    repeat_span: int
    repeat_decay: float
    flow_decay: float
    accept_bias: float
    accept_slope: float
