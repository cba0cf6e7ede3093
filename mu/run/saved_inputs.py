"""What a run keeps of its data, so that its model can be used when they are gone."""

import logging
import os
from pathlib import Path
from typing import NamedTuple

from mu import trust
from mu.checksums import check_hashes, write_hashes
from mu.data.clips.clips import Clips
from mu.data.logs.interactions import Interactions
from mu.data.summary import LogSummary
from mu.files import read_json, replacing_folder, write_json
from mu.names import path_of
from mu.protocols import Batches, Data, Features

logger = logging.getLogger(__name__)
INFERENCE, CARD = "inference", "card.json"
"""Folder of a run with the part of its data that inference needs, and the file there that says what it is."""


REMEDY = "the same `mu train` again writes it anew"


class SavedInputs(NamedTuple):
    """The part of the data of a run that inference needs; of a run on a log `log` and `features`, else `clips`.

    Attributes:
      crop_samples: samples of the crops in training, None without audio.
      sample_rate_hz: of the audio, None without.
      log: summary of the training log.
      features: the model's inputs.
      clips: the training clips without their sound.
    """

    crop_samples: int | None
    sample_rate_hz: int | None
    log: LogSummary | None = None
    features: Features | None = None
    clips: Clips | None = None


def save_inputs(run: str | os.PathLike[str], split_hash: str, data: Data, train: Data, batches: Batches) -> None:
    """Saves the part of the data that inference needs, whole or not at all; `load_inputs` reads it.

    Args:
      run: folder of the run.
      split_hash: of the split of the data.
      data: the whole log, or all clips.
      train: the training part.
      batches: of the training part.

    Raises:
      ValueError: the class of the features or of the clips cannot be imported by its path.
    """
    card = {"split": split_hash, "crop_samples": batches.crop_samples}
    with replacing_folder(Path(run) / INFERENCE) as folder:
        if isinstance(data, Interactions) and isinstance(train, Interactions) and batches.features is not None:
            LogSummary.of(data, train, folder, batches.crop_samples).save(data)
            batches.features.save(folder)
            card["features"] = path_of(type(batches.features))
        elif isinstance(train, Clips):
            train.save_without_sound(folder)
            card["clips"] = path_of(type(train))
        else:
            logger.warning("%s: neither clips nor a log with features, so `open_run` cannot open this run", run)
        write_hashes(folder)
        write_json(folder / CARD, card)


def has_inputs(run: str | os.PathLike[str], split_hash: str) -> bool:
    """Whether a run has what `save_inputs` wrote of the data with this split, undamaged."""
    folder = Path(run) / INFERENCE
    try:
        check_hashes(folder, REMEDY)
        return (folder / CARD).is_file() and read_json(folder / CARD)["split"] == split_hash
    except ValueError as error:
        logger.warning("%s, and is written again", error)
        return False


def load_inputs(run: str | os.PathLike[str]) -> SavedInputs:
    """What `save_inputs` wrote.

    Raises:
      ValueError: the class of features or clips is no longer there, or is none that the user trusts.
      FileNotFoundError: there is nothing: an earlier version trained the run, or its data are of another kind.
    """
    folder = Path(run) / INFERENCE
    check_hashes(folder, REMEDY, whole=False)
    card = read_json(folder / CARD) if (folder / CARD).is_file() else {}
    if "features" in card:
        features = trust.locate(card["features"], "features", folder / CARD).load(folder)
        log = LogSummary.load(folder)
        return SavedInputs(log.crop_samples, log.sample_rate_hz, log=log, features=features)
    if "clips" in card:
        clips = trust.locate(card["clips"], "clips", folder / CARD).load_without_sound(folder)
        return SavedInputs(card["crop_samples"], clips.sample_rate_hz, clips=clips)
    raise FileNotFoundError(
        f"{run} keeps nothing of its data for inference ({INFERENCE}/{CARD}): train the run again, with the same "
        "`mu train`; a run that is complete learns no more and only writes it"
    )
