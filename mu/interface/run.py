"""A trained run as an object: recommendations, audiences, explanations, evaluation and page."""

import dataclasses
import functools
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mu.console import Progress, working
from mu.data.features import HistoryFeatures
from mu.data.listening.listening import ClipSound, Listening
from mu.data.logs.interactions import Interactions
from mu.data.playlists import ranked_tracks, write_playlist
from mu.data.summary import LogSummary
from mu.evals.results import evaluations_of, load
from mu.gc_pause import gc_paused
from mu.inference.evidence import EvidenceRecommender
from mu.inference.time_aware import TimeAwareRecommender
from mu.interface.evaluation import RunEvaluation
from mu.interface.frames import Players, plays_frame
from mu.interface.listeners import Listeners
from mu.interface.named import NamedRecommender
from mu.interface.notebook import facts_html
from mu.interface.parts import score_parts
from mu.report.audio import Piece, track_pieces
from mu.report.score_parts import AGE, APPEAL, MODEL, Asked, ScoreParts, asked
from mu.run.restore import open_run
from mu.topk import bias_at

logger = logging.getLogger(__name__)
PLAYER_S = 8.0
"""Seconds of each track in a notebook."""
MOST_PLAYED = 3
"""So many tracks have players where a notebook shows the run."""


class Run(NamedRecommender):
    """A run of `mu train`, with its best weights.

    The model is restored without the data that it was trained on. The log is opened where a listener of it is asked
    for, and the sound of its tracks where a notebook shows players.

    Args:
      folder: of the run.

    Attributes:
      folder: as given.
      trained: the model, its tables and its inputs (`mu.run.restore.TrainedRun`).

    Raises:
      FileNotFoundError: it holds no run, or one without an evaluated checkpoint or without saved inputs.
      ConfigError: the config cannot be run by this version.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        with working(f"opening {self.folder}"):
            self.trained = open_run(self.folder)

    def __repr__(self) -> str:
        """The folder, and what was trained on what."""
        return f"Run({', '.join(f'{name}: {value}' for name, value in self._facts().items())})"

    def _repr_html_(self) -> str:
        """What was trained on what, the tables of its evaluations, and players of the tracks played most."""
        tables = [RunEvaluation.load(self.folder)._repr_html_()] if evaluations_of(self.folder) else []
        return "".join([facts_html("A run of mu", self._facts()), *tables, self._players_html()])

    def _players_html(self) -> str:
        """The tracks that are played most, with players; nothing where the run has no sound, or it is gone."""
        if self._players is None or self.trained.log is None:
            return ""
        try:
            counts = self.log.counts()
        except (OSError, ValueError) as error:
            logger.warning("without players: %s", error)
            return ""
        most = np.argsort(-counts, kind="stable")[:MOST_PLAYED]
        return plays_frame(self.tracks, most, None, self._players)._repr_html_()

    def _facts(self) -> dict[str, str]:
        """Name -> value of what describes the run."""
        model = self.trained.model_options["name"].partition(":")[2]
        if (log := self.trained.log) is not None:
            data = f"{log.sizes['users']:,} listeners, {log.sizes['items']:,} tracks, {len(log):,} plays in training"
        else:
            data = f"{len(self.trained.clips or ()):,} clips in training"
        sound = self.trained.sample_rate_hz
        return {
            "folder": str(self.folder),
            "model": model,
            "data": data + (f", sound at {sound:,} Hz" if sound else ""),
            "step": f"{self.trained.step:,}",
        }

    @functools.cached_property
    def recommender(self) -> Any:
        """The run's recommender, which speaks in ids and arrays (`mu.inference.recommender.TrainedRecommender`)."""
        with working("restoring the model"), gc_paused():
            return self.trained.up_to_date().recommender()

    @functools.cached_property
    def log(self) -> Interactions:
        """The whole log that the run was trained on.

        Raises:
          FileNotFoundError: it is gone.
          ValueError: it has changed, or the run is one on clips.
        """
        with working("opening the log"):
            return self.trained.open_log()

    @functools.cached_property
    def _histories(self) -> Interactions:
        with working("opening the log"):
            return self.trained.open_histories()

    @property
    def _tables(self) -> LogSummary:
        if self.trained.log is None:
            raise ValueError(f"{self.folder} is a run on clips, not on a log of plays")
        return self.trained.log

    @property
    def _now_ms(self) -> int | None:
        return None if self._tables.card.get("time_unit") == "order" else self._tables.now_ms

    @property
    def _released_ms(self) -> np.ndarray | None:
        return self._tables.released_ms

    @property
    def _event_columns(self) -> Sequence[str]:
        features = self.trained.features
        return features.event_columns if isinstance(features, HistoryFeatures) else ()

    @property
    def _knows_histories(self) -> bool:
        features = self.trained.features
        return not isinstance(features, HistoryFeatures) or features.window is not None

    def _explanation(self, time_ms: int | None) -> ScoreParts | None:
        if not isinstance(self.recommender, TimeAwareRecommender | EvidenceRecommender):
            return None
        bias, released = bias_at(self.recommender, time_ms), self._released_ms
        biases = {} if bias is None else {AGE if self.recommender.time_aware else APPEAL: bias}
        n_items = len(self.recommender.item_vectors)
        out = np.ones(n_items, bool) if released is None or time_ms is None else released <= time_ms
        return ScoreParts(self._parts, biases, out, self.tracks)

    def _explained(self, listeners: Listeners) -> list[Asked]:
        return asked(self.recommender, listeners.users, listeners.histories)

    @functools.cached_property
    def _parts(self) -> dict[str, np.ndarray]:
        """Name -> float32 [V, D]: the parts of the track vectors."""
        if isinstance(self.recommender, EvidenceRecommender):
            return {MODEL: self.recommender.item_vectors}
        return score_parts(self.recommender, self._tables)

    @property
    def _players(self) -> Players | None:
        return None if self.trained.sample_rate_hz is None else self._pieces

    def _pieces(self, tracks: Sequence[int]) -> Mapping[int, Piece]:
        """The beginnings of these tracks; none where the log or its sound are gone."""
        try:
            data = self.log
        except (OSError, ValueError) as error:
            logger.warning("without players: %s", error)
            return {}
        return track_pieces(data.sound if isinstance(data, Listening) else None, tracks, PLAYER_S)

    def evaluate(self, part: str = "test") -> RunEvaluation:
        """Measures the best weights beside the baselines of the config again, and writes the result to the run.

        Args:
          part: 'test', or 'valid', which is written beside the evaluation of the test.

        Raises:
          ConfigError: no evaluator can be built on it.
          ValueError: a refit has learnt the validation part, or there is no such part.
        """
        from mu.run.reevaluation import evaluate_again

        if part not in ("test", "valid"):
            raise ValueError(f"part is {part!r}; it must be 'test' or 'valid'")
        with Progress() as progress:
            results, folder = evaluate_again(self.folder, part, progress=progress.update)
        # It may have fitted the policy and encoded the sound of these weights, which the run is to use from now on.
        self.trained = open_run(self.folder)
        for name in ("recommender", "_parts"):
            vars(self).pop(name, None)
        return RunEvaluation(folder, {name: load(folder / name) for name in results})

    def report(self, output: str | os.PathLike[str] | None = None, evaluation: str | None = None) -> Path:
        """Writes the page of the run, one HTML file; what is missing from it is logged.

        Args:
          output: the file; None for report.html in the run's folder.
          evaluation: the name of the evaluation that the page shows; None where the run has one.

        Returns:
          The file.

        Raises:
          IsADirectoryError: `output` is a folder.
          ValueError: there is no page of such a run, or it has several evaluations and no name chooses.
        """
        from mu.interface.pages import write_page

        page = Path(output or self.folder / "report.html")
        for problem in write_page(self.folder, page, evaluation):
            logger.warning("%s", problem)
        return page

    def write_playlist(self, frame: pl.DataFrame, path: str | os.PathLike[str]) -> None:
        """Writes tracks as a playlist: the files of their audio where the run has them, and their names.

        Args:
          frame: with a column 'track', in the order of the playlist, such as of `recommend`.
          path: .m3u, .m3u8, .xspf or .jspf; the file appears whole or not at all.

        Raises:
          ValueError: another extension, or a track is not in the log.
        """
        rows = self._ids(frame["track"].to_list())
        tracks, sound = ranked_tracks(self.tracks, rows.tolist()), None
        if self.trained.sample_rate_hz is not None and isinstance(self.log, Listening):
            sound = self.log.sound
        if isinstance(sound, ClipSound):
            files = [sound.file(int(row)) for row in rows]
            lengths_ms = np.rint(sound.lengths[rows] * 1000 / sound.sample_rate_hz)
            tracks = [
                track if file is None else dataclasses.replace(track, location=str(file.resolve()), duration_ms=int(ms))
                for track, file, ms in zip(tracks, files, lengths_ms, strict=True)
            ]
        write_playlist(path, tracks)

    def audience(
        self,
        audio: Any,
        k: int = 10,
        *,
        about: str | Mapping[str, Any] = "",
        sample_rate_hz: int | None = None,
        at: Any = None,
    ) -> pl.DataFrame:
        """The k listeners who would play a new recording most.

        Args:
          audio: a file; or a waveform float [S], mono, with `sample_rate_hz`.
          k: how many, at most.
          about: what is known of it: column -> value, or several values in a list; also as one text,
            'column=value|value;column=value'.
          sample_rate_hz: of a waveform.
          at: the moment, see `recommend`; None for the end of the log. The recording comes out then.

        Returns:
          rank, user, times_mean (the share of their plays that they would give it, over that of the mean listener), and
          the columns of listeners that the model is given.

        Raises:
          ValueError: the run knows no sound, `about` names a column that the model is not given, or the audio holds
            nothing.
        """
        from mu.interface.new_recordings import audience

        return audience(self.trained, self.recommender, self.log, audio, k, about, sample_rate_hz, self._moment_in(at))

    def recordings(self, user: Any, library: str | os.PathLike[str], k: int = 10) -> pl.DataFrame:
        """The k recordings of an embedded library that suit a listener best: rank, clip, score.

        Args:
          user: a listener's id in the log.
          library: a folder that `mu embed` made with this very run.
          k: how many, at most.

        Raises:
          ValueError: the run knows no sound, or another encoder embedded the library.
        """
        from mu.interface.new_recordings import recordings

        return recordings(self.trained, self.recommender, self.log, user, library, k)

    def _moment_in(self, at: Any) -> int | None:
        """A moment within the log; None for its end."""
        return None if at is None else self._moment(at)
