"""A refit by chosen steps (config.refit='chosen'): validation says how long to learn, then all but the test is learnt.

The run that chooses lies in WORKDIR/choose and learns from the training part. The run in WORKDIR begins anew and learns
from training and validation for as many epochs: an epoch has more batches there, and a rate that follows the steps of
the run follows as many more.
"""

import dataclasses
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mu.config.base import Config, ConfigError
from mu.files import read_json, write_json
from mu.run.same_run import refuse_other_config
from mu.run.workdir import RECORD
from mu.training.saved_checkpoints import SavedCheckpoints

CHOSEN = "chosen"
CHOOSE = "choose"
"""The folder of the run that chooses, in that of the refit."""
FILE = "chosen.json"

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChosenSteps:
    """How long a run has learnt until it was best on the validation part.

    Attributes:
      step: after which it was best.
      metric: by which, 'valid/ranking/ndcg@10'.
      value: of the metric.
      n_examples: that an epoch of the training part has.
      batch_size: examples a step.
      config: of the run that chose, as JSON.
      run: the folder of that run, as seen from that of the refit.
    """

    step: int
    metric: str
    value: float
    n_examples: int
    batch_size: int
    config: Mapping[str, Any]
    run: str = CHOOSE

    @property
    def epochs(self) -> float:
        """How many times each example was learnt."""
        return self.step * self.batch_size / self.n_examples

    def scaled(self, steps: int, n_examples: int) -> int:
        """As many epochs over `n_examples` as `steps` are over the training part; at least a step."""
        return max(1, round(steps * n_examples / self.n_examples))

    def refuse_other_config(self, config: Config, folder: Path) -> None:
        """Raises ConfigError where the steps were chosen by a run of another config, or of other total steps."""
        now = json.loads(choosing(config).to_json())
        refuse_other_config(self.config, now, folder)
        if now["total_steps"] != self.config["total_steps"]:
            raise ConfigError(
                f"{folder} has chosen its steps from config.total_steps={self.config['total_steps']}, and now there "
                f"are {now['total_steps']}; choose another --workdir"
            )

    def save(self, folder: Path) -> None:
        """Writes the file that `load` reads."""
        write_json(folder / FILE, dataclasses.asdict(self))

    @classmethod
    def load(cls, folder: Path) -> "ChosenSteps | None":
        """What was saved in the folder of a refit; None where nothing is chosen yet."""
        return cls(**read_json(folder / FILE)) if (folder / FILE).is_file() else None

    @classmethod
    def of_run(cls, folder: Path, refit: Path) -> "ChosenSteps":
        """What a run on the training part has chosen, once it is complete, for a refit in the folder `refit`."""
        config, record = read_json(folder / "config.json"), read_json(folder / RECORD)
        checkpoints = SavedCheckpoints(folder / "checkpoints")
        progress = checkpoints.note(checkpoints.steps()[-1])["progress"]
        return cls(
            step=progress["best_step"],
            metric=config["best"]["metric"],
            value=progress["best_value"],
            n_examples=record["n_examples"],
            batch_size=record["batch_size"],
            config=config,
            run=os.path.relpath(folder, refit),
        )


def choosing(config: Config) -> Config:
    """The config of the run that chooses: it learns from the training part, and nothing stands beside it."""
    chosen = config.copy_and_resolve_references()
    with chosen.ignore_type():
        chosen.refit, chosen.baselines, chosen.mixture = False, {}, ()
    return chosen
