"""What a run keeps of its data: a run on clips is opened, embeds and predicts when they are gone."""

import dataclasses
import json
import shutil

import numpy as np
import polars as pl
import pytest

from mu.data.batches.histories import HistoryBatches
from mu.data.clips.clips import load
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.data.features import HistoryFeatures
from mu.data.logs.interactions import load as load_log
from mu.embedding.encoder import of_run
from mu.files import write_json
from mu.run.build import build_run
from mu.run.evaluation import model_of
from mu.run.initialise import initialise
from mu.run.restore import open_run
from mu.run.saved_inputs import CARD, INFERENCE, has_inputs, load_inputs, save_inputs
from mu.training.checkpoint import Checkpoints
from mu.training.provenance import provenance
from mu.training.state import weights
from tests.helpers.audio_clips import RATE_HZ, tiny_audio_config
from tests.helpers.audio_files import sound, write
from tests.helpers.tiny_runs import one_device, write_log

TARGETS = {"classes": ("kind",), "tags": ("tags",), "numbers": ("level",)}


def write_library(folder, names):
    """An import of clips of 0.6 s with a class, tags and a number each; returns its folder."""
    folder.mkdir()
    for place, name in enumerate(names):
        write(folder / f"{name}.wav", sound(0.6, RATE_HZ, seed=place), RATE_HZ)
    listed = {
        "file": [f"{name}.wav" for name in names],
        "kind": [("low", "high")[place % 2] for place in range(len(names))],
        "tags": [("calm", "calm|loud", "loud")[place % 3] for place in range(len(names))],
        "level": [place / 4 for place in range(len(names))],
    }
    pl.DataFrame(listed).write_csv(folder / "listed.csv")
    import_audio(str(folder / "listed.csv"), folder / "import", AudioImportOptions(workers=1))
    return folder / "import"


def write_run(folder, config, run, state):
    """What a run leaves, here without a step."""
    checkpoints = Checkpoints(folder / "checkpoints", writes=True)
    checkpoints.save(1, state, {"split": run.split.hash, "progress": {"best_step": 1}})
    checkpoints.close()
    write_json(folder / "config.json", json.loads(config.to_json()))
    write_json(folder / "run.json", provenance(run.mesh))
    save_inputs(folder, run.split.hash, run.data, run.train, run.batches)


def test_a_run_on_clips_predicts_new_files_when_its_clips_are_gone(tmp_path):
    """The same bits as with its data; and a run that has kept nothing says what to do."""
    library = write_library(tmp_path / "library", [f"clip{place:02d}" for place in range(16)])
    new = write_library(tmp_path / "new", ["one", "two", "three"])
    data = {"name": "mu.data.clips.clips:load", "path": str(library), "sample_rate_hz": RATE_HZ, **TARGETS}
    split = {"name": "mu.data.clips.folds:by_hash", "n_folds": 4, "fold": 0, "stratify": "kind"}
    config = tiny_audio_config(data=data, split=split)
    built, files = build_run(config, one_device()), load(new, sample_rate_hz=RATE_HZ)
    state = initialise(built)
    expected = model_of(built, *weights(state)).predict(files)
    write_run(tmp_path / "run", config, built, state)
    shutil.rmtree(tmp_path / "library")
    run = open_run(tmp_path / "run")
    predicted = run.predictor().predict(files)
    assert set(predicted) == {"clip", "kind", "tags", "numbers"} == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(predicted[name], values)
    encoder, _ = of_run(tmp_path / "run")
    assert (encoder.sample_rate_hz, encoder.tile_samples) == (RATE_HZ, run.crop_samples) == (RATE_HZ, RATE_HZ // 2)
    assert run.clips.hash() == built.train.hash()
    with pytest.raises(ValueError, match="is a run on clips, not on a log of plays"):
        run.recommender()
    with pytest.raises(FileNotFoundError, match="is needed and cannot be opened"):
        run.open_split()
    shutil.rmtree(tmp_path / "run" / INFERENCE)
    with pytest.raises(FileNotFoundError, match=r"keeps nothing of its data.*train the run again"):
        open_run(tmp_path / "run")


@dataclasses.dataclass(frozen=True, eq=False)
class Faulty(HistoryFeatures):
    """Features that cannot be written to the end."""

    def save(self, folder):
        super().save(folder)
        raise OSError("no space left")


def test_inputs_are_saved_whole_or_not_at_all(tmp_path):
    data = load_log(write_log(tmp_path))
    batches = HistoryBatches(data, window=8, rows=8, negatives=4, threads=1, sparse=False, seed=0)
    assert not has_inputs(tmp_path, "a split")
    save_inputs(tmp_path, "a split", data, data, batches)
    assert has_inputs(tmp_path, "a split") and not has_inputs(tmp_path, "another")
    batches.features = Faulty(window=3)
    with pytest.raises(OSError, match="no space left"):
        save_inputs(tmp_path, "another", data, data, batches)
    assert has_inputs(tmp_path, "a split") and load_inputs(tmp_path).features.window == 8


def test_features_that_could_not_be_found_again_are_refused(tmp_path):
    class Local(HistoryFeatures):
        pass

    data = load_log(write_log(tmp_path))
    batches = HistoryBatches(data, window=8, rows=8, negatives=4, threads=1, sparse=False, seed=0)
    batches.features = Local(window=8)
    with pytest.raises(ValueError, match=r"<locals>\.Local cannot be imported by that path: move the class"):
        save_inputs(tmp_path, "a split", data, data, batches)
    assert not (tmp_path / INFERENCE).exists()


def test_a_class_that_is_gone_is_named(tmp_path):
    (tmp_path / INFERENCE).mkdir()
    write_json(tmp_path / INFERENCE / CARD, {"split": "a split", "features": "mu.data.features:HistoryFeature"})
    with pytest.raises(ValueError, match=r"card.json names 'mu.data.features:HistoryFeature' .*HistoryFeatures"):
        load_inputs(tmp_path)
