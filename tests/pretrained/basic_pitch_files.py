"""An ONNX file like the one that the package basic-pitch ships, with random weights, and a waveform.

Run as a script it writes basic_pitch.json beside it: what onnxruntime computes of the waveform with the random weights
and with the published ones. It needs onnx and onnxruntime, and takes the path of the published nmp.onnx:

    python -m tests.pretrained.basic_pitch_files .../basic_pitch/saved_models/icassp_2022/nmp.onnx
"""

import json
import sys
from pathlib import Path

import numpy as np

from mu.pretrained.basic_pitch import build
from mu.pretrained.sources.basic_pitch import CONSTANTS, FILE, NAMES
from mu.pretrained.values import shapes_of

NUMBERS = Path(__file__).with_name("basic_pitch.json")
# Of each output every tenth frame and the bins of every eighth pitch are kept, among them E4 and C5.
KEPT = {"notes": slice(3, None, 8), "onsets": slice(3, None, 8), "contours": slice(9, None, 24)}
OUTPUTS = {
    "onsets": "StatefulPartitionedCall:2",
    "notes": "StatefulPartitionedCall:1",
    "contours": "StatefulPartitionedCall:0",
}
INPUT = "serving_default_input_2:0"


def waveform(samples=43844, sample_rate_hz=22050):
    """Three notes with partials, one after the other, and noise."""
    random = np.random.default_rng(7)
    time_s = np.arange(samples) / sample_rate_hz
    sound = 0.01 * random.standard_normal(samples)
    for start_s, end_s, hz in ((0.1, 0.7, 220.0), (0.7, 1.3, 329.63), (0.9, 1.9, 523.25)):
        inside = (time_s >= start_s) & (time_s < end_s)
        partials = sum(np.sin(2 * np.pi * hz * n * time_s) / n for n in range(1, 6))
        sound += 0.2 * inside * np.exp(-2.0 * np.maximum(time_s - start_s, 0.0)) * partials
    return sound.astype(np.float32)


def random_tensors(seed=5):
    """{file's name: float32 array, as the file has it}."""
    random = np.random.default_rng(seed)
    tensors = {name: np.asarray(value, np.float32) for name, value in CONSTANTS.items()}
    for name, shape in shapes_of(build).items():
        values = random.standard_normal(shape)
        if name.startswith("constant_q."):
            values = values + 20.0 if name.endswith("scale") else values / 16.0
        elif name.endswith("kernel"):
            values = (values * 2.0 / np.sqrt(np.prod(shape[:-1]))).transpose(3, 2, 0, 1)
        tensors[NAMES[name]] = values.astype(np.float32)
    return tensors


def varint(number):
    groups = [number & 0x7F]
    while number := number >> 7:
        groups[-1] |= 0x80
        groups.append(number & 0x7F)
    return bytes(groups)


def field(number, content):
    """A field of a message: of a number, or of bytes."""
    if isinstance(content, int):
        return varint(8 * number) + varint(content)
    return varint(8 * number + 2) + varint(len(content)) + content


def onnx_bytes(tensors):
    """A file with these initialisers, one of them of whole numbers, and no nodes."""
    graph = field(5, field(1, 1) + field(2, 7) + field(8, b"axes") + field(9, bytes(8)))
    for name, values in tensors.items():
        dims = b"".join(field(1, size) for size in values.shape)
        graph += field(5, dims + field(2, 1) + field(8, name.encode()) + field(9, values.astype("<f4").tobytes()))
    return field(1, 8) + field(7, graph)


def write_package(folder, tensors):
    """The package's folder as it is installed: returns the folder to give as --package."""
    file = folder / "basic_pitch" / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(onnx_bytes(tensors))
    info = folder / "basic_pitch-0.4.0.dist-info"
    info.mkdir()
    (info / "LICENSE").write_text("Apache License\n")
    (info / "NOTICE").write_text("Basic Pitch\n")
    return folder


def kept(outputs):
    return {name: np.asarray(outputs[name])[0, ::10, bins] for name, bins in KEPT.items()}


def main(path):
    import onnx
    import onnxruntime

    numbers = {}
    for weights in ("random", "published"):
        model = onnx.load(path)
        if weights == "random":
            tensors = random_tensors()
            for one in model.graph.initializer:
                if one.name in NAMES.values():
                    shape = onnx.numpy_helper.to_array(one).shape
                    one.CopyFrom(onnx.numpy_helper.from_array(tensors[one.name].reshape(shape), one.name))
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        values = session.run(list(OUTPUTS.values()), {INPUT: waveform()[None, :, None]})
        outputs = kept(dict(zip(OUTPUTS, values, strict=True)))
        numbers[weights] = {name: np.round(one.astype(float), 6).tolist() for name, one in outputs.items()}
    NUMBERS.write_text(json.dumps(numbers) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
