"""MusiCNN's weights in the package `musicnn`: a TensorFlow checkpoint for each data set that it was trained on."""

import ast
import json

import numpy as np

from mu.models.musicnn_front_end import HOP_SAMPLES, N_FFT, MusiCNNFrontEnd
from mu.pretrained.musicnn import MODEL_TYPE, build
from mu.pretrained.sources.package_files import PackageFiles
from mu.pretrained.sources.table import Weights
from mu.pretrained.tensorflow_checkpoint import read_checkpoint
from mu.pretrained.values import renamed, shapes_of

TRAINED_ON = {"msd": "Million Song Dataset", "mtt": "MagnaTagATune"}
FRONT_END = MusiCNNFrontEnd(sample_rate_hz=16_000, n_mels=96, frames=187)
# What the package's own options of the training must be, for the model to be the one that is built here.
AUDIO = {
    "type": "time-freq",
    "spectrogram_type": "mel",
    "resample_sr": FRONT_END.sample_rate_hz,
    "hop": HOP_SAMPLES,
    "n_fft": N_FFT,
    "n_mels": FRONT_END.n_mels,
}
TRAINING = {"model_number": 17, "pre_processing": "logC", "pad_short": "repeat-pad", "n_frames": FRONT_END.frames}
# TensorFlow numbers layers of a kind in the order in which they are made.
_CONVOLUTIONS = (
    *(f"timbral.{place}" for place in range(2)),
    *(f"temporal.{place}" for place in range(3)),
    *(f"mid.{place}" for place in range(3)),
)
_NORMS = ("input_norm", *(f"{name}.norm" for name in _CONVOLUTIONS), "pool_norm", "penultimate_norm")
_OF_NORM = {"scale": "gamma", "shift": "beta", "mean": "moving_mean", "variance": "moving_variance"}
_DENSE = ("penultimate", "tags")


def read(files: PackageFiles, weights: str) -> Weights:
    """The weights that were trained on one data set, 'msd' or 'mtt'.

    Raises:
      FileNotFoundError: the package lacks a file.
      ValueError: a file is damaged, or its tensors are not those of the model; names them.
    """
    folder = f"{weights.upper()}_musicnn"
    _check_options(files, f"{folder}/config.json")
    tags = _labels(files, f"{weights.upper()}_LABELS")
    names = tensor_names()
    data = files.read(f"{folder}/.data-00000-of-00001")
    tensors = read_checkpoint(files.read(f"{folder}/.index"), data, f"{files}/{folder}/", _is_of_the_model)
    shapes = shapes_of(lambda: build(FRONT_END, len(tags)))
    for name, other in names.items():
        # The three layers in the middle are two-dimensional there, the channels on the axis of the mels.
        if (
            name.startswith("mid.")
            and name.endswith("kernel")
            and other in tensors
            and tensors[other].shape[2:3] == (1,)
        ):
            tensors[other] = np.squeeze(tensors[other], axis=2)
    settings = {
        "model_type": MODEL_TYPE,
        "trained_on": TRAINED_ON[weights],
        "sample_rate_hz": FRONT_END.sample_rate_hz,
        "n_fft": N_FFT,
        "hop_samples": HOP_SAMPLES,
        "n_mels": FRONT_END.n_mels,
        "frames": FRONT_END.frames,
        "tags": tags,
    }
    licence = files.document(("LICENSE",))[1]
    return Weights(settings, renamed(tensors, names, shapes, f"{files}/{folder}/"), {"LICENSE": licence})


def _check_options(files: PackageFiles, name: str) -> None:
    """Raises ValueError unless the options of the training are those of the model."""
    try:
        options = json.loads(files.read(name))
        pairs = [(key, options.get(key), value) for key, value in TRAINING.items()]
        pairs += [(key, options.get("audio_rep", {}).get(key), value) for key, value in AUDIO.items()]
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{files}/{name} is no JSON object of options ({error}): is the package whole?") from None
    if odd := [f"{key}={there!r} where it is {value!r} of MusiCNN" for key, there, value in pairs if there != value]:
        raise ValueError(f"{files}/{name}: {', '.join(odd)}: it is another network")


def tensor_names() -> dict[str, str]:
    """Name of a value of the model -> its tensor's in the checkpoint."""
    names = {}
    for place, layer in enumerate(_CONVOLUTIONS):
        for kind in ("kernel", "bias"):
            names[f"{layer}.convolution.{kind}"] = f"conv2d{_numbered(place)}/{kind}"
    for place, layer in enumerate(_NORMS):
        for kind, other in _OF_NORM.items():
            names[f"{layer}.{kind}"] = f"batch_normalization{_numbered(place)}/{other}"
    for place, layer in enumerate(_DENSE):
        for kind in ("kernel", "bias"):
            names[f"{layer}.{kind}"] = f"dense{_numbered(place)}/{kind}"
    return names


def _numbered(place: int) -> str:
    return f"_{place}" if place else ""


def _is_of_the_model(name: str) -> bool:
    """Whether it is not of the optimizer, Adam."""
    return not name.endswith(("/Adam", "/Adam_1")) and name not in ("beta1_power", "beta2_power")


def _labels(files: PackageFiles, name: str) -> list[str]:
    """A list of the package's configuration.py, which is read and not run."""
    text = files.read("configuration.py").decode()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and any(isinstance(one, ast.Name) and one.id == name for one in node.targets):
            return list(ast.literal_eval(node.value))
    raise ValueError(f"{files}/configuration.py has no list {name}: it is another version of the package")
