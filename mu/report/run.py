"""What the page of a run is made of, read and computed."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mu.evals.clip_scores import ClipResult
from mu.report.audio import Sounds
from mu.report.neighbours import Embedded


@dataclasses.dataclass(frozen=True, eq=False)
class AudioRun:
    """A run on audio, or one seed of a cross-validation.

    Attributes:
      title: its name.
      facts: (name, value) of what was run.
      config: all of it, as text.
      curves: of the run, or of each fold, the lines of metrics.jsonl.
      chosen: the metric that the best step was chosen by.
      step: the step whose weights were tested; None where each fold has its own.
      results: 'model' and baselines on the test clips.
      about: what evaluation.json holds.
      sounds: the clips' audio.
      embedded: test clips in the space of one model; None where it cannot be had.
      problems: why something is missing from the page.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    config: str
    curves: Mapping[str, Sequence[Mapping[str, float]]]
    chosen: str
    step: int | None
    results: Mapping[str, ClipResult]
    about: Mapping[str, Any]
    sounds: Sounds
    embedded: Embedded | None
    problems: Sequence[str]
