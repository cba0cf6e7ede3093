"""A stream gives the frames of the whole signal, however it is cut; what it carries does not grow."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.audio import chroma, descriptors, mel, rhythm, spectral, streaming
from mu.audio import streaming_features as streams
from tests.helpers.compilations import compilations

RATE_HZ = 8000
MELS = {"n_fft": 64, "n_mels": 8, "fmax_hz": 3000.0}


def pcen(x, **options):
    return mel.pcen(mel.mel_spectrogram(x, RATE_HZ, power=1.0, **MELS, **options), RATE_HZ, hop_samples=16)


def descriptions(magnitude):
    """Four descriptors of a frame at once: Hz, Hz, Hz, and thousandths."""
    of_rate = (descriptors.centroid, descriptors.bandwidth, descriptors.rolloff)
    parts = [of(magnitude, RATE_HZ) for of in of_rate] + [1000 * descriptors.flatness(magnitude)]
    return jnp.stack(parts, axis=-1)


def pair(stream, feature, tolerance, **options):
    """A stream, the offline function, and how far they may be apart; 0 is bit for bit."""
    return stream, functools.partial(feature, **options), tolerance


# The transforms of a frame are the same wherever it stands in a block; products with the mel filters and sums over a
# frame come out in another order, which moves the last bit.
FEATURES = {
    "stft": pair(streams.stft(n_fft=64), spectral.stft, 0, n_fft=64),
    "stft, not centred": pair(streams.stft(n_fft=64, center=False), spectral.stft, 0, n_fft=64, center=False),
    "stft, hop 24, reflect": pair(
        streams.stft(n_fft=64, hop_samples=24, pad_mode="reflect"),
        spectral.stft,
        0,
        n_fft=64,
        hop_samples=24,
        pad_mode="reflect",
    ),
    "stft, hop beyond the frame, symmetric": pair(
        streams.stft(n_fft=64, hop_samples=100, pad_mode="symmetric"),
        spectral.stft,
        0,
        n_fft=64,
        hop_samples=100,
        pad_mode="symmetric",
    ),
    "stft, odd, edge": pair(
        streams.stft(n_fft=63, window_samples=40, pad_mode="edge"),
        spectral.stft,
        0,
        n_fft=63,
        window_samples=40,
        pad_mode="edge",
    ),
    "log-mel": pair(streams.log_mel(RATE_HZ, **MELS), mel.log_mel, 1e-4, sample_rate_hz=RATE_HZ, **MELS),
    "mfcc": pair(
        streams.mfcc(RATE_HZ, n_mfcc=5, **MELS), mel.mfcc, 1e-4, sample_rate_hz=RATE_HZ, n_mfcc=5, top_db=None, **MELS
    ),
    "pcen": pair(streams.pcen(streams.mel_spectrogram(RATE_HZ, power=1.0, **MELS), RATE_HZ), pcen, 1e-6),
    "rms": pair(streams.rms(frame_samples=50, hop_samples=20), descriptors.rms, 1e-6, frame_samples=50, hop_samples=20),
    "onset strength": pair(
        streams.onset_strength(streams.log_mel(RATE_HZ, hop_samples=24, **MELS), lag=3),
        rhythm.onset_strength,
        1e-5,
        sample_rate_hz=RATE_HZ,
        hop_samples=24,
        lag=3,
        **MELS,
    ),
    "descriptors of magnitudes": pair(
        streams.of_magnitudes(descriptions, n_fft=64),
        lambda x: descriptions(spectral.magnitude(spectral.stft(x, n_fft=64))),
        1e-2,
    ),
    "chroma": pair(
        streams.chroma_stft(RATE_HZ, tuning=0.2, n_fft=64),
        chroma.chroma_stft,
        1e-6,
        sample_rate_hz=RATE_HZ,
        tuning=0.2,
        n_fft=64,
    ),
    "zero crossings": pair(
        streams.zero_crossing_rate(frame_samples=50, hop_samples=20),
        descriptors.zero_crossing_rate,
        0,
        frame_samples=50,
        hop_samples=20,
    ),
}


@functools.cache
def signal(samples):
    time = np.arange(samples) / RATE_HZ
    noise = np.random.default_rng(samples).standard_normal(samples)
    return (0.5 * np.sin(2 * np.pi * (200 + 900 * time) * time) + 0.1 * noise).astype(np.float32)


@functools.cache
def offline(name, samples):
    return np.asarray(jax.jit(FEATURES[name][1])(signal(samples)))


def streamed(stream, x, cuts):
    state, found = streaming.start(stream, x.shape[:-1]), []
    for chunk in np.split(x, sorted(cuts), axis=-1):
        state, frames = streaming.push(stream, state, chunk)
        found.append(frames)
    return np.concatenate([*found, streaming.finish(stream, state)], axis=x.ndim - 1)


def assert_equal(found, name, samples):
    np.testing.assert_allclose(found, offline(name, samples), rtol=0, atol=FEATURES[name][2], strict=True)


@pytest.mark.parametrize("name", FEATURES)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    samples=st.sampled_from([333, 2500]),
    cuts=st.lists(st.floats(0, 1), max_size=12),
    singles=st.integers(0, 40),
)
def test_any_chunks_give_the_whole(name, samples, cuts, singles):
    """Chunks of many frames, of none, of no samples, and a run of single samples somewhere."""
    cuts = [round(cut * samples) for cut in cuts]
    at = cuts[0] if cuts else 0
    cuts += range(at, min(at + singles, samples))
    assert_equal(streamed(FEATURES[name][0], signal(samples), cuts), name, samples)


def test_onset_strength_differs_where_the_clip_lies_80_db_below_its_loudest():
    """The clip's floor, which a stream does not know, makes rises out of silence smaller; all others are the same."""
    x = np.concatenate([signal(1500), np.zeros(1000, np.float32), signal(1500)])
    stream, feature, tolerance = FEATURES["onset strength"]
    found, expected = streamed(stream, x, [700, 2100]), np.asarray(feature(x))
    decibels = np.asarray(mel.log_mel(x, RATE_HZ, hop_samples=24, **MELS))
    deep = (decibels < decibels.max() - 80).any(-1)
    # A frame is compared with that 3 before, and stands where it is centred: one later.
    touched = np.pad(deep[3:] | deep[:-3], (4, 0))[: len(x) // 24 + 1]
    np.testing.assert_allclose(found[~touched], expected[~touched], atol=tolerance)
    assert np.all(found >= expected - tolerance) and np.max(found - expected) > 1
    assert 0 < touched.sum() < len(found) / 2


@pytest.mark.parametrize("name", FEATURES)
def test_sample_by_sample(name):
    assert_equal(streamed(FEATURES[name][0], signal(333), range(333)), name, 333)


@pytest.mark.parametrize("samples", [1, 32, 33])
@pytest.mark.parametrize("name", ["stft, hop 24, reflect", "stft, hop beyond the frame, symmetric"])
def test_signals_shorter_than_a_frame(name, samples):
    """Padding that reflects more than there is comes round again, as offline."""
    assert_equal(streamed(FEATURES[name][0], signal(samples), range(0, samples, 3)), name, samples)


@pytest.mark.parametrize("name", FEATURES)
def test_frames_come_as_soon_as_they_are_known(name):
    """Frame f leaves with the last sample it covers, the padding's need of the beginning apart."""
    stream = FEATURES[name][0]
    state, emitted = streaming.start(stream), 0
    for heard, sample in enumerate(signal(333), start=1):
        state, frames = streaming.push(stream, state, sample[None])
        emitted += len(frames)
        ready = stream.padding + heard - stream.frame_samples
        assert emitted == (ready // stream.hop_samples + 1 if ready >= 0 and heard >= stream.needed else 0)


def test_a_signal_never_heard_has_no_frames():
    for stream, _, _ in FEATURES.values():
        state = streaming.start(stream, (2,))
        state, frames = streaming.push(stream, state, np.zeros((2, 0), np.float32))
        assert frames.shape[:2] == streaming.finish(stream, state).shape[:2] == (2, 0)


@pytest.mark.parametrize("name", ["onset strength", pytest.param("pcen", marks=pytest.mark.slow)])
def test_several_signals_at_once(name):
    x = np.stack([signal(2500), signal(2500)[::-1]])
    found = streamed(FEATURES[name][0], x, [7, 7, 900, 901, 1500])
    np.testing.assert_allclose(found, FEATURES[name][1](jnp.asarray(x)), atol=1e-4, strict=True)


@pytest.mark.parametrize("name", FEATURES)
def test_memory_is_bounded_by_the_state(name):
    """What is carried is less than a frame and a hop, however much was heard and in whatever pieces."""
    stream = FEATURES[name][0]
    state, largest = streaming.start(stream), 0
    memory = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(state.carry))
    for chunk in [*np.split(signal(50_000), range(0, 50_000, 777)), signal(60_000)]:
        state, _ = streaming.push(stream, state, chunk)
        assert state.samples.base is None  # not a view of something larger
        assert sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(state.carry)) == memory
        largest = max(largest, state.samples.shape[-1])
    assert largest <= max(stream.frame_samples, stream.needed)


