"""Parts of scores: those of the tracks that are asked for, beside the mean of the tracks that are out."""

import numpy as np
import polars as pl
import pytest

from mu.report.score_parts import AGE, COUNTS, Asked, ScoreParts

N, D = 12, 5


@pytest.fixture
def problem():
    """(parts of tracks, bias, which tracks are out, query)."""
    rng = np.random.default_rng(0)
    parts = {name: rng.normal(size=(N, D)).astype(np.float32) for name in ("own", "artist")}
    return parts, rng.normal(size=N).astype(np.float32), rng.random(N) < 0.5, rng.normal(size=D).astype(np.float32)


@pytest.mark.parametrize("counted", [False, True])
def test_contributions_are_products_with_the_parts_and_their_mean(problem, counted):
    parts, bias, released, query = problem
    artists = [f"A{track}" for track in range(N)]
    scores = ScoreParts(parts, {AGE: bias}, released, pl.DataFrame({"artist": artists}))
    assert 0 < released.sum() < N
    # Slow twin: every track's score, and then the mean.
    wide = {"who else plays it": parts["own"] @ query, "artist": parts["artist"] @ query}
    offsets = np.linspace(-1, 5, N, dtype=np.float32) if counted else None
    wide |= {} if offsets is None else {COUNTS: offsets}
    wide[AGE] = bias
    listener = Asked(query, offsets)
    for track in range(N):
        names, own, mean = zip(*scores.contributions(listener, track), strict=True)
        assert names == tuple(f"artist A{track}" if name == "artist" else name for name in wide)
        np.testing.assert_allclose(own, [values[track] for values in wide.values()], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mean, [values[released].mean() for values in wide.values()], rtol=1e-5, atol=1e-6)


def test_reasons_are_the_largest_differences_to_the_mean(problem):
    parts, bias, released, query = problem
    scores = ScoreParts(parts, {AGE: bias}, released, pl.DataFrame({"track": range(N)}))
    tracks, listener = np.array([7, 2, 7]), Asked(query, None)
    for track, reasons in zip(tracks, scores.reasons(listener, tracks), strict=True):
        beyond = [(own - mean, name) for name, own, mean in scores.contributions(listener, track)]
        largest = sorted((one for one in beyond if one[0] > 0.05), reverse=True)[:2]
        assert [name for name, _ in reasons] == [name for _, name in largest]
        np.testing.assert_allclose([amount for _, amount in reasons], [amount for amount, _ in largest], rtol=1e-5)
