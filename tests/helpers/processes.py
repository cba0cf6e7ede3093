"""Tests in processes of their own: what this one has imported and set does not count there."""

import os
import subprocess
import sys
from pathlib import Path

# Most of the tests' time is LLVM's, on programs that run once. Rounding may differ from that of a user's programs:
# bits are not compared with theirs.
COMPILER_FLAGS = "--xla_backend_optimization_level=0"
ROOT = Path(__file__).resolve().parents[2]


def environment(*paths):
    """This one as a user has it: CPU, one device, mu from `paths` (default: the checkout)."""
    paths = paths or (ROOT, ROOT / "kernels")
    ours = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "JAX_PLATFORMS": "cpu", "XLA_FLAGS": COMPILER_FLAGS}
    return os.environ | ours


def run(*argv, cwd=None, env=None):
    """What a command prints on stdout; AssertionError with all it said if it fails."""
    argv = [str(word) for word in argv]
    env = env or environment()
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}\n{done.stdout}{done.stderr}"
    return done.stdout


def run_python(code, *arguments, cwd=None):
    """What Python prints on stdout for `code`."""
    return run(sys.executable, "-c", code, *arguments, cwd=cwd)
