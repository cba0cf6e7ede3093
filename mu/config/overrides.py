"""A config from a file, with keys set on the command line."""

import importlib.machinery
import importlib.util
import os
import typing
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from mu.config.base import DENSE, KEYS, Config, ConfigError, known_names, typed
from mu.config.resolve import hints_of, locate, resolve
from mu.signatures import parameters_of
from mu.trust import find_modules_in, trust_config


def load(path_and_arg: str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Reads `file.py[:arg]`, applies `{'model.dim': '128'}`, and resolves.

    A config without a title has the first line of the file's docstring.

    Raises:
      ConfigError: no such file, no `get_config` in it, or anything that `resolve` refuses.
    """
    path, _, arg = path_and_arg.partition(":")
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"there is no config {path!r}; give a Python file with a `get_config(arg)`")
    name = f"config_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file, loader=_SourceLoader(name, str(file)))
    assert spec is not None and spec.loader is not None
    # The config's own folder first, then the one where the command was given.
    for folder in (file.parent, os.curdir):
        find_modules_in(folder)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise ConfigError(f"{path} has no get_config(arg)")
    config = module.get_config(arg or None)
    if not isinstance(config, ConfigDict):
        raise ConfigError(f"get_config of {path} gave a {type(config).__name__}; it must return a ConfigDict")
    if config.get("title") is None and module.__doc__:
        with config.ignore_type():
            config.title = module.__doc__.strip().partition("\n")[0].rstrip(".").replace("`", "")
    return with_overrides(config, overrides or {})


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles the text each time: Python's bytecode is also that of another text of its size from the same second."""

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_data(self.path), self.path)


def with_overrides(config: ConfigDict, overrides: Mapping[str, Any]) -> Config:
    """The resolved config with `{'a.b': 'value'}` set: texts are read as the key's type, other values set as they are.

    Names are set first, since they decide which keys there are: what the config says for the old name stays where
    the new one takes it too, and goes otherwise. What the new one needs and has no default for is set with it.
    """
    resolve(config)  # what goes is held against the old name first
    config = ConfigDict(config.to_dict())
    names = {key: value for key, value in overrides.items() if key.split(".")[-1] == "name"}
    _set_all(config, names)
    needed = {key: value for key, value in overrides.items() if key not in names and _is_needed(config, key, names)}
    for key, value in needed.items():
        _set_needed(config, key, value)
    config = resolve(config)
    _set_all(config, {key: value for key, value in overrides.items() if key not in {*names, *needed}})
    trust_config(config.to_dict())
    return resolve(config)


def _set_all(config: ConfigDict, changes: Mapping[str, Any]) -> None:
    """Sets every key; after a name, what it does not take goes. All that cannot be set are refused together."""
    faults = []
    for key, value in changes.items():
        try:
            _set(config, key, value)
            if key.split(".")[-1] == "name":
                _keep_taken(config, key.removesuffix(".name"))
        except ConfigError as error:
            faults.append(str(error))
    if faults:
        raise ConfigError("\n".join(faults))


def _spec_at(config: ConfigDict, path: str) -> Any:
    spec: Any = config
    for key in path.split("."):
        spec = spec[key]
    return spec


def _is_needed(config: ConfigDict, key: str, names: Container[str]) -> bool:
    """Whether a key is one that a newly named object has no default for, and the config no value."""
    path, _, last = key.rpartition(".")
    if f"{path}.name" not in names or (spec := _spec_at(config, path))["name"] == DENSE or last in spec:
        return False
    parameter = parameters_of(locate(spec["name"], f"config.{path}.name")).get(last)
    return parameter is not None and parameter.default is parameter.empty


def _set_needed(config: ConfigDict, key: str, value: Any) -> None:
    path, _, last = key.rpartition(".")
    spec = _spec_at(config, path)
    if isinstance(value, str):
        is_text = hints_of(locate(spec["name"], f"config.{path}.name")).get(last) is str
        value = value if is_text else typed(value, None, f"config.{key}")
    with config.ignore_type():
        spec[last] = value


def _keep_taken(config: ConfigDict, path: str) -> None:
    """Drops the entries of the spec at `path` that its name does not take."""
    spec = _spec_at(config, path)
    if spec["name"] == DENSE:
        return
    parameters = parameters_of(locate(spec["name"], f"config.{path}.name"))
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for key in set(spec) - set(parameters) - {"name"}:
            del spec[key]


def _set(config: ConfigDict, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    node: Any = config
    for depth, key in enumerate(parents):
        if not isinstance(node, ConfigDict) or key not in node:
            where = ".".join(["config", *parents[:depth]])
            keys = node.keys() if isinstance(node, ConfigDict) else ()
            raise ConfigError(f"{where} has no key {key!r}{known_names(key, keys)}")
        node = node[key]
    if not isinstance(node, ConfigDict) or last not in node:
        where = ".".join(["config", *parents])
        keys = node.keys() if isinstance(node, ConfigDict) else ()
        raise ConfigError(f"{where} has no key {last!r}{known_names(last, keys)}")
    if isinstance(value, str):
        # Whether a key may be None is for `resolve` to say.
        value = None if value == "None" else _read(value, node[last], path)
    with node.ignore_type():
        node[last] = value


def _read(text: str, example: Any, path: str) -> Any:
    """A text as the value of a key: a word that the key takes, or of the type of `example`."""
    words = typing.get_args(KEYS.get(path))
    if text in words:
        return text
    try:
        return typed(text, False if False in words else example, f"config.{path}")
    except ConfigError as error:
        more = "".join(f", or {word}" for word in words if isinstance(word, str))
        raise ConfigError(f"{error}{more}") from None
