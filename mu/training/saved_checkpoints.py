"""Checkpoints as they lie on disk, read without Orbax: their steps, their notes, and what inference needs of them."""

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

import jax
import tensorstore

from mu.checksums import check_hashes

logger = logging.getLogger(__name__)

Note = dict[str, Any]
EMPTY = {"Dict": {}, "List": [], "Tuple": (), "None": None}
"""What Orbax calls parts of a tree that hold no array -> such a part."""


class SavedCheckpoints:
    """The checkpoints of one run, to read.

    A checkpoint is a folder that Orbax wrote: the note is in `_CHECKPOINT_METADATA`, the tree of the state in
    `state/_METADATA`, its arrays lie there in zarr. Importing Orbax and reading through it takes a tenth of a
    process that answers once, so it is left to those who write.

    Args:
      folder: where they lie.

    Raises:
      ValueError: nothing can be read below a folder of such a name, or a file is not the one that was written.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self._folder = os.path.abspath(folder)
        if os.sep != "\\" and "\\" in self._folder:  # which tensorstore refuses
            raise ValueError(
                f"no checkpoint can be read below {self._folder}, because of the \\ in its name: rename it"
            )
        self._checked: set[tuple[int, bool]] = set()
        for step in self._steps_on_disk():
            place = self._place(step)
            check_hashes(place, self._remedy(place), whole=False, missing_too=False)

    def steps(self) -> list[int]:
        """The steps for which there is a checkpoint, in order."""
        return self._steps_on_disk()

    def note(self, step: int) -> Note:
        """The JSON that was saved with `step`.

        Raises:
          ValueError: there is no such checkpoint, or it is damaged.
        """
        self._check(step, whole=False)
        note = self._read(step, "_CHECKPOINT_METADATA").get("custom_metadata")
        if not note or not isinstance(note, dict):
            raise ValueError(f"the checkpoint of step {step} carries no note: it was not written by mu")
        return note

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
        metadata = self._read(step, "state", "_METADATA")
        leaves = {_path(leaf): leaf["value_metadata"]["value_type"] for leaf in metadata["tree_metadata"].values()}
        has_ema = any(keys[0] == "ema" and kind not in EMPTY for keys, kind in leaves.items())
        names = ("ema" if has_ema else "params", "stats", "buffers")
        wanted = {
            keys: kind
            for keys, kind in leaves.items()
            if keys[0] in names or (keys[0] == "tables" and keys[2:3] == ("rows",))
        }
        state = _nested(wanted, self._arrays(step, metadata, [k for k in wanted if wanted[k] not in EMPTY], device))
        state = {name: part for name, part in state.items() if jax.tree.leaves(part)}
        blank = {"model": {}, "tables": {}}  # of a model whose tables are all that it has
        return {"stats": {}, "tables": {}, "params": state.pop("ema", blank)} | state

    def _arrays(
        self, step: int, metadata: Mapping[str, Any], paths: list[tuple[str, ...]], device: Any
    ) -> dict[tuple[str, ...], jax.Array]:
        """The arrays at some paths of the tree; all are read at once."""
        context = tensorstore.Context()
        base = {"driver": "file", "path": os.path.join(self._place(step), "state") + "/"}

        def spec(path: tuple[str, ...]) -> dict[str, Any]:
            name = ".".join(path)
            store = (
                {"driver": "ocdbt", "base": base, "path": f"{name}/"}
                if metadata["use_ocdbt"]
                else {**base, "path": f"{base['path']}{name}/"}
            )
            return {"driver": "zarr3" if metadata["use_zarr3"] else "zarr", "kvstore": store}

        opened = [tensorstore.open(spec(path), open=True, read=True, context=context) for path in paths]
        reading = [one.result().read() for one in opened]
        return dict(zip(paths, jax.device_put([one.result() for one in reading], device), strict=True))

    def _read(self, step: int, *names: str) -> Any:
        """A JSON file of a checkpoint."""
        path = os.path.join(self._place(step), *names)
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)
        except (FileNotFoundError, ValueError) as error:
            raise ValueError(
                f"{path} is no file of a checkpoint ({error}); {self._remedy(self._place(step))}"
            ) from None

    def _steps_on_disk(self) -> list[int]:
        """A checkpoint is there whole or not at all: it is renamed to its step."""
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else ()
        return sorted(int(name) for name in names if name.isdigit())

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


def _path(leaf: Mapping[str, Any]) -> tuple[str, ...]:
    """The keys of a leaf. What inference needs are dicts of dicts; optimizers alone have sequences."""
    return tuple(key["key"] for key in leaf["key_metadata"])


def _nested(leaves: Mapping[tuple[str, ...], str], arrays: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    """{('a', 'b'): kind} and the arrays at these paths as {'a': {'b': array}}."""
    tree: dict[Any, Any] = {}
    for path, kind in leaves.items():
        place = tree
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = EMPTY[kind] if kind in EMPTY else arrays[path]
    return tree
