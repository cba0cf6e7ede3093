"""The sound of all tracks as FLAC files."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from mu.world.sound import RATE_HZ, sound
from mu.world.world import World
from mu_kernels.threads import available_cpus


def write_sound(
    world: World,
    folder: Path,
    names: Sequence[str],
    threads: int | None = None,
    stored: Callable[[int], None] | None = None,
) -> list[str]:
    """Renders every track into `folder/sound/NAME.flac`: 16 bits, `World.sound` rounded to multiples of 1 / 32768.

    Args:
      world: whose tracks are rendered.
      folder: where `sound/` is made.
      names: of the tracks.
      threads: how many render and encode; None is one for each CPU.
      stored: called with the number of tracks that are done.

    Returns:
      The paths from `folder`, in the order of the tracks.
    """
    (folder / "sound").mkdir()

    def store(track: int) -> str:
        file = f"sound/{names[track]}.flac"
        (audio,) = sound(world.catalogue, np.array([track]), world.seed, threads=1)
        soundfile.write(folder / file, np.rint(audio * 32768).astype(np.int16), RATE_HZ, subtype="PCM_16")
        return file

    files = []
    pool = ThreadPoolExecutor(available_cpus() if threads is None else threads)
    try:
        for file in pool.map(store, range(len(names))):
            files.append(file)
            if stored is not None:
                stored(len(files))
    finally:
        pool.shutdown(cancel_futures=True)  # after a failure or an interrupt nothing more is rendered
    return files
