"""Plays protocol: the track of every test play ranked among the tracks that were out then, by the track's age."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions
from mu.data.logs.splits import Split
from mu.evals.metrics.loading import at_cutoffs, check_cutoffs, metric_paths
from mu.evals.metrics.ranks import target_ranks
from mu.evals.protocols.catalogue import QUERY_BLOCK, Histories, user_queries, user_scores
from mu.evals.result import Result
from mu.protocols import DotProductRecommender, Recommender
from mu_kernels import CSR

# Scores of so many bytes at once.
BLOCK_BYTES = 64 << 20
DAY_MS = 24 * 3600 * 1000
# Name -> days since release, first and one past the last, of plays of tracks that came out after training ended.
AGES = {"day 0": (0, 1), "days 1-6": (1, 7), "weeks 1-3": (7, 28), "weeks 4-": (28, 1 << 30)}


@dataclasses.dataclass(frozen=True, eq=False)
class PlayEvents:
    """Test plays. E plays.

    Attributes:
      users: int64 [E].
      tracks: int32 [E].
      times_ms: int64 [E].
    """

    users: np.ndarray
    tracks: np.ndarray
    times_ms: np.ndarray


class PlayEvaluator:
    """Ranks the track of each play among the tracks that were out then.

    Recommenders see what a listener played before the test. Sections:

      discovery            tracks that training knows and this listener has not played; among all not played
      discovery, light     of listeners with fewer plays than the median; 'discovery, heavy' of the others
      repeat               tracks that the listener has played; among those
      day 0, days 1-6, ... tracks that came out after training ended, by their age; among all not played
      new: day 0, ...      the same plays; among the tracks that came out after training ended

    Plays of a track before its release are left out, then a listener's second play of a track in the test. First plays
    of tracks that came out before training ended, and that nobody played in it, are in no section.

    Args:
      plays: of the test, in any order.
      histories: log of the same users, what they played before.
      released_ms: int64 [V], -1 where it is not known: such a track is always out.
      trained_until_ms: tracks out later than this are new.
      known: bool [V], tracks that training has seen.
      ks: cut-offs.
      metrics: names or paths of ranking metrics (`mu.evals.metrics`): metric(ranks, k).
      same: what results must agree in to be compared, beside plays, histories and candidates.
      bootstrap_samples: of the intervals.

    Attributes:
      events: the plays that are ranked.
      histories: the plays before the test.
      released_ms: int64 [V], see above.
      known: bool [V], see above.
      new: bool [V], tracks that came out after training ended.
      sections: name -> int64 [n], the plays of each section that has any.
      names: 'discovery/recall@20' and so on.
    """

    def __init__(
        self,
        plays: PlayEvents,
        histories: Histories,
        released_ms: np.ndarray,
        trained_until_ms: int,
        known: np.ndarray,
        *,
        ks: Sequence[int] = (20,),
        metrics: Sequence[str] = ("recall", "ndcg"),
        same: Mapping[str, str] | None = None,
        bootstrap_samples: int = 1000,
    ):
        check_cutoffs(ks)
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        self._ks, self._metrics = tuple(int(k) for k in ks), metric_paths(metrics)
        self.events = _first_plays(plays, released_ms)
        self.histories, self.released_ms = histories, released_ms
        self.known = known
        self.new = (released_ms > trained_until_ms) & ~known
        self._seen: CSR = histories.seen()
        self.sections = self._sections()
        columns = [f"{metric}@{k}" for metric in self._metrics for k in self._ks]
        self.names = [f"{section}/{column}" for section in self.sections for column in columns]
        # Sections that share no play.
        apart = [name for name in self.sections if not name.startswith(("discovery,", "new: "))]
        self._shown = tuple(f"{section}/{columns[0]}" for section in apart)
        self._same = {**(same or {}), "plays, histories and candidates": self.hash()}
        self.bootstrap_samples = bootstrap_samples

    def run(self, recommender: Recommender) -> Result:
        """Ranks the track of every play.

        Args:
          recommender: `mu.protocols.Recommender`; one that is time-aware gets the time of each play.

        Raises:
          ValueError: scores or queries are not float32 of the right shape, or not numbers; names the user.
        """
        counts = self._counts(recommender)
        columns = dict.fromkeys(self.names)
        for section, plays in self.sections.items():
            rule = "new" if section.startswith("new: ") else "played" if section == "repeat" else "unplayed"
            greater, equal = counts[rule][:, plays]
            ranks = target_ranks(greater, equal, np.arange(len(plays) + 1))
            for name, values in at_cutoffs(ranks, self._metrics, self._ks).items():
                column = columns[f"{section}/{name}"] = np.full(len(self.events.users), np.nan)
                column[plays] = values
        return Result(
            unit="play",
            units=np.arange(len(self.events.users)),
            cluster="user",
            clusters=self.events.users,
            columns=columns,  # pyright: ignore[reportArgumentType]
            counts={section: len(plays) for section, plays in self.sections.items()},
            same=self._same,
            shown=self._shown,
        )

    def hash(self) -> str:
        """sha256 over the task: the plays, what recommenders see, and among what each play is ranked."""
        digest = hashlib.sha256()
        seen = self.histories.indptr, self.histories.items, self.released_ms, self.new
        parts = (value for pair in self.sections.items() for value in pair)
        for value in (self.events.users, self.events.tracks, self.events.times_ms, *seen, *parts):
            digest.update(value.encode() if isinstance(value, str) else np.ascontiguousarray(value).data)
        return digest.hexdigest()

    def scores(
        self, recommender: Recommender, plays: slice, queries: tuple[np.ndarray, np.ndarray] | None
    ) -> np.ndarray:
        """float32 [B, V]: every track's score at the moment of each play.

        Args:
          recommender: see `run`.
          plays: which plays.
          queries: of `queries_of`; None for a recommender that is no dot product.
        """
        users, times_ms = self.events.users[plays], self.events.times_ms[plays]
        if queries is not None:
            model = cast(DotProductRecommender, recommender)
            vectors, place = queries
            scores = vectors[place[plays]] @ model.item_vectors.T
            bias = model.item_bias(times_ms if model.time_aware else None)
            return scores if bias is None else scores + bias
        n_items = len(self.released_ms)
        if recommender.time_aware:
            return user_scores(recommender, users, self.histories.take(users), n_items, times_ms)
        listeners, place = np.unique(users, return_inverse=True)
        return user_scores(recommender, listeners, self.histories.take(listeners), n_items)[place]

    def queries_of(self, recommender: Recommender) -> tuple[np.ndarray, np.ndarray] | None:
        """(float32 [listeners, D], int64 [E]: each play's listener among them), one query a listener; or None."""
        if not recommender.dot_product:
            return None
        model = cast(DotProductRecommender, recommender)
        listeners, place = np.unique(self.events.users, return_inverse=True)
        blocks = (listeners[start : start + QUERY_BLOCK] for start in range(0, len(listeners), QUERY_BLOCK))
        return np.concatenate([user_queries(model, block, self.histories) for block in blocks]), place

    def blocks(self) -> list[slice]:
        """The plays in blocks whose scores take `BLOCK_BYTES`."""
        n, block = len(self.events.users), max(BLOCK_BYTES // (4 * len(self.released_ms)), 1)
        return [slice(start, min(start + block, n)) for start in range(0, n, block)]

    def unplayed(self, plays: slice) -> tuple[np.ndarray, np.ndarray]:
        """(out, played), bool [B, V] each: the tracks that are out at each play, and those of the history."""
        users, times_ms = self.events.users[plays], self.events.times_ms[plays]
        seen = self._seen.take(users)
        out = self.released_ms[None] <= times_ms[:, None]
        played = np.zeros(out.shape, bool)
        played[np.repeat(np.arange(len(users)), seen.counts()), seen.indices] = True
        return out, played

    def _counts(self, recommender: Recommender) -> dict[str, np.ndarray]:
        """Rule of the candidates -> int64 [2, E]: candidates that score more than each play's track, and as much."""
        counts = {rule: np.zeros((2, len(self.events.users)), np.int64) for rule in ("unplayed", "played", "new")}
        queries = self.queries_of(recommender)
        for plays in self.blocks():
            scores = self.scores(recommender, plays, queries)
            own = scores[np.arange(len(scores)), self.events.tracks[plays]][:, None]
            out, played = self.unplayed(plays)
            candidates = {"unplayed": out & ~played, "played": played, "new": out & self.new}
            above, tied = scores > own, scores == own
            for rule, among in candidates.items():
                counts[rule][0, plays] = (above & among).sum(axis=1)
                counts[rule][1, plays] = np.maximum((tied & among).sum(axis=1), 1)
        return counts

    def _sections(self) -> dict[str, np.ndarray]:
        users, tracks = self.events.users, self.events.tracks
        played = self._seen.contains(users, tracks)
        lengths = np.diff(self.histories.indptr)
        light = lengths[users] < np.median(lengths[np.unique(users)])
        discovery = self.known[tracks] & ~played
        masks = {
            "discovery": discovery,
            "discovery, light": discovery & light,
            "discovery, heavy": discovery & ~light,
            "repeat": played,
        }
        age_days = (self.events.times_ms - self.released_ms[tracks]) // DAY_MS
        for name, (low, high) in AGES.items():
            masks[name] = self.new[tracks] & ~played & (age_days >= low) & (age_days < high)
            masks[f"new: {name}"] = masks[name]
        return {name: np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}


class PlayRanking(PlayEvaluator):
    """Ranks the held-out plays of a global temporal split; histories end where the part begins.

    `config.evals.NAME = {'name': 'mu.evals.protocols.plays:PlayRanking'}`.

    Args:
      split: with the logs `train`, `valid`, `test`.
      train: the log that was learnt from (`mu.data.listening.listening.Listening`), with the validation plays in a
        refit: its releases and its end are what is new.
      part: 'valid' or 'test'.
      metrics: see `PlayEvaluator`.
      ks: cut-offs.
      bootstrap_samples: of the intervals.
    """

    def __init__(
        self,
        *,
        split: Split,
        train: Listening,
        part: str,
        metrics: tuple[str, ...] = ("recall", "ndcg"),
        ks: tuple[int, ...] = (20,),
        bootstrap_samples: int = 1000,
    ):
        if part not in ("valid", "test"):
            raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
        super().__init__(
            plays_of(getattr(split, part)),
            split.train.merged(split.valid) if part == "test" else split.train,
            train.released_ms,
            train.end_ms,
            train.counts() > 0,
            ks=ks,
            metrics=metrics,
            same={"part": part},
            bootstrap_samples=bootstrap_samples,
        )


def plays_of(log: Interactions) -> PlayEvents:
    """All plays of a log."""
    return PlayEvents(np.repeat(np.arange(log.n_users), log.lengths), np.asarray(log.items), np.asarray(log.times))


def _first_plays(plays: PlayEvents, released_ms: np.ndarray) -> PlayEvents:
    """Each listener's first play of each track since its release, by user, then by time."""
    out = np.flatnonzero(released_ms[plays.tracks] <= plays.times_ms)
    order = out[np.lexsort((plays.times_ms[out], plays.users[out]))]
    pair = plays.users[order].astype(np.int64) * len(released_ms) + plays.tracks[order]
    _, first = np.unique(pair, return_index=True)
    kept = order[np.sort(first)]
    return PlayEvents(plays.users[kept], plays.tracks[kept], plays.times_ms[kept])
