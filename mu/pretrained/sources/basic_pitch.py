"""Basic Pitch's weights, from the ONNX file that the package basic-pitch ships."""

import numpy as np

from mu.models.basic_pitch import FLOOR, SAMPLE_RATE_HZ
from mu.pretrained.basic_pitch import MODEL_TYPE, build
from mu.pretrained.onnx_weights import read_floats
from mu.pretrained.sources.package_files import PackageFiles
from mu.pretrained.sources.table import Weights
from mu.pretrained.values import renamed, shapes_of

FILE = "saved_models/icassp_2022/nmp.onnx"
# Batch norms lie in the convolutions before them: the file's converters have joined the names of what they joined.
_JOINED = {
    "onsets": "re_lu_3/Relu re_lu_3/Relu batch_normalization_3/FusedBatchNormV3 batch_normalization_3/FusedBatchNormV3 "
    "conv2d_4/BiasAdd/ReadVariableOp conv2d_4/BiasAdd/ReadVariableOp conv2d_4/BiasAdd conv2d_4/BiasAdd conv2d_2/Conv2D "
    "conv2d_2/Conv2D conv2d_4/Conv2D conv2d_4/Conv2D",
    "contours": "re_lu_1/Relu re_lu_1/Relu batch_normalization_2/FusedBatchNormV3 "
    "batch_normalization_2/FusedBatchNormV3 conv2d_1/BiasAdd/ReadVariableOp conv2d_1/BiasAdd/ReadVariableOp "
    "conv2d_1/BiasAdd conv2d_1/BiasAdd conv2d_1/Conv2D conv2d_1/Conv2D",
    "scale": "batch_normalization/FusedBatchNormV3 batch_normalization/FusedBatchNormV3",
    "lengths": "cq_t2010v2_1/Sqrt cq_t2010v2_1/Sqrt",
}


def _joined(names: str) -> str:
    return ";".join(f"model_1/{name}" for name in names.split())


def _twice(name: str) -> str:
    return _joined(f"{name} {name}")


_READ_BIAS = "BiasAdd/ReadVariableOp"
# The network's values -> the file's tensors. Kernels are [outputs, inputs, frames, bins] there.
NAMES = {
    "constant_q.real": "const_fold_opt__655",
    "constant_q.imaginary": "const_fold_opt__664",
    "constant_q.low_pass": "const_fold_opt__734",
    "constant_q.scale": _joined(_JOINED["lengths"]),
    "scale": _joined(_JOINED["scale"]),
    "shift": _joined(_JOINED["scale"]) + "1",
    "contours_hidden.kernel": "const_fold_opt__727",
    "contours_hidden.bias": _joined(_JOINED["contours"]),
    "contours.kernel": "const_fold_opt__710",
    "contours.bias": _twice(f"contours-reduced/{_READ_BIAS}"),
    "notes_hidden.kernel": "const_fold_opt__738",
    "notes_hidden.bias": _twice(f"conv2d_2/{_READ_BIAS}"),
    "notes.kernel": "const_fold_opt__702",
    "notes.bias": _twice(f"conv2d_3/{_READ_BIAS}"),
    "onsets_hidden.kernel": "const_fold_opt__707",
    "onsets_hidden.bias": _joined(_JOINED["onsets"]),
    "onsets.kernel": "const_fold_opt__680",
    "onsets.bias": _twice(f"conv2d_5/{_READ_BIAS}"),
}
# Numbers of the network's equations, which it computes with: file's name -> value. The last two are biases that are 0.
CONSTANTS = {
    _twice("normalized_log_1/add/y"): FLOOR,
    _twice("normalized_log_1/Const"): 10.0,
    _joined("normalized_log_1/truediv normalized_log_1/truediv normalized_log_1/Log_1 normalized_log_1/Log_1"): (
        1.0 / np.log(10.0)
    ),
    _twice("normalized_log_1/div_no_nan"): 0.0,
    _twice("cq_t2010v2_1/conv1d_25"): 0.0,
    _twice("conv2d_5/Conv2D"): 0.0,
}


def read(files: PackageFiles, weights: str) -> Weights:
    """The weights of the only set, `weights` = 'icassp_2022'; see `mu.pretrained.sources.table.Source.read`."""
    del weights
    origin = f"{files}/{FILE}"
    tensors = read_floats(files.read(FILE), origin)
    for name, value in CONSTANTS.items():
        there = np.atleast_1d(tensors.pop(name, np.float32("nan")))
        if not np.allclose(there, value, rtol=1e-6, atol=0.0):
            raise ValueError(f"{origin}: {name} is {there[0]:.7g}, and what mu computes with is {value:.7g}")
    kernels = {name for key, name in NAMES.items() if key.endswith(".kernel")}
    ordered = {
        name: tensor.transpose(2, 3, 1, 0) if name in kernels and tensor.ndim == 4 else _without_ones(tensor)
        for name, tensor in tensors.items()
    }
    documents = dict(files.document((beginning,)) for beginning in ("LICENSE", "NOTICE"))
    return Weights(
        settings={"model_type": MODEL_TYPE, "sampling_rate": SAMPLE_RATE_HZ},
        tensors=renamed(ordered, NAMES, shapes_of(build), origin),
        documents=documents,
    )


def _without_ones(tensor: np.ndarray) -> np.ndarray:
    """Filters and scales of the constant-Q transform have axes of size 1, which say nothing."""
    return tensor if tensor.ndim < 2 else tensor.squeeze()
