"""The record of a run, run.json: what it was trained with, for how long, and at what cost."""

import datetime
import logging
import math
import os
import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from mu.config.base import Config
from mu.durations import duration
from mu.files import read_json, write_json
from mu.run.build import Run
from mu.run.own_modules import changed_modules, own_modules
from mu.run.workdir import RECORD
from mu.training.memory import peak_memory_bytes
from mu.training.provenance import provenance

logger = logging.getLogger(__name__)


class RunRecord:
    """Writes run.json when a run begins or goes on, and again when it ends.

    Args:
      folder: of the run.
    """

    def __init__(self, folder: Path):
        self._path, self._started = folder / RECORD, time.perf_counter()
        self._record: dict[str, Any] = {}

    def begin(self, run: Run, config: Config, more: Mapping[str, Any]) -> None:
        """Writes what is known before the first step, and says it in short.

        A module of the user's own that has changed since the run was last trained is warned of.

        Args:
          run: the run.
          config: resolved.
          more: entries of run.json.
        """
        before = read_json(self._path) if self._path.is_file() else {}
        own = own_modules(config.to_dict())
        if changed := changed_modules(before.get("own_modules", {}), own):
            logger.warning(
                "%s: %s has changed since this run was last trained; from here on it learns by the new code",
                self._path.parent,
                ", ".join(changed),
            )
        parameters, in_tables = count_parameters(run)
        epoch = math.ceil(run.batches.n_examples / run.batches.batch_size)
        self._record = provenance(run.mesh) | {
            "started": before.get("started", _now()),
            "duration_s": before.get("duration_s", 0.0),
            "command": shlex.join(sys.argv),
            "workdir": os.path.abspath(self._path.parent),
            "own_modules": own,
            "parameters": parameters,
            "parameters_in_tables": in_tables,
            "n_examples": run.batches.n_examples,
            "batch_size": run.batches.batch_size,
            "epoch_steps": epoch,
            "data_card": run.data.card,
            "data_hash": run.data.hash(),
            "split": run.split.hash,
            **more,
        }
        write_json(self._path, self._record)
        modules = f"; own modules: {', '.join(own)}" if own else ""
        logger.info(
            f"{parameters:,} parameters, {in_tables:,} of them in tables; {run.batches.n_examples:,} examples, "
            f"an epoch has {epoch:,} steps{modules}."
        )

    def close(self) -> None:
        """Writes how long the run took and how much memory; nothing where it has not begun."""
        if not self._record:
            return
        seconds = time.perf_counter() - self._started
        memory = peak_memory_bytes(jax.local_devices())
        self._record |= {
            "ended": _now(),
            "duration_s": round(self._record["duration_s"] + seconds, 3),
            "peak_memory_bytes": memory,
        }
        write_json(self._path, self._record)
        peaks = ", ".join(f"{value / 2**30:.2f} GiB ({name})" for name, value in memory.items())
        total = self._record["duration_s"]
        sessions = f", {duration(total)} with what was before" if total > seconds + 1 else ""
        logger.info(f"{duration(seconds)}{sessions}; peak memory {peaks or 'unknown'}.")


def count_parameters(run: Run) -> tuple[int, int]:
    """(parameters that are learnt, those of them in the rows of tables)."""
    dense = sum(math.prod(one.shape) for one in jax.tree.leaves(run.plan.shapes["params"]))
    rows = {name: table["rows"] for name, table in run.plan.shapes["tables"].items()}
    rows |= run.plan.shapes["params"]["tables"]
    in_tables = sum(math.prod(one.shape) for one in jax.tree.leaves(rows))
    sparse = sum(math.prod(table["rows"].shape) for table in run.plan.shapes["tables"].values())
    return dense + sparse, in_tables


def _now() -> str:
    """ISO 8601 in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
