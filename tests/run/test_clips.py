"""Audio runs from config to report: they learn, stop and go on bit for bit, and give the same on any mesh."""

import functools
from typing import Any

import jax
import numpy as np
import pytest

from mu.config.base import ConfigError
from mu.data.loader import loader
from mu.evals.results import load
from mu.run.build import build_run
from mu.run.evaluation import model_of
from mu.run.initialise import initialise
from mu.run.rebuild import rebuild
from mu.training.sharding import make_mesh, put_batch
from mu.training.state import weights
from tests.helpers.audio_clips import tiny_audio_config
from tests.helpers.tiny_runs import Breaking, assert_same_run, logged, one_device, train

BREAKING = ("tests.helpers.tiny_runs:Breaking",)
# Of sound and of spectrograms; each augmentation has laws of its own (tests/audio/test_augment.py), and all together
# take longer to compile than the model.
AUGMENT = {
    "name": "mu.tasks.augmentations:Augmentations",
    "speed": (0.9, 1.1),
    "noise_snr_db": (10.0, 30.0),
    "time_masks": 1,
}
MASKED = {"task": {"name": "mu.tasks.masked:MaskedSpectrogram"}, "best__metric": "valid/negative_loss"}
ALL_TARGETS = {"name": "tests.helpers.audio_clips:load_tones", "targets": ("pitch", "tags", "numbers")}


@pytest.mark.slow  # tests/run/test_train.py and test_plays_and_clips.py hold the law for runs without and with sound
def test_a_run_learns_to_tell_pitches_and_stops_and_goes_on_bit_for_bit(tmp_path, monkeypatch):
    options = {"task__augment": AUGMENT, "task__mixup_alpha": 0.2, "total_steps": 12}
    results = train(tiny_audio_config(**options), tmp_path / "unbroken")
    lines = logged(tmp_path / "unbroken")
    assert [line["step"] for line in lines if "valid/clips/pitch/accuracy" in line] == [6, 12]
    assert (
        set(results["clips"]) == {"model"} and (tmp_path / "unbroken" / "evaluation" / "clips" / "units.npz").is_file()
    )
    monkeypatch.setattr(Breaking, "at", 8)  # past a checkpoint and an evaluation
    monkeypatch.setattr(Breaking, "what", staticmethod(lambda: (_ for _ in ()).throw(OSError("no space left"))))
    with pytest.raises(OSError, match="no space left"):
        train(tiny_audio_config(writers=BREAKING, **options), tmp_path / "broken")
    again = train(tiny_audio_config(**options), tmp_path / "broken")
    assert_same_run(tmp_path / "broken", tmp_path / "unbroken")
    assert again["clips"]["model"].values() == results["clips"]["model"].values()


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """(folder, results) of a run on all targets."""
    folder = tmp_path_factory.mktemp("tones")
    results = train(
        tiny_audio_config(
            data=ALL_TARGETS,
            model__normalisation="none",  # the level is to be told
            total_steps=60,
            evaluate_every_steps=30,
            baselines={"mfcc_linear": {"name": "mu.baselines.mfcc:MFCCLinear"}},
        ),
        folder,
    )
    return folder, results["clips"]


def test_tones_are_learnt_beside_the_baseline(tones):
    """A known answer: three pitches, told apart by anything that hears; and the restored weights are those tested."""
    folder, results = tones
    assert [line["step"] for line in logged(folder) if "valid/clips/pitch/accuracy" in line] == [30, 60]
    for result in results.values():
        assert result.values()["pitch/accuracy"] == 1.0 and result.values()["tags/roc_auc"] > 0.9
    assert results["model"].values()["numbers/pearson"] > 0.5
    restored = rebuild(folder)
    setup, state, step = restored.run, restored.state, restored.step
    test = setup.split.test
    predicted = model_of(setup, *weights(state)).predict(test)
    np.testing.assert_allclose(predicted["pitch"], results["model"].arrays["pitch/scores"], rtol=1e-5)
    np.testing.assert_allclose(predicted["pitch"].sum(axis=1), 1.0, rtol=1e-5)
    saved = load(folder)
    assert saved.card["step"] == step and saved.results["model"].values() == results["model"].values()


def test_predictions_do_not_depend_on_what_else_is_predicted(tones):
    restored = rebuild(tones[0])
    setup, state = restored.run, restored.state
    data: Any = setup.data
    whole = model_of(setup, *weights(state)).predict(data)
    rows = np.array([40, 3, 17])
    some = model_of(setup, *weights(state)).predict(data.take(rows))
    np.testing.assert_array_equal(some["clip"], whole["clip"][rows])


def assert_lowers_the_loss(folder):
    values = [line["valid/negative_loss"] for line in logged(folder) if "valid/negative_loss" in line]
    losses = [line["loss"] for line in logged(folder) if "loss" in line]
    assert len(values) == 2 and np.mean(losses[-5:]) < np.mean(losses[:5])


def test_contrastive_learning_lowers_the_loss(tmp_path, caplog):
    caplog.set_level("INFO")
    task = {"name": "mu.tasks.contrastive:Contrastive", "projection": 8}
    config = tiny_audio_config(
        task=task, batches__crops=2, total_steps=30, evaluate_every_steps=15, best__metric="valid/negative_loss"
    )
    assert train(config, tmp_path) == {}
    assert_lowers_the_loss(tmp_path)
    assert "the task's loss" in caplog.text


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """A run of a transformer without labels."""
    folder = tmp_path_factory.mktemp("masked")
    assert (
        train(tiny_audio_config(model__trunk="transformer", total_steps=30, evaluate_every_steps=15, **MASKED), folder)
        == {}
    )
    return folder


