"""A run, a library and its embeddings, for all tests of embeddings."""

import json
import os
import shutil

import pytest

from mu.embedding.run import embed
from mu.files import read_json
from tests.helpers.audio_clips import tiny_audio_config
from tests.helpers.embeddings import FILES, SECONDS, encoder_of, imported
from tests.helpers.tiny_runs import train


@pytest.fixture(autouse=True)
def restored_runs(monkeypatch):
    """A run is restored once for all tests."""
    monkeypatch.setattr("mu.embedding.opening.of_run", encoder_of)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run on tones, of 0.5 s tiles at 4,000 Hz."""
    folder = tmp_path_factory.mktemp("run")
    train(tiny_audio_config(total_steps=2, evaluate_every_steps=2), folder)
    return folder


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """An import of seven files, one of them FLAC."""
    return imported(tmp_path_factory.mktemp("library"), SECONDS)


@pytest.fixture
def library(original, tmp_path):
    """A copy of it that a test may spoil: its card vouches for nothing."""
    folder = tmp_path / "library" / "import"
    shutil.copytree(original.parent, folder.parent)
    card = read_json(folder / "card.json")
    del card["clips_sha256"]
    (folder / "card.json").write_text(json.dumps(card | {"root": str(folder.parent / "audio")}))
    return folder


@pytest.fixture(scope="session")
def whole(run, original, tmp_path_factory):
    """The embeddings of all, made in one go."""
    folder = tmp_path_factory.mktemp("whole") / "embeddings"
    report = embed(run, original, folder, licence="made for a test")
    assert (report.new, report.known, report.faults, report.missing) == (7, 0, (), ())
    assert report.hours == pytest.approx(sum(SECONDS.values()) / 3600)
    assert sorted(os.listdir(folder)) == sorted(FILES)
    return folder
