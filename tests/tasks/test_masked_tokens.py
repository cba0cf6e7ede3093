"""Masked-token prediction: the codes beside a NumPy twin, what is hidden, and losses that are known."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu.tasks.hidden_frames import spans
from mu.tasks.masked_tokens import CODE_DIM, MaskedTokens

STRIDE, MELS, BOOKS, CODES = 4, 6, 3, 32
DATA = types.SimpleNamespace(sample_rate_hz=8_000)
KEY = jax.random.key(1)


def make_task(**options):
    return MaskedTokens(data=DATA, books=BOOKS, codes=CODES, **options)


def spectrogram(frames=22, size=5, seed=0):
    """Bands of very different levels, as those of recordings."""
    random = np.random.default_rng(seed)
    return jnp.asarray(random.standard_normal((size, frames, MELS)) + np.arange(MELS) * 5.0, jnp.float32)


class Model:
    """A model whose frames are the mean of the patches it sees, and whose head says `logits`."""

    def __init__(self, seen, mask, logits):
        self.front_end = types.SimpleNamespace(
            spectrogram=lambda audio, samples: (seen, mask), normalised=lambda spectrogram, mask: spectrogram
        )
        self.heads = {"tokens": lambda frames: logits}
        self.visible = None
        self.trunk = self.Trunk(self)

    class Trunk:
        stride_frames = STRIDE

        def __init__(self, model):
            self.model = model

        def __call__(self, visible, mask, key):
            del key
            self.model.visible = np.asarray(visible)
            return visible[:, ::STRIDE], mask[:, ::STRIDE]


def losses_of(task, seen, mask, logits):
    batch = {"audio": np.zeros((len(seen), 1, 8), np.float32), "samples": np.full((len(seen), 1), 8, np.int32)}
    model = Model(seen, mask, logits)
    losses, weights = task.loss(model, {}, {**batch, "weights": np.ones(len(seen), np.float32)}, KEY)
    hidden = spans(jax.random.split(KEY)[0], (len(seen), -(-seen.shape[1] // STRIDE)), 0.5, 4)
    np.testing.assert_array_equal(weights, np.asarray(hidden).any(axis=1))
    return np.asarray(losses), model.visible


def test_tokens_are_those_of_a_slow_twin_and_know_no_level_of_a_band():
    task, seen = make_task(seed=3), spectrogram()
    mask = jnp.arange(22)[None] < jnp.asarray([22, 22, 9, 22, 3])[:, None]
    tokens = np.asarray(task.tokens(seen, mask, STRIDE))
    projection_key, code_key = jax.random.split(jax.random.key(3))
    projection = np.asarray(jax.random.normal(projection_key, (STRIDE * MELS, BOOKS, CODE_DIM)), np.float64)
    code = np.asarray(jax.random.normal(code_key, (BOOKS, CODES, CODE_DIM)), np.float64)
    code /= np.linalg.norm(code, axis=-1, keepdims=True)
    filled = np.pad(np.asarray(seen, np.float64), ((0, 0), (0, 2), (0, 0)))
    inside = [(clip, frame) for clip, length in enumerate([22, 22, 9, 22, 3]) for frame in range(-(-length // STRIDE))]
    patches = np.stack([filled[clip, frame * STRIDE : (frame + 1) * STRIDE].ravel() for clip, frame in inside])
    for book in range(BOOKS):
        projected = patches @ projection[:, book]
        projected = (projected - projected.mean(axis=0)) / projected.std(axis=0)
        nearest = np.linalg.norm(
            projected[:, None] / np.linalg.norm(projected, axis=1)[:, None, None] - code[book], axis=2
        )
        np.testing.assert_array_equal(tokens[tuple(np.transpose(inside))][:, book], nearest.argmin(axis=1))
    whole = jnp.ones((5, 20), bool)
    louder = seen[:, :20] * 3.0 + jnp.arange(MELS, dtype=jnp.float32)[None, None] * 7.0
    np.testing.assert_array_equal(task.tokens(louder, whole, STRIDE), task.tokens(seen[:, :20], whole, STRIDE))


def test_hidden_frames_are_not_seen_and_the_others_are():
    seen = spectrogram()
    _, visible = losses_of(make_task(), seen, jnp.ones((5, 22), bool), jnp.zeros((5, 6, BOOKS * CODES)))
    hidden = np.repeat(np.asarray(spans(jax.random.split(KEY)[0], (5, 6), 0.5, 4)), STRIDE, axis=1)[:, :22]
    assert 0 < hidden.mean() < 1
    np.testing.assert_array_equal(visible, np.where(hidden[..., None], 0.0, seen))


def test_the_loss_of_who_knows_nothing_is_the_log_of_codes_and_of_who_knows_all_is_zero():
    task, seen, mask = make_task(), spectrogram(), jnp.ones((5, 22), bool)
    ignorant, _ = losses_of(task, seen, mask, jnp.zeros((5, 6, BOOKS * CODES)))
    hidden = np.asarray(spans(jax.random.split(KEY)[0], (5, 6), 0.5, 4)).any(axis=1)
    np.testing.assert_allclose(ignorant, np.where(hidden, np.log(CODES), 0.0), rtol=1e-5)
    told = 50.0 * jax.nn.one_hot(task.tokens(seen, mask, STRIDE), CODES).reshape(5, 6, -1)
    knowing, _ = losses_of(task, seen, mask, told)
    np.testing.assert_allclose(knowing, 0.0, atol=1e-4)


@pytest.mark.parametrize(("options", "message"), [({"codes": 1}, "codes=1"), ({"share": 1.0}, "share=1.0")])
def test_what_tells_nothing_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MaskedTokens(data=DATA, **options)
