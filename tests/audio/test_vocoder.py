"""The phase vocoder against librosa and against what a tone must do; interpolation against the formula of a sine."""

import functools

import jax
import jax.numpy as jnp
import librosa
import numpy as np
import pytest
import soundfile

from mu.audio.interpolation import change_speed
from mu.audio.vocoder import pitch_shift, time_stretch

RATE_HZ = 16_000
NOISE = (0.1 * np.random.default_rng(0).standard_normal(6000)).astype(np.float32)


def tone(hz, samples):
    return np.sin(2 * np.pi * hz * np.arange(samples) / RATE_HZ).astype(np.float32)


def tone_hz(x):
    """The strongest frequency, from a windowed spectrum between whose bins zeros interpolate: to 1/8 of a bin."""
    spectrum = np.abs(np.fft.rfft(np.asarray(x, np.float64) * np.hanning(len(x)), 8 * len(x)))
    return spectrum.argmax() * RATE_HZ / (8 * len(x))


@pytest.mark.parametrize("rate", [0.7, 1.0, 1.3])
@pytest.mark.parametrize("name", ["noise", "tone"])
def test_time_stretch_equals_librosa(name, rate):
    """1e-4 of the peak. librosa in float64, whose float32 sums of phases are off by 1e-3 of it; and up to the last
    frame, where librosa has no frames behind the signal to add."""
    x = {"noise": NOISE, "tone": tone(440, 6000)}[name]
    expected = librosa.effects.time_stretch(x.astype(np.float64), rate=rate, n_fft=512)
    found = time_stretch(jnp.asarray(x), rate, n_fft=512)
    assert found.shape == expected.shape and found.dtype == jnp.float32
    np.testing.assert_allclose(found[:-512], expected[:-512], rtol=0, atol=1e-4 * np.abs(expected).max())


def test_time_stretch_of_music_equals_librosa(data_dir):
    """0.2 % of the energy's root: bins near silence have phases that float32 does not know."""
    file = data_dir / "mir_single_clips" / "librosa" / "test_audio.flac"
    x = soundfile.read(file, frames=60_000, dtype="float32", always_2d=True)[0].mean(-1)
    expected = librosa.effects.time_stretch(x.astype(np.float64), rate=0.8)[:-2048]
    error = np.asarray(time_stretch(jnp.asarray(x), 0.8))[:-2048] - expected
    assert np.linalg.norm(error) < 2e-3 * np.linalg.norm(expected)


def test_a_decaying_tail_leaves_the_level_as_it_is():
    """Where the squares of a spectrum underflow its phase is no unit number, and all later phases are its multiples."""
    for tau in (80, 160):  # samples
        fade = np.exp(-np.arange(12_000) / tau)
        x = np.concatenate([np.tile(NOISE, 2) * fade, NOISE]).astype(np.float32)
        np.testing.assert_allclose(time_stretch(jnp.asarray(x), 1.0, n_fft=512), x, atol=1e-6)


@pytest.mark.parametrize("rate", [0.75, 1.5])
def test_time_stretch_keeps_the_pitch_and_changes_the_duration(rate):
    x = np.concatenate([tone(1000, 8000), np.zeros(4000, np.float32)])
    y = np.asarray(time_stretch(jnp.asarray(x), rate, n_fft=512))
    assert len(y) == round(12_000 / rate)
    sounding = np.flatnonzero(np.abs(y) > 0.05)[-1]
    assert abs(sounding - 8000 / rate) < 512
    assert abs(tone_hz(y[: int(7000 / rate)]) - 1000) < 1
    # The tone's onset leaves neighbouring bins out of step, which costs up to 1 dB (librosa's, too).
    np.testing.assert_allclose(np.sqrt(np.square(y[500 : int(7000 / rate)]).mean()), np.sqrt(0.5), rtol=0.12)


@pytest.mark.parametrize("semitones", [4.5, pytest.param(-7, marks=pytest.mark.slow)])
def test_pitch_shift_moves_a_tone(semitones):
    y = pitch_shift(jnp.asarray(tone(1000, 8000)), semitones, n_fft=512)
    assert y.shape == (8000,)
    assert abs(12 * np.log2(tone_hz(y[300:7000]) / 1000) - semitones) < 0.02
    np.testing.assert_allclose(np.sqrt(np.square(y[500:7000]).mean()), np.sqrt(0.5), rtol=0.15)


@pytest.mark.parametrize("semitones", [-3, 4.5])
def test_pitch_shift_equals_librosa_where_resampling_filters_do(semitones):
    """Of the peak, away from the ends: a tone to 2e-4, noise below 2 kHz to 3e-4, white noise to 20 %."""
    white = np.tile(NOISE, 2).astype(np.float64)
    spectrum = np.fft.rfft(white)
    spectrum[np.fft.rfftfreq(len(white), 1 / RATE_HZ) > 2000] = 0
    for x, tolerance in ((tone(440, 12_000), 2e-4), (np.fft.irfft(spectrum), 3e-4), (white, 0.2)):
        expected = librosa.effects.pitch_shift(x.astype(np.float64), sr=RATE_HZ, n_steps=semitones, n_fft=512)
        error = (np.asarray(pitch_shift(x.astype(np.float32), semitones, n_fft=512)) - expected)[512:-1024]
        assert np.abs(error).max() < tolerance * np.abs(expected).max()


def test_each_example_at_a_rate_of_its_own():
    """Rates known inside jit alone give what they give as numbers; the length is static, cut or padded."""
    x = jnp.stack([jnp.asarray(NOISE)] * 2)
    rates = jnp.asarray([0.75, 1.25])  # whose multiples are exact in float32
    stretch = functools.partial(time_stretch, n_fft=256, length_samples=6000)
    found = jax.jit(jax.vmap(stretch))(x, rates)
    for row, rate in zip(found, [0.75, 1.25], strict=True):
        np.testing.assert_allclose(row, stretch(x[0], rate), atol=1e-4)
    assert not np.any(found[1, round(6000 / 1.25) + 256 :])


