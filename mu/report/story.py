"""One listener, one new track and a map, computed from a trained run on listening."""

from typing import Any

import numpy as np

from mu.data.listening.hashed_features import hashed_features
from mu.data.listening.listening import Listening
from mu.data.logs.interactions import OUTCOMES
from mu.evals.plays import BLOCK_BYTES
from mu.report.audio import Piece
from mu.report.listening_run import Newcomer, Shown, Story

HISTORY, RECOMMENDED, LISTENERS, REASONS = 6, 8, 8, 3
LONGEST_S = 8.0
MOST_LISTENERS = 2000
"""Of so many listeners recommendations are made, to choose the one that is told of."""


class Narrator:
    """Tells of a run: its listeners, its new tracks.

    Args:
      setup: of the run (`mu.setup.restore`).
      recommender: of `mu.commands.recommend.recommender_of`; without `parts` it has no reasons and knows no new track.
      titles: of the log's tracks.
    """

    def __init__(self, setup: Any, recommender: Any, titles: list[str]):
        self._setup, self._recommender, self._titles = setup, recommender, titles
        self.data: Listening = setup.data
        self._histories = setup.split.train.merged(setup.split.valid)
        self._test = setup.split.test
        self._explains = hasattr(recommender, "parts")
        # Recommendations are made at the moment when the histories end.
        self._now_ms = int(self._histories.times.max())
        self._out = self.data.released_ms <= self._now_ms
        self._bias = self._bias_at(recommender, self._now_ms)
        columns = setup.config.data.get("item_columns", ())
        words = {name: hashed_features(self.data.tracks, (name,), self.data.hash_size) for name in columns}
        self._parts = recommender.parts(words) if self._explains else {}

    def _bias_at(self, recommender: Any, time_ms: int) -> np.ndarray:
        """float32 [V]: what is added to all scores of a track at that time."""
        if hasattr(recommender, "bias_at"):
            return recommender.bias_at(np.array([time_ms]))[0]
        return np.zeros(self.data.n_items, np.float32) if recommender.bias is None else recommender.bias

    def _reasons(self, query: np.ndarray, tracks: np.ndarray) -> list[list[tuple[str, float]]]:
        """For each track the parts of its score beyond the mean track's, largest first."""
        if not self._explains:
            return [[] for _ in tracks]
        names, values = [], []
        for name, part in self._parts.items():
            score = part @ query
            names.append({"own": "who else plays it", "sound": "its sound"}.get(name, name))
            values.append(score[tracks] - score[self._out].mean())
        values.append(self._bias[tracks] - self._bias[self._out].mean())
        names.append("its age")
        found = []
        for place, track in enumerate(tracks):
            parts = sorted(
                ((float(v[place]), self._named(name, int(track))) for name, v in zip(names, values, strict=True)),
                reverse=True,
            )
            found.append([(name, value) for value, name in parts[:REASONS] if value > 0.05])
        return found

    def _named(self, column: str, track: int) -> str:
        """'artist Nova': a column with what it says of the track; other parts as they are."""
        if column not in self.data.tracks.columns:
            return column
        return f"{column} {self.data.tracks[column][track]}".replace("|", ", ")

    def story(self) -> Story | None:
        """Of the listeners who played any of their recommended tracks in the test, the one in the middle.

        Of more than `MOST_LISTENERS` listeners so many, evenly spaced, are looked at.
        """
        fit = np.flatnonzero((self._test.lengths > 0) & (self._histories.lengths >= HISTORY))
        if not len(fit):
            return None
        users = fit[np.linspace(0, len(fit) - 1, min(len(fit), MOST_LISTENERS)).astype(np.int64)]
        shown = self._histories.take(users)
        queries = self._recommender.queries(users, shown)
        best = self._best(queries, shown)
        hits = np.array([np.isin(best[row], self._test.row(int(user))).sum() for row, user in enumerate(users)])
        row = middle(hits)
        user = int(users[row])
        played = self._test.row(user)
        reasons = self._reasons(queries[row], best[row])
        recommended = [
            Shown(int(track), self._titles[track], self._about_track(int(track)), why, bool(np.isin(track, played)))
            for track, why in zip(best[row], reasons, strict=True)
        ]
        low, high = self._histories.indptr[user : user + 2]
        history = [self._played(event) for event in range(max(low, high - HISTORY), high)]
        among = f"the {len(fit):,} listeners"
        if len(users) < len(fit):
            among = f"{len(users):,} listeners, evenly spaced among the {len(fit):,}"
        chosen = (
            f"Chosen so: of {among} with {HISTORY} plays or more before the test, and any in it, "
            f"{(hits > 0).sum():,} played one or more of their {RECOMMENDED} recommended tracks in the test. "
        )
        chosen += (
            f"This one stands in the middle of those, with {hits[row]}; the most is {hits.max()}, the others have none."
            if hits.any()
            else "This is the first of them."
        )
        name, about = str(self.data.users["user"][user]), self._about_user(user)
        return Story(name, about, chosen, int(high - low), history, recommended)

    def _best(self, queries: np.ndarray, shown: Listening) -> np.ndarray:
        """int64 [B, k]: the tracks that are out and not played yet with the highest scores, best first, in blocks."""
        best = np.empty((len(queries), min(RECOMMENDED, self.data.n_items)), np.int64)
        block = max(BLOCK_BYTES // (4 * self.data.n_items), 1)
        for start in range(0, len(queries), block):
            part = slice(start, start + block)
            costs = -(queries[part] @ self._recommender.vectors.T + self._bias)
            low, high = shown.indptr[start], shown.indptr[start + len(costs)]
            costs[np.repeat(np.arange(len(costs)), shown.lengths[part]), shown.items[low:high]] = np.inf
            costs[:, ~self._out] = np.inf
            found = np.argpartition(costs, best.shape[1] - 1, axis=1)[:, : best.shape[1]]
            order = np.argsort(np.take_along_axis(costs, found, axis=1), axis=1, kind="stable")
            best[part] = np.take_along_axis(found, order, axis=1)
        return best

    def _played(self, event: int) -> Shown:
        log = self._histories
        track = int(log.items[event])
        when = str(np.datetime64(int(log.times[event]), "ms").astype("datetime64[m]")).replace("T", " ")
        words = [when]
        if log.outcomes is not None and log.outcomes[event]:
            words.append(OUTCOMES[log.outcomes[event]])
        words += [log.vocabulary(name)[codes[event]] for name, codes in log.columns.items()]
        return Shown(track, self._titles[track], ", ".join(word for word in words if word))

    def _about_track(self, track: int) -> str:
        table, words = self.data.tracks, []
        for column in ("genre", "tempo_bpm", "key", "mode", "release_date"):
            if column in table.columns and table[column][track] is not None:
                value = table[column][track]
                words.append(f"{float(value):.0f} bpm" if column == "tempo_bpm" else str(value))
        return ", ".join(words)

    def _about_user(self, user: int) -> str:
        columns = self._setup.config.data.get("user_columns", ())
        return ", ".join(str(self.data.users[column][user]) for column in columns)

    def newcomer(self) -> Newcomer | None:
        """The new track that was played most in the test, and the listeners whom it fits best."""
        new = (self.data.released_ms > self._setup.train.end_ms) & (self._histories.counts() == 0)
        counts = np.where(new, self._test.counts(), 0)
        track = int(np.argmax(counts))
        if not counts[track] or not self._explains:
            return None
        users = np.flatnonzero(self._histories.lengths > 0)
        queries = self._recommender.queries(users, self._histories.take(users))
        one, plain = slice(track, track + 1), self._recommender.boosted(0.0)
        moment_ms = max(self._now_ms, int(self.data.released_ms[track]))
        bias = self._bias_at(plain, moment_ms)
        others = np.where(self.data.released_ms <= moment_ms, bias, -np.inf)
        scores = plain.log_share(queries, plain.vectors[one], bias[one], others)[:, 0]
        order = np.argsort(-scores, kind="stable")
        players = np.flatnonzero([bool(np.isin(track, self._test.row(int(user)))) for user in users])
        place = np.empty(len(users))
        place[order] = np.arange(len(users)) / len(users)
        listeners = []
        for row in order[:LISTENERS]:
            user = int(users[row])
            last = "; ".join(self._titles[item] for item in self._histories.row(user)[-2:])
            listeners.append(
                (str(self.data.users["user"][user]), self._about_user(user), last, bool(np.isin(row, players)))
            )
        words = ", ".join(filter(None, [self._about_track(track), f"{counts[track]:,} plays in the test"]))
        played = counts[counts > 0]
        chosen = (
            f"Chosen so: of the {len(played):,} tracks that came out after training ended and were first played in the "
            f"test, it was played most there. Half of them have {np.median(played):.0f} plays or fewer: it is the "
            "one most can be said of, not a typical one."
        )
        shown = Shown(track, self._titles[track], words)
        rank = float(np.median(place[players])) if len(players) else None
        return Newcomer(shown, chosen, listeners, rank, self._known_by(track))

    def _known_by(self, track: int) -> str:
        """Words for what the model is told of a track that nobody has played."""
        sound = self.data.sound
        heard = "sound" in self._parts and sound is not None and sound.lengths[track] > 0
        told = (self.data.item_features[track] >= 0).any()
        return " and ".join([*(["its sound"] if heard else []), *(["its words"] if told else [])]) or "its age"

    def pieces(self, tracks: set[int]) -> dict[int, Piece]:
        """The beginnings of these tracks, of those that have sound."""
        sound, found = self.data.sound, {}
        for track in sorted(tracks):
            if sound is None or not sound.lengths[track]:
                continue
            rate = sound.sample_rate_hz
            audio = sound.waveform(track, 0, round(LONGEST_S * rate))
            found[track] = Piece(audio, rate, 0.0, float(sound.lengths[track]) / rate)
        return found


def middle(hits: np.ndarray) -> int:
    """The place of the median of those above 0, of several the first; 0 where there are none."""
    above = np.flatnonzero(hits > 0)
    return int(above[np.argsort(hits[above], kind="stable")[(len(above) - 1) // 2]]) if len(above) else 0


def coloured_by(tracks: Any) -> str:
    """The column that tells the points of the map apart: the genre, or the first of few values."""
    for column in ("genre", *tracks.columns):
        if column in tracks.columns and 1 < tracks[column].n_unique() <= 30:
            return column
    return "track"
