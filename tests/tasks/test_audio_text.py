"""Sound and words: n-grams, the loss beside a slow twin, and texts of clips; runs are in tests/embedding."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import polars as pl
import pytest
from flax import nnx

from mu import losses
from mu.data.clips.clips import Clips, texts_of
from mu.data.clips.targets import ClassTarget
from mu.ngrams import HASH_SIZE, MOST, ngram_rows, ngrams
from mu.nn.text import TextTower
from mu.run.learnt import _labels
from mu.tasks.audio_text import AudioText
from mu.tasks.clip_targets import ClipTargets
from mu.tasks.multi_task import MultiTask
from tests.helpers.audio_clips import load_tones


def test_ngrams_are_those_of_words_whatever_their_case_and_order():
    assert ngrams("Calm PIANO!") == ngrams("piano, calm") != ngrams("calm violin")
    assert ngrams("\ufb01lm") == ngrams("film") and ngrams("éa") != ngrams("ea")
    piano, pianos = set(ngrams("piano")), set(ngrams("pianos"))
    assert len(piano) == 1 + 5 + 4 + 3  # <piano>: the word, <pi pia ian ano no>, four of 4, three of 5
    assert len(piano & pianos) == 4 + 3 + 2  # all but the word and those that reach its end
    assert len({*map(tuple, map(ngrams, ("C#", "C", "c\u266f minor", "C minor")))}) == 4
    assert (
        ngrams("C\u266f") == ngrams("c#") and ngrams("... !") == [] and all(0 <= place < HASH_SIZE for place in piano)
    )
    assert ngrams("ab") == sorted(ngrams("ab")) and len(ngrams("ab")) == 3  # <ab, ab>, <ab> as word and n-gram
    np.testing.assert_array_equal(ngram_rows(["", "ab"]), [[-1, -1, -1], ngrams("ab")])


def test_texts_are_the_words_of_columns_together():
    table = pl.DataFrame({"clip": ["a", "b", "c"], "title": ["Rain", None, ""], "tags": [["calm", "low"], [], None]})
    texts = texts_of(table, ("title", "tags"))
    np.testing.assert_array_equal(texts, ngram_rows(["rain calm low", "", ""]))
    with pytest.raises(ValueError, match="no clip has a word in the column empty"):
        texts_of(table.with_columns(empty=pl.lit("-")), ("empty",))
    with pytest.raises(ValueError, match=r"titel.*title"):
        texts_of(table, ("titel",))


def test_the_loss_is_that_of_a_slow_twin():
    random = np.random.default_rng(0)
    first, second = random.standard_normal((2, 6, 5))
    same = np.eye(6, dtype=bool)
    same[0, 3] = same[3, 0] = True
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second))
    expected = []
    for i in range(6):
        others = [j for j in range(6) if j == i or not same[i, j]]
        forth = -np.log(np.exp(a[i] @ b[i] / 0.2) / np.exp(a[i] @ b[others].T / 0.2).sum())
        back = -np.log(np.exp(a[i] @ b[i] / 0.2) / np.exp(b[i] @ a[others].T / 0.2).sum())
        expected.append((forth + back) / 2)
    arrays = jnp.asarray(first, jnp.float32), jnp.asarray(second, jnp.float32), jnp.asarray(same)
    np.testing.assert_allclose(losses.cross_modal(*arrays, 0.2), expected, rtol=1e-5)
    with_no_negative = losses.cross_modal(*arrays[:2], jnp.ones((6, 6), bool), 0.2)
    np.testing.assert_allclose(with_no_negative, 0.0, atol=1e-6)


def test_a_text_is_the_mean_of_its_ngrams():
    tower = TextTower(HASH_SIZE, 8, 4, 6, dtype=jnp.float32, rngs=nnx.Rngs(0))
    texts = jnp.asarray(ngram_rows(["rain", "rain rain", ""]))
    vectors = tower(jnp.pad(texts, ((0, 0), (0, 3)), constant_values=-1))
    np.testing.assert_allclose(vectors, tower(texts), atol=1e-6)
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    mean = np.mean([np.asarray(tower.vectors[...])[place] for place in ngrams("rain")], axis=0)
    np.testing.assert_allclose(vectors[0], tower.layers(jnp.asarray(mean)), atol=1e-5)
    np.testing.assert_allclose(vectors[2], tower.layers(jnp.zeros(8)), atol=1e-6)


def test_a_clip_without_words_counts_for_nothing():
    """It has no weight, and nobody's loss depends on its sound."""
    clips = load_tones(6, texts=("pitch",))
    task, text = AudioText(data=clips, projection=4), np.array(clips.texts)
    text[2] = -1
    batch = {
        "audio": np.zeros((6, 1, 8), np.float32),
        "samples": np.full((6, 1), 8, np.int32),
        "text": jnp.asarray(text),
    }
    batch["weights"] = np.ones(6, np.float32)
    sound = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)
    words = np.random.default_rng(2).standard_normal((6, 4)).astype(np.float32)

    def loss(sound):
        model = types.SimpleNamespace(
            front_end=types.SimpleNamespace(spectrogram=lambda x, _: (x, x), normalised=lambda x, _: x),
            heads={"text_projection": lambda places: jnp.asarray(words)},
            encode=lambda *_: {"audio_projection": jnp.asarray(sound)},
        )
        return task.loss(model, {}, batch, jax.random.key(0))

    values, weights = loss(sound)
    np.testing.assert_array_equal(weights, [1, 1, 0, 1, 1, 1])
    sound[2] *= -3.0
    np.testing.assert_array_equal(loss(sound)[0][weights > 0], values[weights > 0])


