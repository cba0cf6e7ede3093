"""Listeners of a run: what they played beside what is recommended to them, and what baselines would have shown."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from mu.data.logs.interactions import OUTCOMES
from mu.evals.result import Result
from mu.inference.time_aware import TimeAwareRecommender
from mu.protocols import DotProductRecommender
from mu.report.best_tracks import best_tracks
from mu.report.columns import words_of
from mu.report.explanation import LargestParts, NearPlayed, Why
from mu.report.listener_choice import Choice, choose
from mu.report.log_words import PLAYS
from mu.report.score_parts import AGE, ScoreParts
from mu.report.split_log import LogModels, SplitLog
from mu.topk import bias_at

SHOWN = 10
"""Tracks of a list."""
IN_TEST = "played in the test"
HOW_TO_READ = (
    "Three of the listeners, chosen by {metric} over what each of them played in the test; of equally well served "
    "ones, the one who played most in it. Lists hold tracks that the listener had not played before the test and that "
    "were out then, best first. “Played in the test” marks those that the listener then played: recommendations are "
    "made without knowing them."
)
TABS = {"typical": "A typical listener", "best": "Served best", "worst": "Served worst"}


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A track of a list.

    Attributes:
      track: its number in the log.
      title: of it.
      artist: of it; empty where the log has none.
      about: it, in a line.
      why: it is recommended; empty where nothing can be said.
      hit: whether the test shows that it suits the listener: they played it then, or rated it well.
      badge: what they did in the test, in words; empty for nothing.
    """

    track: int
    title: str
    artist: str
    about: str = ""
    why: str = ""
    hit: bool = False
    badge: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class TrackList:
    """Tracks that one recommender shows a listener.

    Attributes:
      heading: above them.
      rows: best first.
      summary: how many of them the test shows to suit the listener, in words; empty where that is no question.
    """

    heading: str
    rows: Sequence[Row]
    summary: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Listener:
    """A listener as a page shows them.

    Attributes:
      tab: what the listener is an example of.
      name: id in the log, and attributes in words.
      rule: how the listener was chosen.
      values: (recommender in words, its metric for this listener).
      n_events: plays or ratings before the test.
      n_test: different tracks in the test.
      history: a part of what they played before the test.
      lists: of the model first, then of the baselines.
      played: titles of tracks that they played in the test, and whether the model's list has each; none where the lists
        hold all tracks of the test.
    """

    tab: str
    name: str
    rule: str
    values: Sequence[tuple[str, str]]
    n_events: int
    n_test: int
    history: TrackList
    lists: Sequence[TrackList]
    played: Sequence[tuple[str, bool]]


@dataclasses.dataclass(frozen=True, eq=False)
class Listeners:
    """The listeners of a page.

    Attributes:
      people: the typical one first.
      metric: that they were chosen by.
      how_to_read: paragraphs.
      event: what is counted before the test: 'play' or 'rating'.
    """

    people: Sequence[Listener]
    metric: str
    how_to_read: Sequence[str]
    event: str

    @property
    def tracks(self) -> Iterator[int]:
        """The tracks of all lists."""
        for person in self.people:
            for one in (person.history, *person.lists):
                yield from (row.track for row in one.rows)


def listeners(models: LogModels, results: Mapping[str, Result], metric: str) -> Listeners | None:
    """A typical listener, the best and the worst served; None where the evaluation has none with plays before it.

    Args:
      models: of the run.
      results: of its evaluation.
      metric: a column of them.
    """
    log = models.log
    choices = choose(results, metric, log.histories.lengths, log.test.lengths)
    if not choices:
        return None
    users = np.array([choice.user for choice in choices])
    why = reasons_of(models)
    shown = {
        name: best_tracks(log, one, users, max(cutoff(metric), SHOWN))
        for name, one in {"model": models.model, **models.baselines}.items()
    }
    people = [
        _listener(models, choice, {name: lists[place] for name, lists in shown.items()}, why, cutoff(metric))
        for place, choice in enumerate(choices)
    ]
    short = metric.rpartition("/")[2]
    paragraphs = [HOW_TO_READ.format(metric=short), *([] if why is None else [why.how_to_read])]
    return Listeners(people, short, paragraphs, PLAYS.event)


def reasons_of(models: LogModels) -> Why | None:
    """What says why a track is recommended: parts of scores, or else played tracks near it; None for other models."""
    log = models.log
    if models.parts:
        model = cast(TimeAwareRecommender, models.model)
        bias = bias_at(model, log.now_ms)
        assert bias is not None
        parts = ScoreParts(models.parts, {AGE: bias}, log.released, log.data.tracks)
        return LargestParts(parts, model, log.histories)
    if not models.model.dot_product:
        return None
    return NearPlayed(cast(DotProductRecommender, models.model).item_vectors, log.histories, log.titles)


