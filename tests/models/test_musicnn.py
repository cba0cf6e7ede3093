"""MusiCNN beside a slow twin in NumPy, with random values, on a small spectrogram; and its front end."""

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
from flax import nnx

from mu.models.musicnn import MusiCNN
from mu.models.musicnn_front_end import MusiCNNFrontEnd

FRAMES, MELS, TAGS = 9, 20, 4
FRONT_END = MusiCNNFrontEnd(sample_rate_hz=16_000, n_mels=MELS, frames=FRAMES)


@pytest.fixture(scope="module")
def model():
    """Every value drawn anew: norms begin with zeros and ones."""
    made = MusiCNN(front_end=FRONT_END, tags=TAGS, rngs=nnx.Rngs(0))
    graph, state = nnx.split(made)
    random = np.random.default_rng(5)
    values = nnx.to_pure_dict(state)

    def drawn(path, leaf):
        scale = 1.0 / np.sqrt(max(np.prod(leaf.shape[:-1]), 1))
        low = 0.3 if path[-1].key == "variance" else -1.0
        return (random.uniform(low, 1.0, leaf.shape) * scale).astype(np.float32)

    return nnx.merge(graph, jax.tree.map_with_path(drawn, values))


def norm(x, layer):
    deviation = np.sqrt(np.float64(layer.variance[...]) + 1e-3)
    return (x - layer.mean[...]) / deviation * layer.scale[...] + layer.shift[...]


def convolved(x, kernel, bias, before):
    """[F, M] by [H, W, K] at every place, `before` rows of zeros above and the rest below: [F, M', K], rectified."""
    kernel = np.float64(kernel)
    height, width, _ = kernel.shape
    x = np.pad(np.float64(x), ((before, height - 1 - before), (0, 0)))
    rows, columns = x.shape[0] - height + 1, x.shape[1] - width + 1
    made = [
        [np.tensordot(x[row : row + height, column : column + width], kernel, 2) for column in range(columns)]
        for row in range(rows)
    ]
    return np.maximum(np.array(made) + bias, 0.0)


def twin(model, spectrogram):
    """The outputs for one spectrogram [F, M], as the paper and TensorFlow's definitions say."""
    x = norm(np.float64(spectrogram)[..., None], model.input_norm)[..., 0]
    parts = []
    for bank in (*model.timbral, *model.temporal):
        kernel = bank.convolution.kernel[...][:, :, 0]
        before = (len(kernel) - 1) // 2  # 'same' of TensorFlow: of an odd number of zeros the larger half comes after
        parts.append(norm(convolved(x, kernel, bank.convolution.bias[...], before), bank.norm).max(axis=1))
    outputs = {"timbral": np.hstack(parts[:2]), "temporal": np.hstack(parts[2:])}
    below, layers = np.hstack(parts), [np.hstack(parts)]
    for place, layer in enumerate(model.mid):
        new = norm(convolved(below, layer.convolution.kernel[...], layer.convolution.bias[...], 3)[:, 0], layer.norm)
        below = new if place == 0 else below + new
        outputs[f"cnn{place + 1}"] = below
        layers.append(below)
    outputs["frames"] = np.hstack(layers)
    outputs["max_pool"], outputs["mean_pool"] = outputs["frames"].max(axis=0), outputs["frames"].mean(axis=0)
    pools = np.stack([outputs["max_pool"], outputs["mean_pool"]], axis=1).ravel()
    hidden = norm(pools, model.pool_norm) @ np.float64(model.penultimate.kernel[...]) + model.penultimate.bias[...]
    outputs["penultimate"] = norm(np.maximum(hidden, 0.0), model.penultimate_norm)
    logits = outputs["penultimate"] @ np.float64(model.tags.kernel[...]) + model.tags.bias[...]
    return outputs | {"tags": 1 / (1 + np.exp(-logits))}


def test_every_layer(model):
    spectrogram = np.random.default_rng(6).uniform(0, 4, (2, FRAMES, MELS)).astype(np.float32)
    outputs = model.encode(jnp.asarray(spectrogram))
    for row in range(2):
        expected = twin(model, spectrogram[row])
        assert {*outputs} == {*expected, "clip"}
        for name, value in expected.items():
            assert np.ptp(value) > 1e-3, name
            np.testing.assert_allclose(outputs[name][row], value, atol=2e-5, rtol=1e-5, err_msg=name)
        clip = np.concatenate([outputs["penultimate"][row], outputs["mean_pool"][row]])
        np.testing.assert_array_equal(outputs["clip"][row], clip)


def mel(sound):
    """librosa's, compressed as MusiCNN does."""
    power = librosa.feature.melspectrogram(y=sound, sr=16_000, n_fft=512, hop_length=256, n_mels=MELS)
    return np.log10(10_000 * power.T + 1)


def test_spectrograms():
    """Of a whole tile; of a short sound, whose frames are repeated; of none, which counts as one silent frame."""
    samples = [FRONT_END.tile_samples, 700, 0]
    audio = np.random.default_rng(7).standard_normal((3, samples[0])).astype(np.float32)
    made = np.asarray(FRONT_END(jnp.asarray(audio), jnp.asarray(samples, jnp.int32)))
    assert made.shape == (3, FRAMES, MELS)
    np.testing.assert_allclose(made[0], mel(audio[0])[:FRAMES], atol=1e-4)
    short = mel(audio[1, :700])
    assert len(short) == 3
    np.testing.assert_allclose(made[1], np.concatenate([short] * 3), atol=1e-4)
    assert not made[2].any()


def test_a_long_recording_in_tiles():
    """As the reference cuts the spectrogram of the whole, but for the first frame of a tile."""
    tile = FRONT_END.tile_samples
    audio = np.random.default_rng(8).standard_normal(3 * tile).astype(np.float32)
    made = FRONT_END(jnp.asarray(audio.reshape(3, tile)), jnp.full(3, tile, jnp.int32))
    whole = mel(audio)[: 3 * FRAMES].reshape(3, FRAMES, MELS)
    np.testing.assert_allclose(made[:, 1:], whole[:, 1:], atol=1e-4)
    np.testing.assert_allclose(made[0, 0], whole[0, 0], atol=1e-4)
    assert np.abs(np.asarray(made)[1:, 0] - whole[1:, 0]).max() > 0.01
