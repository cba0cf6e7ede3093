"""What the weights of a run have learnt from: its own recordings and labels, and those of the runs it started from."""

import dataclasses
import logging
import os
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from mu.config.resolve import build
from mu.data.clips.clips import Clips
from mu.data.ratings.rated_clips import RatedClips
from mu.files import hash_file, read_json
from mu.protocols import Model, Task
from mu.run.build import counts_of
from mu.run.saved_inputs import CARD, INFERENCE, load_inputs
from mu.run.workdir import here, run_config

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class LearntFrom:
    """What the weights of a run have learnt from.

    Attributes:
      config_sha256: of the run's config.json.
      split: hash of the run's split.
      targets: names of the labels.
      recordings: content hashes; None where they are not known: of a run on plays, or where a run that it started from
        is gone.
    """

    config_sha256: str
    split: str
    targets: frozenset[str]
    recordings: frozenset[str] | None


def learnt_from(workdir: str | os.PathLike[str]) -> LearntFrom:
    """What the weights of a run have learnt from; the run's data need not be there.

    Raises:
      FileNotFoundError: `workdir` holds no run, or one without saved inputs.
      ConfigError: the config cannot be run by this version.
    """
    folder = Path(workdir)
    config, clips = run_config(folder, ("task",)), load_inputs(folder).clips
    targets: frozenset[str] = frozenset()
    recordings: frozenset[str] | None = None
    if clips is not None:
        task: Task[Model] = build(config.task, data=clips, **counts_of(clips.sizes))
        targets, recordings = _labels(clips, task), frozenset(clips.table["content_hash"])
    if config.init_from is not None:
        try:
            # Of a config of which the task alone is known, no other paths can be found.
            before = learnt_from(here(ConfigDict({"init_from": config.init_from}), folder).init_from)
        except FileNotFoundError as error:
            logger.warning("what %s started from is not known: %s", folder, error)
            recordings = None
        else:
            targets |= before.targets
            if recordings is not None:
                recordings = None if before.recordings is None else recordings | before.recordings
    split = str(read_json(folder / INFERENCE / CARD)["split"])
    return LearntFrom(hash_file(folder / "config.json"), split, targets, recordings)


def known_clips(clips: Clips, train: Clips, recordings: frozenset[str]) -> np.ndarray:
    """bool [n]: the clips that weights have learnt from, and those of a group of their training clips.

    Args:
      clips: n clips.
      train: the training clips of the weights.
      recordings: content hashes of all that they have learnt from, in runs before too, whose groups are not known.
    """
    learnt = recordings | set(train.table["content_hash"])
    known = clips.table["content_hash"].is_in(list(learnt)).to_numpy()
    group = clips.group
    if group not in train.table.columns:
        return known
    groups = {str(value) for value in train.table[group].drop_nulls()}
    return known | np.array([str(value) in groups for value in clips.table[group]], bool)


def _labels(clips: Clips, task: Task[Model]) -> frozenset[str]:
    """Names of the labels that a task learns: targets that it predicts, columns whose words it reads, all ratings."""
    rated = clips.label_names if isinstance(clips, RatedClips) else ()
    predicted = (name for name in task.offers.get("outputs", ()) if name in clips.targets)
    read = clips.text_columns if "zero_shot" in task.offers else ()
    return frozenset([*predicted, *read, *rated])
