"""Several interests: the best score of them is the one that is learnt and the recommender's."""

import jax
import numpy as np
import pytest
from flax import nnx

from mu import losses
from mu.data.batches.histories import HistoryBatches
from mu.inference.multi_interest import MultiInterestRecommender
from mu.inference.recommender import TrainedRecommender
from mu.models.sasrec import SASRec
from mu.tasks.multi_interest import MultiInterest
from mu.tasks.retrieval import Retrieval
from tests.helpers.tiny_runs import N_TRACKS, make_log

T, M = 6, 3
LOG = make_log()
BATCHES = HistoryBatches(LOG, window=T, rows=4, negatives=3, threads=1, sparse=False, seed=0)
ROWS = {"items": jax.random.normal(jax.random.key(1), (N_TRACKS, 8))}
MODEL = SASRec(dim=8, layers=1, heads=2, window=T, dropout=0.0, interests=M, rngs=nnx.Rngs(0))
TASK = MultiInterest(loss="sampled_softmax", n_items=N_TRACKS)


def recommender(kind, model, task):
    graph, params = nnx.split(model)
    return kind(graph=graph, task=task, features=BATCHES.features, params=nnx.to_pure_dict(params), rows=ROWS)


@pytest.mark.parametrize("per", ["position", "row"])
def test_the_loss_is_that_of_the_best_score_of_target_and_negatives(per):
    batches = HistoryBatches(LOG, window=T, rows=4, negatives=3, negatives_per=per, threads=1, sparse=False, seed=0)
    batch = batches.batch(np.arange(4), 0)
    interests, items = np.asarray(MODEL(ROWS, batch)["interests"]), np.asarray(ROWS["items"])
    assert interests.shape == (4, T, M, 8)
    values, weights = TASK.loss(MODEL, ROWS, batch, None)
    nearest = set()
    for b, t in np.argwhere(weights > 0):
        scores = interests[b, t] @ items.T
        nearest.add(scores[:, batch["targets"][b, t]].argmax())
        best, drawn = scores.max(axis=0), (b, t if per == "position" else 0)
        expected = losses.sampled_softmax(
            best[batch["targets"][b, t]], best[batch["negatives"][drawn]], batch["log_q"][drawn]
        )
        np.testing.assert_allclose(values[b, t], expected, rtol=1e-4, atol=1e-4)
    assert len(nearest) > 1


def test_scores_are_the_best_of_the_queries():
    users = np.arange(LOG.n_users)
    several = recommender(MultiInterestRecommender, MODEL, TASK)
    scores = several.scores(users, LOG)
    assert not several.dot_product and scores.shape == (LOG.n_users, N_TRACKS)
    products = several.interests(users, LOG) @ np.asarray(ROWS["items"]).T
    np.testing.assert_allclose(scores, products.max(axis=1), rtol=1e-5, atol=1e-5)
    assert len(np.unique(products.argmax(axis=1))) > 1
    assert not scores[LOG.lengths == 0].any() and (scores[LOG.lengths > 0] != 0).any()


def test_task_and_recommender_must_go_together():
    users = np.arange(2)
    with pytest.raises(ValueError, match=r"3 queries: set recommender.name='mu.inference.multi_interest"):
        recommender(TrainedRecommender, MODEL, TASK).scores(users, LOG.take(users))
    one = SASRec(dim=8, layers=1, heads=2, window=T, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"one query: set recommender.name='mu.inference.recommender"):
        recommender(MultiInterestRecommender, one, Retrieval(loss="bpr", n_items=N_TRACKS)).scores(
            users, LOG.take(users)
        )
    with pytest.raises(ValueError, match="is of one query a position"):
        MultiInterest(loss="full_softmax", n_items=N_TRACKS)
