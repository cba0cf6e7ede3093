"""Published weights of the Audio Spectrogram Transformer, in the files of Hugging Face's Transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.models.pretrained_front_end import Kind, PretrainedFrontEnd
from mu.models.spectrogram_transformer import SpectrogramTransformer
from mu.pretrained.settings import CONFIG, WEIGHTS, Settings
from mu.pretrained.tensors import read_tensors

MODEL_TYPE = "audio-spectrogram-transformer"
PREPROCESSOR = "preprocessor_config.json"
# Front ends that the published feature extractors define, and the values of their options that are implemented.
FRONT_ENDS: dict[str, tuple[Kind, dict[str, Any]]] = {
    "ASTFeatureExtractor": ("kaldi", {"do_normalize": True}),
    "MAESTFeatureExtractor": (
        "log_compressed",
        {"do_normalize": True, "n_fft": 512, "hop_length": 256, "log_compression": "logC", "sampling_rate": 16000},
    ),
}
# Options of the architecture of which one value is implemented.
FIXED = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "qkv_bias": True}


def load(folder: Path) -> tuple[nnx.GraphDef, dict[str, Any], dict[str, Any], PretrainedFrontEnd]:
    """(graph, params, options, front end) of the model whose files lie in a folder.

    Args:
      folder: with config.json, preprocessor_config.json and model.safetensors.

    Raises:
      ValueError: the files do not belong together, or ask for what is not implemented; names the key or the tensor.
      FileNotFoundError: one of them is missing.
    """
    settings = Settings(folder / CONFIG)
    for key, value in FIXED.items():
        settings.must_be(key, value)
    front_end = _front_end(Settings(folder / PREPROCESSOR))
    options = {
        "dim": settings.count("hidden_size"),
        "layers": settings.count("num_hidden_layers"),
        "heads": settings.count("num_attention_heads"),
        "patch": settings.count("patch_size"),
        "time_stride": settings.count("time_stride"),
        "mel_stride": settings.count("frequency_stride"),
    }
    settings.must_be("intermediate_size", 4 * options["dim"])
    settings.must_be("max_length", front_end.frames, f"{PREPROCESSOR} says")
    settings.must_be("num_mel_bins", front_end.n_mels, f"{PREPROCESSOR} says")

    def build() -> SpectrogramTransformer:
        return SpectrogramTransformer(front_end=front_end, **options, rngs=nnx.Rngs(0))

    try:
        graph, state = nnx.split(nnx.eval_shape(build))
    except ValueError as error:
        raise ValueError(f"{settings.path}: {error}") from None
    params = _filled(nnx.to_pure_dict(state), folder / WEIGHTS, options["layers"])
    return graph, params, options, front_end


def _front_end(settings: Settings) -> PretrainedFrontEnd:
    kind = settings.value("feature_extractor_type")
    if kind not in FRONT_ENDS:
        raise ValueError(f"{settings.path}: feature_extractor_type={kind!r}; known: {', '.join(FRONT_ENDS)}")
    name, fixed = FRONT_ENDS[kind]
    for key, value in fixed.items():
        settings.must_be(key, value)
    return PretrainedFrontEnd(
        kind=name,
        sample_rate_hz=settings.count("sampling_rate"),
        n_mels=settings.count("num_mel_bins"),
        frames=settings.count("max_length"),
        mean=settings.number("mean"),
        deviation=settings.number("std"),
    )


# Where the parameters of a block lie in the file, below encoder.layer.N.
_BLOCK = {
    ("attention_norm",): "layernorm_before",
    ("attention", "query"): "attention.attention.query",
    ("attention", "key"): "attention.attention.key",
    ("attention", "value"): "attention.attention.value",
    ("attention", "out"): "attention.output.dense",
    ("mlp_norm",): "layernorm_after",
    ("up",): "intermediate.dense",
    ("down",): "output.dense",
}
# Kinds of parameters, and their names in the file. Kernels are [outputs, inputs, ...] there and turned around here.
_KINDS = {"scale": "weight", "kernel": "weight", "bias": "bias"}
_OTHERS = {"patches": "embeddings.patch_embeddings.projection", "norm": "layernorm"}


def _filled(params: dict[str, Any], path: Path, layers: int) -> dict[str, Any]:
    """`params`, whose leaves are shapes, with the arrays of the file."""
    leaves, structure = jax.tree.flatten_with_path(params)
    sources = [_source([key.key for key in keys], leaf.shape, layers) for keys, leaf in leaves]
    shapes = {name: shape for names, shape, _ in sources for name in names}
    tensors = read_tensors(path, shapes, prefix="audio_spectrogram_transformer.", ignored="classifier.")
    return jax.tree.unflatten(structure, [join([tensors[name] for name in names]) for names, _, join in sources])


def _source(
    keys: list[str], shape: tuple[int, ...], layers: int
) -> tuple[list[str], tuple[int, ...], Callable[[list[np.ndarray]], np.ndarray]]:
    """(names, the shape of each, how they are put together) of the tensors that a parameter is made of."""
    if keys == ["tokens"]:
        names = ["embeddings.cls_token", "embeddings.distillation_token"]
        return names, (1, 1, shape[1]), lambda tensors: np.concatenate(tensors, axis=1)[0]
    if keys == ["positions"]:
        return ["embeddings.position_embeddings"], (1, *shape), lambda tensors: tensors[0][0]
    kind = _KINDS[keys[-1]]
    if keys[0] == "stack":  # of all blocks on a leading axis
        part = _BLOCK[tuple(keys[2:-1])]
        names = [f"encoder.layer.{layer}.{part}.{kind}" for layer in range(layers)]
        return names, shape[:0:-1], lambda tensors: np.stack([tensor.T for tensor in tensors])
    return [f"{_OTHERS[keys[0]]}.{kind}"], shape[::-1], lambda tensors: np.ascontiguousarray(tensors[0].T)
