"""A trained model as a recommender: its scores are those one computes by hand, in blocks of any filling."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.data.batches.histories import HistoryBatches
from mu.data.batches.pairs import PairBatches
from mu.data.logs.interactions import Interactions
from mu.inference.recommender import BLOCK, TrainedRecommender, weights_hash
from mu.models.factorization import Factorization
from mu.models.sasrec import SASRec
from mu.tasks.retrieval import Retrieval
from mu.training.state import weights
from tests.helpers.tiny_runs import N_TRACKS, make_log

T = 6
LOG = make_log(n_users=BLOCK + 44)
BATCHES = {
    "sasrec": HistoryBatches(LOG, window=T, rows=4, sparse=True, seed=0),
    "factorization": PairBatches(LOG, pairs=8, sparse=True, seed=0),
}
MODELS = {
    "sasrec": lambda rngs: SASRec(dim=8, layers=1, heads=2, window=T, rngs=rngs),
    "factorization": lambda rngs: Factorization(dim=8, rngs=rngs),
}
TASK = Retrieval(loss="bpr", n_items=N_TRACKS)


@functools.cache
def create(name):
    """(graph, state with dense tables, the module)."""
    model = MODELS[name](nnx.Rngs(0))
    graph, params = nnx.split(model)
    sizes = {"users": LOG.n_users, "items": N_TRACKS}
    keys = jax.random.split(jax.random.key(1), 3)
    tables = {
        table: jax.random.normal(key, (sizes[spec.ids], spec.dim))
        for key, (table, spec) in zip(keys, sorted(model.tables().items()), strict=False)
    }
    state = {"params": {"model": nnx.to_pure_dict(params), "tables": tables}, "stats": {}, "tables": {}}
    return graph, state, model


def recommender_of(name, state=None):
    graph, own, _ = create(name)
    params, rows = weights(state or own)
    return TrainedRecommender(graph=graph, task=TASK, features=BATCHES[name].features, params=params, rows=rows)


@functools.cache
def all_scores(name):
    return recommender_of(name).scores(np.arange(LOG.n_users), LOG)


def by_hand(name, user):
    """The scores of one user, without padding, blocks or jit."""
    _, state, model = create(name)
    rows = state["params"]["tables"]
    if name == "factorization":
        return rows["users"][user] @ rows["items"].T + rows["item_bias"][:, 0]
    plays = LOG.row(user)[-T:]
    batch = {
        "items": plays[None],
        "positions": np.arange(len(plays), dtype=np.int32)[None, ::-1],
        "segments": np.ones((1, len(plays)), np.int32),
    }
    return model(rows, batch)["queries"][0, -1] @ rows["items"].T


@pytest.mark.parametrize("name", MODELS)
def test_scores_equal_those_by_hand(name):
    """Histories shorter and longer than the window; users of the first block and of the second."""
    found = all_scores(name)
    assert found.shape == (LOG.n_users, N_TRACKS) and found.dtype == np.float32
    longest, shortest = np.argsort(LOG.lengths)[[-1, np.searchsorted(np.sort(LOG.lengths), 1)]]
    assert LOG.lengths[longest] > T > LOG.lengths[shortest] > 0
    for user in (longest, shortest, LOG.n_users - 1):
        np.testing.assert_allclose(found[user], by_hand(name, user), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n_users", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_blocks_and_their_padding_do_not_change_scores(name, n_users):
    users = np.arange(n_users)[::-1]
    found = recommender_of(name).scores(users, LOG.take(users))
    np.testing.assert_allclose(found, all_scores(name)[users], rtol=1e-5, atol=1e-5)


def test_a_listener_without_plays_is_told_nothing():
    """All tracks score alike, so that ranks are at chance, not the followers of some track."""
    empty = Interactions(np.array([0, 0]), *(np.zeros(0, dtype) for dtype in ("i4", "i8", "f4")), N_TRACKS)
    assert not recommender_of("sasrec").scores(np.array([0]), empty).any()


@pytest.mark.parametrize("name", MODELS)
def test_sparse_tables_score_as_dense_ones(name):
    _, state, _ = create(name)
    tables = {table: {"rows": rows, "count": rows[:, 0]} for table, rows in state["params"]["tables"].items()}
    sparse = {"params": {"model": state["params"]["model"], "tables": {}}, "stats": {}, "tables": tables}
    users = np.arange(5)
    found, expected = (recommender_of(name, of).scores(users, LOG.take(users)) for of in (sparse, state))
    np.testing.assert_array_equal(found, expected)


def test_the_moving_average_is_what_recommends():
    _, state, _ = create("factorization")
    average = jax.tree.map(lambda x: x + jnp.ones_like(x), state["params"])
    params, rows = weights({**state, "ema": average})
    assert params == average["model"]
    np.testing.assert_array_equal(rows["items"], state["params"]["tables"]["items"] + 1.0)
    _, rows = weights(state)
    assert rows["items"] is state["params"]["tables"]["items"]


@pytest.mark.parametrize("name", MODELS)
def test_each_copy_to_the_device_is_asked_for_and_tables_on_the_host_are_copied_once(name):
    _, state, _ = create(name)
    recommender = recommender_of(name, jax.device_get(state))
    assert all(isinstance(one, jax.Array) for one in recommender.rows.values())
    users = np.arange(5)
    with jax.transfer_guard("disallow"):
        found = recommender.scores(users, LOG.take(users))
    np.testing.assert_array_equal(found, recommender_of(name).scores(users, LOG.take(users)))


@pytest.mark.parametrize("name", MODELS)
def test_scores_are_the_products_of_queries_and_items(name):
    recommender = recommender_of(name)
    assert recommender.dot_product and not recommender.time_aware
    users, bias = np.arange(5), recommender.item_bias()
    assert (bias is None) == (name == "sasrec")
    scores = recommender.queries(users, LOG.take(users)) @ recommender.item_vectors.T
    np.testing.assert_array_equal(recommender.scores(users, LOG.take(users)), scores if bias is None else scores + bias)


def test_the_hash_of_weights_names_every_number():
    params = {"a": np.zeros(2, np.float32), "b": {"c": np.ones(2, np.float32)}}
    assert weights_hash(params) == weights_hash({"b": params["b"], "a": params["a"]})
    assert weights_hash(params) != weights_hash({**params, "a": np.array([0, 1e-20], np.float32)})
