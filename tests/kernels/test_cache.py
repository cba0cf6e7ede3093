"""Compiled code is cached where it can be, under a hash of all sources, and the kernels work where it cannot."""

import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
from numba.core.dispatcher import Dispatcher

import mu_kernels
from mu_kernels.compile import kernel, source_hash
from mu_kernels.hashing import mix_array
from tests.helpers.jit import needs_jit

pytestmark = needs_jit("nothing is compiled, nothing is cached")

PROGRAM = """
from mu_kernels import CSR
print(CSR([0, 2, 3], [0, 2, 1], 3).row(0).tolist())
"""
CONTAINS = """
from mu_kernels import CSR
print(CSR([0, 2, 3], [0, 2, 1], 3).contains(0, 2))
"""
MAIN = """
from mu_kernels.compile import kernel
from mu_kernels.hashing import mix
from user.helpers import scaled

@kernel
def mixed(word):
    return mix(scaled(word))
"""
HELPERS = """
import numpy as np
from mu_kernels.compile import kernel

@kernel
def scaled(word):
    return np.uint64(word * 2)
"""


def start(folder: Path, cache: Path | str, program: str = PROGRAM) -> subprocess.Popen[str]:
    environment = os.environ | {
        "PYTHONPATH": str(folder),
        "NUMBA_CACHE_DIR": str(cache),
        "XDG_CACHE_HOME": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], env=environment, text=True, stdout=pipe, stderr=pipe)


def outcome(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip()


def copied(folder: Path) -> Path:
    """A copy of mu_kernels in `folder`."""
    package = folder / "mu_kernels"
    shutil.copytree(Path(mu_kernels.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


def test_kernels_run_without_a_cache_and_from_processes_that_share_one(tmp_path):
    package = copied(tmp_path / "package")
    (package / "__pycache__").touch()  # a file: no folder can be made here, whoever runs the test
    blocked = tmp_path / "blocked"
    blocked.touch()
    nowhere = start(package.parent, blocked / "cache")
    two = [start(package.parent, tmp_path / "cache") for _ in range(2)]
    assert [outcome(process) for process in (nowhere, *two)] == ["[0, 2]"] * 3
    assert blocked.is_file()
    assert len(list((tmp_path / "cache").rglob("*.nbi"))) == 1  # one index of one kernel, whoever wrote it


def test_editing_a_shared_helper_changes_what_kernels_of_other_files_compute(tmp_path):
    """`_sorted.holds` is called by a kernel of `csr`, whose own file stays as it is."""
    package, cache = copied(tmp_path / "package"), tmp_path / "cache"

    def contains() -> str:
        return outcome(start(package.parent, cache, CONTAINS))

    assert contains() == "True"
    files = {path.name for path in cache.rglob("*.nb?")}
    helpers = package / "_sorted.py"
    source = helpers.read_text()
    helpers.write_text(source.replace("ascending[at] == value", "ascending[at] != value"))
    assert contains() == "False"
    assert not files & {path.name for path in cache.rglob("*.nb?")}  # old code is removed where new code is saved


def test_kernels_of_other_packages_follow_their_own_helpers_and_those_of_mu_kernels(tmp_path):
    package, cache = copied(tmp_path / "package"), tmp_path / "cache"
    user = tmp_path / "package" / "user"
    user.mkdir()
    (user / "__init__.py").touch()
    (user / "main.py").write_text(MAIN)
    helpers = user / "helpers.py"
    helpers.write_text(HELPERS)

    def mixed() -> int:
        return int(outcome(start(package.parent, cache, "import user.main; print(user.main.mixed(5))")))

    first = mixed()
    assert first == int(mix_array(np.array([10], np.uint64))[0])
    helpers.write_text(HELPERS.replace("2", "4"))
    assert mixed() == int(mix_array(np.array([20], np.uint64))[0])
    hashing = package / "hashing.py"
    hashing.write_text(hashing.read_text().replace("return words ^ (words >> np.uint64(31))", "return words"))
    assert mixed() not in (first, int(mix_array(np.array([20], np.uint64))[0]))


def test_old_helpers_in_memory_leave_nothing_for_new_processes(tmp_path):
    """A process imports a helper; the file is edited; the process compiles a kernel with the helper that it has."""
    package, cache = copied(tmp_path / "package"), tmp_path / "cache"
    user = tmp_path / "package" / "user"
    user.mkdir()
    (user / "__init__.py").touch()
    (user / "main.py").write_text(MAIN)
    helpers = user / "helpers.py"
    helpers.write_text(HELPERS)
    edited = HELPERS.replace("2", "4")
    program = f"import user.helpers\nopen({str(helpers)!r}, 'w').write({edited!r})\n"
    program += "import user.main; print(user.main.mixed(5))"
    old, new = (int(mix_array(np.array([word], np.uint64))[0]) for word in (10, 20))
    assert int(outcome(start(package.parent, cache, program))) == old
    assert int(outcome(start(package.parent, cache, "import user.main; print(user.main.mixed(5))"))) == new


@kernel
def _here(a):
    return a


def test_scripts_and_modules_have_hashes_of_their_own():
    def hash_of(**names):
        function = types.FunctionType(_here.py_func.__code__, {"__name__": "x", **names})
        return source_hash(function)

    in_a_package, in_a_script = hash_of(__package__="tests.kernels"), hash_of(__package__="")
    assert in_a_package != in_a_script
    assert in_a_package == source_hash(_here.py_func) == hash_of(__package__="tests.kernels")


def test_kernels_call_only_what_their_hash_covers():
    """A kernel may call kernels of its own package and of mu_kernels: an edit elsewhere would leave stale code."""
    import mu.data.logs.importing.run
    import mu.world.listening
    import mu.world.synthesis  # noqa: F401
    import mu_kernels.xla  # noqa: F401

    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("mu", "mu_kernels")]
    seen = 0
    for module in modules:
        for value in list(vars(module).values()):
            if not isinstance(value, Dispatcher):
                continue
            function = value.py_func
            package = function.__globals__["__package__"]
            for name in function.__code__.co_names:
                callee = function.__globals__.get(name)
                if isinstance(callee, Dispatcher):
                    home = callee.py_func.__globals__["__package__"]
                    covered = (package, "mu_kernels")
                    assert any(home == root or home.startswith(root + ".") for root in covered), (function, callee)
                    seen += 1
    assert seen > 100


def test_the_kernel_of_your_own_in_the_readme_runs():
    readme = (Path(mu_kernels.__file__).parents[1] / "README.md").read_text()
    (code,) = [block.partition("```")[0] for block in readme.split("```python\n") if "fill_noise" in block]
    names = {}
    exec(code, names)
    again = np.empty_like(names["out"])
    names["run_rows"](names["fill_noise"], len(again), 1, 0, 7, again)
    np.testing.assert_array_equal(names["out"], again)
    assert again.min() >= 0 and again.max() < 1 and 0.49 < again.mean() < 0.51
