"""A wheel built from the tree: what it holds, and that it runs from an empty folder."""

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.helpers.processes import environment, run

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of the tree, so that nothing is left in it."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    for name in ("mu", "kernels", "tests", "experiments"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={folder}", str(tree))
    (found,) = folder.glob("*.whl")
    return found


def test_holds_the_two_packages_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert {name.partition("/")[0] for name in names} == {"mu", "mu_kernels"}
    modules = {name for name in names if name.endswith(".py")}
    there = {f"mu/{path.relative_to(ROOT / 'mu').as_posix()}" for path in (ROOT / "mu").rglob("*.py")}
    kernels = ROOT / "kernels" / "mu_kernels"
    assert modules == there | {f"mu_kernels/{path.relative_to(kernels).as_posix()}" for path in kernels.rglob("*.py")}
    assert {"mu/py.typed", "mu_kernels/py.typed"} <= set(names)
    templates = {f"mu/report/templates/{path.name}" for path in (ROOT / "mu/report/templates").iterdir()}
    assert templates and templates <= set(names)


def test_runs_from_an_empty_folder(wheel, tmp_path):
    """With the dependencies of this environment and mu from the wheel alone."""
    target, empty = tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", f"--target={target}", str(wheel))
    env = environment(target)
    code = "import mu, mu_kernels; print(mu.__file__, mu_kernels.__file__)"
    where = run(sys.executable, "-c", code, cwd=empty, env=env).split()
    assert all(Path(path).is_relative_to(target) for path in where)
    mu = sys.executable, "-m", "mu"
    run(*mu, "world", "--size=tiny", "--output=world", cwd=empty, env=env)
    run(
        *mu,
        "import",
        "world/plays.csv",
        "--user=user",
        "--track=track",
        "--time=time",
        "--output=log",
        cwd=empty,
        env=env,
    )
    assert (empty / "log" / "card.json").is_file()
