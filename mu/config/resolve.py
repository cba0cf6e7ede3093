"""From `name='package.module:attribute'` to an object.

Before anything runs `resolve` imports every name, holds the entries against the signature, and fills in the defaults,
so what is written beside a run is all of it; every number is held against the range that its parameter declares
(`mu.ranges`). `build` then calls what a spec names.
"""

import typing
from collections.abc import Callable, Container, Iterable, Mapping
from typing import Annotated, Any

from ml_collections import ConfigDict

from mu import names, signatures
from mu.config.base import DENSE, KEYS, LATER, Config, ConfigError, base, known_names
from mu.config.optax_ranges import OPTAX
from mu.ranges import ArgumentsOf, faults, faults_beside
from mu.signatures import parameters_of

# What the run offers to each object beside its entries in the config. FIRST is the object's first argument, whatever
# its name; of the others an object takes those that its signature names. MORE is what is known only when the run is
# built: the sizes of the id spaces, and what the task offers to the model.
FIRST, MORE = "*", "**"
PROVIDED = {
    "data": (),
    "split": (FIRST,),
    "batches": (FIRST, "sparse", "seed", "in_batch"),
    "task": ("data", MORE),
    "model": ("rngs", MORE),
    "optimizer": ("total_steps",),
    "tables": (),
    "recommender": (*("graph", "task", "params", "rows", "policy", "batches", "features", "crop_samples", "end_ms"),),
}
# The same for each evaluator of config.evals.
OF_EVALUATORS = ("split", "train", "part", "outputs", "intents")


def resolve(config: Config, specs: Container[str] | None = None) -> Config:
    """Checks every key, name, type and range, and fills in each spec's defaults.

    Args:
      config: with every key of `mu.config.base.base`.
      specs: keys of `PROVIDED`, the only specs that are looked at; None for all specs there are. For configs that a run
        has written, which are resolved, and of which it is not all that is going to be built.

    Raises:
      ConfigError: names the key and the nearest known one; values that are wrong are named all at once, a line each.
    """
    wrong: list[str] = []
    config = ConfigDict(LATER | config.to_dict())
    _check_keys(config, base(), "config", wrong)
    resolved: Config = ConfigDict(config.to_dict())
    for key, provided in PROVIDED.items():
        if specs is not None and key not in specs:
            continue
        if key == "tables" and config.tables.get("name") == DENSE:
            resolved.tables = ConfigDict({"name": DENSE})
            continue
        resolved[key] = _resolved(config[key], provided, f"config.{key}", wrong)
    if specs is None:
        for key, spec in config.baselines.items():
            resolved.baselines[key] = _resolved(spec, (), f"config.baselines.{key}", wrong)
        for key, spec in config.evals.items():
            resolved.evals[key] = _resolved(spec, OF_EVALUATORS, f"config.evals.{key}", wrong)
        if config.policy is not None:
            with resolved.ignore_type():
                resolved.policy = _resolved(config.policy, ("score",), "config.policy", wrong)
    if wrong:
        raise ConfigError("\n".join(wrong))
    if specs is None:
        for path in config.writers:
            locate(path, "config.writers")
    return resolved


def _check_keys(config: ConfigDict, known: ConfigDict, where: str, wrong: list[str]) -> None:
    for key in config:
        if key not in known:
            raise ConfigError(f"{where} has no key {key!r}{known_names(key, known)}")
    for key in known:
        if key not in config:
            raise ConfigError(f"{where} lacks the key {key!r}: begin with `mu.config.base.base()`")
        value: Any = config[key]
        example, path = known[key], f"{where}.{key}"
        if isinstance(example, ConfigDict):
            if not isinstance(value, ConfigDict):
                raise ConfigError(f"{path}={value!r}; it takes a dict")
            if "name" not in example and key not in ("baselines", "evals"):
                _check_keys(value, example, path, wrong)
            continue
        plain = value.to_dict() if isinstance(value, ConfigDict) else value
        wrong += faults(plain, KEYS[path.removeprefix("config.")], path)


def locate(path: str, where: str) -> Callable[..., Any]:
    """The object that the entry `where` of a config names by 'package.module:attribute'.

    Raises:
      ConfigError: no such module or attribute; names the nearest.
    """
    try:
        return names.locate(path)
    except ValueError as error:
        raise ConfigError(f"{where}={error}") from None


