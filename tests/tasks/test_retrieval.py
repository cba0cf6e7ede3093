"""Retrieval: the losses that a config names get the scores, the catalogue and the calibration that they need."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mu import losses
from mu.tasks.retrieval import Retrieval

B, T, K, V, D = 2, 3, 5, 40, 4
KEYS = jax.random.split(jax.random.key(0), 4)
ROWS = {"items": jax.random.normal(KEYS[0], (V, D)), "bias": jax.random.normal(KEYS[1], (V,))}
QUERIES = jax.random.normal(KEYS[2], (B, T, D))


class Fixed:
    """A model whose queries are given."""

    def __call__(self, rows, batch, key=None):
        return {"queries": QUERIES}

    def item_vectors(self, rows):
        return rows["items"], rows["bias"]


@pytest.mark.parametrize("per", ["position", "row"])
@pytest.mark.parametrize("calibration", [0.0, 0.75, 1.0])
def test_gbce_knows_the_catalogue_and_its_calibration(per, calibration):
    random = np.random.default_rng(0)
    negatives = random.integers(0, V, (B, T if per == "position" else 1, K)).astype(np.int32)
    batch = {
        "targets": random.integers(0, V, (B, T)).astype(np.int32),
        "weights": np.ones((B, T), np.float32),
        "negatives": negatives,
        "log_q": np.full(negatives.shape, -np.log(V), np.float32),
    }
    task = Retrieval(loss="gbce", n_items=V, calibration=calibration)
    values, _ = task.loss(Fixed(), ROWS, batch, None)
    scores = jnp.einsum("btd,vd->btv", QUERIES, ROWS["items"]) + ROWS["bias"][None, None]
    positive = np.take_along_axis(np.asarray(scores), batch["targets"][..., None], 2)[..., 0]
    negative = np.take_along_axis(np.asarray(scores), np.broadcast_to(negatives, (B, T, K)), 2)
    expected = losses.gbce(positive, negative, n_items=V, calibration=calibration)
    np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-5)
