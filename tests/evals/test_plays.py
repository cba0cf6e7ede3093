"""Plays ranked among what was out: against a slow twin, by sections, and by what chance and truth give."""

import collections
import re
from typing import Any

import numpy as np
import pytest

from mu.evals.compare import differences
from mu.evals.few_units import effective_size, interval
from mu.evals.intervals import bootstrap, cluster_weights, clustered_bootstrap
from mu.evals.protocols.play_events import PlayEvents
from mu.evals.protocols.plays import DAY_MS, PlayEvaluator
from mu.evals.result import Result
from mu.evals.table import ResultTable
from tests.helpers.sparse_scores import DenseTwin, SparseScores
from tests.helpers.tiny_runs import make_log

V, U, CUT = 40, 48, 100 * DAY_MS
RELEASED = np.concatenate([np.full(25, -1), 99 * DAY_MS + np.arange(15) * DAY_MS * 3])


def make_plays(n=300, seed=0):
    """Any listener plays any track that is out, after CUT."""
    random = np.random.default_rng(seed)
    times = CUT + random.integers(0, 60 * DAY_MS, n)
    tracks = np.array([random.choice(np.flatnonzero(moment >= RELEASED)) for moment in times], np.int32)
    return PlayEvents(random.integers(0, U, n), tracks, times)


def evaluator(plays=None, **options):
    known = np.arange(V) < 26
    return PlayEvaluator(plays or make_plays(), make_log(), RELEASED, CUT, known, ks=(1, 5), **options)


class Fixed:
    """The same scores at any time."""

    dot_product = False
    time_aware = False

    def __init__(self, table):
        self.table = table.astype(np.float32)

    def scores(self, users, histories, times_ms=None):
        return self.table[users]


class Truth:
    """Knows what is played next by whom and when."""

    dot_product = False
    time_aware = True

    def __init__(self, plays):
        rows = zip(plays.users, plays.tracks, plays.times_ms, strict=True)
        self.place = {(user, time): track for user, track, time in rows}

    def scores(self, users, histories, times_ms=None):
        assert times_ms is not None
        scores = np.zeros((len(users), V), np.float32)
        for row, (user, time) in enumerate(zip(users, times_ms, strict=True)):
            scores[row, self.place[user, time]] = 1.0
        return scores


def slow_recalls(evaluation, section, scores, ks):
    """Recall of each play of a section at each cut-off, by the words of the docstring; ties are in any order.

    Args:
      scores: [E, V], of every track at the moment of each play.
    """
    events, log = evaluation.events, make_log()
    recalls = []
    for play in section.plays:
        user, track, time = (int(array[play]) for array in (events.users, events.tracks, events.times_ms))
        history = set(log.row(user).tolist())
        out = [v for v in range(V) if RELEASED[v] <= time]
        if section.name == "repeat":
            candidates = history
        elif section.name.startswith("new: "):
            candidates = {v for v in out if RELEASED[v] > CUT and v >= 26}
        else:
            candidates = {v for v in out if v not in history}
        greater = sum(scores[play, v] > scores[play, track] for v in candidates)
        equal = sum(scores[play, v] == scores[play, track] for v in candidates)
        recalls.append([np.clip((k - greater) / equal, 0.0, 1.0) for k in ks])
    return recalls


def assert_equals_slow_twin(evaluation, recommender, scores):
    result = evaluation.run(recommender)
    sections = evaluation.sections
    assert set(sections) >= {"discovery", "repeat", "day 0", "new: weeks 1-3"}
    assert result.names == evaluation.names
    assert {name: result.counts[name] for name in sections} == {name: len(s.plays) for name, s in sections.items()}
    for name, section in sections.items():
        columns = np.stack([result.columns[f"{name}/recall@{k}"] for k in (1, 5)], axis=1)
        np.testing.assert_allclose(columns[section.plays], slow_recalls(evaluation, section, scores, (1, 5)))
        assert np.isnan(np.delete(columns, section.plays, axis=0)).all()


def test_every_play_is_ranked_as_a_slow_twin_does():
    table = np.random.default_rng(1).permutation(U * V).reshape(U, V)
    evaluation = evaluator()
    assert_equals_slow_twin(evaluation, Fixed(table), table[evaluation.events.users])


