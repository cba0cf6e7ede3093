"""Recall expected under a law (benchmarks/expected_recall.py): by hand, all of it, and with ties."""

import numpy as np

from mu.evals.protocols.play_events import PlayEvents
from mu.evals.protocols.plays import AGES, DAY_MS, PlayEvaluator
from tests.helpers.scripts import benchmark
from tests.helpers.tiny_runs import make_log

expected_recall = benchmark("expected_recall").expected_recall

V, U, CUT = 40, 48, 100 * DAY_MS
RELEASED = np.concatenate([np.full(25, -1), 99 * DAY_MS + np.arange(15) * DAY_MS * 3])


class Given:
    """Any scores [U, V]."""

    dot_product = False
    time_aware = True

    def __init__(self, table):
        self.table = table.astype(np.float32)

    def scores(self, users, histories, times_ms):
        return self.table[users]


def evaluator(n=200):
    random = np.random.default_rng(0)
    times = CUT + random.integers(0, 60 * DAY_MS, n)
    tracks = np.array([random.choice(np.flatnonzero(moment >= RELEASED)) for moment in times], np.int32)
    plays = PlayEvents(random.integers(0, U, n), tracks, times)
    return PlayEvaluator(plays, make_log(), RELEASED, CUT, np.arange(V) < 26, ks=(5,), metrics=("recall",))


def test_each_moment_is_its_equation():
    random = np.random.default_rng(1)
    scores, law = random.permutation(U * V).reshape(U, V), random.random((U, V))
    evaluation = evaluator()
    found = expected_recall(evaluation, Given(scores), Given(law), k=5)
    assert list(found) == ["known", *AGES]
    for play, (user, time) in enumerate(zip(evaluation.events.users, evaluation.events.times_ms, strict=True)):
        history = set(make_log().row(int(user)).tolist())
        held = [v for v in range(V) if RELEASED[v] <= time and v not in history]
        top = sorted(held, key=lambda v: -scores[user, v])[:5]
        for name, pairs in found.items():
            kind = [v for v in held if (v < 26) == (name == "known")]
            if name != "known":
                low, high = AGES[name]
                kind = [v for v in kind if low <= (time - RELEASED[v]) // DAY_MS < high]
            listed, all_of_them = (
                sum(np.float32(law[user, v]) for v in among) for among in (set(top) & set(kind), kind)
            )
            np.testing.assert_allclose(pairs[play], [listed, all_of_them], rtol=1e-5, atol=1e-7)


def test_ties_share_the_last_places():
    evaluation, law = evaluator(), np.ones((U, V))
    found = expected_recall(evaluation, Given(np.zeros((U, V))), Given(law), k=5)
    listed = sum(pairs[:, 0] for pairs in found.values())
    there = sum(pairs[:, 1] for pairs in found.values())
    np.testing.assert_allclose(listed, np.minimum(5, there), rtol=1e-6)
    np.testing.assert_allclose(found["known"][:, 0], found["known"][:, 1] * np.minimum(5 / there, 1), rtol=1e-6)


def test_a_list_of_everything_has_all():
    random = np.random.default_rng(2)
    found = expected_recall(evaluator(), Given(random.random((U, V))), Given(random.random((U, V))), k=V)
    for pairs in found.values():
        np.testing.assert_allclose(pairs[:, 0], pairs[:, 1], rtol=1e-6)
