"""The sound of a world's tracks as a log hears it."""

import threading
import time

import numpy as np

from mu.world import SIZES
from mu.world.dataset import RenderedSound


class Slow:
    """A world that takes its time and counts what it renders."""

    settings, seed = SIZES["tiny"], -1  # no other world has this seed: none is given what this one renders

    def __init__(self):
        self.rendered = []

    def sound(self, rows, threads):
        del threads
        self.rendered.append(int(rows[0]))
        time.sleep(0.05)
        return np.full((1, 10), 0.1 * (1 + int(rows[0])), np.float32)


def test_threads_that_want_the_same_track_render_it_once():
    world = Slow()
    sound, found = RenderedSound(world, np.array([4, 2])), {}

    def hear(number):
        found[number] = sound.waveform(number % 2, 3, 4)

    threads = [threading.Thread(target=hear, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(world.rendered) == [2, 4]
    for number, heard in found.items():
        np.testing.assert_allclose(heard, np.full(4, [0.5, 0.3][number % 2]), atol=1e-4)