def test_masked_modelling_lowers_the_loss(masked):
    assert_lowers_the_loss(masked)


@pytest.mark.slow  # the tasks' losses are known in tests/tasks
@pytest.mark.parametrize("task", ["masked_tokens:MaskedTokens", "joint_embedding:JointEmbedding"])
def test_other_tasks_without_labels_lower_the_loss(task, tmp_path):
    task = {"name": f"mu.tasks.{task}", "span_frames": 1}
    options = {"task": task, "best__metric": "valid/negative_loss", "ema_decay": 0.9}
    assert train(tiny_audio_config(total_steps=30, evaluate_every_steps=15, **options), tmp_path) == {}
    assert_lowers_the_loss(tmp_path)


def test_what_was_learnt_without_labels_is_where_another_run_starts(masked, tmp_path):
    learnt, options = rebuild(masked).state, {"model__trunk": "transformer"}
    state = initialise(build_run(tiny_audio_config(**options), one_device()))
    options["init_from"] = str(masked)
    started = initialise(build_run(tiny_audio_config(**options), one_device()))
    for name in ("trunk", "pooling"):
        jax.tree.map(np.testing.assert_array_equal, started["params"]["model"][name], learnt["ema"]["model"][name])
    jax.tree.map(np.testing.assert_array_equal, started["params"]["model"]["heads"], state["params"]["model"]["heads"])
    for changes, message in (
        ({"model__n_mels": 16, "model__size": "s"}, r"another model.*\n.*n_mels"),
        ({"model__hop_s": 0.01}, r"another model.*\n.*hop_s"),
        ({"split__fold": 2}, r"has learnt from \d+ of the clips that this run is tested on.* \('[\w.]+' is one\)"),
    ):
        with pytest.raises(ConfigError, match=message):
            train(tiny_audio_config(**options, **changes), tmp_path)


def test_clips_need_a_predictor():
    """The default recommends tracks to listeners."""
    config = tiny_audio_config(recommender={"name": "mu.inference.recommender:TrainedRecommender"})
    with pytest.raises(
        ConfigError, match=r"and the examples of mu\.data\.batches\.clips:ClipBatches are clips .* set rec"
    ):
        build_run(config, one_device())


def test_what_looks_across_a_batch_cannot_be_accumulated(tmp_path):
    with pytest.raises(ConfigError, match=r"gradient_accumulation_steps=2: the model has a batch norm"):
        train(tiny_audio_config(gradient_accumulation_steps=2), tmp_path)
    contrastive = {"name": "mu.tasks.contrastive:Contrastive"}
    with pytest.raises(ConfigError, match=r"gradient_accumulation_steps=2: mu\.tasks\.contrastive"):
        train(
            tiny_audio_config(gradient_accumulation_steps=2, task=contrastive, best__metric="valid/negative_loss"),
            tmp_path,
        )


def test_masked_modelling_leaves_the_clip_vectors_statistics_alone():
    setup = build_run(tiny_audio_config(**MASKED), one_device())
    state, _ = setup.step(initialise(setup), put_batch(next(loader(setup.batches, 0)), setup.mesh))
    assert float(state["stats"]["clip_norm"]["count"]) == 0


@pytest.mark.slow  # tests/models/test_audio_user.py and tests/training hold the law for other models
def test_several_tasks_give_on_eight_devices_what_they_give_on_one():
    """Batch statistics and contrasts included: both are taken over the whole batch, wherever it lies."""
    tasks = {
        "understand": {"name": "mu.tasks.clip_targets:ClipTargets"},
        "contrast": {"name": "mu.tasks.contrastive:Contrastive", "projection": 8},
    }
    task = {"name": "mu.tasks.multi_task:MultiTask", "tasks": tasks, "weights": {"contrast": 0.5}}
    config = tiny_audio_config(task=task, batches__crops=2, batches__clips_per_batch=16)
    outcomes = []
    for devices in (1, 8):
        setup = build_run(config, make_mesh(devices=jax.devices()[:devices]))
        state, batches, losses = initialise(setup), loader(setup.batches, config.seed), []
        for _ in range(3):
            state, metrics = setup.step(state, put_batch(next(batches), setup.mesh))
            losses.append(float(metrics["loss"]))
        outcomes.append((losses, jax.device_get(state["stats"])))
    np.testing.assert_allclose(outcomes[0][0], outcomes[1][0], rtol=2e-3)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-2, atol=1e-4), outcomes[0][1], outcomes[1][1])


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"best__metric": "valid/clips/genre/accuracy"},
            "is not measured \\(did you mean 'valid/clips/pitch/accuracy'",
        ),
        ({"task__head_weights": {"pitsch": 1.0}}, "head_weights names 'pitsch'; the targets are pitch"),
        ({"data": {"name": "tests.helpers.audio_clips:load_tones", "targets": ()}}, "the clips have no targets"),
        (
            {"task": {"name": "mu.tasks.contrastive:Contrastive"}, "best__metric": "valid/negative_loss"},
            "batches.crops=2",
        ),
    ],
)
def test_runs_that_cannot_be(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(tiny_audio_config(**changes), tmp_path)
