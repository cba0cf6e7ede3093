"""MusiCNN's weights in Flax give what the package `musicnn` gives with TensorFlow, where the package's files are."""

import importlib.util

import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file

from mu.commands.import_weights import main
from mu.pretrained.folder import load
from tests.pretrained.make_musicnn_reference import EXPECTED, MODELS, waveform


@pytest.fixture(scope="module")
def reference():
    return load_file(EXPECTED)


@pytest.mark.parametrize("weights", MODELS)
def test_equal_to_the_package(weights, reference, tmp_path):
    """From the waveform: the pools of all layers, the vector and the tags' probabilities."""
    if importlib.util.find_spec("musicnn") is None:
        pytest.skip("the files of musicnn are not here: `make test-references` installs them")
    assert main(["musicnn", str(tmp_path / "out"), f"--weights={weights}"]) == 0
    made = load(tmp_path / "out")
    model, sound = nnx.merge(made.graph, made.params), waveform()[None]
    samples = np.array([sound.shape[1]], np.int32)
    spectrogram = model.front_end(sound, samples)
    np.testing.assert_allclose(spectrogram[0].mean(axis=0), reference["spectrogram"], atol=1e-5)
    outputs = model.encode(spectrogram)
    assert len(made.options["tags"]) == 50 and len(set(made.options["tags"])) == 50
    assert np.max(outputs["tags"]) > 0.2
    for name in ("tags", "penultimate", "mean_pool", "max_pool"):
        expected = reference[f"{weights}/{name}"]
        atol = 1e-4 if name != "max_pool" else 1e-5 * float(np.max(expected))  # of sums up to 100
        np.testing.assert_allclose(outputs[name][0], expected, atol=atol, err_msg=name)
