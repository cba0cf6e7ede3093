"""Laws of the audio encoders and of the losses they learn by."""

import functools
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu import losses
from mu.models.audio_encoder import AudioEncoder, Trunk
from mu.models.audio_front_end import FrontEnd
from mu.models.audio_trunks import CNN_SIZES, TRANSFORMER_SIZES
from mu.nn.batch_norm import BatchNorm
from mu.nn.heads import Head
from mu.training.state import values

RATE_HZ = 4000
OUTPUTS = {"genre": Head(3), "log_mel": Head("log_mel", of="frames"), "projection": Head(5, hidden=7)}
TRUNKS = get_args(Trunk)


def build(trunk, rngs, **options):
    options = {"size": "xs", "n_mels": 32, "dropout": 0.3, "outputs": OUTPUTS} | options
    if trunk == "streaming_cnn":
        options["normalisation"] = "fixed"
    return AudioEncoder(trunk=trunk, sample_rate_hz=RATE_HZ, rngs=rngs, **options)


@functools.cache
def create(trunk):
    model = build(trunk, nnx.Rngs(0))
    graph, state = nnx.split(model)
    pure = nnx.to_pure_dict(state)
    return jax.jit(lambda batch: nnx.merge(graph, pure)({}, batch)), model


def some_batch(size=3, samples=(2000, 1500, 700)):
    audio = np.random.default_rng(0).standard_normal((size, 2000)).astype(np.float32) * 0.1
    samples = np.array(samples[:size], np.int32)
    audio *= np.arange(2000) < samples[:, None]
    return {"audio": audio, "samples": samples}


