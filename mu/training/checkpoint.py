"""Checkpoints (orbax v1): the state, the position in the data and the run's progress, written in the background.

Every checkpoint carries a JSON note: `data` (the loader's position), `progress` (early stopping), `config` and
`split` (the hash of what was trained on).
Kept: the latest and the best. A checkpoint is there whole or not at all (orbax renames it into place).
"""

import contextlib
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint.experimental.v1 as ocp

from mu.checksums import write_hashes
from mu.files import naming
from mu.training.saved_checkpoints import Note, SavedCheckpoints

logger = logging.getLogger(__name__)


class Checkpoints(SavedCheckpoints):
    """The checkpoints of one run that is being trained, or whose whole state is needed.

    Args:
      folder: where they lie; made if missing.
      writes: this is the run itself, and what a killed run left half-written is removed. Whoever only reads must
        not: it may be a living run's.
    """

    def __init__(self, folder: str | os.PathLike[str], *, writes: bool = False):
        super().__init__(folder)
        self._to_list: list[int] = []  # steps whose files have no list of hashes yet
        policies = ocp.training.preservation_policies
        # Of equally good ones the first is the best, as early stopping counts it (orbax would keep the last).
        best = policies.BestN(
            get_metric_fn=lambda m: (m["value"], -m["step"]),  # pyright: ignore[reportArgumentType]
            n=1,
            keep_checkpoints_without_metrics=False,
        )
        self._checkpointer = ocp.training.Checkpointer(
            self._folder,
            preservation_policy=policies.AnyPreservationPolicy([policies.LatestN(1), best]),  # pyright: ignore[reportArgumentType]  (orbax names one type twice)
            cleanup_tmp_directories=writes,
        )
        self._saving: Any = None  # what orbax answers to a save

    def save(self, step: int, state: Mapping[str, Any], note: Note, value: float | None = None) -> None:
        """Starts to write; returns once the arrays have been copied, so the state may be donated at once.

        Args:
          step: steps taken so far.
          state: arrays.
          note: JSON: data position, progress, config, split.
          value: of the metric by which the best is kept, larger is better; None where none was measured.
        """
        self.wait()
        # Orbax reads a CPU array's own buffer while it writes; the next step is given that buffer to overwrite.
        copies = jax.block_until_ready(jax.tree.map(lambda x: x.copy(), state))
        self._checked -= {(step, False), (step, True)}
        with self._whole():
            self._saving = self._checkpointer.save_async(
                step,
                copies,
                metrics=None if value is None else {"value": value, "step": step},
                custom_metadata=note,
                force=True,
            )
        self._to_list.append(step)

    def steps(self) -> list[int]:
        """The steps for which there is a checkpoint, in order."""
        return sorted(checkpoint.step for checkpoint in self._checkpointer.checkpoints)

    def load(self, step: int, like: Mapping[str, Any]) -> dict[str, Any]:
        """The state of `step`, each array in the place that `like` (arrays or ShapeDtypeStructs) gives it.

        Raises:
          ValueError: there is no such checkpoint, or it is damaged.
        """
        self._check(step, whole=True)
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like)
        return self._checkpointer.load(step, abstract)

    def wait(self) -> None:
        """Waits until every checkpoint that was started is on disk, with the hashes of its files.

        Raises:
          OSError: the disk is full, for example. What was saved before stays; what is half-written is removed.
        """
        saving, self._saving = self._saving, None
        with self._whole():
            if saving is not None:
                saving.result()  # which also ends the thread and the event loop that it has of its own
            self._checkpointer.wait()
            while self._to_list:
                place = self._place(self._to_list.pop())
                if jax.process_index() == 0 and os.path.isdir(place):
                    write_hashes(place)

    def close(self) -> None:
        """Finishes writing and closes the folder."""
        try:
            self.wait()
        finally:
            self._checkpointer.close()

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        """Says errors of the disk in the system's words, and removes what they left half-written."""
        try:
            with naming(self._folder):
                yield
        except (OSError, RuntimeError, ValueError) as error:
            number = re.search(r"os_error_code='(\d+)'", str(error))
            if number is None and not isinstance(error, OSError):
                raise
            for half in Path(self._folder).glob("*.orbax-checkpoint-tmp"):
                shutil.rmtree(half, ignore_errors=True)
            if number is None:
                raise
            code = int(number.group(1))
            raise OSError(code, os.strerror(code), self._folder) from error


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a log record is not the traceback of an error that orbax raises too: it logs each thread's."""
    return record.exc_info is None or "orbax" not in Path(record.pathname).parts


logging.getLogger("absl").addFilter(_is_news)


def unusable_characters(folder: str | os.PathLike[str]) -> str:
    """The characters of a folder's absolute path below which no checkpoints can be written; '' where there are none.

    Orbax looks for what each process has written with a pattern that begins with the path: it finds nothing, or the
    files of another run, and says that the checkpoint is written. Tensorstore refuses the backslash.
    """
    return "".join(sign for sign in "[*?\\" if sign != os.sep and sign in os.path.abspath(folder))