@pytest.mark.slow
def test_each_example_at_a_pitch_of_its_own():
    x = jnp.stack([jnp.asarray(NOISE)] * 2)
    shift = functools.partial(pitch_shift, n_fft=256)
    found = jax.jit(jax.vmap(functools.partial(shift, max_semitones=12.0)))(x, jnp.asarray([0.0, 12.0]))
    np.testing.assert_allclose(found[0, :-300], x[0, :-300], atol=1e-5)
    np.testing.assert_allclose(found[1, :-300], shift(x[0], 12)[:-300], atol=1e-4)


def test_nothing_changes_at_rate_one():
    x = jnp.asarray(NOISE)
    np.testing.assert_allclose(time_stretch(x, 1.0, n_fft=512), x, atol=1e-6)
    np.testing.assert_allclose(pitch_shift(x, 0.0, n_fft=512), x, atol=1e-6)
    np.testing.assert_allclose(change_speed(x, 1.0), x, atol=1e-7)
    np.testing.assert_allclose(change_speed(x, 1.0, zero_crossings=1), x, atol=1e-7)


@pytest.mark.slow
def test_leading_axes_and_silence():
    x = jnp.stack([jnp.asarray(NOISE), jnp.zeros(6000)])
    for apply in (functools.partial(time_stretch, rate=1.2, n_fft=256), functools.partial(change_speed, rate=1.2)):
        y, alone = jax.jit(lambda x, apply=apply: (apply(x), apply(x[0])))(x)
        np.testing.assert_allclose(y[0], alone, atol=1e-6)
        assert y.shape == (2, 5000) and not np.any(y[1])


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_change_speed_reads_a_sine_between_its_samples(rate):
    """To 0.2 % where the sine lies below 0.8 of both Nyquist frequencies."""
    for cycles in (0.01, 0.1, 0.3):  # a sample
        x = jnp.asarray(np.sin(2 * np.pi * cycles * np.arange(4000)), jnp.float32)
        y = jax.jit(change_speed, static_argnums=1)(x, rate)
        expected = np.sin(2 * np.pi * cycles * rate * np.arange(len(y)))
        assert y.shape == (round(4000 / rate),)
        np.testing.assert_allclose(y[20:-20], expected[20:-20], atol=2e-3)


def test_change_speed_leaves_out_what_would_alias():
    x = jnp.asarray(np.sin(2 * np.pi * 0.46 * np.arange(4000)), jnp.float32)
    read = jax.jit(change_speed, static_argnums=1)
    assert np.square(read(x, 1.25)[20:-20]).mean() < 0.01 * 0.5
    assert np.square(read(x, 0.8)[20:-20]).mean() > 0.6 * 0.5


def test_change_speed_reads_each_row_at_its_own_rate():
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 2, 40_000)), jnp.float32)
    rates = jnp.asarray([[0.7, 1.0], [1.3, 2.5], [0.999, 1.001]], jnp.float32)
    y = jax.jit(functools.partial(change_speed, length_samples=50_000))(x, rates)
    for place in np.ndindex(3, 2):
        alone = change_speed(x[place], rates[place], length_samples=50_000)
        np.testing.assert_allclose(y[place], alone, atol=2e-6)
    # However long the output, its samples are the same.
    np.testing.assert_allclose(change_speed(x, rates, length_samples=1000), y[..., :1000], atol=2e-6)


def test_change_speed_keeps_a_constant():
    y = jax.jit(lambda x: change_speed(x, 1.1, zero_crossings=2))(jnp.ones(1000))
    np.testing.assert_allclose(y[5:-5], 1.0, atol=1e-6)


def test_positions_are_exact_in_long_signals():
    """At sample 2,000,000 float32 would be off by an eighth of a sample."""
    rate = float(np.float32(1.1))
    n = 2_000_000
    x = jnp.asarray(np.sin(2 * np.pi * 0.2 * np.arange(n)), jnp.float32)
    y = jax.jit(lambda x: change_speed(x, rate, zero_crossings=4))(x)
    last = np.arange(len(y) - 1000, len(y) - 100)
    np.testing.assert_allclose(y[last], np.sin(2 * np.pi * ((0.2 * rate * last) % 1.0)), atol=0.02)


@pytest.mark.slow
def test_gradient_is_the_transpose():
    """Speed is linear in x: <A x, y> = <x, A' y>."""
    x, y = jnp.asarray(NOISE), jax.random.normal(jax.random.key(0), (5000,))

    @jax.jit
    def both(x, y):
        value, pull = jax.vjp(lambda x: change_speed(x, 1.2), x)
        return jnp.vdot(value, y), jnp.vdot(x, pull(y)[0])

    np.testing.assert_allclose(*both(x, y), rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: time_stretch(x, 0.0), "rate=0.0 must be positive"),
        (lambda x: change_speed(x, -1), "rate=-1 must be positive"),
        (lambda x: change_speed(x, jnp.ones(7), length_samples=9), r"rate has shape \(7,\)"),
        (lambda x: time_stretch(x, jnp.float32(1.0)), "say length_samples"),
        (lambda x: pitch_shift(x, jnp.float32(1.0)), "say max_semitones"),
        (lambda x: time_stretch(x, 1.1, n_fft=511), "n_fft=511"),
        (lambda x: time_stretch(x, 1.1, n_fft=512, hop_samples=400), "hop_samples=400"),
        (lambda x: change_speed(x, 1.1, zero_crossings=0), "zero_crossings=0"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.asarray(NOISE))
