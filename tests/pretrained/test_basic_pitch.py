"""Basic Pitch equals onnxruntime; its file is read whole or refused; the folder that is made can be loaded."""

import importlib.util
import json

import jax
import numpy as np
import pytest
from flax import nnx

from mu.models.basic_pitch import harmonic_stack
from mu.pretrained.folder import load
from mu.pretrained.importing import import_weights
from mu.pretrained.onnx_weights import read_floats
from mu.pretrained.sources.basic_pitch import CONSTANTS, NAMES
from tests.pretrained.basic_pitch_files import NUMBERS, field, kept, onnx_bytes, random_tensors, waveform, write_package

BIAS = NAMES["onsets.bias"]


def outputs(folder, audio, samples=None):
    made = load(folder)
    samples = np.full(len(audio), audio.shape[1], np.int32) if samples is None else samples
    run = jax.jit(lambda params, batch: nnx.merge(made.graph, params)({}, batch))
    return jax.device_get(run(made.params, {"audio": audio, "samples": samples}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of random weights, imported from a file like the package's."""
    root = tmp_path_factory.mktemp("basic_pitch")
    import_weights("basic-pitch", root / "made", package=write_package(root / "package", random_tensors()))
    return root / "made"


def test_equals_its_reference_with_random_weights(folder):
    reference = json.loads(NUMBERS.read_text())["random"]
    made = outputs(folder, waveform()[None])
    for name, values in kept(made).items():
        assert np.ptp(reference[name]) > 0.2
        np.testing.assert_allclose(values, reference[name], atol=1e-4)
    assert made["notes"].shape == made["onsets"].shape == (1, 172, 88) and made["contours"].shape == (1, 172, 264)


def test_equals_its_reference_with_the_published_weights(tmp_path):
    if importlib.util.find_spec("basic_pitch") is None:
        pytest.skip("the package basic-pitch is not installed: `make test-references` installs its files")
    import_weights("basic-pitch", tmp_path / "made")
    reference = json.loads(NUMBERS.read_text())["published"]
    for name, values in kept(outputs(tmp_path / "made", waveform()[None])).items():
        np.testing.assert_allclose(values, reference[name], atol=1e-4)


def test_the_clip_is_the_mean_of_frames_with_sound(folder):
    audio, samples = np.stack([waveform()] * 3), np.array([43844, 2560, 0], np.int32)
    made = outputs(folder, audio, samples)
    for clip, frame, count in zip(made["clip"], made["frames"], (172, 10, 1), strict=True):
        np.testing.assert_allclose(clip, frame[:count].mean(0), rtol=1e-5)


def test_silence_is_finite(folder):
    assert all(np.isfinite(values).all() for values in outputs(folder, np.zeros((1, 43844), np.float32)).values())


def test_harmonics_stand_side_by_side():
    bins = np.arange(1.0, 310.0, dtype=np.float32)[None, None]
    stack = np.asarray(harmonic_stack(bins))[0, 0]
    assert stack.shape == (264, 8)
    assert stack[40].tolist() == [5, 41, 77, 98, 113, 125, 134, 142]
    assert stack[0, 0] == 0 and stack[263].tolist() == [228, 264, 300, 0, 0, 0, 0, 0]


def test_licence_and_notice_are_carried_along(folder):
    assert load(folder).licence["name"] == "apache-2.0"
    assert (folder / "LICENSE").read_text() == "Apache License\n" and (folder / "NOTICE").read_text() == "Basic Pitch\n"


def without(name):
    tensors = random_tensors()
    del tensors[name]
    return onnx_bytes(tensors)


def changed(name, values):
    return onnx_bytes({**random_tensors(), name: np.asarray(values, np.float32)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (onnx_bytes(random_tensors())[:-9], "nmp.onnx is no whole ONNX file .it ends at byte"),
        (b"not a model", "nmp.onnx is no whole ONNX file"),
        (without("const_fold_opt__655"), r"lacks 1 of the model's 18 tensors: const_fold_opt__655 \[36, 256\]"),
        (changed("const_fold_opt__702", np.zeros((1, 16, 7, 3))), r"const_fold_opt__702 is \[7, 3, 16, 1\] where"),
        (changed("const_fold_opt__703", [1]), "holds 1 tensors that the model does not have: const_fold_opt__703"),
        (changed(BIAS, [np.nan]), "holds numbers that are not finite"),
        (changed(next(iter(CONSTANTS)), 1e-6), r"normalized_log_1/add/y is 1e-06, and what mu computes with is 1e-10"),
    ],
)
def test_other_files_are_refused(content, message, tmp_path):
    package = write_package(tmp_path / "package", {})
    (package / "basic_pitch/saved_models/icassp_2022/nmp.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        import_weights("basic-pitch", tmp_path / "made", package=package)
    assert not (tmp_path / "made").exists()


def test_weights_in_another_file_are_refused():
    tensor = field(1, 2) + field(2, 1) + field(8, b"far") + field(14, 1)
    with pytest.raises(ValueError, match="the weights far lie in another file"):
        read_floats(field(7, field(5, tensor)), "model.onnx")
