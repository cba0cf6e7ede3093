"""Every test runs stricter than use: several fake devices, strict dtypes and ranks, warnings as errors."""

import ctypes
import gc
import importlib
import logging
import os
import shutil
import signal
import tempfile
from pathlib import Path

from tests.helpers.processes import COMPILER_FLAGS

# Before JAX starts: eight devices on any machine, so that sharded programs are tested everywhere. On a busy one some
# reach a collective long after the others, and XLA would abort the process after 40 seconds.
os.environ["XLA_FLAGS"] = (
    f"{COMPILER_FLAGS} --xla_force_host_platform_device_count=8 --xla_cpu_collective_call_terminate_timeout_seconds=600"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Compiled programs lie in one folder for this session: its workers and the processes that tests start share it.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", os.path.join(tempfile.gettempdir(), f"mu-programs-{os.getpid()}"))
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import jax
import pytest

# What a shell starts in the background is deaf to Ctrl-C, and so are the commands that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

C_LIBRARY = ctypes.CDLL(None)
ROOT = Path(__file__).resolve().parents[1]
STATM = Path("/proc/self/statm")
MEMORY_BYTES = 1_000_000_000
memory_after_forgetting = 0


def pytest_configure(config):
    """Before workers start, compiles librosa's gufuncs, which Numba caches in its folder.

    Two workers that compile them at the same time mix their cache files, and the first call ends in a segmentation
    fault (numba issue 10128).
    """
    if getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput"):
        for name in ("librosa.beat", "librosa.core.pitch"):  # and librosa.util and librosa.core.audio with them
            importlib.import_module(name)


def pytest_collection_finish():
    """Lets the garbage collector leave alone what is imported, and look at the rest less often.

    Tracing and compiling make millions of objects that stay: by its own settings it takes a twentieth of all tests'
    time. A worker's memory is bounded by `programs_in_memory`.
    """
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def pytest_unconfigure():
    """Removes the compiled programs of this session."""
    folder = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    if folder.name == f"mu-programs-{os.getpid()}":  # not a worker's, nor the user's own
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def programs_in_memory():
    """Forgets compiled programs, a megabyte each, once they fill the memory: JAX keeps them, gigabytes in all tests.

    Tests that need them again read them from the session's folder. Where there is no /proc, nothing is forgotten.
    """
    yield
    global memory_after_forgetting
    if resident_bytes() > max(MEMORY_BYTES, memory_after_forgetting + MEMORY_BYTES // 4):
        jax.clear_caches()
        gc.collect()
        if hasattr(C_LIBRARY, "malloc_trim"):  # glibc; a test may have told it to keep what is freed
            C_LIBRARY.malloc_trim(0)
        memory_after_forgetting = resident_bytes()


def resident_bytes() -> int:
    """The memory of this process, 0 where it is not known."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if STATM.is_file() else 0


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real data: MU_DATA, default ../shared/data beside the repository."""
    folder = Path(os.environ.get("MU_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real data: no folder {folder} (set MU_DATA)")
    return folder


@pytest.fixture(autouse=True)
def logs_reach_caplog():
    """Commands take the library's log records from the root logger, where pytest looks for them."""
    yield
    logging.getLogger("mu").propagate = True


@pytest.fixture
def standard_dtypes():
    """The one exception to strict dtypes, for tests that call optax themselves: it mixes counts of steps and floats."""
    with jax.numpy_dtype_promotion("standard"):
        yield
