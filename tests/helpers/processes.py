"""Tests in processes of their own: what this one has imported and set does not count there."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

# Most of the tests' time is the compiler's, on programs that run once. Its older emitters of fused loops need two
# thirds of the time and half of the memory, and one module a program less of both. Rounding may differ from that of a
# user's programs: bits are not compared with theirs. XLA aborts the process at a flag that it does not know, and jaxlib
# 0.12 knows no older emitters.
FLAGS = ["--xla_backend_optimization_level=0", "--xla_cpu_parallel_codegen_split_count=1"]
if tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11):
    FLAGS.append("--xla_cpu_use_fusion_emitters=false")
COMPILER_FLAGS = " ".join(FLAGS)
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
