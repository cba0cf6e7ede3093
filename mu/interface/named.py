"""A recommender that is asked by names: listeners, tracks and titles in, tables out."""

import abc
import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl

from mu.data.logs.interactions import Interactions
from mu.data.track_names import TrackNames
from mu.data.user_names import find_users
from mu.gc_pause import gc_paused
from mu.histories import TrackHistories
from mu.interface.frames import Players, plays_frame, track_frame
from mu.interface.listeners import Listeners, in_context, is_several
from mu.interface.moments import moment_ms
from mu.report.score_parts import MOST_REASONS
from mu.topk import recommend, similar_items
from mu_kernels import Hits

NOBODY = -1
PARTS = {"part": pl.String, "contribution": pl.Float64, "mean_track": pl.Float64, "beyond_mean": pl.Float64}
"""Columns of an explanation."""


class Tables(Protocol):
    """The tables of a log, as it has them itself, or its summary (`mu.data.summary.LogSummary`)."""

    @property
    def users(self) -> pl.DataFrame: ...
    @property
    def tracks(self) -> pl.DataFrame: ...
    @property
    def card(self) -> Mapping[str, Any]: ...


class Explanation(Protocol):
    """Names what scores are the sums of; `mu.report.score_parts.ScoreParts` is one."""

    def reasons(self, query: Any, tracks: np.ndarray, /) -> list[list[tuple[str, float]]]:
        """For each track the largest parts of its score beyond the mean track's: [(part in words, amount), ...]."""
        ...

    def contributions(self, query: Any, track: int, /) -> list[tuple[str, float, float]]:
        """[(part in words, what it adds to the score of the track, what to that of the mean track), ...]."""
        ...


