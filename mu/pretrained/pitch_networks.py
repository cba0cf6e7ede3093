"""Networks that track one pitch, PESTO and CREPE, in folders that `mu import-weights` wrote."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flax import nnx

from mu.models.crepe import SIZES, Crepe
from mu.models.pesto import Pesto
from mu.models.pitch_frames import SAMPLE_RATE_HZ
from mu.pretrained.settings import CONFIG, WEIGHTS, Settings
from mu.pretrained.values import load_values

PESTO, CREPE = "pesto", "crepe"


@dataclasses.dataclass(frozen=True)
class PitchAudio:
    """What the networks take: 16 kHz audio, for vectors of recordings 10 s at a time."""

    sample_rate_hz: int = SAMPLE_RATE_HZ
    tile_samples: int = 10 * SAMPLE_RATE_HZ


def build_pesto() -> Pesto:
    """The network, with weights of no use."""
    return Pesto(rngs=nnx.Rngs(0))


def build_crepe(size: str) -> Callable[[], Crepe]:
    """What makes the network of a size, with weights of no use."""
    return lambda: Crepe(size, rngs=nnx.Rngs(0))


def load_pesto(folder: Path) -> tuple[nnx.GraphDef, dict[str, Any], dict[str, Any], PitchAudio]:
    """(graph, params, options, front end) of the network whose files lie in a folder.

    Raises:
      ValueError: the files do not belong together; names the key or the tensor.
    """
    Settings(folder / CONFIG).must_be("sampling_rate", SAMPLE_RATE_HZ)
    return *load_values(build_pesto, folder / WEIGHTS), {}, PitchAudio()


def load_crepe(folder: Path) -> tuple[nnx.GraphDef, dict[str, Any], dict[str, Any], PitchAudio]:
    """See `load_pesto`."""
    settings = Settings(folder / CONFIG)
    settings.must_be("sampling_rate", SAMPLE_RATE_HZ)
    size = settings.value("size")
    if size not in SIZES:
        raise ValueError(f"{settings.path}: size={size!r}; known: {', '.join(SIZES)}")
    return *load_values(build_crepe(size), folder / WEIGHTS), {"size": size}, PitchAudio()