def _resolved(spec: Any, provided: Iterable[str], where: str, wrong: list[str]) -> ConfigDict:
    """A spec with its defaults; what is wrong with its values is added to `wrong`."""
    if not isinstance(spec, Mapping | ConfigDict) or "name" not in spec:
        shown = spec.to_dict() if isinstance(spec, ConfigDict) else spec
        raise ConfigError(f"{where}={shown!r}; it takes a dict with a name 'package.module:attribute'")
    target = locate(str(spec["name"]), f"{where}.name")
    if not callable(target):
        raise ConfigError(f"{where}.name={spec['name']!r} is a {type(target).__name__}; it must be a class or function")
    parameters = parameters_of(target)
    inner = set(provided) - {FIRST}
    if FIRST in provided:
        provided = {*provided, next(iter(parameters), FIRST)}
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    hints = hints_of(target)
    allowed = {
        name: p
        for name, p in parameters.items()
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and name not in provided
    }
    resolved: dict[str, Any] = {"name": spec["name"]}
    before = len(wrong)
    for key, value in spec.items():
        if key == "name":
            continue
        path = f"{where}.{key}"
        if key in provided:
            raise ConfigError(f"{path} is given by the run itself; leave it out")
        if key not in allowed and not open_ended:
            raise ConfigError(f"{where} ({spec['name']}) takes no {key!r}{known_names(key, allowed)}")
        hint = hints.get(key, Any)
        if isinstance(value, ConfigDict):
            resolved[key] = _resolved_inside(value, inner, path, wrong)
            if "name" not in value:
                _check_dict(value, hint, path, wrong)
            continue
        wrong += faults(value, hint, path, str(spec["name"]))
        resolved[key] = value
    for key, parameter in allowed.items():
        if key in resolved:
            continue
        if parameter.default is parameter.empty:
            if MORE in provided:  # `build` refuses what is still missing then
                continue
            raise ConfigError(f"{where} ({spec['name']}) needs a value for {key!r}")
        if parameter.default is None or isinstance(parameter.default, int | float | str | tuple):
            resolved[key] = parameter.default
    if len(wrong) == before:
        wrong += faults_beside(resolved, hints, where)
    return ConfigDict(resolved)


def _resolved_inside(value: ConfigDict, provided: Iterable[str], where: str, wrong: list[str]) -> ConfigDict:
    """A spec as an argument, or a dict of specs; other dicts are passed as they are."""
    if "name" in value:
        return _resolved(value, provided, where, wrong)
    inside = {
        key: _resolved_inside(entry, provided, f"{where}.{key}", wrong) if isinstance(entry, ConfigDict) else entry
        for key, entry in value.items()
    }
    return ConfigDict(inside)


def _check_dict(value: ConfigDict, annotation: Any, where: str, wrong: list[str]) -> None:
    """Holds a dict that is no spec against its annotation; keyword arguments against those of their class."""
    arguments = next((one for one in typing.get_args(annotation)[1:] if isinstance(one, ArgumentsOf)), None)
    if typing.get_origin(annotation) is not Annotated or arguments is None:
        wrong += faults(value.to_dict(), annotation, where)
        return
    hints, before = hints_of(arguments.target), len(wrong)
    for key, entry in value.items():
        if key not in hints:
            raise ConfigError(f"{where} ({arguments.target.__name__}) takes no {key!r}{known_names(key, hints)}")
        wrong += faults(entry, hints[key], f"{where}.{key}")
    if len(wrong) == before:
        defaults = {key: parameter.default for key, parameter in parameters_of(arguments.target).items()}
        wrong += faults_beside(defaults | value.to_dict(), hints, where)


def hints_of(target: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a target's parameters with their ranges, of optax's those that mu declares."""
    hints = signatures.hints_of(target)
    return hints | OPTAX if hints and target.__module__.split(".")[0] == "optax" else hints


def build(spec: Any, *first: Any, **offered: Any) -> Any:
    """Calls what a resolved spec names, with its entries; specs inside are built first.

    Args:
      spec: a dict with a name.
      *first: leading arguments.
      **offered: what the run has for the object, and for those inside it; each takes what its signature names.

    Raises:
      ConfigError: the object needs a value that neither has, or the spec sets what is offered.
    """
    target = locate(spec["name"], "name")
    parameters = parameters_of(target)
    ours = {key: value for key, value in offered.items() if key in parameters}
    arguments = {key: _built(value, offered) for key, value in spec.items() if key != "name" and key not in ours}
    for key in set(spec) & set(ours):
        if spec[key] != parameters[key].default:
            raise ConfigError(f"{key}={spec[key]!r} of {spec['name']} is given by the run itself; leave it out")
    for name, parameter in list(parameters.items())[len(first) :]:
        named = parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if named and parameter.default is parameter.empty and name not in arguments and name not in ours:
            offers = f"; the run offers {', '.join(sorted(offered)) or 'nothing'}"
            raise ConfigError(f"{spec['name']} needs a value for {name!r}, in the config or from the run{offers}")
    return target(*first, **arguments, **ours)


def takes(spec: Mapping[str, Any], name: str) -> bool:
    """Whether the object that `spec` names has a parameter `name`."""
    return name in parameters_of(locate(spec["name"], "name"))


def _built(value: Any, offered: Mapping[str, Any]) -> Any:
    if not isinstance(value, ConfigDict):
        return value
    if "name" in value:
        return build(value, **offered)
    return {key: _built(inside, offered) for key, inside in value.items()}
