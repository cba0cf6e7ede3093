"""A writer of a run's metrics to MLflow: `mu.training.mlflow_writer:MLflow` in `config.writers`."""

import logging
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mu.files import read_json, write_json

logger = logging.getLogger(__name__)

NOTE = "mlflow.json"
"""In the run's folder: the store and the id of the run there."""
EXPERIMENT = "mu"
# Of one request, and of the text of a parameter: MLflow's limits.
PARAMS_AT_ONCE, PARAM_LENGTH = 100, 500


class MLflow:
    """Sends metrics, and the config once as parameters, to a run of MLflow (extra: `pip install 'mu-music[mlflow]'`).

    MLflow's own environment variables say where to: MLFLOW_TRACKING_URI (default: files in `mlflow/` of the run's
    folder) and MLFLOW_EXPERIMENT_NAME (default 'mu'). MLflow has no @ in names: 'valid/ndcg@10' is 'valid/ndcg_at_10'
    there. A run that goes on keeps its id, and what was sent before a kill is not sent again: it would be the same
    numbers, but for timings.

    Args:
      folder: of the run, with its config.json.
      step: steps already taken.

    Raises:
      ValueError: the package is not installed, or the store refuses; says what to do.
    """

    def __init__(self, folder: str | os.PathLike[str], step: int):
        try:
            import mlflow
        except ModuleNotFoundError as error:
            raise ValueError(
                f"config.writers: MLflow needs mlflow ({error}): pip install 'mu-music[mlflow]'"
            ) from error
        from mlflow.entities import Metric, Param
        from mlflow.exceptions import MlflowException

        folder = Path(folder).resolve()
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if uri is None:
            uri = (folder / "mlflow").as_uri()
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 refuses files unless it is told
        self._metric = Metric
        self._client = mlflow.MlflowClient(tracking_uri=uri)
        note = read_json(folder / NOTE) if (folder / NOTE).is_file() and step else None
        try:
            if note is not None:
                self._id: str = self._client.get_run(note["run_id"]).info.run_id
                self._client.update_run(self._id, status="RUNNING")
            else:
                name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
                experiment = self._client.get_experiment_by_name(name)
                number = self._client.create_experiment(name) if experiment is None else experiment.experiment_id
                self._id = self._client.create_run(number, run_name=folder.name).info.run_id
                params = [
                    Param(key, str(value)[:PARAM_LENGTH]) for key, value in _flat(read_json(folder / "config.json"))
                ]
                for first in range(0, len(params), PARAMS_AT_ONCE):
                    self._client.log_batch(self._id, params=params[first : first + PARAMS_AT_ONCE])
                write_json(folder / NOTE, {"tracking_uri": uri, "run_id": self._id})
            # The last step of each metric that the store has.
            self._steps: dict[str, int] = {
                name: max(value.step for value in self._client.get_metric_history(self._id, name))
                for name in self._client.get_run(self._id).data.metrics
            }
        except MlflowException as error:
            raise ValueError(
                f"config.writers: MLflow at {uri}: {error}; if the run is to begin anew there, delete {folder / NOTE}"
            ) from error
        logger.info(f"MLflow: run {self._id} at {uri}")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Sends what of `values` the store does not have for this step."""
        now_ms = int(time.time() * 1000)
        new = {name.replace("@", "_at_"): value for name, value in values.items()}
        new = {name: value for name, value in new.items() if step > self._steps.get(name, -1)}
        if new:
            metrics = [self._metric(name, value, now_ms, step) for name, value in new.items()]
            self._client.log_batch(self._id, metrics=metrics)
            self._steps.update(dict.fromkeys(new, step))

    def close(self) -> None:
        """Marks the run as ended."""
        self._client.set_terminated(self._id)


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of everything in a config."""
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
