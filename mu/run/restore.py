"""A trained run opened for inference: its model, its inputs and its tables, without the data it was trained on."""

import dataclasses
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.config.base import Config
from mu.config.resolve import build, locate
from mu.data.clips.clips import Clips
from mu.data.listening.listening import Listening
from mu.data.logs.interactions import Interactions
from mu.data.logs.interactions import load as load_log
from mu.data.summary import LogSummary
from mu.files import read_json
from mu.inference import track_content
from mu.inference.policy import Policy
from mu.inference.recommender import TrainedRecommender, weights_hash
from mu.inference.track_content import ContentEncoder
from mu.protocols import Data, Features, Model, ModelWithAudio, Predictor, Recommender, Split, Task
from mu.run.build import build_model, counts_of, use_compilation_cache
from mu.run.saved_inputs import load_inputs
from mu.run.workdir import RECORD, best_step, here, open_data, open_split, run_config
from mu.training.saved_checkpoints import SavedCheckpoints
from mu.training.state import weights

logger = logging.getLogger(__name__)
LOGS = ("mu.data.logs.interactions:load", "mu.data.listening.listening:load", "mu.world.dataset:load")
"""Data whose plays are those of the imported log at `path`, all of them."""


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class TrainedRun:
    """The best checkpoint of a run, with its tables and the inputs of its model.

    Attributes:
      folder: of the run.
      step: of the checkpoint.
      graph: of the model.
      task: gives `predict`.
      params: values of the model; of the moving average where the run keeps one.
      rows: the whole tables; with the content embeddings that were saved with the run.
      log: summary of the training log; None for runs on clips.
      features: the model's inputs; None for runs on clips.
      clips: the training clips without their sound; None for runs on a log.
      policy: decided after training.
      is_complete: whether policy and content embeddings are those of these very weights.
      crop_samples: samples of the crops in training, None without audio.
      sample_rate_hz: of the audio, None without.
    """

    folder: Path
    step: int
    graph: nnx.GraphDef
    task: Task[Model]
    params: Any
    rows: Mapping[str, Any]
    log: LogSummary | None
    features: Features | None
    clips: Clips | None
    policy: Policy
    is_complete: bool
    crop_samples: int | None
    sample_rate_hz: int | None
    _config: Config
    _split_hash: str

    @property
    def provenance(self) -> dict[str, Any]:
        """The run's run.json."""
        return read_json(self.folder / RECORD)

    @property
    def model_options(self) -> dict[str, Any]:
        """The config's model, as JSON."""
        return json.loads(json.dumps(self._config.model.to_dict()))

    def recommender(self) -> TrainedRecommender:
        """The run's recommender under its policy.

        Raises:
          ValueError: it is not a run on a log of plays.
        """
        if self.features is None or self.log is None:
            raise ValueError(f"{self.folder} is a run on clips, not on a log of plays")
        return build(
            self._config.recommender,
            graph=self.graph,
            task=self.task,
            features=self.features,
            params=self.params,
            rows=self.rows,
            end_ms=self.log.end_ms,
            policy=self.policy,
        )

    def predictor(self) -> Predictor[Clips]:
        """The run's predictions about clips or ratings.

        Raises:
          ValueError: it is not a run on clips.
        """
        if self.clips is None:
            raise ValueError(f"{self.folder} is a run on a log of plays, not on clips")
        return build(
            self._config.recommender,
            graph=self.graph,
            task=self.task,
            params=self.params,
            rows=self.rows,
            policy=self.policy,
            batches=build(self._config.batches, self.clips, sparse=False, seed=self._config.seed),
            features=None,
            crop_samples=self.crop_samples,
            end_ms=None,
        )

    def up_to_date(self) -> "TrainedRun":
        """The run with the content embeddings of these weights: where they were not saved, they are computed anew.

        Raises:
          FileNotFoundError: the log or its audio is needed for that, and is gone.
        """
        if self.is_complete or not self._time_aware:
            return self
        missing = "the policy of these weights is missing: new releases get no boost"
        if "content" not in self.rows:
            logger.warning("%s: %s (`mu evaluate` fits it)", self.folder, missing)
            return self
        logger.warning("%s: %s, and all tracks are encoded anew (`mu evaluate` saves both)", self.folder, missing)
        data = self.open_log()
        if not isinstance(data, Listening) or data.sound is None:
            raise ValueError(f"{self.folder} was trained on the sound of its tracks, and its log has none now")
        encoder = ContentEncoder(self.graph, data.sound, self.audio_format()[1], data.tracks["track"].to_list())
        content = encoder.content(self.params, np.asarray(self.rows["content"]))
        return dataclasses.replace(self, rows=track_content.scored(self.rows, content))

    @property
    def _time_aware(self) -> bool:
        return locate(self._config.recommender.name, "config.recommender.name").time_aware

    def refuse_without_audio(self) -> None:
        """Raises ValueError where the run cannot recommend new recordings."""
        if "content" not in self.rows or not self._time_aware:
            raise ValueError(f"{self.folder} is no run on plays and audio: it cannot recommend new recordings")

    def open_split(self) -> tuple[Data, Split]:
        """(the whole data that the run was trained on, their parts).

        Raises:
          FileNotFoundError: they are gone.
          ValueError: they have changed.
        """
        data = open_data(self._config, self.folder)
        return data, open_split(self._config, data, self._split_hash, self.folder)

    def open_log(self) -> Interactions:
        """The whole log that the run was trained on; see `open_split`."""
        data, _ = self.open_split()
        if not isinstance(data, Interactions):
            raise ValueError(f"{self.folder} is a run on clips, not on a log of plays")
        return data

    def open_histories(self) -> Interactions:
        """What the listeners of the log have played: the whole log, without sound and features where that is quicker.

        A log whose card, listeners and tracks are those of the run is taken for the run's. Its arrays are not read
        whole, as `open_log` reads them: damage that leaves the sizes of its files is not noticed.

        Raises:
          FileNotFoundError: the log is gone.
          ValueError: it has changed, or the run is one on clips.
        """
        spec = here(self._config.data, self.folder)
        if self.log is not None and spec["name"] in LOGS and os.path.isdir(spec["path"]):
            log = load_log(spec["path"])
            summary = self.log
            same_card = all(summary.card.get(name) == value for name, value in log.card.items())
            same_users = log.users["user"].equals(summary.users["user"])
            if same_card and same_users and log.tracks["track"].equals(summary.tracks["track"]):
                return log
        return self.open_log()

    def training_data(self, split: Split) -> Data:
        """The part of its data that the run was trained on: of a refit the validation part, too."""
        return split.train.merged(split.valid) if self._config.refit else split.train

    def fitted_baselines(self, names: Sequence[str], train: Data) -> dict[str, Recommender]:
        """The baselines of the config of these names, those that there are, fitted to what the run has learnt from."""
        specs = self._config.baselines
        return {name: build(specs[name]).fit(train) for name in names if name in specs}

    def audio_encoder(self) -> tuple[nnx.GraphDef, Any]:
        """(graph, params) of the audio encoder: the model of a run on clips, a part of one on plays.

        Raises:
          ValueError: the model has none.
        """
        params = jax.device_get(self.params)
        if self.clips is not None:
            return self.graph, params
        model = nnx.merge(self.graph, params)
        if not isinstance(model, ModelWithAudio) or model.audio is None:
            raise ValueError(f"{self.folder} has no audio encoder to embed with: its model knows no sound")
        graph, state = nnx.split(model.audio)
        return graph, nnx.to_pure_dict(state)

    def audio_format(self) -> tuple[int, int]:
        """(sample rate in Hz, samples of a tile) of the audio encoder's input.

        Raises:
          ValueError: the run has no audio.
        """
        if self.sample_rate_hz is None or self.crop_samples is None:
            raise ValueError(f"{self.folder} has no audio")
        return self.sample_rate_hz, self.crop_samples


