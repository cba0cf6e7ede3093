"""Configs: what a run is made of, said in data; from `name='package.module:attribute'` to an object.

An experiment file starts from `base()`, sets what it changes and returns it. A dict with a `name` is a spec: the
object it names is called with the dict's other entries. Before anything runs `resolve` imports every name, holds
the entries against the signature, and fills in the defaults, so what is written beside a run is all of it.
"""

import ast
import importlib
import importlib.util
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

import mu.names

DENSE = "dense"
# A ConfigDict whose keys are known when it is resolved; a type checker cannot see them.
Config = Any


class ConfigError(ValueError):
    """A config that cannot be run; the message says which key, what it held and what would do."""


def base() -> Config:
    """Every key of a run, with its default; see `mu.train` for what each does."""
    return ConfigDict(
        {
            "seed": 0,
            "data": {"name": "mu.data.logs.interactions:load", "path": ""},
            "split": {"name": "mu.data.logs.splits:leave_one_out"},
            "batches": {"name": "mu.data.batches.histories:HistoryBatches"},
            "model": {"name": "mu.models.sasrec:SASRec"},
            "task": {"name": "mu.tasks.retrieval:Retrieval", "loss": "sampled_softmax"},
            "optimizer": {"name": "optax:adam", "learning_rate": 1e-3},
            "tables": {"name": "mu.training.tables:lazy_adam", "learning_rate": 1e-3},
            "total_steps": 1000,
            "accumulate": 1,
            "clip_norm": None,
            "ema_decay": None,
            "mesh": {"data": -1, "model": 1},
            "sharding": {
                "embed": None,
                "heads": "model",
                "hidden": "model",
                "positions": None,
                "rows": None,
            },
            "log_every_steps": 50,
            "evaluate_every_steps": 200,
            "evaluation": {"name": "mu.evals.protocols._bridge:Ranking"},
            "refit": False,
            "start_from": None,
            "best": {"metric": "valid/ndcg@10", "patience": None},
            "checkpoint_every_steps": 200,
            "baselines": {
                "popularity": {"name": "mu.baselines.popularity:Popularity"},
                "item_knn": {"name": "mu.baselines.item_knn:ItemKNN"},
            },
            "writers": (),
            "profile": {"start": None, "steps": 5},
        }
    )


# What the run itself gives to each object, beside what the config says. FIRST is the object's first argument,
# whatever it is called there; of the others an object takes those that its signature names.
FIRST = "*"
PROVIDED = {
    "data": (),
    "split": (FIRST,),
    "batches": (FIRST, "sparse", "seed"),
    "task": ("data", "n_items", "n_users"),
    "model": ("rngs", "outputs", "rating_spec", "sample_rate_hz", "hash_size", "event_columns"),
    "optimizer": ("total_steps",),
    "tables": (),
    "evaluation": (FIRST,),
}
# Keys whose default is None and the type they take otherwise.
OPTIONAL = {
    "clip_norm": float,
    "ema_decay": float,
    "start_from": str,
    "best.patience": int,
    "profile.start": int,
}
# Keys that count something there must be one of.
COUNTS = (
    "total_steps",
    "accumulate",
    "log_every_steps",
    "evaluate_every_steps",
    "checkpoint_every_steps",
    "profile.steps",
)


def parse_arg(arg: str | None, **defaults: Any) -> Config:
    """The `arg` of `--config=file.py:arg`: 'smoke,dim=128' over defaults, whose types it must keep.

    Args:
      arg: comma-separated `key=value`, or a bare key for True; None or '' for the defaults.
      **defaults: every key there is; bool, int, float, str, or a tuple of the words to choose from, the first of which
        is the default.

    Raises:
      ConfigError: an unknown key or word (names the nearest) or a value of another type.
    """
    choices = {key: default for key, default in defaults.items() if isinstance(default, tuple)}
    found = defaults | {key: words[0] for key, words in choices.items()}
    for part in filter(None, (arg or "").split(",")):
        key, equals, text = part.partition("=")
        if key not in defaults:
            raise ConfigError(f"the config takes no argument {key!r}{nearest(key, defaults)}")
        if not equals and not isinstance(defaults[key], bool):
            raise ConfigError(f"config argument {key} needs a value: {key}=...")
        if key in choices and text not in choices[key]:
            raise ConfigError(f"config argument {key}={text!r} is not known{nearest(text, choices[key])}")
        found[key] = typed(text, found[key], f"config argument {key}") if equals else True
    return ConfigDict(found)


def nearest(key: str, known: Iterable[str]) -> str:
    """' (did you mean ...?); there is: ...', the end of a message about an unknown key."""
    names = sorted(known)
    return f"{mu.names.nearest(key, names)}; there is: {', '.join(names) if names else 'nothing'}"


