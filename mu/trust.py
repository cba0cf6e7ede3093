"""Which names a saved run, evaluation or table may give for mu to call: mu's own parts, and trusted packages.

What mu writes names classes and functions as 'package.module:attribute', and mu imports and calls them when it reads
that again. A stranger's `config.json` could name `os:system`. So whatever reads such a file asks here first. The config
of `mu train` is the user's own program, and the packages that it names are trusted for the process.
"""

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from importlib.abc import InspectLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from mu import names

VARIABLE = "MU_TRUST"
"""Environment variable with the packages that the user trusts, separated by commas."""

# The public classes that a module of these packages makes: they compute, and neither write files nor run commands
# (tests/test_trust.py). No functions: some take names, and call those.
PACKAGES = ("mu.baselines.", "mu.data.batches.", "mu.evals.protocols.", "mu.models.", "mu.tasks.")
# Elsewhere each part by itself: mu has functions, too, that run commands and write files.
OWN = {
    "mu.data.clips.clips": ("Clips", "load"),
    "mu.data.clips.folds": ("by_column", "by_hash", "predefined"),
    "mu.data.clips.targets": ("ClassTarget", "TagTarget", "NumberTarget"),
    "mu.data.evidence_features": ("EvidenceFeatures",),
    "mu.data.features": ("HistoryFeatures",),
    "mu.data.listening.listening": ("load",),
    "mu.data.logs.interactions": ("load",),
    "mu.data.logs.splits": ("predefined", "leave_one_out", "random_by_ratio", "global_temporal"),
    "mu.data.ratings.rated_clips": ("RatedClips", "load"),
    "mu.inference.clips": ("ClipPredictor",),
    "mu.inference.evidence": ("EvidenceRecommender",),
    "mu.inference.intent": ("IntentRecommender",),
    "mu.inference.multi_interest": ("MultiInterestRecommender",),
    "mu.inference.policy": ("new_release_boost",),
    "mu.inference.ratings": ("RatingPredictor",),
    "mu.inference.recommender": ("TrainedRecommender",),
    "mu.inference.repeats": ("RepeatRecommender",),
    "mu.inference.time_aware": ("TimeAwareRecommender",),
    "mu.run.baseline": ("EarlierRun",),
    "mu.training.optim": ("adamw_cosine",),
    "mu.training.tables": ("row_adagrad", "lazy_adam"),
    "mu.training.mlflow_writer": ("MLflow",),
    "mu.training.wandb_writer": ("WeightsAndBiases",),
    "mu.training.writers": ("TensorBoard",),
    "mu.world.dataset": ("load",),
    "mu.world.oracle": ("oracle_of",),
}
# Metrics compute numbers of arrays; each is a function in a file of its own.
METRICS = "mu.evals.metrics."
NOT_METRICS = ("mu.evals.metrics.loading",)
DECLARED = "mu.evals.metrics.lists.declare"
"""The class that list metrics are made instances of."""
# Libraries of computation, by the names that they publish at their top.
LIBRARIES = ("optax", "flax.nnx")
# Keys of a config whose texts are columns or paths, even where they look like 'module:attribute' ('user_id:token').
# All others are checked: who adds a key that takes names need not think of it.
NOT_NAMES = (
    *("by", "categories", "cells", "class_target", "classes", "clip_column", "column", "column_name", "columns"),
    *("event_columns", "group", "groups", "item_columns", "key", "label_names", "labels", "names", "numbers"),
    *("released", "stratify", "tags", "targets", "title", "user_columns"),
    *("clips", "init_from", "log", "path", "ratings", "root", "vectors", "workdir", "world"),
)

_trusted: set[str] = set()


class Untrusted(ValueError):
    """A saved file names what mu does not call; the message says which name, which file, and how to allow it."""


def trust(*packages: str) -> None:
    """Trusts packages for the rest of this process, each with all that is in it.

    Raises:
      ValueError: a package is no name, or one of Python's own, which can do anything.
    """
    for package in packages:
        if not all(map(str.isidentifier, package.split("."))):
            raise ValueError(f"cannot trust {package!r}: it takes the name of a package, such as my_package")
        if package.split(".")[0] in sys.stdlib_module_names:
            raise ValueError(f"cannot trust {package!r}: it is Python's own, and runs whatever a file says")
    _trusted.update(packages)


def trust_config(config: Mapping[str, Any]) -> None:
    """Trusts the packages that a config of the user's own names: it is a program that the user runs."""
    roots = {path.partition(":")[0].split(".")[0] for _, path in names_in(config)}
    _trusted.update(root for root in roots if root.isidentifier() and root not in sys.stdlib_module_names)


def find_modules_in(folder: str | os.PathLike[str]) -> None:
    """Lets modules of the user's own in `folder` be imported for the rest of this process.

    Last of all places: they never stand in for a module of Python or of an installed package.
    """
    path = os.path.abspath(folder)
    if path not in sys.path:
        sys.path.append(path)


