"""Checkpoints as PyTorch writes them, written without it, and random weights for PESTO and CREPE.

Run as a script, with torch, pesto-pitch and torchcrepe at hand, it writes pitch_networks.json beside it, what the
packages' own modules compute with these weights:

    python -m tests.pretrained.checkpoint_files
"""

import contextlib
import io
import json
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np

from mu.pretrained.pitch_networks import build_crepe, build_pesto
from mu.pretrained.sources import crepe, pesto
from mu.pretrained.values import shapes_of

NUMBERS = Path(__file__).with_name("pitch_networks.json")
PESTO_SETTINGS = {
    "hcqt_params": pesto._TRANSFORM,
    "hparams": {
        "encoder": {"n_chan_input": 1, "n_chan_layers": [40, 30, 30, 10, 3], "n_prefilt_layers": 3, "n_bins_in": 219}
        | pesto._ENCODER,
        "pitch_shift": {"min_steps": -16, "max_steps": 16},
    },
}


def waveform(samples=16000):
    """A tone of 220 Hz with partials that becomes 277 Hz, and noise."""
    random = np.random.default_rng(11)
    time_s = np.arange(samples) / 16000
    hz = np.where(time_s < 0.5, 220.0, 277.18)
    tone = sum(np.sin(2 * np.pi * n * np.cumsum(hz) / 16000) / n for n in range(1, 7))
    return (0.2 * tone + 0.01 * random.standard_normal(samples)).astype(np.float32)


def random_tensors(shapes, names, seed):
    """{file's name: float32 array, as the file has it}: kernels are [outputs, inputs, places] there."""
    random = np.random.default_rng(seed)
    tensors = {}
    for name, shape in shapes.items():
        values = random.standard_normal(shape)
        if name.endswith("kernel"):
            values = (values * 1.5 / np.sqrt(np.prod(shape[:-1]))).T
        elif name.endswith(("scale", "variance")):
            values = 1.0 + 0.2 * np.abs(values)
        elif name == "toeplitz":
            values = values.reshape(1, 1, -1) / 8.0
        else:
            values = 0.1 * values
        if name == "shift":
            values = np.float32(6.7)
        tensors[names[name]] = np.asarray(values, np.float32)
    for name in ("encoder.layernorm.weight", "encoder.layernorm.bias"):
        if name in tensors:
            tensors[name] = tensors[name][None]
    return {name: one[..., None] if name.startswith("conv") and one.ndim == 3 else one for name, one in tensors.items()}


def pesto_tensors():
    return random_tensors(shapes_of(build_pesto), pesto.NAMES, 21)


def crepe_tensors():
    tensors = random_tensors(shapes_of(build_crepe("tiny")), crepe.names(), 22)
    return tensors | {f"conv{at}_BN.num_batches_tracked": np.int64(0) for at in range(1, 7)}


class FloatStorage:
    pass


class LongStorage:
    pass


def _rebuild_tensor_v2(*_):
    raise AssertionError("only its name is written")


class Storage:
    def __init__(self, values):
        self.values = values


class Tensor:
    """An array as a tensor; what its header says can be changed."""

    def __init__(self, values, offset=0, shape=None, strides=None):
        values = np.asarray(values)
        self.storage = Storage(values.reshape(-1))
        own = tuple(np.cumprod([1, *values.shape[:0:-1]])[::-1].tolist()) if values.ndim else ()
        self.header = (offset, values.shape if shape is None else shape, own if strides is None else strides)

    def __reduce__(self):
        return _rebuild_tensor_v2, (self.storage, *self.header, False, {})


class _Pickler(pickle.Pickler):
    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = []

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        self.storages.append(obj.values)
        kind = LongStorage if obj.values.dtype == np.int64 else FloatStorage
        return "storage", kind, str(len(self.storages) - 1), "cpu", len(obj.values)


@contextlib.contextmanager
def stand_ins():
    """Modules named torch and torch._utils that have the three names; pickle looks them up."""
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    for one, module in ((FloatStorage, "torch"), (LongStorage, "torch"), (_rebuild_tensor_v2, "torch._utils")):
        one.__module__ = module
    sys.modules["torch"], sys.modules["torch._utils"] = types.ModuleType("torch"), types.ModuleType("torch._utils")
    sys.modules["torch"].FloatStorage, sys.modules["torch"].LongStorage = FloatStorage, LongStorage
    sys.modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def checkpoint_bytes(content, root="archive", byteorder=b"little"):
    """The file of what `torch.save(content)` would write; arrays in dicts as tensors."""

    def tensors(one):
        if isinstance(one, dict):
            return {key: tensors(value) for key, value in one.items()}
        return Tensor(one) if isinstance(one, np.ndarray | np.generic) else one

    pickled, file = io.BytesIO(), io.BytesIO()
    with stand_ins():
        pickler = _Pickler(pickled)
        pickler.dump(tensors(content))
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{root}/data.pkl", pickled.getvalue())
        archive.writestr(f"{root}/byteorder", byteorder)
        for at, values in enumerate(pickler.storages):
            archive.writestr(f"{root}/data/{at}", values.tobytes())
    return file.getvalue()


def write_package(folder, package, distribution, file, content):
    """The package's folder as it is installed: returns the folder to give as --package."""
    path = folder / package / file
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "LICENSE").write_text("A licence\n")
    return folder


def kept(activations):
    return np.asarray(activations)[::10, ::9]


def main():
    import torch
    import torchcrepe
    from pesto.data import Preprocessor
    from pesto.model import PESTO, Resnet1d

    def state(tensors):
        return {name: torch.from_numpy(np.array(one)) for name, one in tensors.items()}

    numbers = {}
    with torch.inference_mode():
        audio = torch.from_numpy(waveform())
        encoder = Resnet1d(**PESTO_SETTINGS["hparams"]["encoder"])
        transform = Preprocessor(10.0, 16000, **PESTO_SETTINGS["hcqt_params"])
        model = PESTO(encoder, transform, PESTO_SETTINGS["hparams"]["pitch_shift"]).eval()
        missing = model.load_state_dict(state(pesto_tensors()), strict=False)
        assert all(name.startswith("preprocessor.") for name in missing.missing_keys) and not missing.unexpected_keys
        pitch, confidence, _, activations = model(audio, sr=16000)
        numbers["pesto"] = {"activations": kept(activations), "confidence": confidence[::10], "midi_pitch": pitch[::10]}
        model = torchcrepe.Crepe("tiny").eval()
        model.load_state_dict(state(crepe_tensors()))
        activations = model(torch.cat(list(torchcrepe.preprocess(audio[None], 16000, 160))))
        numbers["crepe"] = {"activations": kept(activations)}
    rounded = {
        model: {name: np.round(np.asarray(one, float), 6).tolist() for name, one in outputs.items()}
        for model, outputs in numbers.items()
    }
    NUMBERS.write_text(json.dumps(rounded) + "\n")


if __name__ == "__main__":
    main()
