"""Among which tracks a play is ranked: all that are out and unplayed, the new releases, or the listener's history.

Each rule says so three times: as a mask of a matrix of scores, and as exact ranks of scores that are dot products or
sparse, for which no matrix is made. B plays, V tracks, U listeners, D features.
"""

import dataclasses
from typing import Protocol, cast

import numpy as np

from mu.evals.protocols.play_events import PlayEvents
from mu.protocols import AgeAwareRecommender, DotProductRecommender
from mu_kernels import CSR, SparseIndex, SparseRows, rank_at_times


@dataclasses.dataclass(frozen=True, eq=False)
class ItemScores:
    """What scores at a moment are made of, beside the queries.

        score(b, v) = query b . vectors[v] + bias[v] + age_values[s],
        s the number of age_edges_ms that are at most the age of track v at the moment of play b.

    Attributes:
      vectors: float32 [V, D].
      bias: float32 [V], or None.
      age_edges_ms: int64 [S], ascending.
      age_values: float32 [S + 1].
    """

    vectors: np.ndarray
    bias: np.ndarray | None
    age_edges_ms: np.ndarray
    age_values: np.ndarray

    @classmethod
    def of(cls, recommender: DotProductRecommender) -> "ItemScores":
        """Those of a recommender, which depend on the age where it is time-aware.

        Raises:
          ValueError: a number is not finite.
        """
        if recommender.time_aware:
            scores = cls(recommender.item_vectors, None, *cast(AgeAwareRecommender, recommender).age_steps())
        else:
            no_edges, no_value = np.zeros(0, np.int64), np.zeros(1, np.float32)
            scores = cls(recommender.item_vectors, recommender.item_bias(), no_edges, no_value)
        numbers = {"item_vectors": scores.vectors, "item_bias": scores.bias, "age_steps": scores.age_values}
        for name, array in numbers.items():
            if array is not None and not np.isfinite(array).all():
                raise ValueError(
                    f"{type(recommender).__name__}.{name} has a number that is not finite; it has no place in an order"
                )
        return scores

    def take(self, items: np.ndarray) -> "ItemScores":
        """Those of some tracks."""
        bias = None if self.bias is None else self.bias[items]
        return dataclasses.replace(self, vectors=self.vectors[items], bias=bias)

    def ranks(
        self, queries: np.ndarray, tracks: np.ndarray, times_ms: np.ndarray, available_from_ms: np.ndarray, exclude: CSR
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ranks among all tracks that are out and not excluded; see `Candidates.ranks`."""
        ranks = rank_at_times(
            queries,
            self.vectors,
            tracks,
            times_ms,
            available_from_ms,
            bias=self.bias,
            age_edges=self.age_edges_ms,
            age_values=self.age_values,
            exclude=exclude,
        )
        return ranks.greater, ranks.equal

    def scores(self, query: np.ndarray, ages_ms: np.ndarray) -> np.ndarray:
        """float32 [B, V]: the float32 nearest to the sum in float64, as `rank_at_times` compares them.

        Args:
          query: float32 [D].
          ages_ms: int64 [B, V].
        """
        products = (self.vectors.astype(np.float64) * query.astype(np.float64)).sum(axis=1)
        if self.bias is not None:
            products += self.bias
        steps = np.searchsorted(self.age_edges_ms, ages_ms, side="right")
        return (products + self.age_values[steps]).astype(np.float32)


class Candidates(Protocol):
    """A rule that says among which tracks a play is ranked. The track of the play is one of them."""

    def mask(self, plays: PlayEvents) -> np.ndarray:
        """bool [B, V]: the candidates of each play."""
        ...

    def ranks(self, plays: PlayEvents, queries: np.ndarray, scores: ItemScores) -> tuple[np.ndarray, np.ndarray]:
        """How many candidates score more than the track of each play, and how many the same, itself included.

        Args:
          plays: by user.
          queries: float32 [B, D], the same for all plays of a user.
          scores: of the tracks.

        Returns:
          (greater, equal), integers [B] each.
        """
        ...

    def sparse_ranks(self, plays: PlayEvents, queries: SparseRows, index: SparseIndex) -> tuple[np.ndarray, np.ndarray]:
        """The same of sparse scores: `queries` [B, R] of the plays, to an index of the tracks."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Unplayed:
    """The tracks that are out at the moment of the play and that the listener had not played before the test.

    Attributes:
      available_from_ms: int64 [V].
      seen: CSR [U, V], what each listener had played.
    """

    available_from_ms: np.ndarray
    seen: CSR

    def mask(self, plays: PlayEvents) -> np.ndarray:
        """See `Candidates`."""
        return (self.available_from_ms <= plays.times_ms[:, None]) & ~played_tracks(self.seen, plays)

    def ranks(self, plays: PlayEvents, queries: np.ndarray, scores: ItemScores) -> tuple[np.ndarray, np.ndarray]:
        """See `Candidates`."""
        seen = self.seen.take(plays.users)
        return scores.ranks(queries, plays.tracks, plays.times_ms, self.available_from_ms, seen)

    def sparse_ranks(self, plays: PlayEvents, queries: SparseRows, index: SparseIndex) -> tuple[np.ndarray, np.ndarray]:
        """See `Candidates`."""
        seen = self.seen.take(plays.users)
        ranks = index.rank_at_times(queries, plays.tracks, plays.times_ms, self.available_from_ms, seen)
        return ranks.greater, ranks.equal

    def choice(self, plays: PlayEvents) -> tuple[np.ndarray, CSR]:
        """(bool [V], CSR [B, V]): the tracks that any play has as a candidate, and those that each has not of them."""
        out_by_then = self.available_from_ms <= plays.times_ms.max()
        late = np.flatnonzero(out_by_then & (self.available_from_ms > plays.times_ms.min()))
        rows, columns = np.nonzero(self.available_from_ms[late] > plays.times_ms[:, None])
        not_out = CSR.from_pairs(rows, late[columns], len(plays), len(out_by_then))
        return out_by_then, self.seen.take(plays.users).union(not_out)


@dataclasses.dataclass(frozen=True, eq=False)
class NewReleases:
    """The tracks that are out at the moment of the play, of some tracks alone.

    Attributes:
      available_from_ms: int64 [V].
      new: bool [V], those tracks.
    """

    available_from_ms: np.ndarray
    new: np.ndarray

    def mask(self, plays: PlayEvents) -> np.ndarray:
        """See `Candidates`."""
        return (self.available_from_ms <= plays.times_ms[:, None]) & self.new

    def ranks(self, plays: PlayEvents, queries: np.ndarray, scores: ItemScores) -> tuple[np.ndarray, np.ndarray]:
        """See `Candidates`."""
        items = np.flatnonzero(self.new)
        nothing = CSR(np.zeros(len(plays) + 1, np.int64), np.zeros(0, np.int32), len(items))
        tracks = np.searchsorted(items, plays.tracks)
        return scores.take(items).ranks(queries, tracks, plays.times_ms, self.available_from_ms[items], nothing)

    def sparse_ranks(self, plays: PlayEvents, queries: SparseRows, index: SparseIndex) -> tuple[np.ndarray, np.ndarray]:
        """See `Candidates`."""
        never = np.iinfo(np.int64).max
        available_from_ms = np.where(self.new, self.available_from_ms, never)
        ranks = index.rank_at_times(queries, plays.tracks, plays.times_ms, available_from_ms)
        return ranks.greater, ranks.equal


@dataclasses.dataclass(frozen=True, eq=False)
class Played:
    """The tracks that the listener had played before the test: so few that their scores are made.

    Attributes:
      available_from_ms: int64 [V].
      seen: CSR [U, V], what each listener had played.
    """

    available_from_ms: np.ndarray
    seen: CSR

    def mask(self, plays: PlayEvents) -> np.ndarray:
        """See `Candidates`."""
        return played_tracks(self.seen, plays)

    def ranks(self, plays: PlayEvents, queries: np.ndarray, scores: ItemScores) -> tuple[np.ndarray, np.ndarray]:
        """See `Candidates`."""
        greater, equal = np.empty((2, len(plays)), np.int64)
        starts = np.flatnonzero(np.diff(plays.users, prepend=-1))
        for first, stop in zip(starts, [*starts[1:], len(plays)], strict=True):
            rows, items = slice(first, stop), self.seen.row(plays.users[first])
            ages_ms = plays.times_ms[rows, None] - self.available_from_ms[items]
            values = scores.take(items).scores(queries[first], ages_ms)
            own = values[np.arange(stop - first), np.searchsorted(items, plays.tracks[rows])][:, None]
            greater[rows], equal[rows] = (values > own).sum(axis=1), (values == own).sum(axis=1)
        return greater, equal

    def sparse_ranks(self, plays: PlayEvents, queries: SparseRows, index: SparseIndex) -> tuple[np.ndarray, np.ndarray]:
        """See `Candidates`."""
        seen = self.seen.take(plays.users)
        play, values = np.repeat(np.arange(len(plays)), seen.counts()), index.scores_of(queries, seen)
        own = values[seen.indices == plays.tracks[play]][play]
        n_plays = len(plays)
        return np.bincount(play, values > own, n_plays), np.bincount(play, values == own, n_plays)


def played_tracks(seen: CSR, plays: PlayEvents) -> np.ndarray:
    """bool [B, V]: the tracks that the listener of each play had played before the test."""
    played = seen.take(plays.users)
    mask = np.zeros((len(plays), seen.n_columns), bool)
    mask[np.repeat(np.arange(len(plays)), played.counts()), played.indices] = True
    return mask
