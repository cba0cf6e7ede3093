"""Python's garbage collector, paused while long-lived objects are made."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def gc_paused(*, stays: bool = False) -> Iterator[None]:
    """Pauses the collector, which otherwise walks again and again over all that imports and compilers make and keep.

    Of a process that imports JAX and answers once it takes a quarter.

    Args:
      stays: what is made meanwhile stays, as modules do, and counts as old afterwards, without a walk. To be said once
        a process, not in a loop, whose garbage would not be noticed. Where the caller has frozen objects (`gc.freeze`),
        they remain so, and nothing is made old.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if stays and not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()  # into the oldest generation
        gc.enable()
