"""Whose code an exception comes from: mu's refusals are one line, one of the user's own code has its traceback."""

import os
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

# Python, what is installed beside it, and mu itself. What lies elsewhere is the user's.
_OF_PYTHON = tuple(
    {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_OF_MU = tuple(os.path.realpath(Path(__file__).parent / name) for name in (".", "../mu_kernels", "../kernels"))


def traceback_of_own_code(error: BaseException) -> str | None:
    """The traceback of an exception from the user's own code, from its first line there on; None of any other.

    It is the user's where the last frame that is neither Python's nor a library's lies outside of mu. Exceptions that
    mu defines are refusals wherever they are raised, as by a config that checks its arguments.
    """
    of_mu = type(error).__module__.split(".")[0] in ("mu", "mu_kernels")
    while error.__cause__ is not None and not _is_own(error.__traceback__):
        error = error.__cause__
    if isinstance(error, SyntaxError) and error.filename is not None and _owner(error.filename) == "user":
        return "".join(traceback.format_exception_only(error)).rstrip("\n")  # it names the line: none of it has run
    if of_mu or not _is_own(error.__traceback__):
        return None
    shown = traceback.TracebackException.from_exception(error)
    first = next(at for at, frame in enumerate(shown.stack) if _owner(frame.filename) == "user")
    shown.stack = traceback.StackSummary.from_list(shown.stack[first:])
    return "".join(shown.format(chain=False)).rstrip("\n")


def _is_own(trace: TracebackType | None) -> bool:
    owners = [_owner(frame.f_code.co_filename) for frame, _ in traceback.walk_tb(trace)]
    return next((owner for owner in reversed(owners) if owner != "library"), "mu") == "user"


def _owner(file: str) -> str:
    """'mu', 'library' or 'user'."""
    path = os.path.realpath(file)
    if any(path.startswith(folder + os.sep) for folder in _OF_MU):
        return "mu"
    if file.startswith("<") or any(path.startswith(folder + os.sep) for folder in _OF_PYTHON):
        return "library"
    return "user"
