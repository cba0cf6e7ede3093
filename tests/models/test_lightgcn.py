"""LightGCN: the equations of both papers against dense matrices, gradients, several devices, and a run."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from mu.config.base import ConfigError
from mu.data.batches.pairs import PairBatches
from mu.data.loader import loader
from mu.data.logs.interactions import Interactions
from mu.models.lightgcn import LightGCN
from mu.run.build import build_run
from mu.run.initialise import initialise
from mu.run.restore import open_run
from mu.tasks.retrieval import Retrieval
from mu.training.sharding import make_mesh, put_batch
from mu_kernels.xla import Bipartite
from tests.helpers.tiny_runs import make_log, one_device, tiny_config, train, write_log

LOG = make_log(n_users=12, n_tracks=20)
PLUS = {"alpha": 0.6, "beta": -0.1, "gamma": 0.2, "normalise": True}
KEYS = {
    "batches": {"name": "mu.data.batches.pairs:PairBatches", "pairs": 32, "negatives": 8, "graph": True},
    "model": {"name": "mu.models.lightgcn:LightGCN", "dim": 8, "layers": 2, "cosine": True, "temperature": 0.2, **PLUS},
    "optimizer": {"name": "optax:adam", "learning_rate": 3e-2},
    "tables": {"name": "dense"},
}


def batches_of(log):
    return PairBatches(log, pairs=8, negatives=4, graph=True, sparse=False, seed=0)


def tables(log, dim=6):
    random = np.random.default_rng(1)
    return (random.standard_normal((n, dim)).astype(np.float32) for n in (log.n_users, log.n_items))


def dense(users, items, log, layers, alpha, beta, gamma, normalise):
    """D^-alpha A D^-beta of all listeners and tracks, as both papers write it."""
    played = np.zeros((log.n_users, log.n_items))
    played[np.repeat(np.arange(log.n_users), log.lengths), log.items] = 1
    adjacency = np.block([[np.zeros((len(played),) * 2), played], [played.T, np.zeros((played.shape[1],) * 2)]])
    degree = np.maximum(adjacency.sum(1), 1)
    step = degree[:, None] ** -alpha * adjacency * degree**-beta
    start = vectors = np.concatenate([users, items]).astype(np.float64)
    later = []
    for _ in range(layers):
        if normalise:
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        vectors = step @ vectors
        later.append(vectors)
    mixed = gamma * start + (1 - gamma) * np.mean(later, axis=0)
    return mixed[: log.n_users], mixed[log.n_users :]


@pytest.mark.parametrize("options", [{}, {"layers": 2, **PLUS}], ids=["LightGCN", "LightGCN++"])
def test_smoothed_vectors_are_those_of_the_papers(options):
    graph = batches_of(LOG).constants["graph"]
    assert (LOG.lengths == 0).any(), "a listener without plays is a case"
    model = LightGCN(dim=6, **options, rngs=nnx.Rngs(0))
    users, items = tables(LOG)
    ours = jax.jit(model.smoothed)(users, items, Bipartite(**graph))
    paper = {"layers": 3, "alpha": 0.5, "beta": 0.5, "gamma": 0.25, "normalise": False} | options
    for mine, theirs in zip(ours, dense(users, items, LOG, **paper), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_the_slope_of_the_loss():
    """Along a direction, by central differences: the graph is symmetric, its two halves are not."""
    batches = batches_of(LOG)
    examples = batches.batch(np.arange(8), 0) | batches.constants
    task = Retrieval(loss="sampled_softmax", n_items=LOG.n_items)
    users, items = tables(LOG)

    @jax.jit
    def loss(rows):
        model = LightGCN(dim=6, layers=2, cosine=True, temperature=0.2, **PLUS, rngs=nnx.Rngs(0))
        return jnp.mean(task.loss(model, rows, examples, None)[0])

    rows = {"users": jnp.asarray(users), "items": jnp.asarray(items)}
    gradient = jax.grad(loss)(rows)
    for name in rows:
        direction = jnp.sign(gradient[name])
        ahead, behind = (loss({**rows, name: rows[name] + sign * 1e-2 * direction}) for sign in (1, -1))
        np.testing.assert_allclose(jnp.sum(gradient[name] * direction), (ahead - behind) / 2e-2, rtol=2e-2)


def test_eight_devices_learn_what_one_does(tmp_path):
    config = tiny_config(write_log(tmp_path), **KEYS)

    def losses(n_devices):
        run = build_run(config, make_mesh(devices=jax.devices()[:n_devices]))
        state, batches, found = initialise(run), loader(run.batches, config.seed), []
        for _ in range(4):
            state, metrics = run.step(state, put_batch(next(batches), run.mesh))
            found.append(float(metrics["loss"]))
        return found

    one = losses(1)
    assert one[-1] < one[0]
    np.testing.assert_allclose(losses(8), one, rtol=1e-5)


def test_a_run_learns_and_recommends_without_its_graph(tmp_path):
    log = write_log(tmp_path)
    results = train(tiny_config(log, **KEYS, total_steps=60, evaluate_every_steps=60), tmp_path / "run")
    # Listeners go on by one from where they are, so those who played the same go on alike.
    assert results["ranking"]["model"].values()["recall@10"] > 0.4
    trained = open_run(tmp_path / "run")
    assert np.abs(np.asarray(trained.rows["smoothed_users"])).sum() > 0
    recommender = trained.recommender()
    scores = recommender.scores(np.arange(5), trained.open_histories().take(np.arange(5)))
    assert scores.shape == (5, len(trained.rows["items"])) and np.ptp(scores, axis=1).min() > 0.1


def test_the_graph_is_put_on_the_devices_once(tmp_path, monkeypatch):
    run = build_run(tiny_config(write_log(tmp_path), **KEYS), one_device())
    state, batches, columns = initialise(run), loader(run.batches, 0), run.batches.constants["graph"]["columns"]
    put, device_put = [], jax.device_put

    def watched(x, *args, **options):
        put.extend(jax.tree.leaves(x))
        return device_put(x, *args, **options)

    monkeypatch.setattr(jax, "device_put", watched)
    with jax.transfer_guard("disallow"):
        for _ in range(3):
            state, _ = run.step(state, put_batch(next(batches), run.mesh))
    assert sum(array is columns for array in put) == 1


def test_a_graph_beyond_int32_is_refused(monkeypatch):
    huge = types.SimpleNamespace(indptr=np.array([0, 2**31]))
    monkeypatch.setattr(Interactions, "seen", lambda log: huge)
    with pytest.raises(ValueError, match=r"2,147,483,648 pairs .* at most 2,147,483,647"):
        PairBatches(LOG, pairs=8, negatives=0, graph=True, sparse=False, seed=0)


def test_training_without_a_graph_is_refused():
    batch = PairBatches(LOG, pairs=8, negatives=4, sparse=False, seed=0).batch(np.arange(8), 0)
    users, items = tables(LOG)
    with pytest.raises(ValueError, match=r"set batches\.name=.* and batches\.graph=True"):
        LightGCN(dim=6, rngs=nnx.Rngs(0))({"users": users, "items": items}, batch)


def test_sparse_tables_are_refused(tmp_path):
    log = write_log(tmp_path)
    sparse = {"tables": {"name": "mu.training.tables:lazy_adam", "learning_rate": 1e-2}}
    with pytest.raises((ConfigError, ValueError), match=r"set tables\.name='dense'"):
        build_run(tiny_config(log, **KEYS | sparse), one_device())