class NamedRecommender(abc.ABC):
    """Answers by the names of a log: ids of listeners, ids and titles of tracks."""

    @property
    @abc.abstractmethod
    def recommender(self) -> Any:
        """The recommender itself, which speaks in ids and arrays."""

    @property
    @abc.abstractmethod
    def log(self) -> Interactions:
        """The whole log."""

    @property
    def _histories(self) -> Interactions:
        """The plays of all listeners."""
        return self.log

    @property
    @abc.abstractmethod
    def _tables(self) -> Tables:
        """The tables of listeners and tracks."""

    @property
    @abc.abstractmethod
    def _now_ms(self) -> int | None:
        """The time of the log's last play, unix milliseconds; None where plays have an order alone."""

    @property
    def _released_ms(self) -> np.ndarray | None:
        """int64 [V], unix milliseconds, -1 where not known; None for a log without releases."""
        return None

    @property
    def _event_columns(self) -> Sequence[str]:
        """Columns of plays that the recommender is given."""
        return ()

    @property
    def _players(self) -> Players | None:
        """Gives the audio of tracks; None where there is none."""
        return None

    @property
    def _knows_histories(self) -> bool:
        """Whether it recommends to listeners who are not in the log."""
        return True

    def _explanation(self, time_ms: int | None) -> Explanation | None:
        """Names the parts of scores at a moment; None where scores are no sums of parts."""
        del time_ms
        return None

    def _explained(self, listeners: Listeners) -> Sequence[Any]:
        """What the explanation is asked with, for each listener."""
        return self.recommender.queries(listeners.users, listeners.histories)

    @property
    def tracks(self) -> pl.DataFrame:
        """The table of tracks, row = id in the log."""
        return self._tables.tracks

    @property
    def users(self) -> pl.DataFrame:
        """The table of listeners, row = id in the log."""
        return self._tables.users

    @gc_paused()  # the first answer traces programs, and loads kernels
    def recommend(
        self,
        user: Any = None,
        k: int = 10,
        *,
        history: str | Sequence[Any] | None = None,
        exclude: str | Sequence[Any] = (),
        candidates: str | Sequence[Any] | None = None,
        context: Mapping[str, Any] | None = None,
        at: Any = None,
        repeats: bool = False,
    ) -> pl.DataFrame:
        """The k best tracks, best first, of those that are out.

        Args:
          user: a listener's id in the log, or several.
          k: how many, at most.
          history: instead of a listener any history, oldest first: ids of tracks, titles, 'title, artist' or
            'artist - title'; also as one text, separated by commas.
          exclude: tracks that may not be recommended, named likewise.
          candidates: the only tracks that may be; None for all.
          context: values of the event columns that the model is given, by name: those of the latest play, as if
            listening went on there.
          at: the moment, a datetime, ISO 8601 (UTC where no zone is given) or unix milliseconds: plays after it are not
            in the listener's history, and tracks that come out after it are not recommended. A history of names is
            taken whole. None for the end of the log.
          repeats: whether tracks of the history may come again.

        Returns:
          rank, track, title and artist where the log has them, score, and 'reason_1' and 'reason_2' where scores are
          sums of parts: the two largest beyond those of the mean track. Of several listeners also 'user'.

        Raises:
          ValueError: a name is not known (near ones are named), or an argument does not fit the model or the log.
        """
        listeners = self._listeners(user, history, context, at)
        time_ms = self._moment(at)
        hits = recommend(
            self.recommender,
            listeners.users,
            listeners.histories,
            k,
            filter_already_played=not repeats,
            candidates=self._candidates(candidates, time_ms),
            exclude=self._ids(exclude),
            time_ms=time_ms,
        )
        return track_frame(
            self.tracks,
            hits,
            names=listeners.names if is_several(user) else None,
            reasons=self._reasons(listeners, hits, time_ms),
            players=self._players,
        )

    def history(self, user: Any = None, *, history: str | Sequence[Any] | None = None, at: Any = None) -> pl.DataFrame:
        """What a listener has played, oldest first: track, title and artist where known, and the time.

        Args:
          user: a listener's id in the log.
          history: see `recommend`.
          at: the moment, see `recommend`: the plays of a listener after it are left out. A history of names, whose
            plays have no times, is taken whole.

        Raises:
          ValueError: a name is not known (near ones are named), or there is an `at` and the log has no times.
        """
        if is_several(user):
            raise ValueError(f"history takes one listener; there are {len(user)}")
        plays = self._listeners(user, history, None, at).histories
        times = pl.Series("time", plays.times, dtype=pl.Int64).cast(pl.Datetime("ms", "UTC"))
        return plays_frame(self.tracks, plays.items, times if plays.has_times else None, self._players)

    def similar(self, track: Any, k: int = 10, *, exclude: str | Sequence[Any] = ()) -> pl.DataFrame:
        """The k tracks most like a track, best first: rank, track, title, artist, score (`similar_items`).

        Args:
          track: id, title, 'title, artist' or 'artist - title'.
          k: how many, at most.
          exclude: tracks that may not be among them.

        Raises:
          ValueError: a name is not known; near ones are named.
        """
        hits = similar_items(self.recommender, self._ids([track]), k, exclude=self._ids(exclude))
        return track_frame(self.tracks, hits, players=self._players)

    def explain(
        self,
        user: Any,
        track: Any,
        *,
        history: str | Sequence[Any] | None = None,
        context: Mapping[str, Any] | None = None,
        at: Any = None,
    ) -> pl.DataFrame:
        """The parts that the score of a track is the sum of, for a listener.

        Args:
          user: a listener's id in the log; None with `history`.
          track: id, title, 'title, artist' or 'artist - title'.
          history: see `recommend`.
          context: see `recommend`.
          at: see `recommend`.

        Returns:
          part, contribution (to the score: they add up to it), mean_track (what the part gives the mean of the tracks
          that are out) and beyond_mean, the difference, by which the rows are sorted.

        Raises:
          ValueError: the model's scores are no sums of parts; a name is not known; no track is out yet at `at`.
        """
        time_ms = self._moment(at)
        if (explanation := self._explanation(time_ms)) is None:
            raise ValueError(
                f"the scores of {type(self.recommender).__name__} are no sums of parts, so there is nothing to explain "
                "them by; those of mu.inference.time_aware:TimeAwareRecommender, mu.inference.evidence:"
                "EvidenceRecommender and mu.baselines.pctm:PCTM are"
            )
        if is_several(user):
            raise ValueError(f"explain takes one listener; there are {len(user)}")
        out = self._candidates(None, time_ms)
        if out is not None and not len(out):
            raise ValueError(f"at={at!r}: no track is out yet, so there is no mean track to compare with")
        listeners = self._listeners(user, history, context, at)
        parts = explanation.contributions(self._explained(listeners)[0], int(self._ids([track])[0]))
        rows = [(name, own, mean, own - mean) for name, own, mean in parts]
        return pl.DataFrame(rows, schema=PARTS, orient="row").sort("beyond_mean", descending=True)

    @functools.cached_property
    def _names(self) -> TrackNames:
        return TrackNames(self.tracks)

    def _ids(self, names: Any) -> np.ndarray:
        """int32: the tracks of these names; one that is no text, such as a number, may stand alone."""
        return self._names.find(names if isinstance(names, Iterable) else [names])

    def _moment(self, at: Any) -> int | None:
        """The moment for which is asked, unix milliseconds; None for a log without times."""
        if at is None:
            return self._now_ms
        if self._now_ms is None:
            raise ValueError(f"at is {at!r}, but the log has no times, only an order of plays: leave `at` out")
        return moment_ms(at)

    def _candidates(self, names: str | Sequence[Any] | None, time_ms: int | None) -> np.ndarray | None:
        """The tracks that may be recommended: of the named ones those that are out; None for all."""
        ids = None if names is None else self._ids(names)
        if self._released_ms is None or time_ms is None:
            return ids
        out = np.flatnonzero(self._released_ms <= time_ms)
        return out if ids is None else np.intersect1d(ids, out)

    def _listeners(
        self, user: Any, history: str | Sequence[Any] | None, context: Mapping[str, Any] | None, at: Any
    ) -> Listeners:
        """Who is asked for, and their histories until the moment `at`, with the context of the latest play."""
        if (user is None) == (history is None):
            raise ValueError("give a listener's id in the log, or history=[...]: one of the two")
        until_ms = None if at is None else self._moment(at)
        if history is not None:
            if not self._knows_histories:
                raise ValueError(
                    f"this {type(self.recommender).__name__} knows users by their ids alone: give a listener of the "
                    "log instead of a history"
                )
            names, users = None, np.array([NOBODY])
            histories: Any = TrackHistories.of(self._ids(history))
        else:
            names = list(user) if is_several(user) else [user]
            users = find_users(self.users, names)
            histories = self._histories.take(users)
            if until_ms is not None:
                histories = histories.where(histories.times <= until_ms)
        if context:
            vocabularies = self._tables.card.get("event_columns", {})
            histories = in_context(histories, context, self._event_columns, vocabularies)
        return Listeners(names, users, histories)

    def _reasons(self, listeners: Listeners, hits: Hits, time_ms: int | None) -> dict[str, list[str | None]]:
        """'reason_1', ...: the largest parts of each hit's score, in words; {} where scores are no sums of parts."""
        explanation = self._explanation(time_ms)
        if explanation is None:
            return {}
        queries = self._explained(listeners)
        words: list[list[str]] = []
        for query, ids, count in zip(queries, hits.ids, hits.count, strict=True):
            if count:  # before any release there are no hits, and no mean track either
                words += [[name for name, _ in parts] for parts in explanation.reasons(query, ids[:count])]
        return {
            f"reason_{place + 1}": [one[place] if place < len(one) else None for one in words]
            for place in range(MOST_REASONS)
        }
