"""The options of counting models with a window: how counts weigh by distance, and plays of a history by age."""

import dataclasses
from typing import Annotated, Any, Self

import numpy as np

from mu.baselines.counting import CountingModel
from mu.baselines.decays import CountsShape, HistoryShape, distance_weights, history_weights
from mu.baselines.distances import DistanceKind, Distances
from mu.baselines.fitting import check_options
from mu.baselines.transitions import TransitionCounts
from mu.ranges import Between, Count, Decay, NonNegative, Positive, Share


@dataclasses.dataclass(kw_only=True, eq=False)
class WindowedCounts(CountingModel):
    """Rules from counts in a window: C[b, a] = sum over distances d of g(d) N_d(b -> a), N_d counts a at d after b.

    Args:
      window: W, the distances that are counted, in plays or sessions.
      counts: the shape of g, see `mu.baselines.decays.CountsShape`.
      counts_decay: the exponent of 'power', the factor of 'exponential'; others do not read it.
      history: the shape of w, see `mu.baselines.decays.HistoryShape`.
      history_decay: the factor of 'exponential' and of the head of 'tail'.
      history_length: only so many of the newest plays speak; None for all.
      history_head: the newest plays that are the head of 'tail'.
      history_head_mass: the weight of the head of 'tail', of 1.
      successors: how many rules each item keeps, the strongest, of equally strong ones those with lower ids; None for
        all.
      idf: whether the rules of an item are multiplied with its inverse frequency, log(f_max / f) / log(f_max / f_min):
        0 for the item with the most plays, 1 for one with the fewest.
      distance: 'plays', 'sessions' or 'gaps', see `mu.baselines.distances.Distances`. Ages in a history are plays.
      session_minutes: a session ends after so long without a play; of 'sessions'.
      gap_minutes: the classes of the time between two plays, ascending; of 'gaps'.
      max_plays: no pair is further apart than so many plays; of 'sessions' and 'gaps'.

    Raises:
      ValueError: an option is out of range; names every one.
    """

    window: Annotated[int, Between(1, 256)] = 10
    counts: CountsShape = "inverse"
    counts_decay: NonNegative = 0.5
    history: HistoryShape = "inverse"
    history_decay: Decay = 0.6
    history_length: Count | None = 50
    history_head: Count = 7
    history_head_mass: Share = 0.8
    successors: Count | None = None
    idf: bool = False
    distance: DistanceKind = "plays"
    session_minutes: Positive = 30.0
    gap_minutes: tuple[Positive, ...] = (10.0, 60.0, 1440.0, 10080.0)
    max_plays: Count = 50

    def __post_init__(self) -> None:
        check_options(type(self), vars(self))
        self._distances = Distances(
            self.distance, self.window, self.session_minutes, tuple(self.gap_minutes), self.max_plays
        )
        with np.errstate(over="ignore"):
            self._distance_weights = distance_weights(self.counts, len(self._distances.edges), self.counts_decay)
        if not np.isfinite(self._distance_weights).all():
            raise ValueError(
                f"counts_decay={self.counts_decay}: the weight of a distance is no finite number; lower it"
            )
        self._history_length, self._successors = self.history_length, self.successors

    def with_options(self, **options: Any) -> Self:
        """This fitted model with other options; what was counted is not counted again.

        Raises:
          ValueError: an option is out of range, or is one of the distances, which would have to be counted.
        """
        other = dataclasses.replace(self, **options)
        if other._distances != self._distances:
            raise ValueError(f"{', '.join(options)}: other distances have to be counted: fit a model with them")
        counts = self._fitted.copy()
        return other._learn(counts.log, counts, self)

    def _history_weights(self, plays: int) -> np.ndarray:
        return history_weights(self.history, plays, self.history_decay, self.history_head, self.history_head_mass)

    def _scale(self, counts: TransitionCounts) -> np.ndarray | None:
        if not self.idf:
            return None
        known = counts.plays > 0
        logs = np.log(np.maximum(counts.plays, 1))
        most, fewest = logs.max(where=known, initial=0.0), logs.min(where=known, initial=np.inf)
        return (most - logs) / (most - fewest) if most > fewest else np.ones(len(logs))
