"""What every audio feature must keep: laws, and recordings to try them on."""

import jax
import jax.numpy as jnp
import numpy as np
import soundfile


def recording(data_dir, name, samples=12_000):
    """float32 [samples]: the beginning of a real recording at its own rate, its first channel, then silence."""
    x, _ = soundfile.read(data_dir / name, frames=samples, dtype="float32", always_2d=True, fill_value=0.0)
    return np.ascontiguousarray(x[:, 0])


# Speech, drums, a bowed string, two pieces of music: FLAC, Ogg Vorbis and MP3 at 8, 22.05 and 44.1 kHz.
RECORDINGS = [
    "fsdd/audio/0_george_0.flac",
    "sonicpi_cc0/audio/loop_amen.flac",
    "philharmonia_notes/audio/cello/cello_F2_05_piano_arco-normal.mp3",
    "mir_single_clips/librosa/test_audio.flac",
    "mir_single_clips/librosa/sir_duke_fast.ogg",
]


def noise(*shape, seed=0, loudness=0.1):
    """float32 white noise."""
    return (loudness * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def check_laws(feature, x, *, rtol=1e-5, atol=1e-5):
    """jit = eager, vmap = a loop = a batch of any leading axes, float32 or complex64 out; x [B, ...], B even."""
    tolerance = {"rtol": rtol, "atol": atol}
    one_by_one = np.stack([np.asarray(feature(one)) for one in x])
    assert one_by_one.dtype in (np.float32, np.complex64)
    np.testing.assert_allclose(jax.vmap(feature)(x), one_by_one, **tolerance)
    deep = jnp.reshape(x, (2, len(x) // 2, *x.shape[1:]))
    batch = feature(deep)
    np.testing.assert_allclose(np.reshape(batch, one_by_one.shape), one_by_one, **tolerance)
    np.testing.assert_allclose(jax.jit(feature)(deep), batch, **tolerance)


def check_gradients(feature, x):
    """Finite, also where all is silent, and not all zero on sound."""

    def total(x):
        out = feature(x)
        weights = jnp.asarray(np.random.default_rng(1).standard_normal(out.shape), jnp.float32)
        return jnp.sum(weights * (jnp.abs(out) if jnp.iscomplexobj(out) else out))

    gradient = jax.jit(jax.grad(total))
    assert np.all(np.isfinite(gradient(x))) and np.any(gradient(x) != 0)
    assert np.all(np.isfinite(gradient(np.zeros_like(x))))