def test_texts_are_kept_of_the_training_clips(tmp_path):
    clips = load_tones(6, texts=("pitch", "tags"))
    clips.save_without_sound(tmp_path)
    np.testing.assert_array_equal(Clips.load_without_sound(tmp_path).texts, clips.texts)
    taken = clips.take(np.array([4, 1]))
    np.testing.assert_array_equal(taken.texts, clips.texts[[4, 1]])
    np.testing.assert_array_equal(taken.merged(taken).texts, clips.texts[[4, 1, 4, 1]])
    assert clips.hash() != load_tones(6, texts=("pitch",)).hash() != load_tones(6).hash()


def test_names_that_cannot_be_told_apart_are_refused():
    clips = load_tones(6, texts=("pitch",))
    values = clips.targets["pitch"].values
    for names, message in (
        (("low", "Low!", "high"), r"'pitch' has the names 'low' and 'Low!', whose words are the same"),
        (("low", "?", "high"), r"'pitch' has the name '\?', which has no word"),
    ):
        clips.targets["pitch"] = ClassTarget(names, values)
        with pytest.raises(ValueError, match=message):
            AudioText(data=clips)


def test_a_long_text_keeps_so_many_places():
    assert ngram_rows([" ".join(map(str, range(10_000)))]).shape == (1, MOST)


def test_a_head_stands_where_names_alone_predict_the_same():
    clips = load_tones(6, texts=("pitch",))
    words, heads = AudioText(data=clips, projection=4), ClipTargets(data=clips)
    for both in ({"words": words, "heads": heads}, {"heads": heads, "words": words}):
        task = MultiTask(tasks=both)
        assert task.text_task is words and task.offers["zero_shot"] == ("pitch",)
        for one in both.values():
            one.predict = lambda *_, one=one: {"pitch": one}
        assert task.predict(None, {}, {}) == {"pitch": heads}
    assert MultiTask(tasks={"heads": heads}).text_task is None


def test_columns_of_texts_are_labels_that_were_learnt():
    clips = dataclasses.replace(load_tones(6, targets=(), texts=("pitch",)), text_columns=("pitch",))
    assert _labels(clips, AudioText(data=clips)) == {"pitch"}


def test_without_texts_there_is_nothing_to_learn_beside():
    with pytest.raises(ValueError, match=r"the clips have no texts: name their columns in data.texts"):
        AudioText(data=load_tones(6))
