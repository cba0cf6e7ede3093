"""Plays protocol: the track of every test play ranked among the tracks that were out then, by the track's age."""

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from mu.data.listening.listening import Listening
from mu.data.logs.attributes import UNKNOWN_RELEASE
from mu.data.logs.splits import Split
from mu.evals.left_out import left_out
from mu.evals.metrics.lists.context import ListContext
from mu.evals.metrics.loading import at_cutoffs, check_cutoffs, metric_paths
from mu.evals.metrics.ranks import target_ranks
from mu.evals.protocols.candidates import Candidates, NewReleases, Played, Unplayed
from mu.evals.protocols.catalogue import Histories
from mu.evals.protocols.list_context import list_context, same_vectors
from mu.evals.protocols.lists import short_lists_notes
from mu.evals.protocols.play_events import PlayEvents, first_plays, plays_of
from mu.evals.protocols.play_lists import PlayLists
from mu.evals.protocols.play_ranks import by_dot_products, by_scores, by_sparse_rows
from mu.evals.result import Result
from mu.protocols import DotProductRecommender, Recommender, as_sparse
from mu.ranges import Count

DAY_MS = 24 * 3600 * 1000
LONG_AGO_MS = np.iinfo(np.int64).min // 2
"""When tracks of unknown release came out: they are always out, and older than any step of the age."""
# Name -> days since release, first and one past the last, of plays of tracks that came out after training ended.
AGES = {"day 0": (0, 1), "days 1-6": (1, 7), "weeks 1-3": (7, 28), "weeks 4-": (28, 1 << 30)}


@dataclasses.dataclass(frozen=True, eq=False)
class Section:
    """Plays that are measured together. n plays.

    Attributes:
      name: 'discovery' and so on.
      plays: int64 [n], rows of the evaluator's plays.
      candidates: among which tracks they are ranked.
      in_table: whether a table shows it; the sections of a table share no play.
    """

    name: str
    plays: np.ndarray
    candidates: Candidates
    in_table: bool


