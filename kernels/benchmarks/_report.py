"""What benchmarks share: the machine in words, rounds in alternating order, medians and ratios, tables, figures."""

import importlib.metadata
import importlib.util
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

OURS = "mu_kernels"


def machine(packages: Sequence[str]) -> dict[str, Any]:
    """Processor, CPUs this process may use, caches, memory, versions of what is installed, commit of this file."""
    cpuinfo, memory = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    processor = platform.processor() or platform.machine()
    if cpuinfo.exists():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    results: dict[str, Any] = {"processor": processor, "cpus": os.cpu_count(), "cpus_usable": len(cpus())}
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        level, kind, size = (index.joinpath(name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            results[f"cache_{level}"] = size
    if memory.exists():
        results["memory_gb"] = round(int(memory.read_text().split()[1]) / 1e6, 1)
    results["python"] = platform.python_version()
    for package in packages:
        try:
            results[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return results | {"commit": commit()}


def commit() -> str:
    """The revision of the checkout, with "+" where files differ from it; "unknown" outside one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cpus() -> list[int]:
    """CPUs this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def installed(needed: dict[str, Sequence[str]]) -> list[str]:
    """The names whose packages are all there; says which are left out."""
    results = []
    for name, packages in needed.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            print(f"{name} is left out: {', '.join(missing)} not installed")
        else:
            results.append(name)
    return results


def alternating(names: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """(round, name), every other round backwards."""
    for number in range(rounds):
        for name in names[:: -1 if number % 2 else 1]:
            yield number, name


def ratio(theirs: dict[int, float], ours: dict[int, float]) -> float:
    """Median over the rounds that both have."""
    return statistics.median(theirs[number] / ours[number] for number in theirs.keys() & ours.keys())


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints columns, the first to the left and the others to the right."""
    widths = [max(len(row[at]) for row in (header, *rows)) for at in range(len(header))]
    print(f"\n{title}")
    for row in (header, *rows):
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip(), flush=True)


def save_figure(path: Path, draw: Callable[[Any], Any]) -> None:
    """`draw(pyplot)` makes a figure, which becomes a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = draw(pyplot)
    figure.savefig(path, dpi=130, bbox_inches="tight")
    pyplot.close(figure)
    print(f"wrote {path}")
