"""Sound in chunks gives the frames and the vector of the whole, however it is cut."""

import functools

import jax
import numpy as np
import pytest
from flax import nnx

from mu.data.crops import cut, tile_starts
from mu.inference.clip_encoder import ClipEncoder
from mu.inference.pooling import Tiles, clip_vectors
from mu.inference.streaming_encoder import StreamingEncoder
from mu.inference.tile_stream import TileStream
from mu.models.audio_encoder import AudioEncoder

RATE_HZ = 4000
OPTIONS = {"size": "xs", "n_mels": 32, "sample_rate_hz": RATE_HZ, "outputs": {}}


@functools.cache
def parts(**options):
    """(graph, params) with weights of pooling and norm that are not the first ones."""
    model = AudioEncoder(**{**OPTIONS, **options}, rngs=nnx.Rngs(3))
    random = np.random.default_rng(0)
    model.pooling.score[...] = random.standard_normal(model.pooling.score.shape).astype(np.float32)
    graph, state = nnx.split(model)
    return graph, nnx.to_pure_dict(state)


STREAMING = {"trunk": "streaming_cnn", "normalisation": "fixed"}


@pytest.fixture(scope="module")
def encoder():
    return StreamingEncoder(*parts(**STREAMING))


@functools.cache
def whole(n):
    """(frames, clip) of n samples at once."""
    graph, params = parts(**STREAMING)
    batch = {"audio": sound(n)[None], "samples": np.array([n], np.int32)}
    outputs = jax.jit(lambda batch: nnx.merge(graph, params)({}, batch))(batch)
    return np.asarray(outputs["frames"][0]), np.asarray(outputs["clip"][0])


def sound(n):
    random = np.random.default_rng(1)
    swell = np.sin(np.arange(n) / 3000.0) ** 2 + 1e-3
    return (random.standard_normal(n) * swell * 0.2).astype(np.float32)


def chunks(n, way):
    """Samples cut by `way`."""
    random = np.random.default_rng(2)
    lengths = {"whole": [n], "even": [160] * (n // 160 + 1), "mixed": [0, 1, 1, 5000, 0, 63, 64, 65, *[700] * n]}
    sizes = lengths.get(way) or random.integers(0, 900, n).tolist()
    audio, start = sound(n), 0
    for size in sizes:
        if start >= n:
            break
        yield audio[start : start + size]
        start += size


@pytest.mark.parametrize("way", ["whole", "even", "mixed", "random"])
@pytest.mark.parametrize("n", [1, 1024, 9000, 20_001])  # a hop is 64 samples: 1024 are 16 of them
def test_chunks_give_what_the_whole_gives(encoder, n, way):
    state, frames = encoder.start(), []
    for chunk in chunks(n, way):
        state, some = encoder.push(state, chunk)
        frames.append(some)
    last, clip = encoder.finish(state)
    of_whole, of_clip = whole(n)
    np.testing.assert_allclose(np.concatenate([*frames, last]), of_whole, atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(clip, of_clip, atol=2e-5, rtol=1e-4)


def test_a_frame_comes_as_soon_as_its_look_ahead_is_there_and_no_sooner(encoder):
    """Sample by sample around the border; and what comes later changes nothing of it."""
    assert (encoder.stride_samples, encoder.look_ahead_samples) == (16 * 64, 0)
    state = encoder.start()
    for frame in range(3):
        border = (frame + 1) * encoder.stride_samples + encoder.look_ahead_samples
        state, none = encoder.push(state, sound(border - 1)[state.samples :])
        assert len(none) == 0
        state, one = encoder.push(state, sound(border)[-1:])
        np.testing.assert_allclose(one[0], whole(20_001)[0][frame], atol=2e-5, rtol=1e-4)


def test_the_vector_of_what_has_come_so_far_ends_nothing(encoder):
    state, _ = encoder.push(encoder.start(), sound(9000))
    np.testing.assert_allclose(encoder.finish(state)[1], whole(9000)[1], atol=2e-5, rtol=1e-4)
    state, _ = encoder.push(state, sound(20_001)[9000:])
    np.testing.assert_allclose(encoder.finish(state)[1], whole(20_001)[1], atol=2e-5, rtol=1e-4)


def test_what_cannot_be_streamed_says_why(encoder):
    with pytest.raises(ValueError, match="cannot encode sound that is still coming"):
        StreamingEncoder(*parts(trunk="cnn"))
    with pytest.raises(ValueError, match="only normalisation='fixed' without attend_padding"):
        AudioEncoder(**OPTIONS, trunk="streaming_cnn", rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="no sample has come"):
        encoder.finish(encoder.start())
    for samples, message in (
        (np.zeros(3), "float64"),
        (np.zeros((1, 3), np.float32), r"\(1, 3\)"),
        (np.array([np.nan], np.float32), "no numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            encoder.push(encoder.start(), samples)


@functools.cache
def tiles():
    return ClipEncoder(*parts(trunk="cnn"), sample_rate_hz=RATE_HZ, tile_samples=2000, at_once=4)


def test_an_encoder_that_gives_no_numbers_is_refused():
    graph, params = parts(**STREAMING)
    broken = StreamingEncoder(graph, jax.tree.map(lambda leaf: leaf * np.nan, params))
    with pytest.raises(ValueError, match="infinities or no numbers"):
        broken.push(broken.start(), sound(9000))

    class Broken:
        tile_samples, dim, at_once = 100, 2, 4

        def vectors(self, audio, samples):
            return np.full((len(audio), 2), np.nan, np.float32)

    for n in (100, 50):
        stream = TileStream(Broken())
        with pytest.raises(ValueError, match="infinities or no numbers"):
            stream.push(sound(n))
            stream.finish()


@pytest.mark.parametrize("way", ["whole", "mixed", "random"])
@pytest.mark.parametrize("n", [700, 2000, 18_000, 18_001])
def test_tiles_in_chunks_give_the_vector_of_the_recording(n, way):
    stream, vectors = TileStream(tiles()), []
    for chunk in chunks(n, way):
        vectors.append(stream.push(chunk))
    _, starts = tile_starts(np.array([n]), 2000)
    cuts = cut(sound(n), starts, 2000)
    ((_, wanted),) = clip_vectors(tiles().vectors, [(0, Tiles(len(starts), *cuts))], 4)
    np.testing.assert_array_equal(stream.finish(), wanted)
    assert len(np.concatenate(vectors)) == n // 2000
    with pytest.raises(ValueError, match="no sample has come"):
        TileStream(tiles()).finish()
    with pytest.raises(ValueError, match="finite float32"):
        stream.push(np.array([np.inf], np.float32))
