"""What the page of a run on listening is made of."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mu.report.audio import Piece


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """A track on the page.

    Attributes:
      track: its number in the log.
      title: of it, with the artist where the log knows.
      words: a line about it.
      reasons: (what speaks for it, by how much): parts of its score beyond those of the mean track, largest first.
      hit: whether the listener did play it in the test.
    """

    track: int
    title: str
    words: str
    reasons: Sequence[tuple[str, float]] = ()
    hit: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Story:
    """One listener.

    Attributes:
      listener: the log's id. about: what is known of them.
      chosen: how it was they who were chosen.
      n_plays: before the test.
      history: the last of them, oldest first.
      recommended: best first.
    """

    listener: str
    about: str
    chosen: str
    n_plays: int
    history: Sequence[Shown]
    recommended: Sequence[Shown]


@dataclasses.dataclass(frozen=True, eq=False)
class Newcomer:
    """A track that came out after training ended, and who should hear it.

    Attributes:
      shown: the track.
      chosen: how it was this one that was chosen.
      listeners: (id, what is known of them, their last tracks in words, whether they did play it), best first.
      rank_of_players: of those who did play it in the test, the median share of listeners ranked above; None if
        nobody did.
      known_by: words for what the model is told of it.
    """

    shown: Shown
    chosen: str
    listeners: Sequence[tuple[str, str, str, bool]]
    rank_of_players: float | None
    known_by: str


@dataclasses.dataclass(frozen=True, eq=False)
class ListeningRun:
    """A run on a log with audio.

    Attributes:
      title, facts, config, curves, chosen, step, problems: as of `mu.report.run.AudioRun`.
      about: what evaluation.json holds.
      story, newcomer: None where they cannot be had.
      vectors: float32 [n, D], of tracks evenly spaced over the log; None where they cannot be had.
      labels: of these tracks, the attribute that colours them; `label_name` says which that is.
      titles: of these tracks.
      pieces: track -> its sound, of the tracks that are on the page.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    config: str
    curves: Mapping[str, Sequence[Mapping[str, float]]]
    chosen: str
    step: int
    about: Mapping[str, Any]
    story: Story | None
    newcomer: Newcomer | None
    vectors: np.ndarray | None
    labels: Sequence[str]
    label_name: str
    titles: Sequence[str]
    pieces: Mapping[int, Piece]
    problems: Sequence[str]
