"""Settings of a published model: a JSON file whose keys are asked for one by one."""

import json
from pathlib import Path
from typing import Any

CONFIG, WEIGHTS = "config.json", "model.safetensors"
"""Files of a published model: its settings, and its tensors (`mu.pretrained.tensors`)."""


class Settings:
    """A file of settings; what is wrong with a value is said with the file and the key.

    Args:
      path: the file.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is not a JSON object.
    """

    def __init__(self, path: Path):
        self.path = path
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: download it from where the weights are")
        try:
            self._values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path} is not JSON ({error}): download it again") from None
        if not isinstance(self._values, dict):
            raise ValueError(f"{path} is no JSON object: download it again")

    def value(self, key: str) -> Any:
        """The value of a key that must be there."""
        if key not in self._values:
            raise ValueError(f"{self.path} lacks the key {key!r}: download it from where the weights are")
        return self._values[key]

    def count(self, key: str) -> int:
        """A whole number of at least 1."""
        value = self.value(key)
        if type(value) is not int or value < 1:
            raise ValueError(f"{self.path}: {key}={value!r}; it must be a whole number of at least 1")
        return value

    def number(self, key: str) -> float:
        """A number."""
        value = self.value(key)
        if type(value) not in (int, float):
            raise ValueError(f"{self.path}: {key}={value!r}; it must be a number")
        return float(value)

    def must_be(self, key: str, value: Any, says: str = "what mu computes is") -> None:
        """Raises ValueError unless the key has this value."""
        if (there := self.value(key)) != value:
            raise ValueError(f"{self.path}: {key}={there!r}, and {says} {value!r}")