def test_every_play_that_is_left_out_is_counted_by_reason():
    plays = make_plays()
    early = np.flatnonzero(RELEASED[plays.tracks] >= 0)[:5]
    plays.times_ms[early] = RELEASED[plays.tracks[early]] - 1
    released = np.where(np.arange(V) == 25, -DAY_MS, RELEASED)  # in 1969: known, and long out
    evaluation = PlayEvaluator(plays, make_log(), released, CUT, known=np.arange(V) < 10, ks=(1,))
    history, left, first = make_log().seen(), collections.Counter(), set()
    for play in np.lexsort((plays.times_ms, plays.users)):
        user, track = int(plays.users[play]), int(plays.tracks[play])
        if released[track] > plays.times_ms[play]:
            left["before the release of the track"] += 1
        elif (user, track) in first:
            left["played before in the test"] += 1
        else:
            first.add((user, track))
            if 10 <= track <= 25 and track not in history.row(user):
                old = "of unknown release" if track < 25 else "and not new"
                left[f"track without plays in training, {old}"] += 1
    counts = evaluation.run(Fixed(np.zeros((U, V), np.float32))).counts
    found = {name.removeprefix("plays left out: "): n for name, n in counts.items() if "left out" in name}
    assert found == left and counts["plays"] == len(plays)


class Factors:
    """A dot product, with a bias or with steps of the age; asked for each listener's query once."""

    dot_product = True
    edges_ms = np.array([0, 7, 14, 448]) * DAY_MS

    def __init__(self, seed, whole, time_aware):
        random = np.random.default_rng(seed)

        def numbers(*shape):
            return (random.integers(-1, 2, shape) if whole else random.normal(size=shape)).astype(np.float32)

        self.time_aware = time_aware
        self.item_vectors, self.users = numbers(V, 3), numbers(U, 3)
        self.bias, self.values = numbers(V), numbers(len(self.edges_ms) + 1)
        self.asked = []

    def queries(self, users, histories):
        self.asked += users.tolist()
        return self.users[users]

    def item_bias(self, times_ms=None):
        assert not self.time_aware, "the ages decide"
        return self.bias

    def age_steps(self):
        assert self.time_aware
        return self.edges_ms, self.values

    def scores(self, users, histories, times_ms=None):
        return self.dense(PlayEvents(users, np.zeros(0, np.int32), times_ms))

    def dense(self, events):
        """[E, V]: the scores that the ranks are of."""
        exact = self.users[events.users].astype(np.float64) @ self.item_vectors.T.astype(np.float64)
        if not self.time_aware:
            return (exact + self.bias).astype(np.float32)
        ages = np.where(RELEASED < 0, 1 << 60, events.times_ms[:, None] - RELEASED)
        return (exact + self.values[(self.edges_ms <= ages[..., None]).sum(axis=-1)]).astype(np.float32)


