"""A writer of a run's metrics to Weights & Biases: `mu.training.wandb_writer:WeightsAndBiases` in `config.writers`."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from mu.files import read_json, write_json

logger = logging.getLogger(__name__)

NOTE = "wandb.json"
"""In the run's folder: the id of the run at Weights & Biases, the last step sent, and the names sent at that step."""


class WeightsAndBiases:
    """Sends metrics, and the config once, to a run at Weights & Biases (extra: `pip install 'mu-music[wandb]'`).

    Weights & Biases' own environment variables say where to: WANDB_PROJECT (default 'mu'), WANDB_ENTITY, WANDB_MODE
    (`offline` keeps files in `wandb/` of the run's folder, for `wandb sync`). A run that goes on keeps its id, and what
    was sent before a kill is not sent again: it would be the same numbers, but for timings.

    Args:
      folder: of the run, with its config.json.
      step: steps already taken.

    Raises:
      ValueError: the package is not installed, or no run can be begun there; says what to do.
    """

    def __init__(self, folder: str | os.PathLike[str], step: int):
        try:
            import wandb
            from wandb.errors import Error
        except ModuleNotFoundError as error:
            raise ValueError(
                f"config.writers: WeightsAndBiases needs wandb ({error}): pip install 'mu-music[wandb]'"
            ) from error
        folder = Path(folder)
        self._note = folder / NOTE
        note = read_json(self._note) if self._note.is_file() and step else {}
        self._step: int = note.get("step", 0)
        self._names: list[str] = note.get("names", [])
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", "mu"),
                name=folder.resolve().name,
                id=note.get("id"),
                resume="allow",
                dir=folder,
                config=read_json(folder / "config.json"),
                settings=wandb.Settings(silent=True, console="off"),
            )
        except Error as error:
            raise ValueError(
                f"config.writers: Weights & Biases begins no run ({error}): `wandb login`, or set WANDB_MODE=offline"
            ) from error
        self._save()
        logger.info(f"Weights & Biases: {self._run.dir if self._run.offline else self._run.url}")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Sends what of `values` has not been sent for this step."""
        if step < self._step:
            return
        known = self._names if step == self._step else []
        new = {name: value for name, value in values.items() if name not in known}
        if new:
            self._run.log(new, step=step)
            self._step, self._names = step, [*known, *new]
            self._save()

    def close(self) -> None:
        """Waits until all is sent, or in its file."""
        self._run.finish()

    def _save(self) -> None:
        write_json(self._note, {"id": self._run.id, "step": self._step, "names": self._names})
