"""The data of the page of a run on a log of plays."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mu.evals.nouns import counted
from mu.evals.result import Result
from mu.evals.results import Evaluation
from mu.files import read_json
from mu.report.audio import Piece
from mu.report.cold_start import ColdStartTrack
from mu.report.comparison import Comparison, comparison_of
from mu.report.listener_groups import Groups
from mu.report.listeners import Listeners
from mu.report.log_words import LogWords, log_words
from mu.report.near_tracks import NearView
from mu.report.read import RunFacts, first_run, left_out_fact, published_rows, run_facts
from mu.report.track_map import TrackMap


@dataclasses.dataclass(frozen=True, eq=False)
class Sections:
    """The sections that are computed from the model.

    Attributes:
      listeners: None where they cannot be had.
      cold_start: None where there is no such track, or the model cannot score one.
      near_tracks: of a log without sound; None where they cannot be had.
      groups: of listeners, a table for each way to group them.
      track_map: None where it cannot be had.
      pieces: track -> its audio.
    """

    listeners: Listeners | None = None
    cold_start: ColdStartTrack | None = None
    near_tracks: NearView | None = None
    groups: Sequence[Groups] = ()
    track_map: TrackMap | None = None
    pieces: Mapping[int, Piece] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class ListeningRun:
    """A run on a log of plays.

    Attributes:
      facts: what was run.
      evaluation: the results of the model and of what stands beside it.
      compared: the same, compared.
      computed: the sections that are computed from the model.
    """

    facts: RunFacts
    evaluation: Evaluation
    compared: Comparison
    computed: Sections

    @property
    def counts(self) -> dict[str, int]:
        """Section of the plays -> number of plays; none of an evaluation without sections."""
        model = self.evaluation.results["model"]
        sections = dict.fromkeys(name.rpartition("/")[0] for name in model.names)
        return {section: model.counts[section] for section in sections if section}


def read_listening_run(
    place: str | os.PathLike[str], evaluation: Evaluation, computed: Sections, problems: Sequence[str]
) -> ListeningRun:
    """A run on a log as its page shows it.

    Args:
      place: its folder.
      evaluation: that the page shows.
      computed: the sections that are computed from the model.
      problems: why something is missing from the page.

    Raises:
      FileNotFoundError: no such run.
    """
    card = read_json(first_run(place) / "run.json")["data_card"]
    data = data_facts(card, log_words(evaluation.results["model"])) | left_out_fact(evaluation.results["model"])
    compared = comparison_of(evaluation, published_rows(place))
    return ListeningRun(run_facts(place, evaluation.card, data, problems), evaluation, compared, computed)


def main_metric(result: Result, chosen: str) -> str | None:
    """The column that listeners are compared by: the one that the best step was chosen by, or the first that is shown.

    None where no column says who is served better: coverage has no value of a listener, novelty describes lists.

    Args:
      result: over listeners or plays.
      chosen: 'valid/EVALUATION/COLUMN'.
    """
    column = chosen.split("/", 2)[-1]
    comparing = [name for name in result.columns if name not in result.descriptive]
    return next((name for name in (column, *result.shown, *comparing) if name in comparing), None)


def data_facts(card: Mapping[str, Any], words: LogWords) -> dict[str, str]:
    """Numbers of listeners, tracks and plays or ratings; how many tracks have audio."""
    sizes = {"listener": card.get("users", 0), "track": card.get("tracks", 0), words.event: card.get("events", 0)}
    numbers = ", ".join(counted(n, name) for name, n in sizes.items())
    audio = card.get("audio")
    if not audio:
        return {"Data": numbers}
    without = f", not of {audio['tracks_without']:,}" if audio["tracks_without"] else ""
    return {"Data": numbers, "Audio": f"sound of {audio['tracks_with']:,} tracks{without}"}
