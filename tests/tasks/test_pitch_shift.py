"""Pitch by transposition: the loss of known distributions, and absolute pitches whatever the constant is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.evals.metrics.clips.within_half import within_half
from mu.models.pesto import Pesto
from mu.models.pitch_frames import tile_outputs
from mu.tasks.pitch_shift import PitchShift, frame_losses
from tests.helpers.audio_clips import make_clips

BINS = 40


def one_hot(*at):
    return jax.nn.one_hot(np.array(at), BINS, dtype=jnp.float32)


class At16k:
    sample_rate_hz = 16_000

    def __init__(self, targets=()):
        self.targets = dict(targets)


def test_what_moves_with_the_spectrum_costs_nothing_and_all_else_does():
    """The frame moved by k has its pitch k bins lower: then the loss is 0. Constant, and uniform, answers cost."""
    shift = np.array([3, -2, 0], np.int32)
    p, right = one_hot(20, 20, 20), one_hot(17, 22, 20)
    np.testing.assert_allclose(frame_losses(p, p, right, shift, 36), 0.0, atol=1e-5)
    assert (np.asarray(frame_losses(p, p, one_hot(23, 18, 21), shift, 36)) > 1).all(), "the other way is wrong"
    constant = np.asarray(frame_losses(p, p, p, shift, 36))
    assert (constant[:2] > 1).all() and constant[2] < 1e-5
    uniform = jnp.full((3, BINS), 1 / BINS)
    assert (np.asarray(frame_losses(uniform, uniform, uniform, shift, 36)) > 2 * np.log(BINS) - 0.01).all()
    noisy = frame_losses(p, one_hot(21, 21, 21), right, shift, 36)
    assert (np.asarray(noisy) > 1).all(), "noise must not change the pitch"


def harmonic(pitch, samples=16_000):
    time = np.arange(samples) / 16_000
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    return sum(np.sin(2 * np.pi * h * hertz * time) / h for h in range(1, 6) if h * hertz < 7000).astype(np.float32)


class Autocorrelation:
    """A pitch network that is right but for a constant: the greatest sum of five partials, `offset` bins too high."""

    window_samples, hop_samples, pad_mode, edge_bins, bins_per_semitone = 4096, 160, "reflect", 16, 3
    offset = 0
    pesto = Pesto(rngs=nnx.Rngs(0))

    def log_power(self, frames):
        return self.pesto.log_power(frames)

    def activations(self, x):
        steps = np.round(36 * np.log2(np.arange(1, 6))).astype(int)
        padded = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 90)], constant_values=-40.0)
        scores = sum(padded[..., step : step + x.shape[-1]] for step in steps)
        full = (
            jnp.full((*x.shape[:-1], 384), -1e4).at[..., 60 + self.offset : 60 + self.offset + x.shape[-1]].set(scores)
        )
        return jax.nn.softmax(full, axis=-1)

    def pitch_of(self, activations):
        return self.pesto.pitch_of(activations)

    def __call__(self, rows, batch):
        def pitches(frames):
            return {"activations": self.activations(self.log_power(frames)[..., 16:-16])}

        return tile_outputs(pitches, batch, 4096, "reflect")


@pytest.mark.parametrize("offset", [0, 7])
def test_pitches_are_absolute_whatever_the_constant_is(offset):
    model = Autocorrelation()
    model.offset = offset
    pitches = np.array([50, 54, 57, 64, 71])
    batch = {"audio": np.stack([harmonic(p) for p in pitches])[:, None], "samples": np.full((5, 1), 16_000, np.int32)}
    numbers = np.asarray(PitchShift(data=At16k()).predict(model, {}, batch)["numbers"])[:, 0]
    np.testing.assert_allclose(numbers, pitches, atol=0.34)  # a third of a semitone is a bin


def test_silence_weighs_nothing_and_gradients_are_finite():
    task = PitchShift(data=At16k(), frames=2)
    graph, state = nnx.split(Pesto(rngs=nnx.Rngs(1)))
    params = nnx.to_pure_dict(state)
    params["toeplitz"] = jax.random.normal(jax.random.key(0), params["toeplitz"].shape) * 0.01
    audio = np.stack([harmonic(60, 6000), np.zeros(6000, np.float32), np.pad(harmonic(70, 2000), (0, 4000))])[:, None]
    samples = np.array([[6000], [6000], [2000]], np.int32)  # the last is shorter than a window
    batch = {"audio": audio, "samples": samples, "weights": np.ones(3, np.float32)}

    def total(params, key):
        losses, weights = task.loss(nnx.merge(graph, params), {}, batch, key)
        return jnp.sum(losses * weights), weights

    (value, weights), gradient = jax.jit(jax.value_and_grad(total, has_aux=True))(params, jax.random.key(0))
    assert np.isfinite(value) and weights.tolist() == [1, 0, 1]
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert float(jnp.abs(gradient["toeplitz"]).max()) > 0 and float(jnp.abs(gradient["shift"]).max()) == 0


def test_what_cannot_be_learnt_says_why():
    with pytest.raises(ValueError, match=r"set data\.sample_rate_hz=16000"):
        PitchShift(data=make_clips(4))

    with pytest.raises(ValueError, match="the clips have the target 'pitch', and pitch without labels is one number"):
        PitchShift(data=At16k(make_clips(4).targets))


def test_within_half_counts_both_sides_alike():
    scores, truth = np.array([[1.5], [0.51], [-0.5], [9.0]]), np.array([[1.0], [0.0], [0.0], [np.nan]])
    np.testing.assert_allclose(within_half(scores, truth, np.ones((1, 4))), [2 / 3])