def test_odd_chunks_compile_three_programs():
    stream = streams.log_mel(RATE_HZ, **MELS)
    state = streaming.start(stream)
    with compilations() as programs:
        for size in [1, 17, 31, 700, 2000, 333, 5000, 16, 99]:
            state, _ = streaming.push(stream, state, signal(5000)[:size])
    assert len(programs) == len(streaming.BLOCK_FRAMES)


@pytest.mark.parametrize("name", ["stft, hop 24, reflect", "pcen", "onset strength"])
def test_a_state_can_be_kept_and_continued(name):
    """Two futures of one past: the state is a value."""
    stream, samples = FEATURES[name][0], 2500
    state = streaming.start(stream)
    state, past = streaming.push(stream, state, signal(samples)[:1000])
    kept = jax.tree.map(np.array, state)
    streaming.push(stream, state, np.ones(700, np.float32))
    for origin in (state, kept):
        end, frames = streaming.push(stream, origin, signal(samples)[1000:])
        assert_equal(np.concatenate([past, frames, streaming.finish(stream, end)]), name, samples)


def test_a_step_can_be_scanned_inside_jit():
    """Chunks of a fixed size need no host: one frame a hop."""
    stream = streams.log_mel(RATE_HZ, center=False, hop_samples=16, **MELS)
    x = jnp.asarray(signal(64 + 16 * 30))

    def hop(state, chunk):
        tail, carry = state
        samples = jnp.concatenate([tail, chunk])
        carry, frames = stream.step(carry, samples)
        return (samples[16:], carry), frames[0]

    _, found = jax.lax.scan(hop, (x[:48], stream.initial(())), x[48:].reshape(-1, 16))
    np.testing.assert_allclose(found, mel.log_mel(x, RATE_HZ, center=False, hop_samples=16, **MELS), atol=1e-4)


