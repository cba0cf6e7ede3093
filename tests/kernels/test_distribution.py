"""mu-kernels built alone: its wheel runs where there is no JAX and no mu, and a warning names mu-music beside it."""

import os
import re
import shutil
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from mu import __version__
from tests.helpers.doc_commands import blocks
from tests.helpers.processes import environment, run

KERNELS = Path(__file__).resolve().parents[2] / "kernels"
INSTALLED = """
from importlib.metadata import distributions
print(*sorted(distribution.name for distribution in distributions()))
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


def test_the_readme_runs_in_an_environment_with_numpy_and_numba_alone(wheel, tmp_path):
    """Which is made here without network: an empty one, with the packages that the wheel requires copied from ours."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for name in ("llvmlite", "numba", "numpy"):
        for file in {Path(file).parts[0] for file in metadata.files(name) or () if ".." not in Path(file).parts}:
            (site / file).symlink_to(Path(str(metadata.distribution(name).locate_file(file))))
    install = ("install", "--quiet", "--no-deps", "--no-index", wheel)
    run(sys.executable, "-m", "pip", "--python", python, *install)
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    packages = run(python, "-c", INSTALLED, cwd=tmp_path, env=clean).split()
    assert packages == ["llvmlite", "mu-kernels", "numba", "numpy"]
    (code,) = [block.code for block in blocks(KERNELS / "README.md") if "top_k_scores" in block.code]
    assert run(python, "-c", code, cwd=tmp_path, env=clean) == "[[3 2]\n [0 1]]\n"


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
