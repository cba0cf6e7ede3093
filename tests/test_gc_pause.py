"""The pause of the garbage collector: it is over when it should be, and leaves no garbage."""

import gc
import weakref

import pytest

from mu.gc_pause import gc_paused


class Ring:
    """Garbage that only the collector finds."""

    def __init__(self):
        self.itself = self


def test_it_is_over_afterwards_after_an_error_too_and_the_callers_own_is_left_alone():
    with pytest.raises(ValueError, match="x"), gc_paused():
        with gc_paused():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise ValueError("x")
    assert gc.isenabled()
    gc.disable()
    try:
        with gc_paused(stays=True):
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_garbage_of_a_loop_of_pauses_is_collected_by_itself():
    before = gc.get_threshold()
    gc.set_threshold(700, 10, 10)
    try:
        gone, kept = [], []
        for _ in range(100):
            with gc_paused():
                ring = Ring()
                gone.append(weakref.ref(ring))
                del ring
                kept.append([[] for _ in range(100)])
    finally:
        gc.set_threshold(*before)
    assert sum(one() is not None for one in gone) < 50


@pytest.mark.parametrize("frozen", [False, True])
def test_what_stays_is_old_unless_the_caller_has_frozen_objects(frozen):
    gc.collect()
    gc.unfreeze()  # what the session has frozen
    if frozen:
        gc.freeze()
    try:
        count = gc.get_freeze_count()
        with gc_paused(stays=True):
            made = [Ring()]
        assert gc.get_freeze_count() == count
        assert (id(made[0]) in {id(one) for one in gc.get_objects(generation=2)}) != frozen
        made[0].itself = None
    finally:
        gc.freeze()
