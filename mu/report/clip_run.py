"""What the page of a run on audio is made of."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from mu.data.clips.clips import Clips
from mu.evals import clip_scores
from mu.report.audio import Sounds
from mu.report.neighbours import Embedded
from mu.report.read import RunFacts, first_run, run_facts
from mu.report.shim import Estimate, Predictions


@dataclasses.dataclass(frozen=True, eq=False)
class ClipRun:
    """A run on audio, or one seed of a cross-validation. n test clips.

    Attributes:
      facts: what was run.
      clips: ids of the test clips.
      n_groups: how many groups of clips the bootstrap draws: recordings, artists, speakers.
      pooled: whether the clips of several folds were put together, each predicted by its fold's model.
      predictions: 'model' and baselines -> target -> predictions of the test clips.
      metrics: 'model' and baselines -> metric -> value and interval.
      details: 'TARGET/METRIC' -> value and interval for each class, tag or number, of the model.
      sounds: the audio of the clips.
      embedded: test clips in the space of one model; None where it cannot be had.
    """

    facts: RunFacts
    clips: tuple[str, ...]
    n_groups: int
    pooled: bool
    predictions: Mapping[str, Mapping[str, Predictions]]
    metrics: Mapping[str, Mapping[str, Estimate]]
    details: Mapping[str, Mapping[str, Estimate]]
    sounds: Sounds
    embedded: Embedded | None


def read_clip_run(
    place: str | os.PathLike[str], clips: Clips | None, embedded: Embedded | None, problems: Sequence[str]
) -> ClipRun:
    """A run on audio, or a seed of a cross-validation, as its page shows it.

    Args:
      place: its folder.
      clips: the run's clips; None where they cannot be had.
      embedded: test clips in the space of its model; None where they cannot be had.
      problems: why something is missing from the page.

    Raises:
      FileNotFoundError: no such run, or it has no evaluation.
      ValueError: it was tested on something other than clips.
    """
    results, about = clip_scores.load(place)
    tested = results["model"].clips
    if clips is not None and set(clips.table["clip"]).isdisjoint(tested):
        raise ValueError(
            f"{place} was tested on {tested[0]!r} and so on, which are no clips; mu report makes pages of clips, "
            f"`mu compare {place}:BASELINE {place}` sets such a run beside a baseline"
        )
    where = Path(json.loads((first_run(place) / "config.json").read_text())["data"].get("path", "")).name
    data = {"Data": f"{where}, {about['n_clips']:,} clips of {about['part']}"}
    metrics = {
        name: {metric: Estimate(metric, **row) for metric, row in rows.items()} for name, rows in about["rows"].items()
    }
    details: dict[str, dict[str, Estimate]] = {}
    for row in about["per_class"]:
        name = f"{row['head']}/{row['metric']}"
        details.setdefault(name, {})[row["name"]] = Estimate(row["name"], row["value"], row["low"], row["high"])
    return ClipRun(
        facts=run_facts(place, about, data, problems),
        clips=tested,
        n_groups=about["n_groups"],
        pooled=about["split"] == "pooled",
        predictions={name: result.said for name, result in results.items()},
        metrics=metrics,
        details=details,
        sounds=Sounds(clips),
        embedded=embedded,
    )
