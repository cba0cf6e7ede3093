"""Plays ranked among what was out: against a slow twin, by sections, and by what chance and truth give."""

import re

import numpy as np
import pytest

from mu.evals.intervals import bootstrap, clustered_bootstrap
from mu.evals.plays import DAY_MS, PlayEvaluator, PlayResults, Plays, Section, differences
from tests.helpers.tiny_runs import make_log

V, U, CUT = 40, 48, 100 * DAY_MS
RELEASED = np.concatenate([np.full(25, -1), 99 * DAY_MS + np.arange(15) * DAY_MS * 3])


def make_plays(n=300, seed=0):
    """Any listener plays any track that is out, after CUT."""
    random = np.random.default_rng(seed)
    times = CUT + random.integers(0, 60 * DAY_MS, n)
    tracks = np.array([random.choice(np.flatnonzero(moment >= RELEASED)) for moment in times], np.int32)
    return Plays(random.integers(0, U, n), tracks, times)


def evaluator(plays=None, **options):
    known = np.arange(V) < 26
    return PlayEvaluator(plays or make_plays(), make_log(), RELEASED, CUT, known, ks=(1, 5), **options)


class Fixed:
    """The same scores at any time."""

    def __init__(self, table):
        self.table = table.astype(np.float32)

    def scores(self, users, histories):
        return self.table[users]


class Truth:
    """Knows what is played next by whom and when."""

    def __init__(self, plays):
        rows = zip(plays.users, plays.tracks, plays.times_ms, strict=True)
        self.place = {(user, time): track for user, track, time in rows}

    def scores_at(self, users, histories, times_ms):
        scores = np.zeros((len(users), V), np.float32)
        for row, (user, time) in enumerate(zip(users, times_ms, strict=True)):
            scores[row, self.place[user, time]] = 1.0
        return scores


def slow_recall(evaluation, section, table, play, k):
    """Recall of one play, by the words of the docstring; scores without ties."""
    user, track, time = (
        int(array[play]) for array in (evaluation.plays.users, evaluation.plays.tracks, evaluation.plays.times_ms)
    )
    history = set(make_log().row(user).tolist())
    out = [v for v in range(V) if RELEASED[v] <= time]
    if section == "repeat":
        candidates = history
    elif section.startswith("new: "):
        candidates = {v for v in out if RELEASED[v] > CUT and v >= 26}
    else:
        candidates = {v for v in out if v not in history}
    return float(sum(table[user, v] > table[user, track] for v in candidates) < k)


def test_every_play_is_ranked_as_a_slow_twin_does():
    table = np.random.default_rng(1).permutation(U * V).reshape(U, V)
    evaluation = evaluator()
    found = evaluation.run(Fixed(table))
    assert set(found) >= {"discovery", "repeat", "day 0", "new: weeks 1-3"}
    for name, section in found.items():
        for k in (1, 5):
            expected = [slow_recall(evaluation, name, table, play, k) for play in section.plays]
            np.testing.assert_array_equal(section.values[f"recall@{k}"], expected)


def test_sections_part_the_plays():
    evaluation = evaluator()
    plays, tracks = evaluation.plays, evaluation.plays.tracks
    found = {name: set(section.plays.tolist()) for name, section in evaluation.run(Fixed(np.zeros((U, V)))).items()}
    assert found["discovery"] == found["discovery, light"] | found["discovery, heavy"]
    assert not found["discovery, light"] & found["discovery, heavy"]
    assert not found["discovery"] & found["repeat"]
    new = (RELEASED[tracks] > CUT) & (tracks >= 26)
    by_age = [found[name] for name in ("day 0", "days 1-6", "weeks 1-3", "weeks 4-") if name in found]
    played = found["repeat"] & set(np.flatnonzero(new).tolist())
    assert played, "some listener had played a new track before"
    assert sum(map(len, by_age)) == len(set().union(*by_age)) == new.sum() - len(played)
    assert not set().union(*by_age) & found["repeat"]
    age = plays.times_ms - RELEASED[tracks]
    assert {play for play in np.flatnonzero(new) if age[play] < DAY_MS} - played == found["day 0"]


def test_a_second_play_and_one_before_its_release_do_not_count():
    plays = Plays(np.array([1, 1, 2]), np.array([3, 3, 39]), np.array([CUT + 5, CUT + 1, CUT + 1]))
    kept = evaluator(plays).plays
    assert kept.tracks.tolist() == [3] and kept.times_ms.tolist() == [CUT + 1]
    # The first play since the release counts, whatever was before it.
    times = np.array([CUT + 1, RELEASED[39] + 9, RELEASED[39] + 7])
    kept = evaluator(Plays(np.array([2, 2, 2]), np.array([39, 39, 39]), times)).plays
    assert kept.times_ms.tolist() == [RELEASED[39] + 7]


