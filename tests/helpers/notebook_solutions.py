"""Solutions of the exercises in colab/: the tests put each in the place of its cell and run the notebook with it.

Lines after the solution check it.
"""

SOLUTIONS = {
    "reuse_one_module": {
        "exercise-1": """
from mu.audio import spectral
from mu.audio.descriptors import centroid


def brightness(x):
    return jnp.mean(centroid(spectral.magnitude(spectral.stft(x)), 16_000), axis=-1)


tone = np.sin(2 * np.pi * 300 * seconds).astype(np.float32)
bright = brightness(np.stack([sweep, tone]))
assert bright.shape == (2,) and 280 < bright[1] < 340 and bright[0] > 1_000, bright
""",
        "exercise-2": """
def unplayed(index, queries, played, k):
    return index.top_k(queries, k, exclude=played).ids


few = played.take(np.arange(100))
ids = unplayed(index, queries, few, 10)
hidden = queries @ vectors.T
hidden[np.repeat(np.arange(100), few.counts()), few.indices] = -np.inf
assert (ids == np.argsort(-hidden, axis=1, kind="stable")[:, :10]).all()
""",
        "exercise-3": """
def success(units, k):
    return units.total(units.members * units.within(k) / units.size)  # the chance that the one target is within k


np.testing.assert_allclose(success(units, 10), recall(units, 10))
""",
    },
    "own_data": {
        "exercise-1": """
core = api.import_log(plays, user="member", track="song", time="played_at", k_core=20)
assert min(core.lengths.min(), core.counts().min()) >= 20
assert 0 < core.n_users < log.n_users and 0 < core.n_items <= log.n_items, core
""",
        "exercise-2": """
def mixed(listener):
    return knn.recommend(listener, k=100).unique("artist", keep="first", maintain_order=True).head(5)


five = mixed("listener-00007")
assert len(five) == five["artist"].n_unique() == 5 and five["rank"][0] == 1 and five["rank"].is_sorted()
""",
        "exercise-3": """
def width(frame, metric):
    rows = frame.filter(pl.col("metric") == metric)
    return dict(zip(rows["recommender"], rows["high"] - rows["low"], strict=True))


widths = width(encoder.evaluate().frame, "numbers/pearson")
assert {"model", "mfcc"} <= set(widths) and all(value >= 0 for value in widths.values()), widths
""",
    },
    "evaluate_honestly": {
        "exercise-1": """
def from_the_past(split):
    return float((split.test.times < split.train.times.max()).mean())


shares = {name: from_the_past(split) for name, split in splits.items()}
assert shares["by date"] == 0 and shares["random"] > 0.9 and 0 < shares["leave one out"] < 1, shares
""",
        "exercise-2": """
def flattery(n):
    drawn = rng.permuted(np.tile(np.arange(log.n_items), (log.n_users, 1)), axis=1)[:, n:]
    users = np.repeat(np.arange(log.n_users), drawn.shape[1])
    others = type(seen).from_pairs(users, drawn.ravel(), log.n_users, log.n_items).union(seen)
    few = RankingEvaluator(split.test.seen(), split.train.merged(split.valid), others, known, ks=(10,))
    model = Popularity().fit(split.train)
    return few.run(model).summary()[0].value / whole.run(model).summary()[0].value


factors = [flattery(n) for n in (50, 200, 1_000)]
assert factors[0] > factors[1] > factors[2] == 1, factors
""",
        "exercise-3": """
def best_of(n, trials=100):
    return float(np.random.default_rng(0).normal(size=(trials, n)).max(axis=1).mean())


assert abs(best_of(1)) < 0.3 and 1.7 < best_of(20) < 2.05  # "two standard errors": what is called significant
""",
    },
}
