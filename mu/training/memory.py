"""Memory of a process: freed blocks are kept for the next step, and the peak is read."""

import ctypes
import sys
from collections.abc import Iterable
from typing import Any

# glibc's mallopt parameters (malloc.h).
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Tells glibc to keep freed memory for the next step instead of returning it to the system; True where it could.

    XLA on CPU allocates a step's temporaries anew each time. By default glibc maps each block above 32 MB afresh,
    and every page of it then costs a fault: on a virtual machine with two cores that was two thirds of a SASRec
    step (256 negatives a position, 1,000 positions: 220-320 ms before, 70-110 ms after). Peak memory does not
    change; it is only not given back between steps. Call it before JAX starts its threads.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library, such as musl
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_ARENA_MAX, 1))
    return all(bool(mallopt(parameter, value)) for parameter, value in settings)


def peak_memory_bytes(devices: Iterable[Any]) -> dict[str, int]:
    """The most memory so far: 'host' of this process, and 'gpu:0' and so on of those JAX devices that tell."""
    peaks: dict[str, int] = {}
    if sys.platform != "win32":
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peaks["host"] = peak if sys.platform == "darwin" else 1024 * peak
    for device in devices:
        told = device.memory_stats() or {}
        if "peak_bytes_in_use" in told:
            peaks[f"{device.platform}:{device.id}"] = told["peak_bytes_in_use"]
    return peaks


def device_share(devices: Iterable[Any]) -> float | None:
    """The most of its memory that any device has had in use, in [0, 1]; None of devices that do not tell, as CPUs."""
    told = [stats for device in devices if (stats := device.memory_stats())]
    shares = [one["peak_bytes_in_use"] / one["bytes_limit"] for one in told if one.get("bytes_limit")]
    return max(shares, default=None)