def open_run(workdir: str | os.PathLike[str]) -> TrainedRun:
    """The best checkpoint of a run, on one device, whatever mesh it was trained on.

    It is opened without its data. Optimizer slots are not read.

    Raises:
      FileNotFoundError: `workdir` holds no run, or one without an evaluated checkpoint or without saved inputs.
      ConfigError: the config cannot be run by this version.
    """
    folder = Path(workdir)
    use_compilation_cache()
    config = run_config(folder, ("task", "model", "recommender"))
    checkpoints = SavedCheckpoints(folder / "checkpoints")
    step = best_step(checkpoints, config.refit, folder)
    split_hash = checkpoints.note(step)["split"]
    params, rows = weights(checkpoints.load_model(step, jax.devices()[0]))
    inputs = load_inputs(folder)
    data = inputs.clips if inputs.log is None else inputs.log
    assert data is not None
    task = build(config.task, data=data, **counts_of(data.sizes))
    graph, _ = nnx.split(nnx.eval_shape(lambda: build_model(config, task, inputs.features, nnx.Rngs(0))))
    policy = Policy.load(folder)
    is_complete = policy.weights_hash == weights_hash(params)
    if is_complete:
        if "content" in rows:
            content = track_content.load(folder, rows["content"].shape, policy.content_sha256)
            is_complete = content is not None
            rows = rows if content is None else track_content.scored(rows, content)
    else:
        policy = Policy()
    return TrainedRun(
        folder=folder,
        step=step,
        graph=graph,
        task=task,
        params=params,
        rows=rows,
        log=inputs.log,
        features=inputs.features,
        clips=inputs.clips,
        policy=policy,
        is_complete=is_complete,
        crop_samples=inputs.crop_samples,
        sample_rate_hz=inputs.sample_rate_hz,
        _config=config,
        _split_hash=split_hash,
    )
