"""Which vector instructions this process compiles for: AMX, AVX-512 VNNI, or portable code.

They follow from the features Numba compiles for (`NUMBA_CPU_FEATURES`), so any of the paths can be forced.
"""

import ctypes
import functools
import platform

import llvmlite.binding
from numba.core import config

JIT_OFF = bool(config.DISABLE_JIT)  # pyright: ignore[reportAttributeAccessIssue]  (set from the environment)


@functools.cache
def features() -> frozenset[str]:
    """The CPU features that Numba compiles for: `NUMBA_CPU_FEATURES`, else those of this machine."""
    forced = config.CPU_FEATURES  # pyright: ignore[reportAttributeAccessIssue]
    if forced is not None:
        return frozenset(word[1:] for word in forced.split(",") if word.startswith("+"))
    return frozenset(name for name, present in llvmlite.binding.get_host_cpu_features().items() if present)


@functools.cache
def amx_granted() -> bool:
    """Whether this process may use AMX tiles: the CPU has them and Linux allows them, which it does when asked."""
    if JIT_OFF or platform.system() != "Linux" or not {"amx-int8", "amx-tile"} <= features():
        return False
    arch_prctl, request_permission, tile_data = 158, 0x1023, 18  # Linux, asm/prctl.h and asm/fpu/types.h
    return ctypes.CDLL(None).syscall(arch_prctl, request_permission, tile_data) == 0


def instructions() -> str:
    """Which path scans take: "amx", "vnni" or "portable"."""
    if amx_granted():
        return "amx"
    return "vnni" if "avx512vnni" in features() and not JIT_OFF else "portable"
