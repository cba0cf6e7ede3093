"""Laws of every augmentation, and what each one promises of its own."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from mu.audio import augment, augment_filters, augment_spectrogram, augment_time
from mu.audio.framing import fast_length

RATE_HZ = 16_000
KEY = jax.random.key(7)
ROOMS = augment_filters.decaying_responses(jax.random.key(1), 3, RATE_HZ, duration_s=0.02, t60_s=(0.02, 0.05))
WAVES = jax.random.normal(jax.random.key(2), (6, 1500)) * jnp.asarray([[0.01], [0.1], [0.3], [1.0], [0.2], [0.2]])
MELS = jax.random.normal(jax.random.key(3), (6, 30, 20)) * 10 - 40

# name: (augmentation, options under which it changes nothing)
OF_WAVES = {
    "gain": (augment.gain, {"gain_db": (0.0, 0.0)}),
    "polarity": (augment.polarity, None),
    "add_noise": (functools.partial(augment.add_noise, exponent=(-1.0, 2.0)), {"snr_db": (200.0, 200.0)}),
    "equalize": (functools.partial(augment_filters.equalize, sample_rate_hz=RATE_HZ), {"gain_db": (0.0, 0.0)}),
    "band_limit": (
        functools.partial(augment_filters.band_limit, sample_rate_hz=RATE_HZ, low_pass_hz=(2000.0, 7000.0)),
        {"low_pass_hz": (8000.0, 9000.0)},
    ),
    "reverb": (functools.partial(augment_filters.reverb, responses=ROOMS), {"responses": jnp.eye(1, 40)}),
    "shift": (functools.partial(augment_time.shift, max_samples=400), {"max_samples": 0}),
    "speed": (augment_time.speed, {"rate": (1.0, 1.0)}),
    "time_stretch": (functools.partial(augment_time.time_stretch, n_fft=128), {"rate": (1.0, 1.0)}),
    "pitch_shift": (functools.partial(augment_time.pitch_shift, n_fft=128), {"semitones": (0.0, 0.0)}),
}
OF_MELS = {
    "time_masks": (functools.partial(augment_spectrogram.time_masks, max_frames=9), {"max_frames": 0}),
    "frequency_masks": (functools.partial(augment_spectrogram.frequency_masks, max_bins=9), {"max_bins": 0}),
    "frequency_shift": (augment_spectrogram.frequency_shift, {"bins": (0.0, 0.0)}),
    "frequency_warp": (augment_spectrogram.frequency_warp, {"factor": (1.0, 1.0)}),
}
ALL = OF_WAVES | OF_MELS


def waves_or_mels(name):
    return WAVES if name in OF_WAVES else MELS


@functools.cache
def program(name):
    return jax.jit(functools.partial(ALL[name][0], p=1.0))


def run(name, key, x):
    """What becomes of single channels, each given as both channels of a stereo example."""
    return np.asarray(program(name)(key, jnp.stack([x, x], axis=1)))


def close(name):
    return {"rtol": 1e-5, "atol": 1e-5 if name in OF_WAVES else 1e-4}


@pytest.mark.parametrize("name", ALL)
def test_shapes_stay_and_the_key_decides(name):
    x = waves_or_mels(name)
    y = run(name, KEY, x)
    assert y.shape == (6, 2, *x.shape[1:]) and y.dtype == np.float32 and np.isfinite(y).all()
    np.testing.assert_array_equal(run(name, KEY, x), y)
    others = [run(name, jax.random.key(seed), x) for seed in range(3)]
    assert any((other != y).any() for other in others) or name == "polarity"


@pytest.mark.parametrize("name", ALL)
def test_examples_change_each_in_its_way(name):
    x = jnp.broadcast_to(waves_or_mels(name)[2], waves_or_mels(name).shape)
    y = run(name, KEY, x)
    assert len(np.unique(y[:, 0], axis=0)) == {"polarity": 1, "reverb": 3}.get(name, 6)


@pytest.mark.parametrize("name", [name for name in ALL if name != "add_noise"])  # of which each channel has its own
def test_channels_share_the_draws(name):
    y = run(name, KEY, waves_or_mels(name))
    np.testing.assert_allclose(y[:, 0], y[:, 1], **close(name))


@pytest.mark.parametrize("name", OF_WAVES)
def test_silence_is_silent(name):
    y = run(name, KEY, WAVES.at[0].set(0.0))
    assert not np.any(y[0]) and np.isfinite(y).all()


# What needs a compilation more, or one for each operation, is slow but for a few.
QUICK = ("gain", "shift", "time_masks", "frequency_shift")
SOME = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in ALL]


@pytest.mark.parametrize("name", SOME)
def test_eager_and_in_a_smaller_batch_it_is_the_same(name):
    """Row by row: neither the compiler nor the examples after it matter to an example."""
    pair = jnp.stack([waves_or_mels(name)[:2]] * 2, axis=1)
    found, expected = ALL[name][0](KEY, pair, p=1.0), run(name, KEY, waves_or_mels(name))[:2]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", SOME)
def test_half_of_the_examples(name):
    """With p between 0 and 1 an example is either as with p = 1 or as it was, bit for bit."""
    x = waves_or_mels(name)
    pairs = jnp.stack([x, x], axis=1)
    always, sometimes = run(name, KEY, x), np.asarray(jax.jit(functools.partial(ALL[name][0], p=0.5))(KEY, pairs))
    touched = np.asarray(augment.each(lambda key, x: x + 1, KEY, jnp.zeros((6, 1)), 0.5))[:, 0] > 0
    assert 0 < touched.sum() < 6
    np.testing.assert_allclose(sometimes[touched], always[touched], **close(name))
    np.testing.assert_array_equal(sometimes[~touched, 0], x[~touched])


@pytest.mark.parametrize("name", SOME)
def test_parameters_that_change_nothing(name):
    apply, identity = ALL[name]
    if identity is None:
        pytest.skip("it always changes what it touches")
    y = jax.jit(functools.partial(apply, **identity))(KEY, waves_or_mels(name))
    np.testing.assert_allclose(y, waves_or_mels(name), rtol=0, atol=2e-6 if name in OF_WAVES else 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_gradients_are_finite_in_silence_too(name):
    x = waves_or_mels(name)[:2].at[0].set(0.0)
    gradient = jax.jit(jax.grad(lambda x: jnp.square(ALL[name][0](KEY, x)).sum()))(x)
    assert np.isfinite(gradient).all() and np.abs(gradient[1]).max() > 0


def test_probability():
    x = jnp.zeros((2000, 1))
    touched = jax.jit(lambda x: [augment.each(lambda key, x: x + 1, KEY, x, p) for p in (0.0, 0.3, 1.0)])
    never, sometimes, always = touched(x)
    assert not never.any() and always.all() and abs(float(sometimes.mean()) - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 2000)


def decibels(ratio):
    return 10 * np.log10(ratio)


def energies(x):
    return np.square(np.asarray(x, np.float64)).sum(-1)


def test_gain_fills_its_range():
    x = jnp.ones((500, 4))
    found = decibels(energies(jax.jit(functools.partial(augment.gain, gain_db=(-9.0, 3.0)))(KEY, x)) / 4)
    assert -9.001 < found.min() < -8.8 and 2.8 < found.max() < 3.001
    assert stats.kstest((found + 9) / 12, "uniform").pvalue > 0.01


def test_polarity_turns_half_the_examples():
    y = jax.jit(augment.polarity)(KEY, jnp.ones((400, 3)))
    assert set(np.unique(y)) == {-1.0, 1.0} and abs(np.asarray(y[:, 0]).mean()) < 0.2


def test_snr_is_exact():
    noisy = functools.partial(augment.add_noise, snr_db=(-5.0, -5.0), exponent=(1.0, 1.0))
    y = jax.jit(noisy)(KEY, WAVES)
    found = decibels(energies(WAVES) / energies(np.asarray(y, np.float64) - np.asarray(WAVES, np.float64)))
    np.testing.assert_allclose(found, -5.0, atol=1e-3)


def test_snr_is_drawn_from_its_range():
    """Of both channels together."""
    added = run("add_noise", KEY, WAVES).astype(np.float64) - np.asarray(WAVES, np.float64)[:, None]
    found = decibels(2 * energies(WAVES) / energies(added).sum(1))
    assert 5 < found.min() < found.max() < 30 and np.ptp(found) > 5


NOISE = jax.jit(functools.partial(augment.colored_noise, shape=(40, 8192)))


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 1.0, 2.0])
def test_noise_is_gaussian_and_has_its_color(exponent):
    noise = np.asarray(NOISE(KEY, exponent=jnp.float32(exponent)))
    frames = noise[:, :8192].reshape(-1, 2048) * np.hanning(2048)
    spectrum = np.square(np.abs(np.fft.rfft(frames))).mean(0)
    bins = np.arange(16, 900)
    slope = np.polyfit(np.log(bins), np.log(spectrum[bins]), 1)[0]
    assert abs(slope + exponent) < 0.05
    if exponent == 0:
        assert abs(stats.kurtosis(noise.ravel())) < 0.02 and abs(stats.skew(noise.ravel())) < 0.02
        assert stats.kstest(noise[0, ::7] / noise.std(), "norm").pvalue > 0.01
        assert np.abs(np.corrcoef(noise)[~np.eye(40, dtype=bool)]).max() < 0.06


def test_mixup_mixes_each_with_another():
    x = jax.random.normal(KEY, (600, 3, 2))
    apply = jax.jit(functools.partial(augment.mixup, alpha=0.4, p=0.8))
    mixed, partner, weight = (np.asarray(part) for part in apply(KEY, x))
    assert sorted(partner) == list(range(600)) and (partner != np.arange(600)).all()
    share = weight[:, None, None]
    np.testing.assert_allclose(mixed, share * x + (1 - share) * x[partner], rtol=1e-5, atol=1e-6)
    assert mixed.dtype == np.float32 and partner.dtype == np.int32
    np.testing.assert_array_equal(mixed[weight == 1], x[weight == 1])
    assert abs((weight < 1).mean() - 0.8) < 0.05
    assert stats.kstest(weight[weight < 1], stats.beta(0.4, 0.4).cdf).pvalue > 0.01


@pytest.mark.slow
def test_mixup_weights_do_not_depend_on_the_batch():
    _, _, weight = augment.mixup(KEY, MELS)
    alone, itself, first = augment.mixup(KEY, MELS[:1])
    assert first[0] == weight[0] and itself.tolist() == [0]
    np.testing.assert_allclose(alone, MELS[:1], rtol=1e-6)


def response_db(apply, hz):
    """What a filter does to an impulse in the middle of a second, at frequencies in Hz."""
    impulse = jnp.zeros((1, RATE_HZ)).at[0, RATE_HZ // 2].set(1.0)
    found = np.asarray(jax.jit(apply)(KEY, impulse)[0], np.float64)
    return 20 * np.log10(np.abs(np.fft.rfft(found))[np.asarray(hz)] + 1e-12)


def test_a_bell_has_its_gain_center_and_width():
    bell = functools.partial(
        augment_filters.equalize,
        sample_rate_hz=RATE_HZ,
        gain_db=(6.0, 6.0),
        center_hz=(1000.0, 1000.0),
        width_octaves=(2.0, 2.0),
    )
    hz = [1000, 500, 2000, 7900]  # two bells in one place
    np.testing.assert_allclose(response_db(functools.partial(bell, bands=2), hz), [12, 6, 6, 0.02], atol=0.04)


def test_band_limit_is_steep():
    telephone = functools.partial(
        augment_filters.band_limit, sample_rate_hz=RATE_HZ, low_pass_hz=(3400.0, 3400.0), high_pass_hz=(300.0, 300.0)
    )
    found = response_db(telephone, [100, 190, 300, 410, 1000, 3290, 3400, 3510, 7000])
    assert (found[[0, 1, 7, 8]] < -80).all()
    np.testing.assert_allclose(found[[2, 6]], -6.02, atol=0.05)
    np.testing.assert_allclose(found[3:6], 0, atol=1e-3)


def test_reverb_convolves_and_keeps_the_energy():
    y = run("reverb", KEY, WAVES)[:, 0]
    np.testing.assert_allclose(energies(y), energies(WAVES), rtol=1e-5)
    assert not np.allclose(y, WAVES, atol=1e-3)
    for wave, found in zip(np.asarray(WAVES), y, strict=True):
        directions = [np.convolve(wave, room)[: len(wave)] for room in np.asarray(ROOMS)]
        cosines = [found @ d / np.linalg.norm(found) / np.linalg.norm(d) for d in directions]
        assert max(cosines) > 1 - 1e-6


def test_made_up_rooms_decay_as_asked():
    same = {"duration_s": 0.6, "t60_s": (0.5, 0.5), "direct_db": (3.0, 3.0)}
    rooms = np.asarray(jax.jit(lambda key: augment_filters.decaying_responses(key, 40, RATE_HZ, **same))(KEY))
    assert rooms.shape == (40, 9600) and (rooms[:, 0] == 1).all()
    np.testing.assert_allclose(decibels(1 / energies(rooms[:, 1:])), 3, atol=1e-3)
    # Schroeder's backward integral, from -5 to -35 dB of the tail; the cut at 0.6 s lies below -70 dB.
    left = decibels(np.square(rooms[:, 1:]).astype(np.float64)[:, ::-1].cumsum(-1)[:, ::-1])
    left -= left[:, :1]
    t60_s = [
        -60 / np.polyfit(np.flatnonzero((row > -35) & (row < -5)) / RATE_HZ, row[(row > -35) & (row < -5)], 1)[0]
        for row in left
    ]
    np.testing.assert_allclose(t60_s, 0.5, rtol=0.1)


def test_measured_rooms_begin_with_their_direct_sound():
    rooms = np.asarray([[0.1, 0.0, -1.0, 0.5], [1.0, 0.2, 0.0, 0.0]])
    np.testing.assert_allclose(augment_filters.align_responses(rooms), [[-1.0, 0.5, 0, 0], [1.0, 0.2, 0, 0]])


def test_shift_moves_by_whole_samples_both_ways():
    x = jnp.tile(jnp.arange(1.0, 11.0), (300, 1))
    both = jax.jit(lambda x: [augment_time.shift(KEY, x, max_samples=3, circular=way) for way in (True, False)])
    turned, pushed = (np.asarray(y) for y in both(x))
    moves = turned[:, 0].astype(int)
    for row, first in zip(turned, moves, strict=True):
        np.testing.assert_array_equal(row, np.roll(x[0], 1 - first))
    assert set(moves) == {8, 9, 10, 1, 2, 3, 4}
    for row, first in zip(pushed, moves, strict=True):
        later = (1 - first) % 10
        later -= 10 * (later > 3)
        expected = np.zeros(10)
        expected[max(later, 0) : 10 + min(later, 0)] = np.arange(1, 11)[max(-later, 0) : 10 - max(later, 0)]
        np.testing.assert_array_equal(row, expected)


def tone_hz(x):
    """The strongest frequency, from a windowed spectrum between whose bins zeros interpolate: to 1/8 of a bin."""
    spectrum = np.abs(np.fft.rfft(np.asarray(x, np.float64) * np.hanning(len(x)), 8 * len(x)))
    return spectrum.argmax() * RATE_HZ / (8 * len(x))


def test_random_times_and_pitches_stay_in_their_ranges():
    """1,500 samples of 2 kHz: told to 1.3 Hz."""
    x = jnp.tile(jnp.sin(2 * jnp.pi * 2000 * jnp.arange(1500, dtype=jnp.float32) / RATE_HZ), (6, 1))
    sped = [tone_hz(y[:1350]) / 2000 for y in run("speed", KEY, x)[:, 0]]
    assert 0.899 < min(sped) < max(sped) < 1.101 and np.ptp(sped) > 0.05
    shifted = [12 * np.log2(tone_hz(y) / 2000) for y in run("pitch_shift", KEY, x)[:, 0]]
    assert -2.02 < min(shifted) < max(shifted) < 2.02 and np.ptp(shifted) > 1
    stretched = run("time_stretch", KEY, x)[:, 0]
    np.testing.assert_allclose([tone_hz(y[:1100]) for y in stretched], 2000, atol=4)
    lengths = [np.flatnonzero(np.abs(y) > 0.1)[-1] for y in stretched]
    assert 1500 / 1.25 - 64 < min(lengths) < 1400 and max(lengths) == 1499


def test_a_mask_is_one_span_of_any_width_anywhere():
    x = jax.random.normal(KEY, (500, 12, 5))
    masks = functools.partial(augment_spectrogram.time_masks, count=1, max_frames=4, fill=-80.0)
    y = np.asarray(jax.jit(masks)(KEY, x))
    blotted = (y == -80).all(2)
    np.testing.assert_array_equal((y == -80).any(2), blotted)  # whole frames
    np.testing.assert_array_equal(np.where(y == -80, x, y), x)  # and nothing else
    edges = np.abs(np.diff(np.pad(blotted, ((0, 0), (1, 1))).astype(int), axis=1)).sum(1)
    assert set(edges) == {0, 2} and set(blotted.sum(1)) == set(range(5)) and blotted.any(0).all()


@pytest.mark.parametrize(("name", "across"), [("time_masks", 2), ("frequency_masks", 1)])
def test_several_masks_filled_with_the_mean(name, across):
    y = run(name, KEY, MELS)[:, 0]
    blotted = y != MELS
    mean = np.broadcast_to(MELS.mean((1, 2), keepdims=True), MELS.shape)
    np.testing.assert_allclose(y[blotted], mean[blotted], rtol=1e-6)
    np.testing.assert_array_equal(blotted.all(across), blotted.any(across))
    assert 9 < blotted.any(across).sum(1).max() <= 18  # two of at most 9


def test_mel_bins_move_by_whole_and_half_bins():
    moves = (2.0, -0.5)
    shift = augment_spectrogram.frequency_shift
    up, down = jax.jit(lambda x: [shift(KEY, x, bins=(move, move)) for move in moves])(MELS)
    np.testing.assert_allclose(up[..., 2:], MELS[..., :-2], rtol=1e-6)
    np.testing.assert_allclose(up[..., :2], jnp.repeat(MELS[..., :1], 2, axis=-1), rtol=1e-6)
    np.testing.assert_allclose(down[..., :-1], (MELS[..., :-1] + MELS[..., 1:]) / 2, rtol=1e-5)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_warped_bins_go_where_two_lines_lead(factor):
    ramp = jnp.tile(jnp.arange(101, dtype=jnp.float32), (1, 3, 1))  # a ramp tells where a bin came from
    warp = functools.partial(augment_spectrogram.frequency_warp, factor=(factor, factor))
    came = np.asarray(jax.jit(warp)(KEY, ramp))[0, 0]
    knee = int(80 * min(factor, 1))
    np.testing.assert_allclose(came[: knee + 1], np.arange(knee + 1) / factor, atol=1e-4)
    assert came[-1] == 100 and (np.diff(came) > 0).all()
    np.testing.assert_allclose(np.diff(came[knee:], n=2), 0, atol=1e-3)


@pytest.mark.parametrize("samples", [2, 5, 7, 8, 999, 4097, 160_000, 163_841, 441_001])
def test_fast_lengths_have_small_factors(samples):
    length = fast_length(samples)
    assert samples <= length <= 1.15 * samples + 2 and length % 2 == 0
    for factor in (2, 3, 5):
        while length % factor == 0:
            length //= factor
    assert length == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: augment.gain(KEY, WAVES, gain_db=(3.0, -3.0)), r"gain_db=\(3.0, -3.0\)"),
        (lambda: augment.gain(KEY, WAVES, p=1.5), "p=1.5"),
        (lambda: augment_time.speed(KEY, WAVES, rate=(-1.0, 1.0)), "both positive"),
        (lambda: augment_time.shift(KEY, WAVES, max_samples=5000), "max_samples=5000"),
        (lambda: augment.mixup(KEY, WAVES, alpha=0.0), "alpha=0.0"),
        (lambda: augment_filters.reverb(KEY, WAVES, ROOMS[0]), r"responses are float32 \[R, L\]"),
        (lambda: augment_filters.decaying_responses(KEY, 0, RATE_HZ), "count=0"),
        (lambda: augment_spectrogram.time_masks(KEY, MELS, max_frames=31), "max_frames=31"),
        (lambda: augment_spectrogram.frequency_warp(KEY, MELS, knee=1.0), "knee=1.0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_single_waveform_is_refused():
    with pytest.raises(TypeError, match="float32 batch"):
        augment.gain(KEY, WAVES[0])
    with pytest.raises(TypeError, match="int16"):
        augment.gain(KEY, WAVES.astype(jnp.int16))
    with pytest.raises(TypeError, match="int16"):
        augment.mixup(KEY, WAVES.astype(jnp.int16))


def test_float64_of_numpy_is_converted():
    for apply in (augment.gain, lambda key, x: augment.mixup(key, x)[0]):
        found = apply(KEY, np.asarray(WAVES, np.float64))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, apply(KEY, WAVES))


def test_double_precision_elsewhere_changes_no_type():
    """Under jax_enable_x64 all is float32 still; nothing is computed to see that."""
    with jax.enable_x64(True):
        key = jax.eval_shape(lambda: jax.random.key(0))
        for name, (apply, _) in ALL.items():
            x = jax.ShapeDtypeStruct(waves_or_mels(name).shape, np.float32)
            assert jax.eval_shape(functools.partial(apply, p=0.5), key, x).dtype == np.float32, name
        mixed, partner, weight = jax.eval_shape(augment.mixup, key, jax.ShapeDtypeStruct((4, 9), np.float32))
        assert (mixed.dtype, partner.dtype, weight.dtype) == (np.float32, np.int32, np.float32)
        rooms = jax.eval_shape(lambda key: augment_filters.decaying_responses(key, 3, RATE_HZ), key)
        assert rooms.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("name", ["add_noise", "reverb", "pitch_shift", "frequency_shift"])
def test_eight_devices_are_one(name):
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    x = jnp.tile(waves_or_mels(name)[:4], (2, *[1] * (waves_or_mels(name).ndim - 1)))
    apply = jax.jit(ALL[name][0])
    sharded = jax.device_put(x, jax.NamedSharding(mesh, jax.P("data")))
    y = apply(KEY, sharded)
    assert y.sharding.is_equivalent_to(sharded.sharding, x.ndim)
    np.testing.assert_allclose(y, apply(KEY, x), **close(name))