@pytest.mark.parametrize("trunk", TRUNKS)
def test_shapes_and_names(trunk):
    apply, model = create(trunk)
    found = apply(some_batch())
    frames = found["mask"].shape[1]
    stride, dim = model.trunk.stride_frames, model.trunk.dim
    assert found["frames"].shape == (3, frames, dim) and found["clip"].shape == (3, 2 * dim)
    assert found["genre"].shape == (3, 3) and found["projection"].shape == (3, 5)
    assert found["log_mel"].shape == (3, frames, stride * 32)
    hops = -(-2000 // model.front_end.hop_samples)
    assert frames == -(-hops // stride)
    assert all(found[name].dtype == jnp.float32 for name in ("clip", "genre", "log_mel"))


@pytest.mark.parametrize("trunk", TRUNKS)
def test_training_draws_from_the_key_and_inference_does_not(trunk):
    _, model = create(trunk)
    batch = some_batch()
    graph, state = nnx.split(model)
    pure = nnx.to_pure_dict(state)

    @jax.jit
    def train(key):
        return nnx.merge(graph, pure)({}, batch, key)["genre"]

    one, again, other = train(jax.random.key(0)), train(jax.random.key(0)), train(jax.random.key(1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize("trunk", TRUNKS)
def test_gradients_are_finite_even_of_silence(trunk):
    _, model = create(trunk)
    graph, *parts = nnx.split(model, nnx.Param, nnx.BatchStat)
    params, stats = (nnx.to_pure_dict(part) for part in parts)
    batch = some_batch()
    batch["audio"][1] = 0.0

    def loss(params):
        found = nnx.merge(graph, values(params, stats))({}, batch, jax.random.key(0))
        return sum(jnp.sum(jnp.square(found[name])) for name in OUTPUTS)

    gradient = jax.jit(jax.grad(loss))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.parametrize("trunk", [pytest.param("cnn", marks=pytest.mark.slow), "transformer"])
def test_bfloat16_computes_what_float32_does_to_its_precision(trunk):
    found = []
    for dtype in ("float32", "bfloat16"):
        found.append(
            jax.jit(lambda batch, dtype=dtype: build(trunk, nnx.Rngs(0), dtype=dtype)({}, batch))(some_batch())
        )
    one, other = found
    assert other["clip"].dtype == jnp.float32
    scale = float(jnp.abs(one["clip"]).max())
    np.testing.assert_allclose(other["clip"], one["clip"], atol=0.05 * scale)


def test_stages_of_several_blocks_halve_once_a_stage():
    assert CNN_SIZES["l"] == ((96, 192, 384), 2)
    found = jax.jit(lambda batch: build("cnn", nnx.Rngs(0), size="l", n_mels=16)({}, batch))(some_batch(size=1))
    assert found["frames"].shape == (1, 2, 384)  # 32 frames of the front end, a stem of 4, two halvings
    assert np.isfinite(found["clip"]).all()


MILLIONS = {
    "cnn": (CNN_SIZES, (0.13, 0.32, 1.25, 6.3, 27, 94)),
    "transformer": (TRANSFORMER_SIZES, (0.12, 0.37, 1.3, 4.8, 22, 85)),
    "streaming_cnn": (CNN_SIZES, (0.13, 0.32, 1.25, 6.3, 27, 94)),
}


@pytest.mark.parametrize("trunk", TRUNKS)
def test_sizes_have_as_many_parameters_as_the_tables_say(trunk):
    counts = []
    sizes, millions = MILLIONS[trunk]
    for size in sizes:
        model = nnx.eval_shape(
            lambda size=size: build(trunk, nnx.Rngs(0), size=size, n_mels=64, outputs={"g": Head(10)})
        )
        counts.append(sum(leaf.size for leaf in jax.tree.leaves(nnx.split(model, nnx.Param, ...)[1])) / 1e6)
    np.testing.assert_allclose(counts, millions, rtol=0.04)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": "huge"}, "size='huge'; known: xs"),
        ({"normalisation": "loud"}, "normalisation='loud'"),
        ({"window_s": 0.001}, "a window must be at least a hop"),
    ],
)
def test_what_cannot_be_built(options, message):
    with pytest.raises(ValueError, match=message):
        build("cnn", nnx.Rngs(0), **options)
    with pytest.raises(ValueError, match="trunk='rnn'"):
        build("rnn", nnx.Rngs(0))


# ---- front end


def front_end(normalisation, attend_padding=False):
    return FrontEnd(RATE_HZ, 0.032, 0.016, 32, 50.0, None, 80.0, normalisation, attend_padding)


def test_levels_and_colours_are_taken_away_as_said():
    batch = some_batch()
    for normalisation, gain_changes in (("clip", False), ("band", False), ("none", True), ("fixed", True)):
        end = front_end(normalisation)
        quiet = end.normalised(*end.spectrogram(jnp.asarray(batch["audio"]), jnp.asarray(batch["samples"])))
        loud = end.normalised(*end.spectrogram(jnp.asarray(batch["audio"] * 2), jnp.asarray(batch["samples"])))
        assert (not np.allclose(quiet, loud, atol=1e-3)) == gain_changes, normalisation
    spectrogram, mask = front_end("band").spectrogram(jnp.asarray(batch["audio"]), jnp.asarray(batch["samples"]))
    coloured = spectrogram + jnp.linspace(-5.0, 5.0, 32)[None, None]
    end = front_end("band")
    np.testing.assert_allclose(end.normalised(spectrogram, mask), end.normalised(coloured, mask), atol=1e-4)


def test_the_mask_holds_the_frames_of_the_clip():
    end = front_end("clip")
    spectrogram, mask = end.spectrogram(jnp.zeros((3, 640)), jnp.array([640, 65, 0], jnp.int32))
    assert spectrogram.shape == (3, 10, 32)
    assert mask.sum(axis=1).tolist() == [10, 2, 1]  # nothing at all still has a frame to look at


def test_filling_that_is_heard_keeps_what_bands_differ_by():
    """A steady sound less each band's mean is nothing, unless the silence after it counts."""
    tone = np.sin(2 * np.pi * 500 * np.arange(1600) / RATE_HZ, dtype=np.float32)
    audio, samples = jnp.asarray(np.pad(tone, (0, 1600)))[None], jnp.array([1600], jnp.int32)
    for attend_padding, heard in ((False, False), (True, True)):
        end = front_end("band", attend_padding)
        spectrogram, mask = end.spectrogram(audio, samples)
        assert bool(mask.all()) == attend_padding
        inside = end.normalised(spectrogram, mask)[0, 3:7]
        assert (float(jnp.std(inside.mean(axis=0))) > 0.3) == heard


# ---- batch norm


def test_batch_norm_trains_on_the_batch_and_judges_by_the_running_statistics():
    layer = BatchNorm(4, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(0), (64, 4)) * 3.0 + 2.0
    trained = layer(x, training=True)
    np.testing.assert_allclose(trained.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(trained.std(axis=0), 1.0, atol=1e-3)
    # After one batch the running statistics are that batch's.
    np.testing.assert_allclose(layer(x, training=False), trained, atol=1e-4)
    for step in range(20):
        layer(jax.random.normal(jax.random.key(step), (64, 4)) * 3.0 + 2.0, training=True)
    np.testing.assert_allclose(layer.mean[...], 2.0, atol=0.3)
    np.testing.assert_allclose(layer.variance[...], 9.0, rtol=0.15)


# ---- losses


def test_cross_entropy_equals_its_equation():
    logits = jnp.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    log_p = np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    found = losses.cross_entropy(logits, jnp.array([1, 2]), smoothing=0.1)
    target = np.array([[0.1 / 3, 0.9 + 0.1 / 3, 0.1 / 3], [0.1 / 3, 0.1 / 3, 0.9 + 0.1 / 3]])
    np.testing.assert_allclose(found, -(target * log_p).sum(axis=1), rtol=1e-5)


def test_binary_cross_entropy_equals_its_equation():
    logits, targets = jnp.array([[2.0, -1.0]]), jnp.array([[1.0, 0.0]])
    p = 1 / (1 + np.exp(-np.array(logits)))
    expected = -np.mean(targets * np.log(p) + (1 - targets) * np.log(1 - p), axis=1)
    np.testing.assert_allclose(losses.binary_cross_entropy(logits, targets), expected, rtol=1e-5)


@pytest.mark.parametrize("ids", [[7, 1, 3, 5, 2], [7, 1, 7, 5, 1]])
def test_nt_xent_equals_the_loop_of_its_definition(ids):
    generator = np.random.default_rng(0)
    first, second = generator.standard_normal((2, 5, 7)).astype(np.float32)
    z = np.concatenate([first, second])
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    expected = np.zeros(5)
    for i in range(10):
        # Of the clip that is in the batch twice, the other copy's views are no negatives.
        others = [k for k in range(10) if k == (i + 5) % 10 or ids[k % 5] != ids[i % 5]]
        total = sum(np.exp(z[i] @ z[k] / 0.2) for k in others)
        expected[i % 5] -= np.log(np.exp(z[i] @ z[(i + 5) % 10] / 0.2) / total) / 2
    found = losses.nt_xent(jnp.asarray(first), jnp.asarray(second), jnp.asarray(ids), 0.2)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