def test_float64_of_numpy_is_converted_offline_and_in_streams():
    x = signal(2500)
    for found in (streamed(FEATURES["rms"][0], x.astype(np.float64), [999]), FEATURES["rms"][1](x.astype(np.float64))):
        np.testing.assert_array_equal(found, streamed(FEATURES["rms"][0], x, [999]))


def test_mistakes_are_named():
    stream = streams.rms()
    state = streaming.start(stream, (2,))
    with pytest.raises(TypeError, match=r"float32 \[2, S\].*int16 \(2, 5\)"):
        streaming.push(stream, state, np.zeros((2, 5), np.int16))
    with pytest.raises(TypeError, match=r"got float32 \(5,\)"):
        streaming.push(stream, state, np.zeros(5, np.float32))
    with pytest.raises(ValueError, match="pad_mode='wrap'"):
        streams.rms(pad_mode="wrap")
    with pytest.raises(ValueError, match="lag=0"):
        streams.onset_strength(streams.log_mel(RATE_HZ), lag=0)
    with pytest.raises(ValueError, match="centred"):
        streams.onset_strength(streams.log_mel(RATE_HZ, center=False))
    with pytest.raises(ValueError, match=r"top_db=80\.0"):
        streams.mfcc(RATE_HZ, top_db=80.0)
    centred = streaming.framewise(lambda x: descriptors.rms(x, frame_samples=64, hop_samples=16), 64, 16)
    with pytest.raises(ValueError, match="center=False"):
        streaming.start(centred)
