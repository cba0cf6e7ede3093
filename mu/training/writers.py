"""Writers of a run's metrics: JSON lines always, TensorBoard by choice."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from mu.files import naming, write_whole


class Writer(Protocol):
    """Takes the numbers of a step."""

    def write(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class JsonLines:
    """`metrics.jsonl`: one object a line, `{"step": ..., name: value, ...}`, flushed line by line.

    A run that goes on from `step` drops the lines written after it: they will come again, the same.

    Args:
      folder: of the run.
      step: steps already taken.
    """

    def __init__(self, folder: str | os.PathLike[str], step: int):
        path = Path(folder) / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if _step_of(line) <= step]
        if len(kept) != len(lines):
            write_whole(path, "".join(f"{line}\n" for line in kept))
        self._path, self._file = path, path.open("a", encoding="utf-8")

    def write(self, step: int, values: Mapping[str, float]) -> None:
        with naming(self._path):
            self._file.write(json.dumps({"step": step, **values}) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def _step_of(line: str) -> float:
    """The line's step; infinity for a line that a killed run left half-written."""
    try:
        return json.loads(line)["step"]
    except json.JSONDecodeError:
        return float("inf")


class TensorBoard:
    """Event files under `tensorboard/` (extra: `pip install mu-music[tensorboard]`).

    Args:
      folder: of the run.
      step: steps already taken; later events are dropped by the reader.
    """

    def __init__(self, folder: str | os.PathLike[str], step: int):
        from tensorboardX import SummaryWriter

        self._writer = SummaryWriter(str(Path(folder) / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()