class PlayEvaluator:
    """Ranks the track of each play among the tracks that were out then.

    Recommenders see what a listener played before the test. Of dot products and sparse scores exact kernels rank (the
    age of a track is counted in whole milliseconds); others score in blocks. Sections:

      discovery            tracks that training knows and this listener has not played; among all not played
      discovery, light     of listeners with fewer plays than the median; 'discovery, heavy' of the others
      repeat               tracks that the listener has played; among those
      day 0, days 1-6, ... tracks that came out after training ended, by their age; among all not played
      new: day 0, ...      the same plays; among the tracks that came out after training ended

    Plays of a track before its release are left out, then a listener's second play of a track in the test. First plays
    of tracks that came out before training ended, and that nobody played in it, are in no section, nor are those of
    tracks that nobody played in it and whose release is not known. All of them are counted by reason.

    List metrics are of one list a listener: of the best tracks among those that were out and unplayed at the moment of
    the listener's first play in any section. The value of a list stands at that play.

    Args:
      plays: of the test, in any order.
      histories: log of the same users, what they played before.
      released_ms: int64 [V], -1 where it is not known: such a track is always out.
      trained_until_ms: tracks out later than this are new.
      known: bool [V], tracks that training has seen.
      ks: cut-offs.
      metrics: names or paths of ranking metrics (`mu.evals.metrics`): metric(ranks, k).
      list_metrics: names or paths of metrics of the best k tracks of each listener (`mu.evals.metrics.lists`).
      context: what list metrics know of the tracks; needed for them. What they need of listeners is added here: the
        targets are the tracks that the listener plays for the first time in the test.
      same: what results must agree in to be compared, beside plays, histories and candidates.
      bootstrap_samples: of the intervals.

    Attributes:
      events: the plays that are ranked.
      histories: the plays before the test.
      released_ms: int64 [V], see above.
      known: bool [V], see above.
      new: bool [V], tracks that came out after training ended.
      unplayed: among which tracks the plays of 'discovery' and of each age are ranked.
      sections: name -> section, of those that have any play.
      names: 'discovery/recall@20' and so on, those of lists 'lists/novelty@20'.
      descriptive: those of lists.

    Raises:
      ValueError: there is no metric, an unknown one, one needs what is not known of the tracks, or there is no play to
        rank.
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
        list_metrics: Sequence[str] = (),
        context: ListContext | None = None,
        same: Mapping[str, str] | None = None,
        bootstrap_samples: Count = 1000,
    ):
        check_cutoffs(ks, len(released_ms))
        if bootstrap_samples < 1:
            raise ValueError(f"bootstrap_samples={bootstrap_samples}; it must be at least 1")
        self._ks, self._metrics = tuple(int(k) for k in ks), metric_paths(metrics)
        if not (self._metrics or list_metrics):
            raise ValueError("there is no metric to measure: name one in `metrics` or `list_metrics`")
        available_from_ms = np.where(released_ms == UNKNOWN_RELEASE, LONG_AGO_MS, released_ms)
        self.events = first_plays(plays, available_from_ms)
        self._n_plays, early = len(plays), int((available_from_ms[plays.tracks] > plays.times_ms).sum())
        if not len(self.events):
            raise ValueError(f"none of {len(plays):,} plays is of a track that was out; there is nothing to rank")
        self.histories, self.released_ms = histories, released_ms
        self.known = known
        self.new = (released_ms > trained_until_ms) & ~known
        seen = histories.seen()
        self.unplayed = Unplayed(available_from_ms, seen)
        self.sections = {
            section.name: section
            for section in self._sections(Played(available_from_ms, seen), NewReleases(available_from_ms, self.new))
            if len(section.plays)
        }
        if not self.sections:
            raise ValueError(
                f"all {len(self.events):,} plays are of tracks that training does not know and that are not new: they "
                "are in no section, and there is nothing to rank"
            )
        in_section = np.zeros(len(self.events), bool)
        for section in self.sections.values():
            in_section[section.plays] = True
        no_release = released_ms[self.events.tracks] == UNKNOWN_RELEASE
        self._reasons = {
            "before the release of the track": early,
            "played before in the test": self._n_plays - early - len(self.events),
            "track without plays in training, of unknown release": int((~in_section & no_release).sum()),
            "track without plays in training, and not new": int((~in_section & ~no_release).sum()),
        }
        self._lists = PlayLists(list_metrics, self._ks, context, self.events, in_section, histories, self.unplayed)
        columns = [f"{metric}@{k}" for metric in self._metrics for k in self._ks]
        self.names = [*(f"{section}/{column}" for section in self.sections for column in columns), *self._lists.names]
        self.descriptive = tuple(self._lists.names)
        in_table = [section.name for section in self.sections.values() if section.in_table]
        self._shown = (*(f"{name}/{column}" for name in in_table for column in columns[:1]), *self._lists.shown)
        self._same = {**(same or {}), "plays, histories and candidates": self.hash()}
        self.bootstrap_samples = bootstrap_samples

    def run(self, recommender: Recommender) -> Result:
        """Ranks the track of every play.

        Args:
          recommender: `mu.protocols.Recommender`; one that is time-aware gets the time of each play.

        Raises:
          ValueError: scores or queries are not float32 of the right shape, or not numbers; names the user.
        """
        task = (self.events, self.histories, self._plays_by_rule())
        if recommender.dot_product:
            ranks_by_rule = by_dot_products(cast(DotProductRecommender, recommender), *task)
        elif (sparse := as_sparse(recommender)) is not None:
            ranks_by_rule = by_sparse_rows(sparse, *task)
        else:
            ranks_by_rule = by_scores(recommender, *task, len(self.released_ms))
        columns = {}
        for section in self.sections.values():
            greater, equal = ranks_by_rule[section.candidates][:, section.plays]
            ranks = target_ranks(greater, equal, np.arange(len(section.plays) + 1))
            for name, values in at_cutoffs(ranks, self._metrics, self._ks).items():
                column = columns[f"{section.name}/{name}"] = np.full(len(self.events), np.nan)
                column[section.plays] = values
        of_lists, statistics, arrays, n_lists = self._lists.run(recommender)
        sections = {section.name: len(section.plays) for section in self.sections.values()}
        return Result(
            unit="play",
            units=np.arange(len(self.events)),
            cluster="user",
            clusters=self.events.users,
            columns=columns | of_lists,
            statistics=statistics,
            arrays=arrays,
            counts=left_out("plays", self._n_plays, self._reasons) | sections | n_lists,
            same=self._same,
            notes=short_lists_notes(n_lists),
            shown=self._shown,
            descriptive=self.descriptive,
        )

    def hash(self) -> str:
        """sha256 over the task: the plays, what recommenders see, and among what each play is ranked."""
        digest = hashlib.sha256()
        seen = self.histories.indptr, self.histories.items, self.released_ms, self.new
        parts = (value for section in self.sections.values() for value in (section.name, section.plays))
        for value in (self.events.users, self.events.tracks, self.events.times_ms, *seen, *parts):
            digest.update(value.encode() if isinstance(value, str) else np.ascontiguousarray(value).data)
        return digest.hexdigest()

    def _plays_by_rule(self) -> dict[Candidates, np.ndarray]:
        """Rule of the candidates -> int64: the plays of its sections, by user."""
        rules: dict[Candidates, list[np.ndarray]] = {}
        for section in self.sections.values():
            rules.setdefault(section.candidates, []).append(section.plays)
        return {rule: np.unique(np.concatenate(plays)) for rule, plays in rules.items()}

    def _sections(self, among_played: Played, among_new: NewReleases) -> Iterator[Section]:
        """All sections, those without a play too."""
        users, tracks = self.events.users, self.events.tracks
        played = among_played.seen.contains(users, tracks)
        lengths = np.diff(self.histories.indptr)
        light = lengths[users] < np.median(lengths[np.unique(users)])
        discovery = self.known[tracks] & ~played
        yield Section("discovery", np.flatnonzero(discovery), self.unplayed, in_table=True)
        yield Section("discovery, light", np.flatnonzero(discovery & light), self.unplayed, in_table=False)
        yield Section("discovery, heavy", np.flatnonzero(discovery & ~light), self.unplayed, in_table=False)
        yield Section("repeat", np.flatnonzero(played), among_played, in_table=True)
        age_days = (self.events.times_ms - self.released_ms[tracks]) // DAY_MS
        for name, (low, high) in AGES.items():
            plays = np.flatnonzero(self.new[tracks] & ~played & (age_days >= low) & (age_days < high))
            yield Section(name, plays, self.unplayed, in_table=True)
            yield Section(f"new: {name}", plays, among_new, in_table=False)


class PlayRanking(PlayEvaluator):
    """Ranks the held-out plays of a global temporal split; histories end where the part begins.

    `config.evals.NAME = {'name': 'mu.evals.protocols.plays:PlayRanking'}`.

    Args:
      split: with the logs `train`, `valid`, `test`.
      train: the log that was learnt from (`mu.data.listening.listening.Listening`), with the validation plays in a
        refit: its releases and its end are what is new.
      part: 'valid' or 'test'.
      metrics: see `PlayEvaluator`.
      list_metrics: see `PlayEvaluator`.
      ks: cut-offs.
      groups: column of the tracks whose values are the groups of list metrics ('artist'); None for none.
      vectors: what tracks are like, for list metrics; see `mu.evals.protocols.ranking.Ranking`. None for nothing.
      bootstrap_samples: of the intervals.
    """

    def __init__(
        self,
        *,
        split: Split,
        train: Listening,
        part: str,
        metrics: tuple[str, ...] = ("recall", "ndcg"),
        list_metrics: tuple[str, ...] = (),
        ks: tuple[Count, ...] = (20,),
        groups: str | None = None,
        vectors: str | None = None,
        bootstrap_samples: Count = 1000,
    ):
        if part not in ("valid", "test"):
            raise ValueError(f"part is {part!r}; it must be 'valid' or 'test'")
        context = list_context(train, groups, vectors)
        super().__init__(
            plays_of(getattr(split, part)),
            split.train.merged(split.valid) if part == "test" else split.train,
            train.released_ms,
            train.end_ms,
            context.popularity > 0,
            ks=ks,
            metrics=metrics,
            list_metrics=list_metrics,
            context=context,
            same={"part": part, **same_vectors(context)},
            bootstrap_samples=bootstrap_samples,
        )