@pytest.mark.parametrize("time_aware", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_dot_products_are_ranked_as_their_scores_are_and_asked_once_a_listener(whole, time_aware):
    """Whole numbers tie often. Some plays are at the very edge of a step: on the release, and a week after it."""
    for seed in range(3):
        plays = make_plays(seed=seed)
        at_edge = np.flatnonzero((np.arange(len(plays)) % 3 < 2) & (RELEASED[plays.tracks] >= CUT))
        plays.times_ms[at_edge] = RELEASED[plays.tracks[at_edge]] + (at_edge % 3) * 7 * DAY_MS
        evaluation, model = evaluator(plays), Factors(seed, whole, time_aware)
        assert_equals_slow_twin(evaluation, model, model.dense(evaluation.events))
        assert model.asked == np.unique(evaluation.events.users).tolist()


@pytest.mark.parametrize("time_aware", [True, False])
@pytest.mark.parametrize("known_releases", [True, False])
def test_sparse_scores_are_ranked_as_all_scores_are(time_aware, known_releases):
    """Where few tracks are out at first, and where most always are."""
    released = RELEASED if known_releases else np.where(np.arange(V) < 36, -1, RELEASED)
    for seed in range(3):
        plays = make_plays(seed=seed)
        evaluation = PlayEvaluator(plays, make_log(), released, CUT, np.arange(V) < 26, ks=(1, 5))
        model = SparseScores(seed, U, V, time_aware)
        found, expected = evaluation.run(model), evaluation.run(DenseTwin(model))
        for name, column in expected.columns.items():
            np.testing.assert_array_equal(found.columns[name], column)
    if known_releases and not time_aware:
        assert_equals_slow_twin(
            evaluator(),
            model,
            model.scores(evaluator().events.users, evaluator().histories.take(evaluator().events.users)),
        )


def test_sections_part_the_plays():
    evaluation = evaluator()
    plays, tracks = evaluation.events, evaluation.events.tracks
    found = {name: set(section.plays.tolist()) for name, section in evaluation.sections.items()}
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
    plays = PlayEvents(np.array([1, 1, 2]), np.array([3, 3, 39]), np.array([CUT + 5, CUT + 1, CUT + 1]))
    kept = evaluator(plays).events
    assert kept.tracks.tolist() == [3] and kept.times_ms.tolist() == [CUT + 1]
    # The first play since the release counts, whatever was before it.
    times = np.array([CUT + 1, RELEASED[39] + 9, RELEASED[39] + 7])
    kept = evaluator(PlayEvents(np.array([2, 2, 2]), np.array([39, 39, 39]), times)).events
    assert kept.times_ms.tolist() == [RELEASED[39] + 7]


def test_truth_finds_all_and_equal_scores_are_at_chance():
    evaluation = evaluator()
    found = evaluation.run(Truth(evaluation.events))
    for name, section in evaluation.sections.items():
        np.testing.assert_array_equal(found.columns[f"{name}/recall@1"][section.plays], 1.0)
        np.testing.assert_allclose(found.columns[f"{name}/ndcg@5"][section.plays], 1.0)
    plays = evaluation.sections["new: day 0"].plays
    chance = evaluation.run(Fixed(np.zeros((U, V)))).columns["new: day 0/recall@5"][plays]
    out = evaluation.events.times_ms[plays][:, None] >= RELEASED
    candidates = (out & (RELEASED > CUT) & (np.arange(V) >= 26)).sum(axis=1)
    np.testing.assert_allclose(chance, np.minimum(5 / candidates, 1.0))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((U, V - 1)), "Fixed.scores gave float32"),
        (np.full((U, V), np.nan), "Fixed scores item 0 NaN for user"),
    ],
)
def test_scores_that_cannot_be_ranked_are_refused(bad, message):
    with pytest.raises(ValueError, match=message):
        evaluator().run(Fixed(bad))


@pytest.mark.parametrize("name", ["item_vectors", "bias", "values"])
def test_dot_products_that_cannot_be_ranked_are_refused_among_few_candidates_too(name):
    repeats = evaluator()
    repeats = evaluator(repeats.events.take(repeats.sections["repeat"].plays))
    assert list(repeats.sections) == ["repeat"]
    model: Any = Factors(0, whole=False, time_aware=name != "bias")
    getattr(model, name)[0] = np.nan
    asked = {"bias": "item_bias", "values": "age_steps"}.get(name, name)
    with pytest.raises(ValueError, match=f"Factors.{asked} has a number that is not finite"):
        repeats.run(model)


def test_nothing_to_rank_is_refused():
    with pytest.raises(ValueError, match="none of 1 plays is of a track that was out"):
        evaluator(PlayEvents(np.array([2]), np.array([39]), np.array([CUT + 1])))
    # Of a track that was out before training ended, and that nobody had played.
    log = make_log()
    without = log.where(log.items != 0)
    with pytest.raises(ValueError, match=r"all 1 plays are .* in no section"):
        PlayEvaluator(
            PlayEvents(np.array([2]), np.array([0]), np.array([CUT])), without, RELEASED, CUT, np.arange(V) > 0
        )
    with pytest.raises(ValueError, match="no metric to measure"):
        evaluator(metrics=())


def test_intervals_draw_listeners():
    """Of listeners with one play each they are the plain ones; copies of a play make nothing surer."""
    values = np.random.default_rng(0).random((60, 2))
    alone = clustered_bootstrap(values, np.arange(60), samples=4000)
    np.testing.assert_allclose(alone, bootstrap(values, samples=4000), atol=0.01)
    copies = clustered_bootstrap(np.repeat(values, 5, axis=0), np.repeat(np.arange(60), 5), samples=4000)
    np.testing.assert_allclose(copies, alone, atol=1e-12)
    with pytest.raises(ValueError, match="clusters is"):
        clustered_bootstrap(values, np.arange(3))