def typed(text: str, example: Any, where: str) -> Any:
    """`text` as a value of the type of `example` (None: any literal)."""
    if isinstance(example, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if example is None:
            return text
        if isinstance(example, tuple):  # words without quotes: recall,ndcg
            return tuple(text.split(","))
        raise ConfigError(f"{where}={text!r} is not a {type(example).__name__}") from None
    if example is None:
        return value
    if isinstance(example, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(example, tuple) and not isinstance(value, tuple):
        value = tuple(value) if isinstance(value, list) else (value,)
    if type(value) is not type(example):
        raise ConfigError(f"{where}={text!r} is a {type(value).__name__}; it takes a {type(example).__name__}")
    return value


def load(path_and_arg: str, overrides: Mapping[str, str] | None = None) -> Config:
    """Reads `file.py[:arg]`, applies `{'model.dim': '128'}`, and resolves.

    Raises:
      ConfigError: no such file, no `get_config` in it, or anything that `resolve` refuses.
    """
    path, _, arg = path_and_arg.partition(":")
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"there is no config {path!r}; give a Python file with a `get_config(arg)`")
    spec = importlib.util.spec_from_file_location(f"config_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise ConfigError(f"{path} has no get_config(arg)")
    config = module.get_config(arg or None)
    if not isinstance(config, ConfigDict):
        raise ConfigError(f"get_config of {path} gave a {type(config).__name__}; it must return a ConfigDict")
    return with_overrides(config, overrides or {})


def with_overrides(config: ConfigDict, overrides: Mapping[str, str]) -> ConfigDict:
    """The resolved config with `{'a.b': 'value'}` set.

    Names are set first, since they decide which keys there are: what the config says for the old name stays where
    the new one takes it too, and goes otherwise.
    """
    resolve(config)  # what goes is held against the old name first
    config = ConfigDict(config.to_dict())
    names = {key: text for key, text in overrides.items() if key.split(".")[-1] == "name"}
    for key, text in names.items():
        _set(config, key, text)
        _keep_taken(config, key.removesuffix(".name"))
    config = resolve(config)
    for key, text in overrides.items():
        if key not in names:
            _set(config, key, text)
    return resolve(config)


def _keep_taken(config: ConfigDict, path: str) -> None:
    """Drops the entries of the spec at `path` that its name does not take."""
    spec: Any = config
    for key in path.split("."):
        spec = spec[key]
    if spec["name"] == DENSE:
        return
    parameters = _parameters(locate(spec["name"], f"config.{path}.name"))
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for key in set(spec) - set(parameters) - {"name"}:
            del spec[key]


def _set(config: ConfigDict, path: str, text: str) -> None:
    *parents, last = path.split(".")
    node: Any = config
    for depth, key in enumerate(parents):
        if not isinstance(node, ConfigDict) or key not in node:
            where = ".".join(["config", *parents[:depth]])
            known = node.keys() if isinstance(node, ConfigDict) else ()
            raise ConfigError(f"{where} has no key {key!r}{nearest(key, known)}")
        node = node[key]
    if not isinstance(node, ConfigDict) or last not in node:
        where = ".".join(["config", *parents])
        known = node.keys() if isinstance(node, ConfigDict) else ()
        raise ConfigError(f"{where} has no key {last!r}{nearest(last, known)}")
    # Whether a key may be None is for `resolve` to say.
    value = None if text == "None" else typed(text, node[last], f"config.{path}")
    with node.ignore_type():
        node[last] = value


def resolve(config: ConfigDict) -> Config:
    """Checks every key, name and type, and fills in each spec's defaults.

    Raises:
      ConfigError: names the key and the nearest known one.
    """
    known = base()
    _check_keys(config, known, "config")
    found = ConfigDict(config.to_dict())
    for key, provided in PROVIDED.items():
        if key == "tables" and config.tables.get("name") == DENSE:
            found.tables = ConfigDict({"name": DENSE})
            continue
        found[key] = _resolved(config[key], provided, f"config.{key}")
    for key, spec in config.baselines.items():
        found.baselines[key] = _resolved(spec, (), f"config.baselines.{key}")
    for path in config.writers:
        locate(path, "config.writers")
    return found


def _check_keys(config: ConfigDict, known: ConfigDict, where: str) -> None:
    for key in config:
        if key not in known:
            raise ConfigError(f"{where} has no key {key!r}{nearest(key, known)}")
    for key in known:
        if key not in config:
            raise ConfigError(f"{where} lacks the key {key!r}: begin with `mu.config.base()`")
        value: Any = config[key]
        example, path = known[key], f"{where}.{key}"
        if isinstance(example, ConfigDict):
            if not isinstance(value, ConfigDict):
                raise ConfigError(f"{path}={value!r}; it takes a dict")
            if "name" not in example and key != "baselines":
                _check_keys(value, example, path)
            continue
        if path.removeprefix("config.") in COUNTS and isinstance(value, int) and value < 1:
            raise ConfigError(f"{path}={value!r}; it must be at least 1")
        optional = OPTIONAL.get(path.removeprefix("config."))
        if where == "config.sharding":
            optional = str
        if optional is not None and not (value is None or _fits(value, optional)):
            raise ConfigError(f"{path}={value!r}; it takes None or {optional.__name__}")
        if optional is None and not _fits(value, type(example)):
            raise ConfigError(f"{path}={value!r}; it takes {type(example).__name__}")


def locate(path: str, where: str) -> Callable[..., Any]:
    """The object named by 'package.module:attribute'.

    Raises:
      ConfigError: no such module or attribute; names the nearest.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise ConfigError(f"{where}={path!r}; it takes 'package.module:attribute'")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # Only a missing part of this very path is the config's fault; a broken import inside it is not.
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise
        raise ConfigError(f"{where}={path!r}: there is no module {error.name!r}") from None
    if not hasattr(module, attribute):
        public = [name for name in vars(module) if not name.startswith("_")]
        raise ConfigError(f"{where}={path!r}: {module_name} has no {attribute!r}{nearest(attribute, public)}")
    return getattr(module, attribute)


def _resolved(spec: Any, provided: Iterable[str], where: str) -> ConfigDict:
    if not isinstance(spec, Mapping | ConfigDict) or "name" not in spec:
        shown = spec.to_dict() if isinstance(spec, ConfigDict) else spec
        raise ConfigError(f"{where}={shown!r}; it takes a dict with a name 'package.module:attribute'")
    target = locate(str(spec["name"]), f"{where}.name")
    if not callable(target):
        raise ConfigError(f"{where}.name={spec['name']!r} is a {type(target).__name__}; it must be a class or function")
    parameters = _parameters(target)
    inner = set(provided) - {FIRST}
    if FIRST in provided:
        provided = {*provided, next(iter(parameters), FIRST)}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    hints = _hints(target)
    allowed = {
        name: p
        for name, p in parameters.items()
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and name not in provided
    }
    found: dict[str, Any] = {"name": spec["name"]}
    for key, value in spec.items():
        if key == "name":
            continue
        path = f"{where}.{key}"
        if key in provided:
            raise ConfigError(f"{path} is given by the run itself; leave it out")
        if key not in allowed and not open_ended:
            raise ConfigError(f"{where} ({spec['name']}) takes no {key!r}{nearest(key, allowed)}")
        if isinstance(value, ConfigDict):
            found[key] = _resolved_inside(value, inner, path)
            continue
        if key in hints and not _fits(value, hints[key]):
            raise ConfigError(f"{path}={value!r}; {spec['name']} takes {_say(hints[key])}")
        found[key] = value
    for key, parameter in allowed.items():
        if key in found:
            continue
        if parameter.default is parameter.empty:
            raise ConfigError(f"{where} ({spec['name']}) needs a value for {key!r}")
        if parameter.default is None or isinstance(parameter.default, int | float | str | tuple):
            found[key] = parameter.default
    return ConfigDict(found)


def _resolved_inside(value: ConfigDict, provided: Iterable[str], where: str) -> ConfigDict:
    """A spec as an argument, or a dict of specs; other dicts are passed as they are."""
    if "name" in value:
        return _resolved(value, provided, where)
    inside = {
        key: _resolved_inside(entry, provided, f"{where}.{key}") if isinstance(entry, ConfigDict) else entry
        for key, entry in value.items()
    }
    return ConfigDict(inside)


def _parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What may be passed, by name; `*args` and `**kwargs` under theirs."""
    if not inspect.isclass(target) or target.__init__ is object.__init__:
        return dict(inspect.signature(target).parameters)
    # Of a class its own __init__: a metaclass with a __call__ (flax.nnx) hides it from inspect.signature.
    _, *parameters = inspect.signature(target.__init__).parameters.items()
    return dict(parameters)


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    function = target.__init__ if inspect.isclass(target) else target
    try:
        return typing.get_type_hints(function)
    except (NameError, TypeError):  # a signature whose annotations cannot be evaluated is not checked
        return {}


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a config value may be passed for a parameter of this annotation; unknown annotations take anything."""
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        return any(_fits(value, option) for option in typing.get_args(annotation))
    if annotation is type(None):
        return value is None
    if annotation is bool:
        return isinstance(value, bool)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if annotation is str:
        return isinstance(value, str)
    if annotation in (tuple, list) or typing.get_origin(annotation) in (tuple, list):
        return isinstance(value, tuple | list)
    if typing.get_origin(annotation) is typing.Literal:
        return value in typing.get_args(annotation)
    return True


def _say(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def build(spec: Any, *first: Any, **offered: Any) -> Any:
    """Calls what a resolved spec names, with its entries; specs inside are built first.

    Args:
      spec: a dict with a name.
      *first: leading arguments.
      **offered: what the run has for the object, and for those inside it; each takes what its signature names.
    """
    target = locate(spec["name"], "name")
    parameters = _parameters(target)
    arguments = {key: _built(value, offered) for key, value in spec.items() if key != "name"}
    return target(*first, **arguments, **{key: value for key, value in offered.items() if key in parameters})


def takes(spec: Mapping[str, Any], name: str) -> bool:
    """Whether the object that `spec` names has a parameter `name`."""
    return name in _parameters(locate(spec["name"], "name"))


def _built(value: Any, offered: Mapping[str, Any]) -> Any:
    if not isinstance(value, ConfigDict):
        return value
    if "name" in value:
        return build(value, **offered)
    return {key: _built(inside, offered) for key, inside in value.items()}
