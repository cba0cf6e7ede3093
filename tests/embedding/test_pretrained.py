"""`mu embed` and `mu probe` with a published encoder, as with one's own."""

import json

import numpy as np
import pytest

from mu.audio import io
from mu.commands import embed as embed_command
from mu.commands import import_weights as import_command
from mu.commands import probe as probe_command
from mu.data.embeddings import load
from mu.embedding import encoder as encoders
from tests.helpers import musicnn_package
from tests.helpers.embeddings import FILES
from tests.pretrained.make_reference import FOLDER


@pytest.fixture(scope="module")
def embeddings(original, tmp_path_factory):
    """The folder of embeddings, made by the command."""
    folder = tmp_path_factory.mktemp("published") / "embeddings"
    assert embed_command.main([str(FOLDER), str(original), f"--output={folder}", "--licence=made for a test"]) == 0
    return folder


def test_the_folder_and_its_card(embeddings):
    assert sorted(path.name for path in embeddings.iterdir()) == sorted(FILES)
    whole = load(embeddings)
    assert whole.vectors.shape == (7, 24)
    encoder = whole.card["encoder"]
    assert encoder["licence"] == {"name": "cc0-1.0", "link": None, "file": "README.md"}
    assert encoder["model"]["front_end"]["kind"] == "kaldi" and encoder["sample_rate_hz"] == 16_000
    assert encoder["step"] is None and encoder["trained_on"] == {"recordings": None}
    assert "terms of its weights" in whole.card["licence"]["terms"]


def test_a_vector_is_the_encoders_of_the_file(embeddings, original):
    """A recording of less than a tile: one vector of the encoder, of the file at the encoder's rate."""
    encoder, _ = encoders.of_pretrained(FOLDER)
    assert encoder.at_once == 1 and not encoder.alone
    whole = load(embeddings)
    row = whole.table.filter(whole.table["clip"].str.starts_with("a"))["row"][0]
    sound, _ = io.read(original.parent / "audio" / "a.wav", sample_rate_hz=16_000)
    audio = np.zeros((1, encoder.tile_samples), np.float32)
    audio[0, : len(sound)] = sound
    expected = encoder.vectors(audio, np.array([len(sound)], np.int32))[0]
    np.testing.assert_allclose(whole.vectors[row], expected, atol=1e-5)


def test_the_licence_is_printed_and_other_encoders_are_refused(embeddings, original, run, tmp_path, capsys):
    again = [str(FOLDER), str(original), f"--output={embeddings}"]
    assert embed_command.main(again) == 0
    printed = capsys.readouterr().out
    assert "0 recordings embedded" in printed and "The encoder's weights are under cc0-1.0 (README.md)" in printed
    assert embed_command.main([str(run), str(original), f"--output={embeddings}"]) == 1
    assert "tiny_ast, weights under cc0-1.0, hash" in capsys.readouterr().err
    assert embed_command.main([str(tmp_path / "model.safetensors"), str(original), f"--output={tmp_path / 'x'}"]) != 0
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert embed_command.main([str(tmp_path / "model.safetensors"), str(original), f"--output={tmp_path / 'x'}"]) == 1
    assert "give the folder" in capsys.readouterr().err


def test_a_probe_names_it(embeddings, original, tmp_path, capsys):
    arguments = [str(embeddings), f"--library={original}", "--numbers=duration_s", "--folds=3"]
    status = probe_command.main([*arguments, f"--output={tmp_path / 'probe'}"])
    printed = capsys.readouterr()
    assert status == 0, printed.err
    assert "tiny_ast, weights under cc0-1.0" in printed.out and "is not known: it may know these clips" in printed.out
    saved = json.loads((tmp_path / "probe" / "probe.json").read_text())
    assert saved["encoder"]["licence"]["name"] == "cc0-1.0"


def test_weights_that_a_package_ships(original, tmp_path):
    """From the package to the vectors: by two commands, with the tags' names and the licence on the card."""
    site = musicnn_package.write(tmp_path / "site", musicnn_package.tensors())
    assert import_command.main(["musicnn", str(tmp_path / "musicnn"), f"--package={site}"]) == 0
    folder = tmp_path / "embeddings"
    assert embed_command.main([str(tmp_path / "musicnn"), str(original), f"--output={folder}"]) == 0
    whole = load(folder)
    assert whole.vectors.shape == (7, 200 + 753) and np.isfinite(whole.vectors).all()
    assert len(np.unique(whole.vectors, axis=0)) == 7
    encoder = whole.card["encoder"]
    assert encoder["licence"]["name"] == "isc" and encoder["tile_samples"] == 187 * 256
    assert encoder["model"]["tags"] == list(musicnn_package.TAGS) and encoder["model"]["model_type"] == "musicnn"
