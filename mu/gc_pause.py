"""Python's garbage collector, paused while long-lived objects are made."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Pauses the collector, which otherwise walks again and again over all that imports and compilers make and keep.

    Of a process that imports JAX and answers once it takes a quarter. What is made meanwhile counts as old afterwards,
    unless the caller has frozen objects of its own (`gc.freeze`).
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # into the oldest generation, without a walk
        gc.enable()