def trusted() -> set[str]:
    """The packages that the user trusts, beside mu's own parts; those of the variable are found in this folder.

    Raises:
      ValueError: the environment variable names what cannot be trusted.
    """
    if packages := [*filter(None, (word.strip() for word in os.environ.get(VARIABLE, "").split(",")))]:
        trust(*packages)
        find_modules_in(os.getcwd())
    return _trusted


def names_in(value: Any, where: str = "", key: str = "") -> Iterator[tuple[str, str]]:
    """(where, name) of each object that a saved config names, or may name, wherever in it."""
    if isinstance(value, Mapping):
        for inside in value:
            yield from names_in(value[inside], f"{where}.{inside}".lstrip("."), inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from names_in(inside, where, key)
    elif isinstance(value, str) and (":" in value if key == "name" else key not in NOT_NAMES and names.is_path(value)):
        yield where, value


def refuse_untrusted(config: Mapping[str, Any], file: str | os.PathLike[str]) -> None:
    """Raises Untrusted where a saved config names anything that mu does not call.

    Args:
      config: as it was read; nothing in it has been imported.
      file: where it was read.
    """
    for where, path in names_in(config):
        check(path, where, file)


def check(path: str, where: str, file: str | os.PathLike[str]) -> None:
    """Raises Untrusted unless 'package.module:attribute' is a part of mu or of a package that the user trusts.

    A package of the user's must have made the object itself: what it only imports is another's. A module that is not
    there is for its user to refuse.

    Args:
      path: the name.
      where: of the file it stands.
      file: that names it.
    """
    module, _, attribute = path.partition(":")
    if attribute in OWN.get(module, ()):
        return
    if module.startswith(PACKAGES) and attribute.isidentifier() and not attribute.startswith("_"):
        if module not in sys.modules and _defines_class(module, attribute):
            return
        _refuse_borrowed(path, where, file, {module})
        if isinstance(_found(path), type | None):
            return
    if module.startswith(METRICS) and module not in NOT_METRICS and attribute.isidentifier():
        _refuse_borrowed(path, where, file, {module, DECLARED})
        return
    packages = {*LIBRARIES, *trusted()} - {"mu"}
    if any(f"{module}.".startswith(f"{package}.") for package in packages) and attribute.isidentifier():
        if any(module.startswith(f"{library}.") for library in LIBRARIES):
            raise Untrusted(_refusal(path, where, file, "only the names at the top of this library are called"))
        _refuse_borrowed(path, where, file, {"flax" if package == "flax.nnx" else package for package in packages})
        return
    root = module.split(".")[0]
    if root == "mu":
        own = [f"{package}:{name}" for package in OWN for name in OWN[package]]
        why = f"it is no part of mu that a saved file may name{names.nearest(path, own)}"
    elif not root.isidentifier() or root in sys.stdlib_module_names:
        why = "it is no part of mu, and of Python itself a saved file may name nothing"
    else:
        why = (
            f"it belongs to {root!r}, which you have not trusted: if you know what it does, add --trust={root} "
            f"or set {VARIABLE}={root}"
        )
    raise Untrusted(_refusal(path, where, file, why))


def locate(path: str, where: str, file: str | os.PathLike[str]) -> Any:
    """The object that a saved file names.

    Raises:
      Untrusted: it is none that mu calls.
      ValueError: no such module or attribute.
    """
    check(path, where, file)
    try:
        return names.locate(path)
    except ValueError as error:
        raise ValueError(f"{file}: {where}: {error}") from None


def _refuse_borrowed(path: str, where: str, file: str | os.PathLike[str], packages: set[str]) -> None:
    """Raises Untrusted where a module only imports what it is asked for, or it is a module itself."""
    target = _found(path)
    if target is None:
        return
    home = target.__name__ if isinstance(target, ModuleType) else str(getattr(target, "__module__", "builtins"))
    if isinstance(target, ModuleType) or not any(f"{home}.".startswith(f"{package}.") for package in packages):
        raise Untrusted(_refusal(path, where, file, f"it is {home}'s, which that module only imports"))


def _defines_class(module: str, attribute: str) -> bool:
    """Whether the source of a module of mu defines a class: seen without importing it.

    A run names the classes of all its baselines and evaluations; imports of those that are not called, of scikit-learn
    and SciPy with them, would take longer than an answer.
    """
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    source = spec.loader.get_source(module) if spec and isinstance(spec.loader, InspectLoader) else None
    statements = ast.parse(source).body if source else []
    return any(isinstance(one, ast.ClassDef) and one.name == attribute for one in statements)


def _found(path: str) -> Any:
    """The object at a path; None where there is none."""
    try:
        return names.locate(path)
    except (ValueError, ImportError):
        return None


def _refusal(path: str, where: str, file: str | os.PathLike[str], why: str) -> str:
    return f"{Path(file)} names {path!r} ({where}), and it is not called: {why} (docs/security.md)"
