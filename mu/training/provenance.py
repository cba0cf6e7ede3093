"""Where a run's numbers come from: versions, devices, machine, commit."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

PACKAGES = (
    "mu-music",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "orbax-checkpoint",
    "grain",
    "numba",
    "numpy",
    "polars",
)


def provenance(mesh: jax.sharding.Mesh) -> dict[str, Any]:
    """A JSON dict: 'versions', 'python', 'machine', 'cpus', 'devices', 'mesh', 'commit' (None outside git)."""
    devices = [f"{device.platform}:{device.id} {device.device_kind}" for device in mesh.devices.flat]
    return host_provenance() | {"devices": devices, "mesh": dict(mesh.shape)}


def host_provenance() -> dict[str, Any]:
    """The same of what needs no device: 'versions', 'python', 'machine', 'cpus', 'commit'."""
    return {
        "versions": {name: version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "machine": f"{platform.machine()} {processor()}".strip(),
        "cpus": os.cpu_count(),
        "commit": commit(),
    }


def version(name: str) -> str | None:
    """The installed version, None for a package that was never installed (a checkout on the path)."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def processor() -> str:
    """The processor's own name, where the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def commit() -> str | None:
    """The git commit that mu is imported from, '+changes' appended where the tree differs; None outside git."""
    folder = Path(__file__).resolve().parent
    try:
        # An installed wheel may lie inside somebody else's repository: only a tracked file is ours.
        git(folder, "ls-files", "--error-unmatch", Path(__file__).name)
        head = git(folder, "rev-parse", "HEAD")
        return head + ("+changes" if git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def git(folder: Path, *arguments: str) -> str:
    """The output of a git command in `folder`."""
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()
