"""Placing: names to mesh axes, arrays born where they stay, and the same numbers on any mesh."""

import jax
import numpy as np
import optax
import pytest
from flax import nnx

from mu.data.loader import loader
from mu.models.sasrec import SASRec
from mu.run.build import build_run
from mu.run.initialise import initialise
from mu.training.sharding import make_mesh, partition, put_batch, state_shardings
from mu.training.state import plan_state
from mu.training.tables import lazy_adam
from tests.helpers.tiny_runs import N_TRACKS, tiny_config, write_log

RULES = {"embed": None, "heads": "model", "hidden": "model", "positions": None, "rows": None}


# ---- rules


def test_names_become_mesh_axes():
    assert partition(("embed", "hidden"), RULES) == jax.P(None, "model")
    assert partition((None, "heads", None), RULES) == jax.P(None, "model", None)
    assert partition((), RULES) == jax.P()


@pytest.mark.parametrize(
    ("axes", "words"),
    [
        (("heads", "hidden"), r"\('heads', 'hidden'\) put 'model' on two axes of one array"),
        (("hidden", "hiden"), "'hiden' has no rule; sharding has embed, heads, hidden"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(axes, words):
    with pytest.raises(ValueError, match=words):
        partition(axes, RULES)


def test_an_axis_that_the_mesh_lacks_is_refused():
    with pytest.raises(ValueError, match=r"sharding.embed='modle'; the mesh has the axes data, model"):
        state_shardings(nnx.State({}), make_mesh(), {**RULES, "embed": "modle"})


# ---- the mesh


def test_a_mesh_takes_all_devices():
    assert dict(make_mesh().shape) == {"data": 8, "model": 1}
    assert dict(make_mesh(model=2).shape) == {"data": 4, "model": 2}
    assert dict(make_mesh(2, 2, devices=jax.devices()[:4]).shape) == {"data": 2, "model": 2}


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ({"model": 3}, "mesh.model=3 does not divide the 8 devices"),
        ({"model": 0}, "mesh.model=0"),
        ({"data": 2, "model": 2}, "needs 4 devices; there are 8: set mesh.data=-1"),
        ({"data": 16}, "needs 16 devices"),
    ],
)
def test_a_mesh_that_does_not_fit_is_refused(shape, words):
    with pytest.raises(ValueError, match=words):
        make_mesh(**shape)


def test_a_batch_is_split_and_its_ids_are_copied():
    mesh = make_mesh(data=4, model=2)
    batch = {
        "items": np.arange(16).reshape(8, 2),
        "ids": {"items": np.arange(5)},
        "shared": {"negatives": np.arange(3)},
    }
    placed = put_batch(batch, mesh)
    assert {shard.data.shape for shard in placed["items"].addressable_shards} == {(2, 2)}
    assert {shard.data.shape for shard in placed["ids"]["items"].addressable_shards} == {(5,)}
    assert {shard.data.shape for shard in placed["shared"]["negatives"].addressable_shards} == {(3,)}
    np.testing.assert_array_equal(placed["items"], batch["items"])


def test_averages_of_sparse_tables_are_refused():
    with pytest.raises(ValueError, match="ema_decay needs dense tables"):
        plan_state(
            lambda rngs: SASRec(rngs=rngs),
            SASRec(rngs=nnx.Rngs(0)).tables(),
            {"items": 8},
            optax.sgd(0.1),
            lazy_adam(0.1),
            mesh=make_mesh(),
            rules=RULES,
            ema=True,
        )


# ---- the same numbers everywhere

ADAM = {"name": "optax:adam", "learning_rate": 1e-2}
# Every batch names every track, so that lazy and dense Adam are one and the same.
OPTIONS = {
    "batches__negatives": 24,
    "batches__rows": 8,
    "optimizer": ADAM,
    "tables": {"name": "mu.training.tables:lazy_adam", "learning_rate": 1e-2},
}
N_STEPS = 6


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"))


def trained(log, n_devices, **changes):
    """(where the arrays of the state are born, losses of N_STEPS steps) of a tiny SASRec on packed rows.

    Trained on the first `n_devices`; places are {name: the shapes of its pieces}.
    """
    config = tiny_config(log, **{**OPTIONS, "mesh__model": 2 if n_devices == 8 else 1, **changes})
    setup = build_run(config, make_mesh(**config.mesh, devices=jax.devices()[:n_devices]))
    state, batches, found = initialise(setup), loader(setup.batches, config.seed), []
    places = {
        jax.tree_util.keystr(path): {shard.data.shape for shard in array.addressable_shards}
        for path, array in jax.tree.leaves_with_path(state)
    }
    for _ in range(N_STEPS):
        batch = next(batches)
        if batch.get("ids"):
            np.testing.assert_array_equal(batch["ids"]["items"][:N_TRACKS], np.arange(N_TRACKS))
        state, metrics = setup.step(state, put_batch(batch, setup.mesh))
        found.append(float(metrics["loss"]))
    return places, found


@pytest.fixture(scope="module")
def reference(log):
    _, found = trained(log, 1)
    assert found[-1] < found[0]
    return found


@pytest.fixture(scope="module")
def eight(log):
    """Data 4 x model 2."""
    return trained(log, 8)


def test_state_is_born_split(eight):
    """Hidden and heads over 'model' right from the start, optimizer moments like their parameters."""
    places, _ = eight
    blocks = "['model']['stack']['blocks']"
    for tree in ("['params']", "['opt'][0].mu", "['opt'][0].nu"):
        assert places[f"{tree}{blocks}['up']['kernel']"] == {(1, 8, 16)}  # [layers, D, 4 D / 2]
        assert places[f"{tree}{blocks}['up']['bias']"] == {(1, 16)}
        assert places[f"{tree}{blocks}['down']['kernel']"] == {(1, 16, 8)}
        assert places[f"{tree}{blocks}['attention']['query']['kernel']"] == {(1, 8, 4)}
        assert places[f"{tree}['model']['position']"] == {(8, 8)}
    assert places["['tables']['items']['rows']"] == {(N_TRACKS, 8)}


def test_losses_are_those_of_one_device(eight, reference):
    np.testing.assert_allclose(eight[1], reference, rtol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"n_devices": 8, "tables": {"name": "dense"}},
        {"n_devices": 8, "gradient_accumulation_steps": 2},
        pytest.param({"n_devices": 1, "tables": {"name": "dense"}}, marks=pytest.mark.slow),
        pytest.param({"n_devices": 1, "gradient_accumulation_steps": 4}, marks=pytest.mark.slow),
        pytest.param({"n_devices": 8, "mesh__model": 1}, marks=pytest.mark.slow),
        pytest.param({"n_devices": 8, "sharding__rows": "model"}, marks=pytest.mark.slow),
    ],
    ids=lambda changes: ", ".join(f"{key.partition('__')[2] or key}={value}" for key, value in changes.items()),
)
def test_losses_are_those_of_one_device_otherwise_too(log, reference, changes):
    """On other meshes; with dense tables instead of sparse ones; in microbatches instead of at once."""
    np.testing.assert_allclose(trained(log, **changes)[1], reference, rtol=1e-5)


