"""A check for models that hold large matrices: an error in words before the memory runs out."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def require_memory(needed_bytes: int, what: str, remedy: str) -> None:
    """Raises MemoryError where fewer bytes are free: says what needs how many, how many there are, and a remedy."""
    free = free_bytes()
    if free is not None and needed_bytes > free:
        raise MemoryError(f"{what} needs {_words(needed_bytes)}, and {_words(free)} are free; {remedy}")


def free_bytes() -> int | None:
    """Memory that this process may still take: of the machine, and of its control group; None where unknown."""
    limits = []
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        lines = (line.split() for line in meminfo.read_text().splitlines())
        limits += [int(words[1]) * 1024 for words in lines if words[0] == "MemAvailable:"]
    elif hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    most, used, parts = (CGROUP / f"memory.{name}" for name in ("max", "current", "stat"))
    if most.is_file() and used.is_file() and most.read_text().strip() != "max":
        # Pages of files that were read count as used, and are given back where somebody needs memory.
        stat = dict(line.split() for line in parts.read_text().splitlines()) if parts.is_file() else {}
        limits.append(int(most.read_text()) - int(used.read_text()) + int(stat.get("inactive_file", 0)))
    return min(limits, default=None)


def _words(n_bytes: int) -> str:
    return f"{n_bytes:,} bytes ({n_bytes / 1e9:.1f} GB)"
