"""Joint-embedding prediction: who sees what, known losses, the moving average of a run; and spans of hidden frames."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from mu.config.base import ConfigError
from mu.data.loader import loader
from mu.run.build import build_run
from mu.run.initialise import initialise
from mu.tasks.hidden_frames import mean_over_hidden, spans
from mu.tasks.joint_embedding import JointEmbedding
from mu.training.sharding import put_batch
from mu.training.state import values
from tests.helpers.audio_clips import tiny_audio_config
from tests.helpers.tiny_runs import one_device

STRIDE, MELS, SHAPE = 4, 6, (5, 6)
DATA = types.SimpleNamespace(sample_rate_hz=8_000)
KEY = jax.random.key(2)
CONFIG = {"task": {"name": "mu.tasks.joint_embedding:JointEmbedding"}, "best__metric": "valid/negative_loss"}


class Encoder:
    """Frames are the first spectrogram frame that each stands for; the head says what it is told to."""

    def __init__(self, spectrogram, says=None):
        mask = jnp.ones(spectrogram.shape[:2], bool)
        self.front_end = types.SimpleNamespace(
            spectrogram=lambda audio, samples: (spectrogram, mask), normalised=lambda spectrogram, mask: spectrogram
        )
        self.heads, self.seen = {"embedding": lambda frames: frames if says is None else says}, []
        self.trunk = Trunk(self)


class Trunk:
    stride_frames = STRIDE

    def __init__(self, encoder):
        self.encoder = encoder

    def __call__(self, spectrogram, mask, key):
        self.encoder.seen.append((spectrogram, key))
        return spectrogram[:, ::STRIDE], mask[:, ::STRIDE]


@pytest.fixture
def spectrogram():
    return jnp.asarray(np.random.default_rng(0).standard_normal((5, 24, MELS)), jnp.float32)


def batch_of(average):
    audio = {"audio": np.zeros((5, 1, 8), np.float32), "samples": np.full((5, 1), 8, np.int32)}
    return {**audio, "weights": np.ones(5, np.float32), "average": average}


def test_the_average_sees_all_and_the_model_what_is_not_hidden(spectrogram):
    model, average = Encoder(spectrogram), Encoder(spectrogram)
    JointEmbedding(data=DATA).loss(model, {}, batch_of(average), KEY)
    ((whole, no_key),), ((visible, key),) = average.seen, model.seen
    assert no_key is None and key is not None
    np.testing.assert_array_equal(whole, spectrogram)
    hidden = np.repeat(np.asarray(spans(jax.random.split(KEY)[0], SHAPE, 0.5, 4)), STRIDE, axis=1)
    np.testing.assert_array_equal(visible, np.where(hidden[..., None], 0.0, spectrogram))


def test_known_losses(spectrogram):
    """Who says what the average has, at any scale, has none but for frames that differ too little; a constant has."""
    task, told = JointEmbedding(data=DATA), 3.0 * spectrogram[:, ::STRIDE] + 1.0
    hidden = np.asarray(spans(jax.random.split(KEY)[0], SHAPE, 0.5, 4))
    visible = np.where(hidden[..., None], 0.0, spectrogram[:, ::STRIDE])
    spread = np.maximum(0, 1 - visible.std(axis=(0, 1))).mean()
    knowing, weights = task.loss(Encoder(spectrogram, told), {}, batch_of(Encoder(spectrogram)), KEY)
    np.testing.assert_array_equal(weights, hidden.any(axis=1))
    np.testing.assert_allclose(knowing, spread * weights, atol=1e-3)
    same = jnp.broadcast_to(jnp.arange(MELS, dtype=jnp.float32), spectrogram.shape)
    collapsed, weights = task.loss(Encoder(same, same[:, ::STRIDE]), {}, batch_of(Encoder(same)), KEY)
    # Its frames are one vector, or zeros where they are hidden: the spread of these alone counts.
    deviations = np.where(hidden[..., None], 0.0, same[:, ::STRIDE]).std(axis=(0, 1))
    expected = np.maximum(0, 1 - np.sqrt(deviations**2 + 1e-4)).mean()
    assert expected > 0.2
    np.testing.assert_allclose(collapsed, expected * weights, rtol=1e-3)


def test_spans_hide_the_share_at_every_place_in_runs():
    hidden = np.asarray(spans(jax.random.key(0), (4_000, 30), 0.3, 5))
    np.testing.assert_allclose(hidden.mean(axis=0), 0.3, atol=0.03)
    ends = np.diff(np.pad(hidden[:, 5:25], ((0, 0), (1, 1))).astype(int), axis=1)
    assert hidden[:, 5:25].sum() / (ends == 1).sum() > 4.5


def test_a_clip_without_a_hidden_frame_has_no_weight():
    values, hidden = jnp.asarray([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]]), jnp.asarray([[True, False, True], [False] * 3])
    np.testing.assert_allclose(mean_over_hidden(values, hidden), [[3.5, 0.0], [1.0, 0.0]])


def test_a_run_learns_from_its_moving_average_before_the_step_without_its_gradient():
    setup = build_run(tiny_audio_config(ema_decay=0.5, clip_norm=None, **CONFIG), one_device())
    batches = loader(setup.batches, 0)
    state, _ = setup.step(initialise(setup), put_batch(next(batches), setup.mesh))
    batch = put_batch(next(batches), setup.mesh)
    before = jax.tree.map(jnp.copy, state)
    _, metrics = setup.step(state, batch)

    def expected(params):
        average = nnx.merge(setup.model, values(before["ema"]["model"], before["stats"]))
        model, key = nnx.merge(setup.model, values(params, before["stats"])), jax.random.key(setup.config.seed)
        losses, weights = setup.task.loss(model, {}, {**batch, "average": average}, jax.random.fold_in(key, 1))
        return jnp.sum(losses * weights) / jnp.sum(weights)

    loss, gradient = jax.value_and_grad(expected)(before["params"]["model"])
    np.testing.assert_allclose(metrics["loss"], loss, rtol=1e-4)
    np.testing.assert_allclose(metrics["grad_norm"], optax.tree.norm(gradient), rtol=1e-3)


def test_without_a_moving_average_there_is_none_to_learn_from():
    with pytest.raises(ConfigError, match=r"config.task \(mu.tasks.joint_embedding:JointEmbedding\).*set ema_decay"):
        build_run(tiny_audio_config(ema_decay=None, **CONFIG), one_device())