def test_losses_are_those_of_one_device_where_a_batch_shares_its_negatives(log):
    changes = {"batches__negatives_per": "batch", "batches__negatives": 512}
    found = trained(log, 8, **changes, gradient_accumulation_steps=2)[1]
    np.testing.assert_allclose(found, trained(log, 1, **changes)[1], rtol=1e-5)


def test_losses_are_those_of_one_device_with_evidence(log):
    changes = {
        "batches__negatives_per": "batch",
        "batches__negatives": 512,
        "batches__evidence": {"name": "mu.baselines.pctm:PCTM"},
        "recommender__name": "mu.inference.evidence:EvidenceRecommender",
    }
    np.testing.assert_allclose(trained(log, 8, **changes)[1], trained(log, 1, **changes)[1], rtol=1e-5)


@pytest.mark.slow
def test_losses_are_those_of_one_device_with_dropout_too(log):
    changes = {"model__dropout": 0.3}
    np.testing.assert_allclose(trained(log, 8, **changes)[1], trained(log, 1, **changes)[1], rtol=1e-5)


SEQUENCE_MODELS = {
    "hstu": {"model": {"name": "mu.models.hstu:HSTU", "dim": 8, "heads": 2, "window": 8}},
    "gru4rec": {"model": {"name": "mu.models.gru4rec:GRU4Rec", "dim": 8}},
    "bert4rec": {"model__attention": "bidirectional", "task__name": "mu.tasks.cloze:Cloze"},
    "interests": {
        "model__interests": 2,
        "task__name": "mu.tasks.multi_interest:MultiInterest",
        "recommender__name": "mu.inference.multi_interest:MultiInterestRecommender",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SEQUENCE_MODELS)
def test_losses_of_other_sequence_models_are_those_of_one_device(log, name):
    """Dropout is on, and plays are hidden at random: both follow the step, not the devices."""
    changes = {"model__dropout": 0.3, **SEQUENCE_MODELS[name]}
    np.testing.assert_allclose(trained(log, 8, **changes)[1], trained(log, 1, **changes)[1], rtol=1e-5)


@pytest.mark.slow
def test_tables_may_be_split_by_rows(log):
    places, _ = trained(log, 8, sharding__rows="model")
    for slot in ("rows", "mean", "square"):
        assert places[f"['tables']['items']['{slot}']"] == {(N_TRACKS // 2, 8)}
    assert places["['tables']['items']['count']"] == {(N_TRACKS // 2,)}
