"""The data of the page of a run on listening."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mu.evals.result import Estimate
from mu.evals.results import load
from mu.files import read_json
from mu.report.audio import Piece
from mu.report.read import RunFacts, left_out_fact, run_facts


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A track on the page.

    Attributes:
      track: its number in the log.
      title: of it, with the artist where the log has one.
      about: it, in a line.
      reasons: (part of its score, by how much it is beyond that of the mean track), largest first.
      hit: whether the listener played it in the test.
    """

    track: int
    title: str
    about: str
    reasons: Sequence[tuple[str, float]] = ()
    hit: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class UserPage:
    """One listener: what they played, and what is recommended to them.

    Attributes:
      listener: id in the log.
      about: their attributes in words.
      chosen: the rule by which this listener was chosen.
      n_plays: before the test.
      history: their last plays, oldest first.
      recommended: best first.
    """

    listener: str
    about: str
    chosen: str
    n_plays: int
    history: Sequence[Row]
    recommended: Sequence[Row]


@dataclasses.dataclass(frozen=True, eq=False)
class ColdStartListener:
    """A listener whom a cold-start track is recommended to.

    Attributes:
      listener: id in the log.
      about: their attributes in words.
      last_played: titles of their last tracks.
      hit: whether they played the track in the test.
    """

    listener: str
    about: str
    last_played: str
    hit: bool


@dataclasses.dataclass(frozen=True, eq=False)
class ColdStartTrack:
    """A track that came out after training ended, and the listeners whom it is recommended to.

    Attributes:
      row: the track.
      chosen: the rule by which this track was chosen.
      listeners: best first.
      rank_of_players: of those who played it in the test, the median share of listeners ranked above; None if nobody
        did.
      inputs: what the model reads of it, in words.
    """

    row: Row
    chosen: str
    listeners: Sequence[ColdStartListener]
    rank_of_players: float | None
    inputs: str


@dataclasses.dataclass(frozen=True, eq=False)
class TrackMap:
    """Tracks in the space of the model. n tracks, evenly spaced over the log.

    Attributes:
      vectors: float32 [n, D].
      titles: [n].
      label_name: the column of the track table that colours them.
      labels: [n], its values.
    """

    vectors: np.ndarray
    titles: Sequence[str]
    label_name: str
    labels: Sequence[str]


@dataclasses.dataclass(frozen=True, eq=False)
class Sections:
    """The sections that are computed from the model.

    Attributes:
      user_page: None where it cannot be had.
      cold_start: None where there is no such track, or the model cannot score one.
      track_map: None where it cannot be had.
      pieces: track -> its audio.
    """

    user_page: UserPage | None = None
    cold_start: ColdStartTrack | None = None
    track_map: TrackMap | None = None
    pieces: Mapping[int, Piece] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class ListeningRun:
    """A run on a log with audio.

    Attributes:
      facts: what was run.
      metrics: 'model' and baselines -> 'SECTION/METRIC' -> value and interval.
      counts: section of the plays -> number of plays.
      boost: added to the scores of new releases; None where there is no such policy.
      computed: the sections that are computed from the model.
    """

    facts: RunFacts
    metrics: Mapping[str, Mapping[str, Estimate]]
    counts: Mapping[str, int]
    boost: float | None
    computed: Sections


def read_listening_run(
    place: str | os.PathLike[str], evaluated: str | os.PathLike[str], computed: Sections, problems: Sequence[str]
) -> ListeningRun:
    """A run on listening as its page shows it.

    Args:
      place: its folder.
      evaluated: the folder of the evaluation to show.
      computed: the sections that are computed from the model.
      problems: why something is missing from the page.

    Raises:
      FileNotFoundError: no such run or evaluation.
    """
    evaluation = load(evaluated)
    card, model = read_json(Path(place) / "run.json")["data_card"], evaluation.results["model"]
    sections = dict.fromkeys(name.rpartition("/")[0] for name in model.names)
    return ListeningRun(
        facts=run_facts(place, evaluation.card, _data_facts(card) | left_out_fact(model), problems),
        metrics=evaluation.rows,
        counts={section: model.counts[section] for section in sections},
        boost=evaluation.card.get("new_release_boost"),
        computed=computed,
    )


def _data_facts(card: Mapping[str, Any]) -> dict[str, str]:
    """Numbers of listeners, tracks and plays; how many tracks have audio."""
    numbers = f"{card.get('users', 0):,} listeners, {card.get('tracks', 0):,} tracks, {card.get('events', 0):,} plays"
    audio = card.get("audio")
    if not audio:
        return {"Data": numbers}
    return {
        "Data": numbers,
        "Audio": f"of {audio['tracks_with']:,} tracks, none of {audio['tracks_without']:,}",
    }
