"""A run that has learnt tones beside their names tells them by name, and finds recordings by words."""

import json

import numpy as np
import pytest

from mu.commands.search import main
from mu.data import embeddings as table
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.embedding.run import embed
from mu.embedding.text_search import search
from mu.protocols import LearnsIntent
from tests.helpers.audio_clips import PITCHES_HZ, RATE_HZ, tiny_audio_config
from tests.helpers.audio_files import write
from tests.helpers.tiny_runs import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(run, its results): sound beside the names of pitches."""
    data = {"name": "tests.helpers.audio_clips:load_tones", "texts": ("pitch",)}
    task = {"name": "mu.tasks.audio_text:AudioText", "projection": 16, "text_dim": 8}
    folder = tmp_path_factory.mktemp("text") / "run"
    return folder, train(tiny_audio_config(data=data, task=task, total_steps=60, evaluate_every_steps=60), folder)


@pytest.fixture(scope="module")
def embeddings(trained, tmp_path_factory):
    """Of a tone of each pitch, one of them twice."""
    folder = tmp_path_factory.mktemp("library")
    seconds = np.arange(RATE_HZ) / RATE_HZ
    for name, pitch in {"a": "high", "b": "low", "c": "middle", "d": "low"}.items():
        write(folder / "audio" / f"{name}.wav", 0.3 * np.sin(2 * np.pi * PITCHES_HZ[pitch] * seconds), RATE_HZ)
    import_audio(str(folder / "audio"), folder / "import", AudioImportOptions(workers=1))
    embed(trained[0], folder / "import", folder / "embeddings")
    return folder / "embeddings"


def test_classes_are_told_by_their_names_alone(trained):
    assert trained[1]["clips"]["model"].values()["pitch/accuracy"] > 0.8


@pytest.mark.parametrize(("text", "clip"), [("High!", "a.wav"), ("a low one", "b.wav"), ("middles", "c.wav")])
def test_words_find_the_recording_that_fits(embeddings, text, clip):
    best, *others = search(table.load(embeddings), text, 10)
    assert best.clip == clip and len(others) == 2  # b and d are one sound
    assert 1 >= best.cosine > others[0].cosine > others[1].cosine >= -1


def test_the_command_says_what_it_found(embeddings, capsys):
    assert main([str(embeddings), "low", "--k=2", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["rank"] for line in lines] == [1, 2] and lines[0]["clip"] == "b.wav"
    assert main([str(embeddings), "low"]) == 0
    assert "b.wav" in capsys.readouterr().out.splitlines()[2]


def test_what_cannot_be_searched_says_why(embeddings, capsys, monkeypatch):
    for arguments, message in (
        ([str(embeddings), "..."], "'...' has no word to search for"),
        ([str(embeddings / "none"), "low"], "no embeddings at"),
    ):
        assert main(arguments) == 1
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([str(embeddings), "low", "--k=0"])
    monkeypatch.setattr("mu.embedding.text_search.DeclaresText", LearnsIntent)  # another ability, which it lacks
    with pytest.raises(
        ValueError, match=r"has learnt no words: train it with task.name='mu.tasks.audio_text:AudioText'"
    ):
        search(table.load(embeddings), "low", 1)
    monkeypatch.undo()
    changed = table.load(embeddings)
    changed.card["encoder"]["hash"] = "0" * 64
    with pytest.raises(ValueError, match="has learnt on since the library was embedded: embed it again"):
        search(changed, "low", 1)
