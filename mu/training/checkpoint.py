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

from mu.checksums import check_hashes, write_hashes
from mu.files import naming

logger = logging.getLogger(__name__)

Note = dict[str, Any]


class Checkpoints:
    """The checkpoints of one run.

    Args:
      folder: where they lie; made if missing.
      writes: this is the run itself, and what a killed run left half-written is removed. Whoever only reads must
        not: it may be a living run's.
    """

    def __init__(self, folder: str | os.PathLike[str], *, writes: bool = False):
        self._folder = os.path.abspath(folder)
        if os.sep != "\\" and "\\" in self._folder:  # which tensorstore refuses
            raise ValueError(
                f"no checkpoint can be read below {self._folder}, because of the \\ in its name: rename it"
            )
        self._to_list: list[int] = []  # steps whose files have no list of hashes yet
        self._checked: set[tuple[int, bool]] = set()
        # Orbax reads the small files of all checkpoints at once, and its messages name none of them.
        for name in os.listdir(self._folder) if os.path.isdir(self._folder) else ():
            if name.isdigit():
                place = self._place(int(name))
                check_hashes(place, self._remedy(place), whole=False, missing_too=False)
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
        self._metadata_of: dict[int, Any] = {}  # read once: it takes a tenth of a second

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
        self._metadata_of.pop(step, None)
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

    def note(self, step: int) -> Note:
        """The JSON that was saved with `step`.

        Raises:
          ValueError: there is no such checkpoint, or it is damaged.
        """
        self._check(step, whole=False)
        note = self._metadata(step).custom_metadata
        if not note or not isinstance(note, dict):
            raise ValueError(f"the checkpoint of step {step} carries no note: it was not written by mu")
        return note

    def load(self, step: int, like: Mapping[str, Any]) -> dict[str, Any]:
        """The state of `step`, each array in the place that `like` (arrays or ShapeDtypeStructs) gives it.

        Raises:
          ValueError: there is no such checkpoint, or it is damaged.
        """
        self._check(step, whole=True)
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), like)
        return self._checkpointer.load(step, abstract)

    def load_model(self, step: int, device: Any) -> dict[str, Any]:
        """The state of `step` without what training alone needs: optimizer slots stay on disk.

        Args:
          step: of the checkpoint.
          device: for all arrays.

        Returns:
          'params' (their moving average where the run keeps one), 'stats', 'tables' with their 'rows' alone, and
          'buffers' if there are any.

        Raises:
          ValueError: there is no such checkpoint, or it is damaged.
        """
        self._check(step, whole=True)
        saved: Any = self._metadata(step).metadata
        names = ("ema" if "ema" in saved else "params", "stats", "buffers")
        wanted = {name: saved[name] for name in names if jax.tree.leaves(saved.get(name))}
        wanted |= {"tables": {name: {"rows": table["rows"]} for name, table in saved.get("tables", {}).items()}}
        place = jax.sharding.SingleDeviceSharding(device)
        wanted = {name: part for name, part in wanted.items() if part}
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=place), wanted)
        context = ocp.Context()
        context.pytree.loading.partial_load = True
        with context:
            part = dict(ocp.load(os.path.join(self._folder, str(step)), abstract))
        blank = {"model": {}, "tables": {}}  # of a model whose tables are all that it has
        return {"stats": {}, "tables": {}, "params": part.pop("ema", blank)} | part

    def _metadata(self, step: int) -> Any:
        if step not in self._metadata_of:
            self._metadata_of[step] = self._checkpointer.metadata(step)
        return self._metadata_of[step]

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

    def _place(self, step: int) -> str:
        return os.path.join(self._folder, str(step))

    def _remedy(self, place: str) -> str:
        return f"bring it back, or delete the folder {place} to go on from another checkpoint"

    def _check(self, step: int, whole: bool) -> None:
        """Raises ValueError where the files of a checkpoint are not those that were written.

        A run that was killed had no time to list the files of its last checkpoint; earlier versions listed none.
        """
        place = self._place(step)
        if not os.path.isdir(place):
            raise ValueError(f"there is no checkpoint of step {step} in {self._folder}: train the run again")
        if (step, whole) in self._checked:
            return
        listed = check_hashes(place, self._remedy(place), whole=whole)
        if whole and not listed:
            logger.info("%s has no list of hashes: its files are read unchecked.", place)
        self._checked.add((step, whole))

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


def differences(saved: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The keys in which two nested configs differ, as 'key: saved -> now', in order of key."""
    changed: list[str] = []
    for key in sorted(set(saved) | set(now)):
        path = f"{prefix}{key}"
        old, new = saved.get(key, "(absent)"), now.get(key, "(absent)")
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            changed += differences(old, new, f"{path}.")
        elif old != new:
            changed.append(f"{path}: {old!r} -> {new!r}")
    return changed
