"""Compiled code is cached where it can be, and the kernels work where it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mu_kernels

PROGRAM = """
from mu_kernels import CSR
print(CSR([0, 2, 3], [0, 2, 1], 3).row(0).tolist())
"""


def start(package_folder: Path, cache: Path | str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "PYTHONPATH": str(package_folder),
        "NUMBA_CACHE_DIR": str(cache),
        "XDG_CACHE_HOME": str(cache),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, text=True, stdout=pipe, stderr=pipe)


def outcome(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.strip()


def test_kernels_run_without_a_cache_and_from_processes_that_share_one(tmp_path):
    source = Path(mu_kernels.__file__).parent
    package = tmp_path / "package" / "mu_kernels"
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__pycache__").touch()  # a file: no folder can be made here, whoever runs the test
    blocked = tmp_path / "blocked"
    blocked.touch()
    nowhere = start(package.parent, blocked / "cache")
    two = [start(package.parent, tmp_path / "cache") for _ in range(2)]
    assert [outcome(process) for process in (nowhere, *two)] == ["[0, 2]"] * 3
    assert blocked.is_file()
    assert len(list((tmp_path / "cache").rglob("*.nbi"))) == 1  # one index of one kernel, whoever wrote it
