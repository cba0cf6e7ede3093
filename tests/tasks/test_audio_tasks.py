"""Laws of the tasks on clips, on a model whose answers are known, and of what they do to the clips beforehand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu.tasks.augmentations import Augmentations
from mu.tasks.clip_targets import ClipTargets
from mu.tasks.contrastive import Contrastive
from mu.tasks.multi_task import MultiTask
from tests.helpers.audio_clips import RATE_HZ, make_clips

KEY = jax.random.key(3)
NAMES = ("pitch", "tags", "numbers")


class Loudness:
    """Hears how loud a clip is, and says the same thing times that under every head."""

    front_end: "Loudness"
    sample_rate_hz = RATE_HZ

    def __init__(self, scale=1.0):
        self.front_end = self
        self.scale = scale

    def spectrogram(self, audio, samples):
        del samples
        return jnp.square(audio)[..., None], jnp.ones(audio.shape, bool)

    def normalised(self, spectrogram, mask):
        del mask
        return spectrogram

    def encode(self, spectrogram, mask, key):
        del mask, key
        heard = self.scale * jnp.mean(spectrogram, axis=(1, 2))[:, None]
        said = {"pitch": heard * jnp.arange(3.0)[None], "tags": heard * jnp.array([[1.0, -1.0]]), "numbers": heard}
        return {"clip": heard, **said}

    def __call__(self, rows, batch):
        del rows
        return self.encode(*self.spectrogram(batch["audio"], batch["samples"]), None)


def batch_of(clips, crops=1, samples=800):
    audio = np.stack([[clip.waveform(row, 0, samples) for _ in range(crops)] for clip, row in clips])
    targets = {name: np.stack([clip.targets[name].values[row] for clip, row in clips]) for name in NAMES}
    whole = np.full(audio.shape[:2], samples, np.int32)
    return {"audio": audio, "samples": whole, "weights": np.ones(len(audio), np.float32), **targets}


@pytest.fixture
def clips():
    return make_clips(12)


@pytest.fixture
def batch(clips):
    return batch_of([(clips, row) for row in range(8)])


def loss_of(task, batch, model=None):
    return task.loss(model or Loudness(), {}, batch, KEY)[0]


def test_what_is_not_known_of_a_clip_counts_for_nothing_and_has_no_gradient(clips, batch):
    task = ClipTargets(data=clips)
    unknown = {
        **batch,
        "pitch": np.where(np.arange(8) == 2, -1, batch["pitch"]),
        "tags": np.where((np.arange(8) == 2)[:, None], np.nan, batch["tags"]).astype(np.float32),
        "numbers": np.where((np.arange(8) == 2)[:, None], np.nan, batch["numbers"]).astype(np.float32),
    }
    assert loss_of(task, unknown)[2] == 0
    np.testing.assert_allclose(np.delete(loss_of(task, unknown), 2), np.delete(loss_of(task, batch), 2), rtol=1e-6)
    slope = jax.grad(lambda scale: loss_of(task, unknown, Loudness(scale)).sum())(1.0)
    without = jax.tree.map(lambda array: np.delete(array, 2, axis=0), batch)
    np.testing.assert_allclose(slope, jax.grad(lambda s: loss_of(task, without, Loudness(s)).sum())(1.0), rtol=1e-5)


def test_heads_add_up_as_weighted(clips, batch):
    alone = {}
    for name in NAMES:
        others = {other: float(other == name) for other in NAMES}
        alone[name] = loss_of(ClipTargets(data=clips, head_weights=others), batch)
    weighted = ClipTargets(data=clips, head_weights={"pitch": 2.0, "tags": 0.5})
    together = 2.0 * alone["pitch"] + 0.5 * alone["tags"] + alone["numbers"]
    np.testing.assert_allclose(loss_of(weighted, batch), together, rtol=1e-5)


def test_numbers_are_standardised_by_the_training_clips_and_told_in_their_own_units(clips, batch):
    train = clips.take(np.arange(5))
    levels = train.targets["numbers"].values
    task = ClipTargets(data=train, head_weights={"pitch": 0.0, "tags": 0.0})
    said = task.predict(Loudness(0.0), {}, batch)["numbers"]  # a model that says 0 says the mean
    np.testing.assert_allclose(said, np.full((8, 1), levels.mean()), rtol=1e-5)
    standardised = (batch["numbers"] - levels.mean()) / levels.std()
    np.testing.assert_allclose(loss_of(task, batch, Loudness(0.0)), np.square(standardised)[:, 0], rtol=1e-4)


def test_mixup_of_clips_of_one_kind_leaves_their_targets_alone(clips, batch):
    """share L(y) + (1 - share) L(y') is L(y) where y = y', and lies between the two elsewhere."""
    task, mixed = (ClipTargets(data=clips, mixup_alpha=alpha) for alpha in (0.0, 0.4))
    silent = Loudness(0.0)  # what is said does not depend on the sound, so that targets alone decide
    alike = {**batch, **{name: np.repeat(batch[name][:1], 8, axis=0) for name in NAMES}}
    np.testing.assert_allclose(loss_of(mixed, alike, silent), loss_of(task, alike, silent), rtol=1e-5)
    plain, found = loss_of(task, batch, silent), loss_of(mixed, batch, silent)
    assert (found >= plain.min() - 1e-5).all() and (found <= plain.max() + 1e-5).all()
    assert not np.allclose(found, plain)


def test_every_crop_has_a_loss_and_its_clips_weight(clips):
    pairs = batch_of([(clips, row) for row in range(4)], crops=2)
    pairs["weights"] = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    values, weights = ClipTargets(data=clips).loss(Loudness(), {}, pairs, KEY)
    assert values.shape == (8,) and weights.tolist() == [1, 1, 2, 2, 3, 3, 4, 4]
    np.testing.assert_allclose(values[::2], values[1::2], rtol=1e-6)


def test_several_weigh_a_clip_once():
    class One:
        offers, requires, compares_examples, needs_all_items = {}, frozenset(), False, False

        def loss(self, model, rows, batch, key):
            return jnp.ones(2 * len(batch["weights"])), jnp.repeat(batch["weights"], 2)

    batch = {"weights": jnp.array([1.0, 0.5, 0.0])}
    values, weights = MultiTask(tasks={"one": One(), "other": One()}).loss(None, {}, batch, KEY)
    assert float(jnp.sum(values * weights) / jnp.sum(weights)) == pytest.approx(2.0)


@pytest.mark.parametrize("options", [{"mixup_alpha": -1.0}, {"label_smoothing": 1.5}, {"label_smoothing": -0.1}])
def test_what_cannot_be_is_refused(clips, options):
    with pytest.raises(ValueError, match=rf"{next(iter(options))}="):
        ClipTargets(data=clips, **options)
    with pytest.raises(ValueError, match="temperature=0"):
        Contrastive(data=clips, temperature=0.0)


def short_clips(size=16, n=RATE_HZ):
    """Noise of different lengths, all shorter than what they are filled up to."""
    generator = np.random.default_rng(0)
    samples = generator.integers(n // 8, n // 2, size).astype(np.int32)
    audio = generator.standard_normal((size, n)).astype(np.float32) * (np.arange(n) < samples[:, None])
    return jnp.asarray(audio), jnp.asarray(samples)


def test_shifted_clips_stay_within_their_own_length():
    audio, samples = short_clips()
    moved, after = Augmentations(shift_s=0.5).waveform(KEY, audio, samples, RATE_HZ)
    np.testing.assert_array_equal(after, samples)
    np.testing.assert_array_equal(jnp.sort(moved, axis=1), jnp.sort(audio, axis=1))
    outside = jnp.arange(audio.shape[1])[None] >= samples[:, None]
    assert not jnp.where(outside, moved, 0.0).any() and (moved != audio).any(axis=1).all()


def test_each_augmentation_changes_what_it_is_for_and_all_go_together():
    audio, samples = short_clips(n=RATE_HZ // 2)
    picture = jax.random.normal(KEY, (16, 40, 32))
    of_waveforms = {
        "speed": (0.9, 1.1),
        "shift_s": 0.1,
        "equalize_db": (-6.0, 6.0),
        "reverb_t60_s": (0.1, 0.3),
        "noise_snr_db": (10.0, 30.0),
        "gain_db": (-6.0, 6.0),
        "polarity": True,
    }
    of_spectrograms = {
        "frequency_shift": 1.0,
        "frequency_warp": (0.95, 1.05),
        "time_masks": 1,
        "frequency_masks": 1,
    }

    @jax.jit
    def augmented(audio, samples, picture):
        alone = {name: Augmentations(**{name: value}) for name, value in (of_waveforms | of_spectrograms).items()}
        sounds = {name: alone[name].waveform(KEY, audio, samples, RATE_HZ)[0] for name in of_waveforms}
        pictures = {name: alone[name].spectrogram(KEY, picture) for name in of_spectrograms}
        everything = Augmentations(**of_waveforms, **of_spectrograms)
        sounds["all"] = everything.waveform(KEY, audio, samples, RATE_HZ)[0]
        return sounds, pictures | {"all": everything.spectrogram(KEY, picture)}

    for before, after in zip((audio, picture), augmented(audio, samples, picture), strict=True):
        for name, changed in after.items():
            assert changed.shape == before.shape and np.isfinite(changed).all(), name
            assert (changed != before).any(), name


@pytest.mark.parametrize("speed", [(0.6, 0.8), (1.2, 1.6)])
def test_at_another_speed_a_clip_has_another_length(speed):
    audio, samples = short_clips()
    played, after = Augmentations(speed=speed).waveform(KEY, audio, samples, RATE_HZ)
    low, high = np.asarray(samples) / speed[1], np.asarray(samples) / speed[0]
    assert (np.asarray(after) >= low - 1).all() and (np.asarray(after) <= high + 1).all()
    places = jnp.arange(audio.shape[1])[None]
    beyond = jnp.where(places >= after[:, None] + 16, played, 0.0)  # a sinc of eight zero crossings reaches so far
    assert float(jnp.sum(jnp.square(beyond))) < 1e-6 * float(jnp.sum(jnp.square(played)))
    last = jnp.where((places < after[:, None]) & (places >= after[:, None] - 200), jnp.abs(played), 0.0)
    assert (last.max(axis=1) > 0.1).all()  # and it sounds to its end
