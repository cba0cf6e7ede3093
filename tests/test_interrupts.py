"""Signals: what comes first is raised or noted, what comes second is as it was before."""

import os
import signal
import time

import pytest

from mu.interrupts import Interrupts

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
NUMBERS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def handlers():
    """Those from before are there again after every test."""
    before = [signal.getsignal(number) for number in NUMBERS]
    yield
    assert [signal.getsignal(number) for number in NUMBERS] == before


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_is_raised_where_it_comes(number):
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        signal.raise_signal(number)
    assert interrupts.signal == number


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_that_a_loop_has_not_seen_is_raised_at_its_end(number):
    noted = []
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts, interrupts.noting():
        signal.raise_signal(number)
        noted.append(interrupts.signal)
    assert noted == [number]


def test_a_loop_leaves_as_it_wants():
    with pytest.raises(SystemExit, match="130"), Interrupts() as interrupts, interrupts.noting():
        signal.raise_signal(signal.SIGINT)
        raise SystemExit(130)


def test_an_interrupt_that_was_ignored_is_raised_before_a_loop():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            ignored = True
        with interrupts.noting():
            pytest.fail("the loop began")
    assert ignored


class Interrupting:
    """Ctrl-C comes while it is deleted, where Python ignores what a handler raises."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


def test_an_interrupt_that_python_ignores_is_raised_again():
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        Interrupting()
        for _ in range(6000):
            time.sleep(0.01)
    assert interrupts.signal == signal.SIGINT


def test_a_second_ctrl_c_is_raised_while_the_first_is_noted():
    seconds = []
    with pytest.raises(SystemExit), Interrupts() as interrupts, interrupts.noting():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        seconds.append(interrupts.signal)
        raise SystemExit
    assert seconds == [signal.SIGINT]


def test_an_outer_one_knows_what_an_inner_one_noted():
    with pytest.raises(SystemExit), Interrupts() as outer, Interrupts() as inner, inner.noting():
        signal.raise_signal(signal.SIGTERM)
        raise SystemExit
    assert outer.signal == inner.signal == signal.SIGTERM