def test_weights_are_the_draws_of_the_clustered_bootstrap():
    values, users = np.random.default_rng(0).random((60, 1)), np.arange(60) % 7
    drawn = np.concatenate(list(cluster_weights(users, 200, seed=3)))
    assert drawn.shape == (200, 60) and (drawn[:, users == 2] == drawn[:, [2]]).all()
    means = drawn @ values / drawn.sum(axis=1, keepdims=True)
    expected = interval(means, values.mean(axis=0), 7, effective_size(np.bincount(users)), True)
    np.testing.assert_allclose(clustered_bootstrap(values, users, 200, seed=3), expected, rtol=1e-12)


def test_a_difference_is_that_of_the_means():
    evaluation = evaluator()
    ours, theirs = (evaluation.run(Fixed(np.random.default_rng(seed).random((U, V)))) for seed in (1, 2))
    found = differences([(theirs, ours)], ["discovery/recall@5", "discovery/ndcg@5"], samples=500)
    assert len(found) == 2
    for metric, row in found.items():
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["difference"] == pytest.approx(ours.values()[metric] - theirs.values()[metric])
    itself = differences([(ours, ours)], ["discovery/ndcg@5"], samples=50)["discovery/ndcg@5"]
    assert itself["p"] == 1.0 and itself["difference"] == itself["b_better"] == 0
    assert itself["low"] == -itself["high"] < 0


def plays_result(users, values):
    return Result(unit="play", units=np.arange(len(users)), columns={"x": values}, cluster="user", clusters=users)


def test_copies_of_plays_make_no_difference_surer():
    random = np.random.default_rng(0)
    users, values = np.arange(40), random.normal(0.1, 0.5, 40)
    once = plays_result(users, np.zeros(40)), plays_result(users, values)
    often = np.repeat(users, 5)
    copied = plays_result(often, np.zeros(200)), plays_result(often, np.repeat(values, 5))
    found, again = (differences([pair], samples=300)["x"] for pair in (once, copied))
    assert again == pytest.approx(found | {"n": 200}) and 0.001 < found["p"] < 1
    assert found["b_better"] == (values > 0).sum() and found["a_better"] == (values < 0).sum()


def test_what_is_asked_has_a_hash():
    plays = make_plays()
    same, other = make_plays(), make_plays(seed=1)
    assert evaluator(plays).hash() == evaluator(same).hash() != evaluator(other).hash()
    later = PlayEvaluator(plays, make_log(), RELEASED + 1, CUT, np.arange(V) < 26)
    shown = PlayEvaluator(plays, make_log(seed=1), RELEASED, CUT, np.arange(V) < 26)
    assert len({later.hash(), shown.hash(), evaluator(plays).hash()}) == 3


def test_a_table_has_a_row_a_recommender_and_a_column_a_section():
    evaluation = evaluator()
    found = {name: evaluation.run(Fixed(np.random.default_rng(seed).random((U, V)))) for seed, name in enumerate("a<")}
    names = [name.replace("recall@1", "recall@5") for name in found["a"].shown]
    table = ResultTable(found, names, samples=100)
    head, _, *lines, note, level, _left_out = str(table).splitlines()
    assert level.startswith("= behind a value")
    assert head.startswith("recall@5, plays") and "discovery, light" not in head and "new: " not in head
    assert f"day 0, {len(evaluation.sections['day 0'].plays)}" in head and len(lines) == 2
    assert len({len(line) for line in (head, *lines)}) == 1 and "bootstrap interval over 47 users" in note
    estimates = {one.name: one for one in found["<"].summary(100)}
    value, low, high = (f"{number:.3f}".removeprefix("0") for number in estimates["repeat/recall@5"][1:])
    assert lines[1].startswith("< ") and f"{value} [{low} {high}]" in lines[1]
    page = table._repr_html_()
    assert (
        re.search(rf"<td>(<b>)?{value}(</b>)?<br><small[^>]*>{re.escape(f'[{low} {high}]')}</small></td>", page)
        and "<th>&lt;</th>" in page
    )
    assert page.count("<th>") == 1 + len(names) + 2
