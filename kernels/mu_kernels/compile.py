"""The decorator that compiles a kernel: without the GIL, one thread, cached on disk under a hash of the sources.

A compiled kernel is cached under a hash of every Python file of its package and of mu_kernels, and of the versions of
Numba and llvmlite. So a kernel may call kernels of other files of its package and of mu_kernels, and use their
constants: an edit of any of these files compiles anew. Helpers of a third package are not part of the hash.
"""

import functools
import glob
import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.ccallback import CFunc
from numba.core.dispatcher import Dispatcher

logger = logging.getLogger(__name__)

_DIGEST_CHARACTERS = 16
_latest: tuple[Any, str] = (None, "")  # the module spec that was asked about last, and its hash
_seen: dict[str, list[bytes]] = {}  # by file, the hashes it has had since this process began


def kernel(function: Callable[..., Any] | None = None, *, reordered_sums: bool = False) -> Callable[..., Any]:
    """Compiles `function` at its first call; importing compiles nothing. `@kernel` or `@kernel(reordered_sums=True)`.

    The machine code is kept in Numba's cache folder: `NUMBA_CACHE_DIR`, else `__pycache__` beside the file, else the
    user's cache folder, the first that can be written to. Where none can, as on a read-only image, the kernel works
    all the same and every process compiles for itself. Processes may share a folder.

    With the JIT off (`NUMBA_DISABLE_JIT=1`) this is `function` itself.

    Args:
      function: in Numba's subset of Python.
      reordered_sums: LLVM may reorder sums and fuse products with them, so that loops over sums become vectors. On one
        kind of CPU the result stays the same, whatever the threads; on another its last bits may differ.
    """
    if function is None:
        return functools.partial(kernel, reordered_sums=reordered_sums)
    fastmath = {"reassoc", "contract", "nsz"} if reordered_sums else False
    compiled = numba.njit(nogil=True, fastmath=fastmath)(function)
    if isinstance(compiled, Dispatcher):
        _cache(compiled, function)
    return compiled


def address_kernel(function: Callable[[int], int]) -> Any:
    """Compiles a C function of one address, now; its `address` is what foreign code may call. Cached like `kernel`."""
    callback = CFunc(function, ((numba.types.intp,), numba.types.intp), locals={}, options={})
    _cache(callback, function)
    callback.compile()
    return callback


def source_hash(function: Callable[..., Any]) -> str:
    """The hash under which compiled code of `function` is cached.

    Raises:
      OSError: the sources are no files in folders (a zip archive).
    """
    global _latest
    spec = function.__globals__.get("__spec__")
    if spec is None or spec is not _latest[0]:  # importing or reloading a module makes a new spec
        digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
        file = Path(function.__code__.co_filename)
        in_package = bool(function.__globals__.get("__package__"))
        for folder in (file.parent, Path(__file__).parent) if in_package else (Path(__file__).parent,):
            for path in _python_files(str(folder)):
                status = os.stat(path)
                digest.update(os.path.relpath(path, folder).encode())
                digest.update(b"".join(_versions(path, status.st_mtime_ns, status.st_size)))
        if not in_package and file.is_file():  # a script; the cells of a notebook are hashed by Numba
            digest.update(file.read_bytes())
        _latest = spec, digest.hexdigest()[:_DIGEST_CHARACTERS]
    return _latest[1]


def _python_files(folder: str) -> list[str]:
    """Every Python file in the folder and below, sorted."""
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir() and entry.name != "__pycache__":
                files += _python_files(entry.path)
            elif entry.name.endswith(".py"):
                files.append(entry.path)
    return sorted(files)


def _versions(path: str, modified_ns: int, size: int) -> list[bytes]:
    """The hashes that a file has had in the life of this process, the current one last.

    After an edit a process may hold old helpers in memory beside new kernels. What it compiles from the mixture has a
    hash of its own, which a new process never asks for.
    """
    versions = _seen.setdefault(path, [])
    current = _file_hash(path, modified_ns, size)
    if not versions or versions[-1] != current:
        versions.append(current)
    return versions


@functools.cache
def _file_hash(path: str, modified_ns: int, size: int) -> bytes:
    return hashlib.sha256(Path(path).read_bytes()).digest()


def _cache(compiled: Any, function: Callable[..., Any]) -> None:
    """Lets compiled code of `function` be kept on disk, where that is possible."""
    try:
        compiled._cache = _Cache(function)
    except (OSError, RuntimeError) as error:  # no files to hash; or "no locator available": no folder to write to
        logger.info("%s is compiled in every process anew: %s", function.__qualname__, error)


class _CacheFiles(CompileResultCacheImpl):
    """Names of cache files with the hash of the sources in them: two versions never share a file.

    Numba's own check, a stamp inside the index file, leaves a moment in which a process that runs other sources finds
    the index of one version and the machine code of another.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.digest = source_hash(function)
        super().__init__(function)

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        self.stem = super().get_filename_base(fullname, abiflags)
        return f"{self.stem}-{self.digest}"


class _Cache(FunctionCache):
    _impl_class = _CacheFiles

    def save_overload(self, sig: Any, data: Any) -> None:
        """Saves compiled code, and removes that of other sources."""
        super().save_overload(sig, data)
        for path in Path(self.cache_path).glob(f"{glob.escape(self._impl.stem)}-*"):
            if self._impl.digest not in path.name:
                path.unlink(missing_ok=True)