def test_truth_finds_all_and_equal_scores_are_at_chance():
    evaluation = evaluator()
    for section in evaluation.run(Truth(evaluation.plays)).values():
        np.testing.assert_array_equal(section.values["recall@1"], 1.0)
        np.testing.assert_allclose(section.values["ndcg@5"], 1.0)
    chance = evaluation.run(Fixed(np.zeros((U, V))))["new: day 0"]
    out = evaluation.plays.times_ms[chance.plays][:, None] >= RELEASED
    candidates = (out & (RELEASED > CUT) & (np.arange(V) >= 26)).sum(axis=1)
    np.testing.assert_allclose(chance.values["recall@5"], np.minimum(5 / candidates, 1.0))


@pytest.mark.parametrize("bad", [np.zeros((U, V - 1)), np.full((U, V), np.nan)])
def test_scores_that_cannot_be_ranked_are_refused(bad):
    with pytest.raises(ValueError, match="Fixed gave float32"):
        evaluator().run(Fixed(bad))


def test_intervals_draw_listeners():
    """Of listeners with one play each they are the plain ones; copies of a play make nothing surer."""
    values = np.random.default_rng(0).random((60, 2))
    alone = clustered_bootstrap(values, np.arange(60), samples=4000)
    np.testing.assert_allclose(alone, bootstrap(values, samples=4000), atol=0.01)
    copies = clustered_bootstrap(np.repeat(values, 5, axis=0), np.repeat(np.arange(60), 5), samples=4000)
    np.testing.assert_allclose(copies, alone, atol=1e-12)
    with pytest.raises(ValueError, match="clusters is"):
        clustered_bootstrap(values, np.arange(3))


def test_a_difference_is_that_of_the_means():
    evaluation = evaluator()
    ours, theirs = (evaluation.run(Fixed(np.random.default_rng(seed).random((U, V))))["discovery"] for seed in (1, 2))
    found = differences(evaluation.plays.users, ours, theirs, ["recall@5", "ndcg@5"], samples=500)
    for metric, row in found.items():
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["difference"] == pytest.approx(ours.values[metric].mean() - theirs.values[metric].mean())
    itself = differences(evaluation.plays.users, ours, ours, ["ndcg@5"], samples=50)["ndcg@5"]
    assert set(itself.values()) == {0.0, 1.0} and itself["p"] == 1.0


def test_copies_of_plays_make_no_difference_surer():
    random = np.random.default_rng(0)
    users, values = np.arange(40), random.normal(0.1, 0.5, 40)
    once = Section(np.arange(40), {"x": values}), Section(np.arange(40), {"x": np.zeros(40)})
    copied = tuple(Section(np.arange(200), {"x": np.repeat(one.values["x"], 5)}) for one in once)
    found = differences(users, *once, ["x"], samples=300)["x"]
    again = differences(np.repeat(users, 5), *copied, ["x"], samples=300)["x"]
    assert again == pytest.approx(found) and 0.001 < found["p"] < 1
    assert found["ours_better"] == (values > 0).sum() and found["theirs_better"] == (values < 0).sum()


def test_what_is_asked_has_a_hash():
    plays = make_plays()
    same, other = make_plays(), make_plays(seed=1)
    assert evaluator(plays).hash() == evaluator(same).hash() != evaluator(other).hash()
    later = PlayEvaluator(plays, make_log(), RELEASED + 1, CUT, np.arange(V) < 26)
    shown = PlayEvaluator(plays, make_log(seed=1), RELEASED, CUT, np.arange(V) < 26)
    assert len({later.hash(), shown.hash(), evaluator(plays).hash()}) == 3


def test_results_show_each_recommender_and_section_with_its_interval():
    evaluation = evaluator()
    found = {name: evaluation.run(Fixed(np.random.default_rng(seed).random((U, V)))) for seed, name in enumerate("a<")}
    results = PlayResults(found, evaluation, "recall@5", samples=100)
    head, _, *lines = repr(results).splitlines()
    assert head.startswith("recall@5, plays") and "discovery, light" not in head and "new: " not in head
    assert f"day 0, {len(found['a']['day 0'].plays)}" in head and len(lines) == 2
    assert len({len(line) for line in (head, *lines)}) == 1
    mean, low, high = (f"{value:.3f}".removeprefix("0") for value in results.interval("<", "repeat"))
    assert lines[1].startswith("< ") and f"{mean} [{low} {high}]" in lines[1]
    page = results._repr_html_()
    assert (
        re.search(rf"<td>{mean}<br><small[^>]*>{re.escape(f'[{low} {high}]')}</small></td>", page)
        and "<th>&lt;</th>" in page
    )
    assert page.count("<th>") == 1 + len(results.shown()) + 2
