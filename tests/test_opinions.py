"""Opinions of clips: data and their errors, nothing of the test in training, the model's parts, the task's loss."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import mu.config
from mu.baselines.opinions import LogisticOpinions, SmoothedRates
from mu.data.clip_splits import by_hash
from mu.data.opinion_batches import OpinionBatches
from mu.evals import clip_scores
from mu.models.opinions import Opinions
from mu.nn.heads import Asked
from mu.setup import set_up
from mu.tasks.opinions import Opinions as OpinionsTask
from mu.train import train
from tests.opinion_clips import load_opinions, tiny_opinion_config, write_responses

ASKED = Asked({"kind": 4, "age": 5}, ("liked", "disliked"))
HEADER = "track,kind,age,liked,disliked\n"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_responses(tmp_path_factory.mktemp("responses") / "responses.csv")


@pytest.fixture(scope="module")
def data(table):
    return load_opinions(table)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "clip000.wav,bass,20,1,0\nclip999.wav,bass,20,1,0\n",
            r"line 3: 'track' is 'clip999.wav', and there is no such",
        ),
        ("clip000.wav,bass,20,1,2\n", r"line 2: 'disliked' is '2'; it must be 0 or 1"),
        ("clip000.wav,bass,20,1,\n", r"line 2: 'disliked' is None; it must be 0 or 1"),
        ("clip000.wav,bass,old,1,0\n", r"line 2: 'age' is 'old'; it must be a number, or empty"),
        ("clip000.wav,bass,inf,1,0\n", r"line 2: 'age' is 'inf'; it must be finite"),
        ("", "holds no responses"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, rows, words):
    (tmp_path / "responses.csv").write_text(HEADER + rows)
    with pytest.raises(ValueError, match=words):
        load_opinions(tmp_path / "responses.csv")


def test_a_wrong_column_is_named(table, tmp_path):
    with pytest.raises(ValueError, match="no column 'loved'; there is: track, kind, age"):
        load_opinions(table, said=("loved",))
    with pytest.raises(ValueError, match=r"'kind' of .* is named twice"):
        load_opinions(table, words=("kind", "kind"))
    with pytest.raises(ValueError, match="two clips have pitch='low'"):
        load_opinions(table, key="pitch")
    with pytest.raises(FileNotFoundError, match="there are no responses at"):
        load_opinions(tmp_path / "none.csv")


def test_parquet_says_what_csv_does(data, table, tmp_path):
    import polars as pl

    read = pl.read_csv(table)
    read.rename({name: name.strip() for name in read.columns}).with_columns(
        pl.col("^.*iked$").cast(pl.Boolean)
    ).write_parquet(tmp_path / "responses.parquet")
    assert load_opinions(tmp_path / "responses.parquet").hash() == data.hash()


def test_codes_are_learnt_from_the_given_responses_and_what_is_unknown_or_rare_is_a_value(tmp_path):
    rows = [("bass", 20)] * 5 + [("treble", 40)] * 5 + [("rare", 60)] * 2 + [("", "")] * 2
    lines = "".join(f"clip{at:03d}.wav,{kind},{age},1,0\n" for at, (kind, age) in enumerate(rows))
    (tmp_path / "responses.csv").write_text(HEADER + lines)
    data = load_opinions(tmp_path / "responses.csv", least=3, bins=2)
    assert data.cohort.words == {"kind": ("bass", "treble")} and data.cohort.sizes == {"kind": 4, "age": 3}
    codes = data.cohort.codes(data.responses)
    assert codes[[0, 5, 10, 12]].tolist() == [[2, 1], [3, 2], [1, 2], [0, 0]]
    some = data.take(np.arange(5))  # of whom treble is none
    assert some.cohort.codes(data.responses)[5].tolist()[0] == 1
    assert some.cohort.sizes["age"] == 2  # all of one age make one bin


def test_a_part_has_the_responses_to_its_clips(data):
    rows = np.array([7, 3, 30])
    part = data.take(rows)
    assert part.table["clip"].to_list() == [f"clip{row:03d}.wav" for row in rows]
    owners = [name.partition("#")[0] for name in part.responses.names]
    assert owners == [part.table["clip"][int(clip)] for clip in part.responses.clips]
    assert len(part.responses) == np.isin(data.responses.clips, rows).sum()
    both = part.merged(data.take(np.array([1])))
    assert both.responses.clips.max() == 3 and len(both.responses) > len(part.responses)
    starts, order = both.by_clip
    for clip in range(4):
        np.testing.assert_array_equal(
            order[starts[clip] : starts[clip + 1]], np.flatnonzero(both.responses.clips == clip)
        )


def test_a_batch_has_its_clips_responses_and_all_count_alike(data):
    batches = OpinionBatches(data, responses_per_clip=8, clips_per_batch=6, crop_s=0.2, seed=0)
    batch = batches.batch(np.arange(6), 0)
    starts, order = data.by_clip
    codes = data.cohort.codes(data.responses)
    for clip in range(6):
        own, n = order[starts[clip] : starts[clip + 1]], starts[clip + 1] - starts[clip]
        np.testing.assert_array_equal(batch["cohort"][clip, :n], codes[own])
        np.testing.assert_array_equal(batch["said"][clip, :n], data.responses.said[own])
        assert batch["counts"][clip].tolist() == [1.0] * n + [0.0] * (8 - n)
    few = OpinionBatches(data, responses_per_clip=2, clips_per_batch=6, crop_s=0.2, seed=0)
    np.testing.assert_allclose(few.batch(np.arange(6), 0)["counts"].sum(axis=1), np.diff(starts)[:6])
    drawn = [few.batch(np.arange(6), step)["said"] for step in range(400)]
    means = np.stack([data.responses.said[order[starts[c] : starts[c + 1]]].mean(axis=0) for c in range(6)])
    np.testing.assert_allclose(np.mean(drawn, axis=(0, 2)), means, atol=0.1)
    np.testing.assert_array_equal(few.batch(np.arange(6), 3)["said"], drawn[3])


def test_folds_share_no_clip_and_test_responses_change_nothing_in_training(table, data, tmp_path):
    split = by_hash(data, n_folds=4, fold=0, stratify="pitch")
    parts = [set(part.table["clip"]) for part in (split.train, split.valid, split.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    lines = table.read_text().splitlines()
    for at, line in enumerate(lines[1:], start=1):
        clip, _, age, liked, disliked = line.split(",")
        if clip in parts[2]:
            lines[at] = f"{clip},someone else,{age or 3},{1 - int(liked)},{1 - int(disliked)}"
    (tmp_path / "other.csv").write_text("\n".join(lines) + "\n")
    found = []
    for path in (table, tmp_path / "other.csv"):
        setup = set_up(tiny_opinion_config(path))
        batch = setup.batches.batch(np.arange(8), 0)
        baseline = SmoothedRates(by=("kind",)).fit(setup.train).predict(split.test)
        found.append((setup.train.hash(), setup.task._base, batch, setup.task.asked, baseline, setup.split.hash))
    (one, base, batch, asked, rates, split_hash), other = found[0], found[1]
    assert one == other[0] and asked == other[3] and split_hash != other[5]
    np.testing.assert_array_equal(base, other[1])
    jax.tree.map(np.testing.assert_array_equal, (batch, rates), (other[2], other[4]))


def model(**options):
    return Opinions(asked=ASKED, rngs=nnx.Rngs(0), **options)


class Heard:
    """Stands for an encoder whose clip vectors are given."""

    def __init__(self, dim):
        self.trunk = dataclasses.make_dataclass("Trunk", ["dim"])(dim)


def test_the_logit_is_the_sum_of_both_parts_and_what_they_make_together():
    random = np.random.default_rng(0)
    clip = jnp.asarray(random.standard_normal((3, 6)), jnp.float32)
    codes = jnp.asarray(random.integers(0, 4, (3, 5, 2)), jnp.int32)
    both = model(encoder=Heard(3), rank=4)
    a, w = both.heard(clip), both.who(codes, None)
    expected = np.zeros((3, 5, 2))
    for n in range(3):
        for r in range(5):
            for t in range(2):
                mixed = sum(both.together.kernel[d, t] * a[n, 2 + d] * w[n, r, 2 + d] for d in range(4))
                expected[n, r, t] = a[n, t] + w[n, r, t] + mixed
    np.testing.assert_allclose(both.judge(clip, codes), expected, rtol=1e-4, atol=1e-5)


def test_without_a_part_nothing_of_it_is_told():
    codes = jnp.arange(2 * 3 * 2, dtype=jnp.int32).reshape(2, 3, 2) % 4
    listener = model()
    unheard = listener.judge(jnp.zeros((2, 0)), codes)
    assert unheard.shape == (2, 3, 2) and not np.allclose(unheard[0, 0], unheard[0, 1])
    audio = model(encoder=Heard(3), listener=False)
    heard = audio.judge(jax.random.normal(jax.random.key(0), (2, 6)), codes)
    np.testing.assert_array_equal(heard[:, 0], heard[:, 2])
    assert not np.allclose(heard[0], heard[1])
    with pytest.raises(ValueError, match="there is nothing to tell an opinion by"):
        model(listener=False)
    with pytest.raises(ValueError, match="nothing is known of listeners"):
        Opinions(asked=Asked({}, ("liked",)), rngs=nnx.Rngs(0))


def test_dropout_follows_its_key():
    both, codes = model(encoder=Heard(3), forget=0.5), jnp.ones((4, 6, 2), jnp.int32)
    clip = jnp.ones((4, 6))
    first, again = (both.judge(clip, codes, jax.random.key(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, both.judge(clip, codes))


class Constant:
    """A model that hears nothing and always says the same."""

    encoder = None

    def __init__(self, logits):
        self.logits = jnp.asarray(logits)

    def judge(self, clip, codes, key=None):
        del clip, key
        return jnp.broadcast_to(self.logits, (*codes.shape[:2], 2))


def test_the_loss_is_the_mean_cross_entropy_of_responses(data):
    """By hand; and a model that says nothing says the base rate."""
    bare = dataclasses.replace(data, targets={})
    task, logits = OpinionsTask(data=bare), np.array([0.3, -1.0])
    batch = OpinionBatches(bare, responses_per_clip=8, clips_per_batch=48, crop_s=0.1, seed=0).batch(np.arange(48), 0)
    values, counts = task.loss(Constant(logits), {}, batch, jax.random.key(0))
    said = data.responses.said
    rate = (said.sum(axis=0) + 0.5) / (len(said) + 1)
    p = 1 / (1 + np.exp(-(np.log(rate / (1 - rate)) + logits)))
    expected = -np.mean(said * np.log(p) + (1 - said) * np.log(1 - p))
    assert float((values * counts).sum() / counts.sum()) == pytest.approx(expected, rel=1e-5)
    codes = data.cohort.codes(data.responses)
    told = task.probabilities(Constant([0.0, 0.0]), jnp.zeros((len(codes), 0)), codes)
    np.testing.assert_allclose(told, np.broadcast_to(rate, told.shape), rtol=1e-5)


def test_smoothed_rates_by_hand(data):
    fitted = SmoothedRates(by=("kind", "pitch")).fit(data)
    found, s = fitted.predict(data)["liked"][:, 0], fitted._strength
    liked = data.responses.said[:, 0]
    kinds = data.responses.words["kind"]
    pitches = np.array(data.table["pitch"].to_list())[data.responses.clips]
    rate = (liked.sum() + 0.5) / (len(liked) + 1)
    of_kind = kinds == "bass"
    kind_rate = (liked[of_kind].sum() + s * rate) / (of_kind.sum() + s)
    cell = of_kind & (pitches == "low")
    expected = (liked[cell].sum() + s * kind_rate) / (cell.sum() + s)
    np.testing.assert_allclose(found[cell], expected, rtol=1e-6)
    with pytest.raises(ValueError, match="by='colour' is no column"):
        SmoothedRates(by=("colour",)).fit(data)


def test_only_products_tell_who_likes_what(data):
    """Each pitch and each kind is liked as often as the other: apart they say little, together all."""
    split = by_hash(data, n_folds=3, fold=0, stratify="pitch")
    losses = {}
    for crossed in (False, True):
        fitted = LogisticOpinions(sound=False, columns=("pitch",), crossed=crossed).fit(split.train)
        p, y = fitted.predict(split.test)["liked"][:, 0], split.test.responses.said[:, 0]
        losses[crossed] = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert losses[True] < losses[False] - 0.1
    sound = LogisticOpinions().fit(split.train).predict(split.test)["disliked"]
    assert sound.shape == (len(split.test.responses), 1) and np.isfinite(sound).all()


@pytest.mark.usefixtures("on_one_device")
def test_a_run_foretells_every_response_to_the_test_clips(table, tmp_path):
    rates = {"name": "mu.baselines.opinions:SmoothedRates", "by": ("kind",)}
    config = tiny_opinion_config(table, total_steps=60, evaluate_every_steps=30, baselines={"kind": rates})
    train(config, tmp_path / "run")
    results, about = clip_scores.load(tmp_path / "run")
    test = mu.config.build(config.split, mu.config.build(config.data)).test
    assert results["model"].clips == tuple(test.responses.names) and about["n_groups"] == len(test)
    assert about["rows"]["model"]["liked/roc_auc"]["value"] > about["rows"]["kind"]["liked/roc_auc"]["value"]
    assert {"disliked/log_likelihood", "liked/roc_auc"} <= set(about["rows"]["model"])


@pytest.mark.usefixtures("on_one_device")
@pytest.mark.parametrize("options", [{"encoder": None}, {"listener": False}], ids=["listener", "audio"])
def test_a_run_without_a_part(table, tmp_path, options):
    changes = {f"model__{name}": value for name, value in options.items()}
    results = train(tiny_opinion_config(table, total_steps=4, evaluate_every_steps=4, **changes), tmp_path / "run")
    assert np.isfinite(results["model"].values()["liked/log_likelihood"])
