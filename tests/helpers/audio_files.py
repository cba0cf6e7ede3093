"""Small files of sound for tests, in every format, and in every way damaged."""

import os
from pathlib import Path

import numpy as np
import soundfile

from mu.data.clips.importing.scan import Facts, Files

# Extension -> container, codec, a rate that the codec can have.
FORMATS = {
    "wav": ("WAV", "PCM_16", 44100),
    "flac": ("FLAC", "PCM_16", 44100),
    "ogg": ("OGG", "VORBIS", 44100),
    "opus": ("OGG", "OPUS", 48000),
    "mp3": ("MP3", "MPEG_LAYER_III", 44100),
}


def sound(seconds, rate, channels=1, seed=0):
    """float32 [n, channels]: a rising tone and noise, different in each channel."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate))[:, None] / rate
    tone = np.sin(2 * np.pi * (220 + 40 * t) * t + np.arange(channels))
    return (0.3 * tone + 0.05 * rng.standard_normal((len(t), channels))).astype(np.float32)


def write(path, x, rate, **options):
    """Writes `x` in the format that the name of `path` says."""
    container, codec, _ = FORMATS[Path(path).suffix[1:]]
    options = {"format": container, "subtype": codec} | options
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    channels = x.shape[1] if x.ndim > 1 else 1
    with soundfile.SoundFile(path, "w", rate, channels, **options) as file:
        file.write(x)
    return Path(path)


def cut(path, share):
    """The first part of a file, in its place."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(len(content) * share)])
    return Path(path)


def without_length(path):
    """An MP3 without its first frame, which says how many follow."""
    content = Path(path).read_bytes()
    mark = max(content.find(b"Xing"), content.find(b"Info"))
    assert mark > 0
    path.write_bytes(content[content.find(content[:2], mark) :])
    return path


class DyingFiles(Files):
    """A reader whose process dies on files of that name, as a decoder with a bug would make it."""

    def scan(self, clip: str) -> Facts:
        if "dies" in clip:
            os.abort()
        if "raises" in clip:
            raise ZeroDivisionError("a decoder with another bug")
        return super().scan(clip)
