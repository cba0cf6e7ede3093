"""Each test play ranked among the tracks that were out when it happened, by how new the track was."""

import dataclasses
import hashlib
import html
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mu.evals.intervals import clustered_bootstrap, sign_flip_test
from mu.evals.metrics import check_names, expected_metrics

# Scores of so many bytes at once.
BLOCK_BYTES = 64 << 20
DAY_MS = 24 * 3600 * 1000
# Name -> days since release, first and one past the last, of plays of tracks that came out after training ended.
AGES = {"day 0": (0, 1), "days 1-6": (1, 7), "weeks 1-3": (7, 28), "weeks 4-": (28, 1 << 30)}


class TimedRecommender(Protocol):
    """A recommender that knows what time it is."""

    def scores_at(self, users: np.ndarray, histories: Any, times_ms: np.ndarray) -> np.ndarray:
        """float32 [B, V]: for users int64 [B], whose plays so far are the B rows of `histories`, at these times."""
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Plays:
    """Test plays. E plays.

    Attributes:
      users: int64 [E]. tracks: int32 [E]. times_ms: int64 [E].
    """

    users: np.ndarray
    tracks: np.ndarray
    times_ms: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Section:
    """Some of the plays and how well they were found.

    Attributes:
      plays: int64 [n], which they are.
      values: 'recall@20' and so on -> float64 [n].
    """

    plays: np.ndarray
    values: dict[str, np.ndarray]


