"""A published architecture gives what its own implementation gives, from the sound to the vector."""

import json

import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from mu.models.pretrained_front_end import PretrainedFrontEnd
from mu.pretrained.folder import load
from tests.pretrained.make_reference import EXPECTED, FOLDER, expected, extractor, model, waveforms


def batch(tile_samples):
    """The waveforms as tiles."""
    audio = np.zeros((2, tile_samples), np.float32)
    for row, sound in zip(audio, waveforms(), strict=True):
        row[: len(sound)] = sound
    return {"audio": audio, "samples": np.array([len(sound) for sound in waveforms()], np.int32)}


@pytest.fixture(scope="module")
def reference():
    return load_file(FOLDER / EXPECTED)


@pytest.fixture(scope="module")
def outputs():
    """(front end's output, the model's) for the waveforms."""
    made = load(FOLDER)
    built, inputs = nnx.merge(made.graph, made.params), batch(made.tile_samples)
    return np.asarray(built.front_end(inputs["audio"], inputs["samples"])), built({}, inputs)


def test_the_front_end(outputs, reference):
    assert np.ptp(reference["input_values"]) > 1
    np.testing.assert_allclose(outputs[0], reference["input_values"], atol=5e-5)


def test_the_vector_and_the_frames(outputs, reference):
    np.testing.assert_allclose(outputs[1]["clip"], reference["pooler_output"], atol=5e-5)
    patches = reference["last_hidden_state"][:, 2:].reshape(2, 2, 5, 24)  # 2 bands, 5 steps
    np.testing.assert_allclose(outputs[1]["frames"], patches.mean(axis=1), atol=5e-5)


def test_what_follows_the_end_of_a_recording_changes_nothing():
    made = load(FOLDER)
    built, inputs = nnx.merge(made.graph, made.params), batch(made.tile_samples)
    silent = np.asarray(built.front_end(inputs["audio"], inputs["samples"]))
    inputs["audio"][1, inputs["samples"][1] :] = 1.0
    np.testing.assert_array_equal(built.front_end(inputs["audio"], inputs["samples"]), silent)
    shortest = built.front_end(inputs["audio"], np.array([1, 1], np.int32))
    assert [len(np.unique(row)) > 1 for row in np.asarray(shortest[0])] == [True] + [False] * 63


def test_the_committed_numbers_are_those_of_transformers(reference, tmp_path):
    """Where PyTorch and Transformers are installed, the reference is made again."""
    pytest.importorskip("torch", reason="the reference is checked where PyTorch is installed")
    pytest.importorskip("transformers", reason="the reference is checked where Transformers is installed")
    made = model()
    made.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == (FOLDER / "model.safetensors").read_bytes()
    for name, value in expected(made, extractor()).items():
        np.testing.assert_allclose(value, reference[name], atol=1e-5)


def test_weights_without_a_head_have_shorter_names(tmp_path, outputs):
    prefix = "audio_spectrogram_transformer."
    weights = load_file(FOLDER / "model.safetensors")
    bare = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    for name in ("config.json", "preprocessor_config.json", "README.md"):
        (tmp_path / name).write_text((FOLDER / name).read_text())
    save_file(bare, tmp_path / "model.safetensors")
    made = load(tmp_path)
    inputs = batch(made.tile_samples)
    np.testing.assert_array_equal(nnx.merge(made.graph, made.params)({}, inputs)["clip"], outputs[1]["clip"])


def test_the_front_end_of_maest():
    """librosa's mel spectrogram, compressed as its authors say, for a whole tile and a short one."""
    front_end = PretrainedFrontEnd("log_compressed", 16_000, 96, 626, 2.0, 1.25)
    assert front_end.tile_samples == 160_000
    audio = np.zeros((2, 160_000), np.float32)
    sounds = [waveforms()[0], np.resize(waveforms()[0], 160_000)]
    for row, sound in zip(audio, sounds, strict=True):
        row[: len(sound)] = sound
    values = front_end(jnp.asarray(audio), jnp.asarray([len(sound) for sound in sounds], jnp.int32))
    assert values.shape == (2, 626, 96)
    for row, sound in zip(values, sounds, strict=True):
        mel = librosa.feature.melspectrogram(
            y=sound, sr=16_000, n_fft=512, hop_length=256, n_mels=96, center=True, pad_mode="constant"
        )
        frames = np.zeros((626, 96))
        frames[: mel.shape[1]] = np.log10(1 + 10_000 * mel.T)
        np.testing.assert_allclose(row, (frames - 2.0) / 2.5, atol=1e-4)


def test_a_folder_of_maest_is_read_with_its_front_end(tmp_path):
    for name in ("config.json", "model.safetensors", "README.md"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    settings = json.loads((FOLDER / "preprocessor_config.json").read_text())
    own = {
        "n_fft": 512,
        "hop_length": 256,
        "log_compression": "logC",
        "feature_extractor_type": "MAESTFeatureExtractor",
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings | own))
    made = load(tmp_path)
    assert made.options["front_end"]["kind"] == "log_compressed" and made.tile_samples == 63 * 256
