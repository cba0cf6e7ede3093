"""PESTO's weights, from the checkpoint that the package pesto-pitch ships."""

import numpy as np

from mu.models.pitch_frames import SAMPLE_RATE_HZ
from mu.pretrained.pitch_networks import PESTO, build_pesto
from mu.pretrained.sources.package_files import PackageFiles
from mu.pretrained.sources.table import Weights
from mu.pretrained.torch_checkpoint import named_tensors, read_checkpoint
from mu.pretrained.values import renamed, shapes_of

_LAYERS = {
    "norm": "encoder.layernorm",
    "first": "encoder.conv1.0",
    "residual_1": "encoder.prefilt_layers.0.0",
    "residual_2": "encoder.prefilt_layers.1.0",
    "narrow_1": "encoder.conv_layers.0",
    "narrow_2": "encoder.conv_layers.3",
    "narrow_3": "encoder.conv_layers.6",
    "narrow_4": "encoder.conv_layers.9",
    "confidence": "confidence.conv",
    "voiced": "confidence.linear",
}
# The network's values -> the file's tensors.
NAMES = {
    **{f"{layer}.{'scale' if layer == 'norm' else 'kernel'}": f"{name}.weight" for layer, name in _LAYERS.items()},
    **{f"{layer}.bias": f"{name}.bias" for layer, name in _LAYERS.items()},
    "toeplitz": "encoder.fc.weight",
    "shift": "shift",
}
# Settings of the file that the network is built for; its pickle has others, too, as objects that nobody makes.
_TRANSFORM = {
    "harmonics": [1],
    "fmin": 27.5,
    "fmax": None,
    "bins_per_semitone": 3,
    "n_bins": 251,
    "center_bins": True,
    "gamma": 7,
    "center": True,
}
_ENCODER = {"prefilt_kernel_size": 39, "residual": True, "activation_fn": "leaky", "a_lrelu": 0.3, "output_dim": 384}


def read(files: PackageFiles, weights: str) -> Weights:
    """The weights of a set, 'mir-1k_g7'; see `mu.pretrained.sources.table.Source.read`."""
    file = f"weights/{weights}.ckpt"
    origin = f"{files}/{file}"
    checkpoint = read_checkpoint(files.read(file), origin)
    try:
        settings = {"hcqt_params": checkpoint["hcqt_params"], "encoder": checkpoint["hparams"]["encoder"]}
        state = named_tensors(checkpoint["state_dict"], origin)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{origin} is no checkpoint of PESTO: it lacks {error}") from None
    for part, wanted in (("hcqt_params", _TRANSFORM), ("encoder", _ENCODER)):
        for key, value in wanted.items():
            if (there := settings[part].get(key)) != value:
                raise ValueError(f"{origin}: {part}.{key}={there!r}, and what mu computes with is {value!r}")
    return Weights(
        settings={"model_type": PESTO, "sampling_rate": SAMPLE_RATE_HZ},
        tensors=renamed(
            {name: _turned(name, one) for name, one in state.items()}, NAMES, shapes_of(build_pesto), origin
        ),
        documents={"LICENSE": files.document(("LICENSE",))[1]},
    )


def _turned(name: str, tensor: np.ndarray) -> np.ndarray:
    """Kernels are [outputs, inputs, places] in the file; the norm and the Toeplitz layer have axes of size 1."""
    if name.startswith("encoder.layernorm") or name in ("encoder.fc.weight", "shift"):
        return tensor.reshape(-1)
    return tensor.T if tensor.ndim in (2, 3) else tensor
