"""The sound of a world's tracks, rendered on demand and cached."""

import threading
import time

import numpy as np

from mu.world import dataset
from mu.world.dataset import RenderedSound
from mu.world.settings import SIZES
from mu.world.sound import SAMPLES


class Slow:
    """A world that takes its time and counts what it renders."""

    settings, seed = SIZES["tiny"], -1  # no other world has this seed: no other reads what this one renders

    def __init__(self, seed=-1):
        self.rendered, self.seed = [], seed

    def sound(self, rows, threads):
        del threads
        self.rendered.append(int(rows[0]))
        time.sleep(0.05)
        return np.full((1, 10), 0.1 * (1 + int(rows[0])), np.float32)


def test_threads_that_want_the_same_track_render_it_once():
    world = Slow()
    sound, waveforms = RenderedSound(world, np.array([4, 2])), {}

    def read(number):
        waveforms[number] = sound.waveform(number % 2, 3, 4)

    threads = [threading.Thread(target=read, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(world.rendered) == [2, 4]
    for number, audio in waveforms.items():
        np.testing.assert_allclose(audio, np.full(4, [0.5, 0.3][number % 2]), atol=1e-4)


def test_tracks_beyond_the_cache_are_rendered_each_time(monkeypatch):
    monkeypatch.setattr(dataset, "CACHE_BYTES", 2 * 2 * SAMPLES + 1)
    world = Slow(seed=-2)
    sound = RenderedSound(world, np.arange(10))
    waveforms = [sound.waveform(track, 0, 10) for track in (3, 1, 7, 3, 1, 7, 7)]
    assert world.rendered == [3, 1, 7, 7, 7]
    for track, audio in zip((3, 1, 7, 3, 1, 7, 7), waveforms, strict=True):
        np.testing.assert_allclose(audio, 0.1 * (1 + track), atol=1e-4)
    # A second log of the world has no room of its own.
    again = RenderedSound(world, np.arange(10))
    for track in (1, 5, 5):
        again.waveform(track, 0, 10)
    assert world.rendered == [3, 1, 7, 7, 7, 5, 5]