class PlayEvaluator:
    """Ranks the track of each play among the tracks that were out then.

    What a listener played before the test is shown to recommenders. Sections:

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
      ks, metrics: as of `mu.evals.ranking`.

    Attributes:
      plays: that are ranked. histories, released_ms: as given.
      known: as given. new: bool [V], tracks that came out after training ended.
    """

    def __init__(
        self,
        plays: Plays,
        histories: Any,
        released_ms: np.ndarray,
        trained_until_ms: int,
        known: np.ndarray,
        ks: Sequence[int] = (20,),
        metrics: Sequence[str] = ("recall", "ndcg"),
    ):
        check_names(ks, metrics)
        out = np.flatnonzero(released_ms[plays.tracks] <= plays.times_ms)
        order = out[np.lexsort((plays.times_ms[out], plays.users[out]))]
        pair = plays.users[order].astype(np.int64) * len(released_ms) + plays.tracks[order]
        _, first = np.unique(pair, return_index=True)
        kept = order[np.sort(first)]
        self.plays = Plays(plays.users[kept], plays.tracks[kept], plays.times_ms[kept])
        self.histories, self.released_ms = histories, released_ms
        self.known = known
        self.new = (released_ms > trained_until_ms) & ~known
        self._options = {"ks": tuple(int(k) for k in ks), "metrics": tuple(metrics)}
        self._masks = self._sections(known)

    @property
    def names(self) -> list[str]:
        """The sections that have any plays."""
        return list(self._masks)

    def _sections(self, known: np.ndarray) -> dict[str, np.ndarray]:
        users, tracks = self.plays.users, self.plays.tracks
        seen = self.histories.seen()
        played = np.zeros(len(users), bool)
        for place, (user, track) in enumerate(zip(users.tolist(), tracks.tolist(), strict=True)):
            row = seen.indices[seen.indptr[user] : seen.indptr[user + 1]]
            at = np.searchsorted(row, track)
            played[place] = at < len(row) and row[at] == track
        lengths = np.diff(self.histories.indptr)
        light = lengths[users] < np.median(lengths[np.unique(users)])
        discovery = known[tracks] & ~played
        masks = {
            "discovery": discovery,
            "discovery, light": discovery & light,
            "discovery, heavy": discovery & ~light,
            "repeat": played,
        }
        age_days = (self.plays.times_ms - self.released_ms[tracks]) // DAY_MS
        for name, (low, high) in AGES.items():
            masks[name] = self.new[tracks] & ~played & (age_days >= low) & (age_days < high)
            masks[f"new: {name}"] = masks[name]
        return {name: np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}

    def run(self, recommender: Any) -> dict[str, Section]:
        """Scores all plays, in blocks, and measures; see `scores_of`."""
        n, n_items = len(self.plays.users), len(self.released_ms)
        counts = {rule: np.zeros((2, n), np.int64) for rule in ("unplayed", "played", "new")}
        block = max(BLOCK_BYTES // (4 * n_items), 1)
        for start in range(0, n, block):
            part = slice(start, min(start + block, n))
            users, tracks, times_ms = self.plays.users[part], self.plays.tracks[part], self.plays.times_ms[part]
            shown = self.histories.take(users)
            scores = scores_of(recommender, users, shown, times_ms)
            own = scores[np.arange(len(users)), tracks][:, None]
            out = self.released_ms[None] <= times_ms[:, None]
            played = np.zeros(out.shape, bool)
            played[np.repeat(np.arange(len(users)), np.diff(shown.indptr)), shown.items] = True
            candidates = {"unplayed": out & ~played, "played": played, "new": out & self.new}
            above, tied = scores > own, scores == own
            for rule, among in candidates.items():
                counts[rule][0, part] = (above & among).sum(axis=1)
                counts[rule][1, part] = np.maximum((tied & among).sum(axis=1), 1)
        found = {}
        for name, plays in self._masks.items():
            rule = "new" if name.startswith("new: ") else "played" if name == "repeat" else "unplayed"
            greater, equal = counts[rule][:, plays]
            values = expected_metrics(greater, equal, np.arange(len(plays) + 1), **self._options)
            found[name] = Section(plays, values)
        return found

    def interval(self, section: Section, metric: str, samples: int = 1000, seed: int = 0) -> tuple[float, float, float]:
        """(mean, low, high) over the plays of a section; listeners are drawn."""
        values = section.values[metric]
        users = self.plays.users[section.plays]
        low, high = clustered_bootstrap(values[:, None], users, samples, seed)
        return float(values.mean()), float(low[0]), float(high[0])

    def hash(self) -> str:
        """sha256 over what is asked: the plays, what recommenders are shown, and among what each is ranked."""
        digest = hashlib.sha256()
        shown = self.histories.indptr, self.histories.items, self.released_ms, self.new
        parts = (value for pair in self._masks.items() for value in pair)
        for value in (self.plays.users, self.plays.tracks, self.plays.times_ms, *shown, *parts):
            digest.update(value.encode() if isinstance(value, str) else np.ascontiguousarray(value).data)
        return digest.hexdigest()


def scores_of(recommender: Any, users: np.ndarray, histories: Any, times_ms: np.ndarray) -> np.ndarray:
    """float32 [B, V] at these times; a recommender without `scores_at` is asked for `scores`.

    Raises:
      ValueError: the scores are not float32 [B, V] or hold a NaN.
    """
    if hasattr(recommender, "scores_at"):
        scores = recommender.scores_at(users, histories, times_ms)
    else:
        scores = recommender.scores(users, histories)
    shape = len(users), histories.n_items
    if scores.shape != shape or scores.dtype != np.float32 or np.isnan(scores).any():
        raise ValueError(
            f"{type(recommender).__name__} gave {scores.dtype} {scores.shape} for {len(users)} plays, or NaN; "
            f"it must give float32 {shape}"
        )
    return scores


def differences(
    users: np.ndarray, ours: Section, theirs: Section, metrics: Sequence[str], samples: int = 1000, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Ours less theirs, play by play; listeners are drawn, and swapped for the p-value.

    Args:
      users: int64 [E], of all plays of the evaluator.
      ours, theirs: values of the same plays.
      metrics: that both have.
      samples, seed: of the bootstrap and of the permutations.

    Returns:
      {metric: {'difference', 'low', 'high', 'p', 'ours_better', 'theirs_better'}}; the last two count listeners.
    """
    listeners = users[ours.plays]
    values = np.stack([ours.values[metric] - theirs.values[metric] for metric in metrics], axis=1)
    low, high = clustered_bootstrap(values, listeners, samples, seed)
    _, place = np.unique(listeners, return_inverse=True)
    sums = np.stack([np.bincount(place, weights=column) for column in values.T], axis=1)
    p = sign_flip_test(sums, samples, seed)
    return {
        metric: {
            "difference": float(values[:, at].mean()),
            "low": float(low[at]),
            "high": float(high[at]),
            "p": float(p[at]),
            "ours_better": int((sums[:, at] > 0).sum()),
            "theirs_better": int((sums[:, at] < 0).sum()),
        }
        for at, metric in enumerate(metrics)
    }


@dataclasses.dataclass(frozen=True, eq=False)
class PlayEvaluation:
    """What `mu.evals.protocols.plays.PlayScores` wrote.

    Attributes:
      folder: where it lies.
      about: evaluation.json.
      plays: that were ranked.
      results: name of the recommender -> section -> its values.
    """

    folder: Path
    about: dict[str, Any]
    plays: Plays
    results: dict[str, dict[str, Section]]


def load(folder: str | os.PathLike[str]) -> PlayEvaluation:
    """The evaluation in a folder, or of a run that has `evaluation/`.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is of another kind, or an older version of mu wrote it.
    """
    given = Path(folder)
    places = [place for place in (given, given / "evaluation") if (place / "evaluation.json").is_file()]
    if not places:
        raise FileNotFoundError(f"no evaluation at {given}: neither it nor its folder 'evaluation' has evaluation.json")
    place = places[0]
    about = json.loads((place / "evaluation.json").read_text())
    if about.get("kind") != "plays":
        raise ValueError(f"{place} holds no evaluation of plays")
    if "task_hash" not in about:
        raise ValueError(f"{place} was written by an older version of mu: evaluate again (`mu evaluate RUN`)")
    with np.load(place / "plays.npz") as arrays:
        plays = Plays(arrays["users"], arrays["tracks"], arrays["times_ms"])
        results = {
            name: {
                section: Section(
                    arrays[f"{section}/plays"], {metric: arrays[f"{name}/{section}/{metric}"] for metric in metrics}
                )
                for section, metrics in sections.items()
            }
            for name, sections in about["rows"].items()
        }
    return PlayEvaluation(place, about, plays, results)


class PlayResults(dict[str, Mapping[str, Section]]):
    """The sections of several recommenders, by name; it shows itself as a table of one metric with intervals.

    Args:
      found: name of the recommender -> its sections.
      evaluator: that measured them all.
      metric: the one that is shown, 'recall@20' and so on.
      samples, seed: of the bootstrap.
    """

    def __init__(
        self,
        found: Mapping[str, Mapping[str, Section]],
        evaluator: PlayEvaluator,
        metric: str,
        samples: int = 1000,
        seed: int = 0,
    ):
        super().__init__(found)
        self.evaluator, self.metric, self._samples, self._seed = evaluator, metric, samples, seed

    def interval(self, name: str, section: str) -> tuple[float, float, float]:
        """(mean, low, high) of the metric over the plays of a recommender's section."""
        return self.evaluator.interval(self[name][section], self.metric, self._samples, self._seed)

    def shown(self) -> list[str]:
        """The sections of the table: those that share no play."""
        return [name for name in self.evaluator.names if not name.startswith(("discovery,", "new: "))]

    def counts(self) -> list[str]:
        """'day 0, 93': each section of the table with the number of its plays."""
        first = next(iter(self.values()))
        return [f"{name}, {len(first[name].plays):,}" for name in self.shown()]

    def __repr__(self) -> str:
        """A row a recommender, a column a section, numbers without the leading zeros."""
        lines = [[f"{self.metric}, plays", *self.counts()]]
        for name in self:
            lines.append([name, *(f"{mean} [{low} {high}]" for mean, low, high in self._cells(name))])
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

        def joined(line: Sequence[str]) -> str:
            cells = [f"{cell:>{width}}" for cell, width in zip(line[1:], widths[1:], strict=True)]
            return "  ".join([f"{line[0]:{widths[0]}}", *cells])

        head, *rows = map(joined, lines)
        return "\n".join([head, "-" * len(head), *rows])

    def _repr_html_(self) -> str:
        """The same for notebooks."""
        heads = [f"{self.metric}, plays", *self.counts()]
        lines = ["<tr>" + "".join(f"<th>{html.escape(head)}</th>" for head in heads) + "</tr>"]
        for name in self:
            cells = (
                f"<td>{mean}<br><small style='white-space: nowrap'>[{low} {high}]</small></td>"
                for mean, low, high in self._cells(name)
            )
            lines.append(f"<tr><th>{html.escape(name)}</th>{''.join(cells)}</tr>")
        return f"<table>{''.join(lines)}</table>"

    def _cells(self, name: str) -> list[tuple[str, ...]]:
        """(mean, low, high) of each section of the table."""
        values = (self.interval(name, section) for section in self.shown())
        return [tuple(f"{value:.3f}".removeprefix("0") for value in found) for found in values]
