"""Ratings of clips: data and their errors, nothing of the test in training, the model's parts, the task's loss."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from ml_collections import ConfigDict

from mu.baselines.ratings import LogisticRatings, SmoothedRates
from mu.commands import report
from mu.config.resolve import build
from mu.data.batches.ratings import RatingBatches
from mu.data.clips.folds import by_hash
from mu.data.ratings.cell_rates import cell_rates
from mu.data.ratings.smoothing import smoothed_rates
from mu.embedding.encoder import of_run
from mu.evals.results import load as load_evaluation
from mu.models.ratings import RatingModel
from mu.nn.rating_spec import RatingSpec
from mu.run.build import build_run
from mu.run.evaluation import build_baselines, model_of
from mu.run.rebuild import rebuild
from mu.run.restore import open_run
from mu.tasks.ratings import ListenerRatings
from mu.training.state import weights
from tests.helpers.rating_clips import load_rated_clips, tiny_rating_config, write_ratings
from tests.helpers.tiny_runs import one_device, train

SPEC = RatingSpec({"kind": 4, "age": 5}, ("liked", "disliked"), "pitch")
HEADER = "track,kind,age,liked,disliked\n"


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write_ratings(tmp_path_factory.mktemp("ratings") / "ratings.csv")


@pytest.fixture(scope="module")
def data(table):
    return load_rated_clips(table)


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
        ("", "has no ratings"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, rows, words):
    (tmp_path / "ratings.csv").write_text(HEADER + rows)
    with pytest.raises(ValueError, match=words):
        load_rated_clips(tmp_path / "ratings.csv")


def test_a_wrong_column_is_named(table, tmp_path):
    with pytest.raises(ValueError, match="no column 'loved'; there is: track, kind, age"):
        load_rated_clips(table, labels=("loved",))
    with pytest.raises(ValueError, match=r"'kind' of .* is named twice"):
        load_rated_clips(table, categories=("kind", "kind"))
    with pytest.raises(ValueError, match="cells names 'kin'; attributes of listeners are kind, age"):
        load_rated_clips(table, cells=("kin",))
    with pytest.raises(ValueError, match="class_target='tags' is no target of classes"):
        load_rated_clips(table, class_target="tags")
    with pytest.raises(ValueError, match="two clips have pitch='low'"):
        load_rated_clips(table, key="pitch")
    with pytest.raises(FileNotFoundError, match="there are no ratings at"):
        load_rated_clips(tmp_path / "none.csv")


def test_parquet_says_what_csv_does(data, table, tmp_path):
    import polars as pl

    read = pl.read_csv(table)
    read.rename({name: name.strip() for name in read.columns}).with_columns(
        pl.col("^.*iked$").cast(pl.Boolean)
    ).write_parquet(tmp_path / "ratings.parquet")
    assert load_rated_clips(tmp_path / "ratings.parquet").hash() == data.hash()


def test_codes_are_learnt_from_the_given_ratings_and_what_is_unknown_or_rare_is_a_value(tmp_path):
    rows = [("bass", 20)] * 5 + [("treble", 40)] * 5 + [("rare", 60)] * 2 + [("", "")] * 2
    lines = "".join(f"clip{at:03d}.wav,{kind},{age},1,0\n" for at, (kind, age) in enumerate(rows))
    (tmp_path / "ratings.csv").write_text(HEADER + lines)
    data = load_rated_clips(tmp_path / "ratings.csv", min_count=3, bins=2)
    assert data.listener_codes.categories == {"kind": ("bass", "treble")} and data.listener_codes.sizes == {
        "kind": 4,
        "age": 3,
    }
    codes = data.listener_codes.encode(data.ratings)
    assert codes[[0, 5, 10, 12]].tolist() == [[2, 1], [3, 2], [1, 2], [0, 0]]
    some = data.take(np.arange(5))  # of whom treble is none
    assert some.listener_codes.encode(data.ratings)[5].tolist()[0] == 1
    assert some.listener_codes.sizes["age"] == 2  # all of one age make one bin


def test_a_part_has_the_ratings_of_its_clips(data):
    rows = np.array([7, 3, 30])
    part = data.take(rows)
    assert part.table["clip"].to_list() == [f"clip{row:03d}.wav" for row in rows]
    owners = [name.partition("#")[0] for name in part.ratings.names]
    assert owners == [part.table["clip"][int(clip)] for clip in part.ratings.clips]
    assert len(part.ratings) == np.isin(data.ratings.clips, rows).sum()
    both = part.merged(data.take(np.array([1])))
    assert both.ratings.clips.max() == 3 and len(both.ratings) > len(part.ratings)
    starts, order = both.by_clip
    for clip in range(4):
        np.testing.assert_array_equal(
            order[starts[clip] : starts[clip + 1]], np.flatnonzero(both.ratings.clips == clip)
        )


def test_a_batch_has_its_clips_ratings_and_all_count_alike(data):
    batches = RatingBatches(data, ratings_per_clip=8, clips_per_batch=6, crop_s=0.2, seed=0)
    batch = batches.batch(np.arange(6), 0)
    starts, order = data.by_clip
    codes = data.listener_codes.encode(data.ratings)
    for clip in range(6):
        own, n = order[starts[clip] : starts[clip + 1]], starts[clip + 1] - starts[clip]
        np.testing.assert_array_equal(batch["listener_codes"][clip, :n], codes[own])
        np.testing.assert_array_equal(batch["labels"][clip, :n], data.ratings.labels[own])
        assert batch["counts"][clip].tolist() == [1.0] * n + [0.0] * (8 - n)
    few = RatingBatches(data, ratings_per_clip=2, clips_per_batch=6, crop_s=0.2, seed=0)
    np.testing.assert_allclose(few.batch(np.arange(6), 0)["counts"].sum(axis=1), np.diff(starts)[:6])
    drawn = [few.batch(np.arange(6), step)["labels"] for step in range(400)]
    means = np.stack([data.ratings.labels[order[starts[c] : starts[c + 1]]].mean(axis=0) for c in range(6)])
    np.testing.assert_allclose(np.mean(drawn, axis=(0, 2)), means, atol=0.1)
    np.testing.assert_array_equal(few.batch(np.arange(6), 3)["labels"], drawn[3])


def test_smoothed_rates_by_hand():
    labels = np.array([[1.0], [1.0], [0.0], [1.0]])
    columns = [np.array(list("aaab" + "ab" + "c")), np.array(list("xxyx" + "xy" + "x"))]
    found = smoothed_rates(columns, labels, 3, 2.0)
    whole = 3.5 / 5
    a, b = (2 + 2 * whole) / (3 + 2), (1 + 2 * whole) / (1 + 2)
    np.testing.assert_allclose(found[:, 0], [(2 + 2 * a) / (2 + 2), b, whole])
    np.testing.assert_allclose(smoothed_rates([], labels, 2, 2.0), [[whole], [whole]])


def test_a_training_rating_does_not_tell_itself(data):
    """Turning all ratings of a clip round leaves their own cell rates as they were, and moves those of others."""
    before, clip = cell_rates(data), data.ratings.clips == 5
    assert before.shape == (len(clip), 1 + 3, 2) and np.isfinite(before).all()
    labels = np.where(clip[:, None], 1 - data.ratings.labels, data.ratings.labels)
    turned = dataclasses.replace(data, ratings=dataclasses.replace(data.ratings, labels=labels))
    after = cell_rates(turned)
    np.testing.assert_array_equal(after[clip], before[clip])
    assert not np.allclose(after[~clip], before[~clip])


def test_cell_rates_are_the_rates_of_the_cell_in_each_class(table):
    data = load_rated_clips(table, cells=("kind",), prior_strength=3.0)
    train, other = data.take(np.arange(36)), data.take(np.arange(36, 48)).ratings
    rates = 1 / (1 + np.exp(-cell_rates(train, other)[:, :, 0]))
    liked, kinds = train.ratings.labels[:, 0], train.ratings.categories["kind"]
    pitch, of_bass = train.targets["pitch"].values[train.ratings.clips], other.categories["kind"] == "bass"
    whole, bass = (liked.sum() + 0.5) / (len(liked) + 1), kinds == "bass"
    cell = (liked[bass].sum() + 3 * whole) / (bass.sum() + 3)
    np.testing.assert_allclose(rates[of_bass, 0], cell, rtol=1e-5)
    for code in range(3):
        heard = bass & (pitch == code)
        expected = (liked[heard].sum() + 3 * cell) / (heard.sum() + 3)
        np.testing.assert_allclose(rates[of_bass, 1 + code], expected, rtol=1e-5)
    nobody = dataclasses.replace(other, categories={"kind": np.full(len(of_bass), "nobody", object)})
    np.testing.assert_allclose(1 / (1 + np.exp(-cell_rates(train, nobody)[:, :, 0])), whole, rtol=1e-5)


def test_folds_share_no_clip_and_test_ratings_change_nothing_in_training(table, data, tmp_path):
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
        setup = build_run(tiny_rating_config(path), one_device())
        batch = setup.batches.batch(np.arange(8), 0)
        baseline = SmoothedRates(by=("kind",)).fit(setup.train).predict(split.test)
        known = cell_rates(setup.train, split.test.ratings)
        found.append(
            ((setup.train.hash(), setup.task.offers["rating_spec"]), (batch, baseline, known), setup.split.hash)
        )
    one, other = found
    assert one[0] == other[0] and one[2] != other[2]
    jax.tree.map(np.testing.assert_array_equal, one[1], other[1])


def model(**options):
    return RatingModel(rating_spec=SPEC, rngs=nnx.Rngs(0), **options)


class Heard:
    """Stands for an encoder whose clip vectors are given, of which three numbers tell the class."""

    def __init__(self, dim):
        self.trunk = dataclasses.make_dataclass("Trunk", ["dim"])(dim)
        self.heads = {"pitch": lambda clip: clip[..., :3]}


def filled(module):
    """The module with no layer silent."""
    graph, state = nnx.split(module)
    keys = iter(jax.random.split(jax.random.key(2), len(jax.tree.leaves(state))))
    return nnx.merge(graph, jax.tree.map(lambda x: jax.random.normal(next(keys), x.shape), state))


def given(seed=0, n=3, r=5):
    """(clip vectors, codes, cell rates of three classes)."""
    random = np.random.default_rng(seed)
    clip, known = random.standard_normal((n, 6)), random.standard_normal((n, r, 4, 2))
    codes = random.integers(0, 4, (n, r, 2))
    return jnp.asarray(clip, jnp.float32), jnp.asarray(codes, jnp.int32), jnp.asarray(known, jnp.float32)


def test_the_logit_is_the_sum_of_its_terms():
    clip, codes, known = given()
    both = filled(model(encoder=Heard(3), rank=4))
    found, who = both.logits(clip, codes, known), both.listener(codes, None)
    for n in range(3):
        p = np.exp(clip[n, :3]) / np.exp(clip[n, :3]).sum()
        for r in range(5):
            product = both.clip_factors(clip[n]) * both.listener_factors(who[n, r])
            expected = (
                p @ known[n, r, 1:] + both.out_clip(clip[n]) + both.out_listener(who[n, r]) + both.out_both(product)
            )
            np.testing.assert_allclose(found[n, r], expected, rtol=1e-4, atol=1e-4)


def test_without_rank_the_terms_add_up():
    clip, codes, known = given()
    found = filled(model(encoder=Heard(3), rank=0)).logits(clip, codes, jnp.zeros_like(known))
    of_listener = found - found[:, :1]  # who is listening changes the same for every clip
    alike = jnp.broadcast_to(codes[:1], codes.shape)
    found = filled(model(encoder=Heard(3), rank=0)).logits(clip, alike, jnp.zeros_like(known))
    np.testing.assert_allclose(found - found[:, :1], jnp.broadcast_to(of_listener[:1], found.shape), atol=1e-5)


def test_a_new_model_predicts_the_rates():
    clip, codes, known = given()
    classes = jax.nn.softmax(clip[:, :3])
    for options in ({"encoder": Heard(3)}, {"encoder": Heard(3), "listener": False}):
        expected = jnp.einsum("ng,nrgt->nrt", classes, known[:, :, 1:])
        np.testing.assert_allclose(model(**options).logits(clip, codes, known), expected, rtol=1e-5)
    np.testing.assert_array_equal(model().logits(clip[:, :0], codes, known), known[:, :, 0])


def test_without_a_part_predictions_do_not_depend_on_it():
    clip, codes, known = given()
    alike = jnp.broadcast_to(known[:1, :1], known.shape)
    unheard = filled(model()).logits(clip[:, :0], codes, alike)
    np.testing.assert_array_equal(unheard, filled(model()).logits(clip[:, :0] + 1, codes, alike))
    assert not np.allclose(unheard[0, 0], unheard[0, 1])
    heard = filled(model(encoder=Heard(3), listener=False)).logits(clip, codes, alike)
    np.testing.assert_allclose(heard[:, 0], heard[:, 2], rtol=1e-5)
    assert not np.allclose(heard[0], heard[1])
    with pytest.raises(ValueError, match="there is nothing left to predict ratings from"):
        model(listener=False)
    with pytest.raises(ValueError, match="the ratings have no attributes of listeners"):
        RatingModel(rating_spec=RatingSpec({}, ("liked",)), rngs=nnx.Rngs(0))


def test_dropout_follows_its_key():
    both, (clip, codes, known) = filled(model(encoder=Heard(3), listener_dropout=0.5)), given()
    first, again = (both.logits(clip, codes, known, jax.random.key(1)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, both.logits(clip, codes, known))


class Constant:
    """A model that hears nothing and always says the same over the rate of all clips."""

    encoder = None

    def __init__(self, logits):
        self.added = jnp.asarray(logits)

    def logits(self, clip, codes, cell_rates, key=None):
        del clip, codes, key
        return self.added[None, None] + cell_rates[:, :, 0]


def test_the_loss_is_the_mean_cross_entropy_of_ratings(data):
    """By hand."""
    bare = dataclasses.replace(data, targets={}, class_target=None)
    task, logits = ListenerRatings(data=bare), np.array([0.3, -1.0], np.float32)
    batch = RatingBatches(bare, ratings_per_clip=8, clips_per_batch=48, crop_s=0.1, seed=0).batch(np.arange(48), 0)
    values, counts = task.loss(Constant(logits), {}, batch, jax.random.key(0))
    labels, known = data.ratings.labels, cell_rates(bare)
    assert known.shape == (len(labels), 1, 2)
    p = 1 / (1 + np.exp(-(known[:, 0] + logits)))
    expected = -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    assert float((values * counts).sum() / counts.sum()) == pytest.approx(expected, rel=1e-5)
    codes = data.listener_codes.encode(data.ratings)
    told = task.probabilities(Constant(logits), jnp.zeros((len(codes), 0)), jnp.asarray(codes), jnp.asarray(known))
    np.testing.assert_allclose(told, p, rtol=1e-4)


def test_the_baseline_of_rates_finds_who_likes_what(data):
    split = by_hash(data, n_folds=3, fold=0, stratify="pitch")
    found = SmoothedRates(by=("kind", "pitch")).fit(split.train).predict(split.test)["liked"][:, 0]
    liked = split.test.ratings.labels[:, 0]
    assert found[liked > 0].mean() > found[liked == 0].mean() + 0.2
    with pytest.raises(ValueError, match="by='colour' is no column"):
        SmoothedRates(by=("colour",)).fit(data)


def test_only_products_tell_who_likes_what(data):
    """Each pitch and each kind is liked as often as the other: apart they say little, together all."""
    split = by_hash(data, n_folds=3, fold=0, stratify="pitch")
    losses = {}
    for crossed in (False, True):
        fitted = LogisticRatings(sound=False, columns=("pitch",), crossed=crossed).fit(split.train)
        p, y = fitted.predict(split.test)["liked"][:, 0], split.test.ratings.labels[:, 0]
        losses[crossed] = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert losses[True] < losses[False] - 0.1
    sound = LogisticRatings().fit(split.train).predict(split.test)["disliked"]
    assert sound.shape == (len(split.test.ratings), 1) and np.isfinite(sound).all()
    lacking = LogisticRatings(columns=("pitsh",))
    for ask in (lacking.check_data, lacking.fit):
        with pytest.raises(ValueError, match=r"the table has no column 'pitsh' \(did you mean 'pitch'"):
            ask(data)
    spec = ConfigDict({"name": "mu.baselines.ratings:LogisticRatings", "columns": ("pitsh",)})
    with pytest.raises(ValueError, match=r"config\.baselines\.logistic: the table has no column 'pitsh'"):
        build_baselines({"logistic": spec}, data)  # before training, which `fit` is called after


def test_a_run_predicts_every_rating_of_the_test_clips(table, tmp_path):
    rates = {"name": "mu.baselines.ratings:SmoothedRates", "by": ("kind",)}
    config = tiny_rating_config(table, total_steps=60, evaluate_every_steps=30, baselines={"kind": rates})
    train(config, tmp_path / "run")
    evaluation = load_evaluation(tmp_path / "run")
    model, rows = evaluation.results["model"], evaluation.rows
    test = build(config.split, build(config.data)).test
    restored = rebuild(tmp_path / "run")
    setup, state = restored.run, restored.state
    predicted = model_of(setup, *weights(state)).predict(test)
    assert of_run(tmp_path / "run")[0].dim == predicted["clip"].shape[1]
    opened = open_run(tmp_path / "run")
    assert opened.clips.hash() == setup.train.hash()
    for name, values in opened.predictor().predict(test).items():
        np.testing.assert_array_equal(values, predicted[name])
    assert model.units.tolist() == test.ratings.names.tolist() and model.n_clusters == len(test)
    assert rows["model"]["liked/roc_auc"].value > rows["kind"]["liked/roc_auc"].value
    assert {"disliked/log_likelihood", "liked/roc_auc"} <= set(rows["model"])
    assert report.main([str(tmp_path / "run")]) == 0
    assert "liked" in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"encoder": None}, {"listener": False}], ids=["listener", "audio"])
def test_a_run_without_a_part(table, tmp_path, options):
    changes = {f"model__{name}": value for name, value in options.items()}
    results = train(tiny_rating_config(table, total_steps=4, evaluate_every_steps=4, **changes), tmp_path / "run")
    assert np.isfinite(results["ratings"]["model"].values()["liked/log_likelihood"])
    if options == {"encoder": None}:
        with pytest.raises(ValueError, match="this model has no audio encoder"):
            of_run(tmp_path / "run")