def cutoff(metric: str) -> int:
    """20 of 'discovery/recall@20': how many tracks a metric looks at; 0 where it does not say."""
    k = metric.rpartition("@")[2]
    return int(k) if k.isdigit() else 0


def _listener(models: LogModels, choice: Choice, best: Mapping[str, np.ndarray], why: Why | None, k: int) -> Listener:
    log, user = models.log, choice.user
    tested = np.unique(log.test.row(user))
    shown = {name: tracks[:SHOWN] for name, tracks in best.items()}
    reasons = [""] * len(shown["model"]) if why is None else why.reasons(user, shown["model"])
    lists = {}
    for name, tracks in shown.items():
        notes = reasons if name == "model" else [""] * len(tracks)
        rows = [_row(log, int(track), tested, note) for track, note in zip(tracks, notes, strict=True)]
        words = words_of(name)
        heading = "Recommended" if name == "model" else f"{words[0].upper()}{words[1:]} would have shown"
        summary = f"{sum(row.hit for row in rows)} of {len(rows)} {IN_TEST}"
        if k > SHOWN:  # the metric looks further than the list
            summary += f", {np.isin(best[name][:k], tested).sum()} of the first {k}"
        lists[name] = TrackList(heading, rows, summary)
    played = [(log.titles[track], bool(np.isin(track, shown["model"]))) for track in _first(tested, shown["model"])]
    return chosen_listener(log, choice, len(tested), _history(log, user), lists, played)


def chosen_listener(
    log: SplitLog,
    choice: Choice,
    n_test: int,
    history: TrackList,
    lists: Mapping[str, TrackList],
    played: Sequence[tuple[str, bool]] = (),
) -> Listener:
    """A chosen listener with their id, attributes, and metric under each recommender that has a list.

    Args:
      log: of the run.
      choice: who it is, and why.
      n_test: see `Listener`.
      history: see `Listener`.
      lists: name of the recommender -> its list, the model's first.
      played: see `Listener`.
    """
    user = choice.user
    values = {name: value for name, value in choice.values.items() if name in lists and np.isfinite(value)}
    return Listener(
        tab=TABS[choice.name],
        name=", ".join(filter(None, [_called(log.user_id(user)), log.user_words(user)])),
        rule=choice.rule,
        values=[(words_of(name), f"{value:.3f}") for name, value in values.items()],
        n_events=int(log.histories.lengths[user]),
        n_test=n_test,
        history=history,
        lists=list(lists.values()),
        played=played,
    )


def _called(user_id: str) -> str:
    """'Listener 292' for an id that is a number; other ids as they are."""
    return f"Listener {user_id}" if user_id.isdigit() else user_id


def _first(tested: np.ndarray, shown: np.ndarray) -> list[int]:
    """Up to `SHOWN` tracks of the test, those that the model shows first."""
    is_shown = np.isin(tested, shown)
    return [*tested[is_shown].tolist(), *tested[~is_shown].tolist()][:SHOWN]


def _row(log: SplitLog, track: int, tested: np.ndarray, why: str) -> Row:
    titles, artists = log.names
    hit = bool(np.isin(track, tested))
    return Row(track, titles[track], artists[track], log.track_words(track), why, hit, IN_TEST if hit else "")


def _history(log: SplitLog, user: int) -> TrackList:
    """The last plays before the test, the latest first; of a log without times those of the largest weights."""
    plays = log.histories
    events = np.arange(plays.indptr[user], plays.indptr[user + 1])[::-1]
    heading = "Played last"
    if not plays.has_times:
        weights = plays.weights[events]
        varies = len(events) > 0 and bool((weights != weights[0]).any())
        heading = "Played most, by weight" if varies else "Played last, in the order of the log"
        events = events[np.argsort(-weights, kind="stable")] if varies else events
    return TrackList(heading, [_play(log, int(event)) for event in events[:SHOWN]])


def _play(log: SplitLog, event: int) -> Row:
    """A play of the history: when, how it ended, and its event columns."""
    plays, (titles, artists) = log.histories, log.names
    track, words = int(plays.items[event]), []
    if plays.has_times:
        moment = np.datetime64(int(plays.times[event]), "ms").astype("datetime64[m]")
        words.append(str(moment).replace("T", " "))
    if plays.weights[event] != 1:
        words.append(f"weight {plays.weights[event]:,.6g}")
    if plays.outcomes is not None and plays.outcomes[event]:
        words.append(OUTCOMES[plays.outcomes[event]])
    words += [plays.vocabulary(name)[codes[event]] for name, codes in plays.columns.items()]
    return Row(track, titles[track], artists[track], ", ".join(filter(None, words)))
