"""mu-kernels built alone: its wheel runs without JAX and mu, and a warning names mu-music beside it."""

import re
import shutil
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from mu import __version__
from tests.helpers.processes import environment, run

KERNELS = Path(__file__).resolve().parents[2] / "kernels"
WITHOUT_JAX = """
import sys
sys.modules.update(dict.fromkeys(("jax", "jaxlib", "flax", "mu", "polars", "scipy")))  # importing one raises
import numpy as np
import mu_kernels
from mu_kernels import CSR, top_k_scores
print(mu_kernels.__file__)
print(top_k_scores(np.array([[1, 3, 2]], np.float32), 2).ids.tolist())
"""
WARNINGS = """
import importlib
import os
import warnings
import mu_kernels
for number, name in enumerate(("mu_kernels", "mu_music")):
    os.mkdir(f"{name}-0.1.0.dist-info")
    print(number + 1, "installed")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        importlib.reload(mu_kernels)
    for warning in seen:
        print(warning.message)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of kernels/ alone: nothing above that folder is needed."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(KERNELS, folder / "kernels", ignore=shutil.ignore_patterns("__pycache__", "benchmarks"))
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(folder / "kernels"))
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_mu_kernels_alone(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    package = KERNELS / "mu_kernels"
    files = {f"mu_kernels/{path.relative_to(package).as_posix()}" for path in package.rglob("*.py")}
    assert set(names) == files | {"mu_kernels/py.typed"}


def test_the_wheel_runs_without_jax_and_mu(wheel, tmp_path):
    target = tmp_path / "target"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={target}", str(wheel))
    where, ids = run(sys.executable, "-c", WITHOUT_JAX, cwd=tmp_path, env=environment(target)).splitlines()
    assert Path(where).is_relative_to(target)
    assert ids == "[[1, 2]]"


def test_versions_and_floors_are_those_of_mu_music():
    ours, whole = (tomllib.loads((folder / "pyproject.toml").read_text()) for folder in (KERNELS, KERNELS.parent))
    assert ours["project"]["version"] == __version__
    assert ours["project"]["requires-python"] == whole["project"]["requires-python"]
    shared = set(ours["project"]["dependencies"]) - {"llvmlite>=0.44"}  # Numba's own, which mu-music does not name
    assert shared <= set(whole["project"]["dependencies"])
    assert set(ours["project"]["optional-dependencies"]["jax"]) <= set(whole["project"]["dependencies"])


def test_two_distributions_in_one_folder_are_named(tmp_path):
    """When mu_kernels is imported; one of them is fine."""
    shutil.copytree(KERNELS / "mu_kernels", tmp_path / "mu_kernels", ignore=shutil.ignore_patterns("__pycache__"))
    said = run(sys.executable, "-c", WARNINGS, cwd=tmp_path, env=environment(tmp_path)).splitlines()
    assert said[0] == "1 installed" and said[1] == "2 installed" and len(said) == 3
    assert re.search("mu-kernels and mu-music are both installed in .*pip uninstall mu-kernels", said[2])
