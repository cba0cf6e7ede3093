"""What a run on a log keeps of it, so that its model can be asked when the log is gone."""

import os
from pathlib import Path

from mu.data.logs.interactions import Interactions
from mu.data.summary import LogSummary
from mu.protocols import Batches, Data

INFERENCE = "inference"
"""Folder of a run with the features and the summary of its log."""


def save_inputs(run: str | os.PathLike[str], data: Data, train: Data, batches: Batches) -> None:
    """Saves the part of the data that inference needs, for a run on a log; `mu.run.restore.open_run` reads it.

    Args:
      run: folder of the run.
      data: the whole log; of other data nothing is saved.
      train: its training part.
      batches: of the training part.
    """
    if not (isinstance(data, Interactions) and isinstance(train, Interactions)) or batches.features is None:
        return
    folder = Path(run) / INFERENCE
    LogSummary.of(data, train, folder, batches.crop_samples).save(data)
    batches.features.save(folder)
