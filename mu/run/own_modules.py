"""The modules of the user's own that a run is made of: which there are, and which have changed since."""

import importlib.metadata
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mu.files import hash_file
from mu.trust import names_in

# Their versions are in run.json anyway.
KNOWN = {"mu", "mu_kernels", "jax", "jaxlib", "flax", "optax"}


def own_modules(config: Mapping[str, Any]) -> dict[str, str]:
    """Module -> 'sha256 ...' of its file, and package -> its version where it is installed.

    They are the modules that a config names by 'package.module:attribute', what they have imported of their own
    package, and what they have imported that lies beside them.

    Args:
      config: resolved, so that what it names has been imported.
    """
    modules = {path.partition(":")[0] for _, path in names_in(config)}
    roots = sorted({name.partition(".")[0] for name in modules if name in sys.modules} - KNOWN)
    versions: dict[str, str] = {}
    for root in roots:
        if version := _version(root):
            versions[root] = version
            continue
        places = {path.parent for name, path in _files() if name == root and path.name != "__init__.py"}
        for name, path in _files():
            if name.partition(".")[0] == root or path.parent in places:
                versions[name] = f"sha256 {hash_file(path)}"
    return dict(sorted(versions.items()))


def changed_modules(saved: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The modules that both know and that are not the same."""
    return sorted(name for name in set(saved) & set(now) if saved[name] != now[name])


def _files() -> list[tuple[str, Path]]:
    """(name, file) of the imported modules whose source there is."""
    files = ((name, getattr(module, "__file__", None)) for name, module in list(sys.modules.items()))
    return [(name, Path(file)) for name, file in files if name != "__main__" and file and file.endswith(".py")]


def _version(package: str) -> str | None:
    """The version of a package that lies where packages are installed; None of a module or a checkout."""
    file = getattr(sys.modules[package], "__file__", None)
    installed = [Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib")]
    if file is None or not any(Path(file).resolve().is_relative_to(one) for one in installed):
        return None
    names = importlib.metadata.packages_distributions().get(package, [])
    return f"{names[0]} {importlib.metadata.version(names[0])}" if names else None
