"""Basic Pitch's weights in a folder that `mu import-weights basic-pitch` wrote."""

from pathlib import Path
from typing import Any

from flax import nnx

from mu.models.basic_pitch import SAMPLE_RATE_HZ, BasicPitch, BasicPitchAudio
from mu.pretrained.settings import CONFIG, WEIGHTS, Settings
from mu.pretrained.values import load_values

MODEL_TYPE = "basic_pitch"


def build() -> BasicPitch:
    """The network, with weights of no use."""
    return BasicPitch(rngs=nnx.Rngs(0))


def load(folder: Path) -> tuple[nnx.GraphDef, dict[str, Any], dict[str, Any], BasicPitchAudio]:
    """(graph, params, options, front end) of the network whose files lie in a folder.

    Raises:
      ValueError: the files do not belong together; names the key or the tensor.
    """
    Settings(folder / CONFIG).must_be("sampling_rate", SAMPLE_RATE_HZ)
    graph, params = load_values(build, folder / WEIGHTS)
    return graph, params, {}, BasicPitchAudio()
