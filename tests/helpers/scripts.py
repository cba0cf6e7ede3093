"""Scripts of the repository as modules."""

import importlib
import sys

from tests.helpers.processes import ROOT


def benchmark(name):
    """The module benchmarks/NAME.py, which may import its neighbours."""
    folder = str(ROOT / "benchmarks")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
