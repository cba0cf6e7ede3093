"""Weights of MusiCNN in a folder that `mu import-weights musicnn` wrote."""

from pathlib import Path
from typing import Any

from flax import nnx

from mu.models.musicnn import MusiCNN
from mu.models.musicnn_front_end import HOP_SAMPLES, N_FFT, MusiCNNFrontEnd
from mu.pretrained.settings import CONFIG, WEIGHTS, Settings
from mu.pretrained.values import load_values

MODEL_TYPE = "musicnn"


def build(front_end: MusiCNNFrontEnd, tags: int) -> MusiCNN:
    """The model, its values drawn at random."""
    return MusiCNN(front_end=front_end, tags=tags, rngs=nnx.Rngs(0))


def load(folder: Path) -> tuple[nnx.GraphDef, dict[str, Any], dict[str, Any], MusiCNNFrontEnd]:
    """(graph, params, options, front end) of the model whose files lie in a folder.

    The options have 'tags', the names of the model's tags in their order.

    Raises:
      ValueError: the files do not belong together, or ask for what is not implemented; names the key or the tensor.
      FileNotFoundError: one of them is missing.
    """
    settings = Settings(folder / CONFIG)
    settings.must_be("n_fft", N_FFT)
    settings.must_be("hop_samples", HOP_SAMPLES)
    front_end = MusiCNNFrontEnd(
        sample_rate_hz=settings.count("sample_rate_hz"),
        n_mels=settings.count("n_mels"),
        frames=settings.count("frames"),
    )
    tags = settings.value("tags")
    if not isinstance(tags, list) or not tags or not all(isinstance(one, str) for one in tags):
        raise ValueError(f"{settings.path}: tags={tags!r}; it must be the list of their names")
    graph, params = load_values(lambda: build(front_end, len(tags)), folder / WEIGHTS)
    return graph, params, {"tags": tags}, front_end
