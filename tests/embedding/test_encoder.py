"""The encoder of a run: a tile knows no other, and a hash names what its vectors depend on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.embedding import encoder as encoders
from mu.inference.clip_encoder import ClipEncoder
from mu.inference.pooling import TILES
from tests.helpers.embeddings import tiles


class Loudness(nnx.Module):
    """A model whose vector of a tile leans on its neighbours, as no encoder should."""

    def __call__(self, rows, batch):
        mean = jnp.mean(batch["audio"], axis=1, keepdims=True)
        return {"clip": mean - 0.5 * jnp.mean(mean)}


def test_a_tile_knows_no_other_even_in_a_model_that_mixes_them():
    encoder = ClipEncoder(*nnx.split(Loudness()), sample_rate_hz=4000, tile_samples=400)
    assert encoder.alone and encoder.dim == 1
    audio, samples = tiles(7)
    with jax.transfer_guard("disallow"):
        together = encoder.vectors(audio, samples)
    np.testing.assert_allclose(together, audio.mean(axis=1, keepdims=True) / 2, atol=1e-6)
    np.testing.assert_array_equal(encoder.vectors(audio[3:4], samples[3:4]), together[3:4])


def test_weights_that_are_no_numbers_and_models_without_a_clip_vector_are_refused():
    class Broken(nnx.Module):
        def __init__(self, name):
            self.name = name

        def __call__(self, rows, batch):
            return {self.name: jnp.log(jnp.zeros((len(batch["audio"]), 2)))}

    for name, message in (("clip", "give infinities"), ("frames", "gives frames, and no 'clip'")):
        with pytest.raises(ValueError, match=message):
            ClipEncoder(*nnx.split(Broken(name)), sample_rate_hz=4000, tile_samples=400)


def test_an_encoder_of_a_run_needs_no_such_care(run):
    encoder, card = encoders.of_run(run)
    assert not encoder.alone and card["hash"] == encoders.of_run(run)[1]["hash"]
    audio, samples = tiles(TILES, 2000)
    together = encoder.vectors(audio, samples)
    for place in (0, 1, 17, TILES - 1):
        np.testing.assert_array_equal(
            encoder.vectors(audio[place : place + 1], samples[:1]), together[place : place + 1]
        )


def test_the_hash_names_weights_options_and_tiles():
    params = {"a": np.zeros(2, np.float32), "b": {"c": np.ones((1, 2), np.float32)}}
    model = {"name": "m", "size": "xs", "bands": [1, 2]}
    plain = encoders.encoder_hash(model, 8000, 4000, params)
    assert plain == encoders.encoder_hash(dict(reversed(model.items())), 8000, 4000, dict(reversed(params.items())))
    others = [
        encoders.encoder_hash(model | {"size": "s"}, 8000, 4000, params),
        encoders.encoder_hash(model, 16000, 4000, params),
        encoders.encoder_hash(model, 8000, 4001, params),
        encoders.encoder_hash(model, 8000, 4000, params | {"a": np.array([0, 1e-20], np.float32)}),
        encoders.encoder_hash(model, 8000, 4000, params | {"a": np.zeros((2, 1), np.float32)}),
    ]
    assert len({plain, *others}) == 6
