"""Parts of the page of a run on plays: the chart by age, whom it tells of, and what it leaves out."""

import dataclasses
import re
import types

import numpy as np
import pytest

from mu.report import story as story_module
from mu.report.categories import category_chart
from mu.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from mu.report.listening import page
from mu.report.listening_run import ListeningRun, Newcomer, Shown, Story
from mu.report.story import RECOMMENDED, Narrator, middle
from tests.helpers.listening_logs import make_listening

SERIES = {
    "model": [(0.5, 0.4, 0.6), (0.2, 0.1, 0.3), (0.4, 0.3, 0.8)],
    "chance": [(0.1, 0.0, 0.2), None, (0.0, 0.0, 0.0)],
}


def paths(chart, kind):
    """The points of each path of a class, [(x, y), ...]."""
    found = re.findall(rf'<path class="{kind} s\d+" d="([^"]*)"', chart)
    return [[tuple(map(float, pair)) for pair in re.findall(r"(-?[\d.]+) (-?[\d.]+)", one)] for one in found]


def test_means_stand_as_high_as_they_are_and_beside_each_other():
    chart = str(category_chart(SERIES, ["new <1>", "old", "known"], "recall@20", "what it shows"))
    assert chart.count("new &lt;1&gt;") == 1 and "what it shows" in chart and "recall@20" in chart
    lines, step = paths(chart, "line"), (WIDTH - LEFT - RIGHT) / 3
    assert [len(line) for line in lines] == [3, 2], "a gap where there is no estimate"
    height, top = HEIGHT - TOP - BOTTOM, 0.8 * 1.05
    for line, points in zip(lines, SERIES.values(), strict=True):
        for (x, y), (place, (mean, _, _)) in zip(
            line, ((place, one) for place, one in enumerate(points) if one is not None), strict=True
        ):
            assert y == pytest.approx(HEIGHT - BOTTOM - mean / top * height, abs=0.06)
            assert LEFT + place * step < x < LEFT + (place + 1) * step
    assert lines[0][0][0] < lines[1][0][0]


def test_intervals_are_upright_from_low_to_high():
    chart = str(category_chart(SERIES, ["a", "b", "c"], "recall@20", ""))
    (bars,) = re.findall(r'<path class="line thin s0" d="([^"]*)"', chart)
    height, top = HEIGHT - TOP - BOTTOM, 0.8 * 1.05
    found = [tuple(map(float, pair)) for pair in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", bars)]
    expected = [tuple(HEIGHT - BOTTOM - end / top * height for end in one[1:]) for one in SERIES["model"]]
    np.testing.assert_allclose(found, expected, atol=0.06)


@pytest.mark.parametrize(
    ("hits", "place"),
    [([0, 3, 0, 1, 2], 4), ([0, 0], 0), ([0, 1, 1, 5], 2), ([4], 0), ([2, 0, 2, 2], 2), ([0, 1, 9], 1)],
)
def test_the_listener_in_the_middle_of_those_with_any_hit(hits, place):
    assert middle(np.array(hits)) == place


def make_run(**changes):
    estimate = {"recall@20": {"mean": 0.5, "low": 0.4, "high": 0.6}}
    given = {
        "title": "run",
        "facts": [("Seed", "0")],
        "config": "{}",
        "curves": {"": [{"step": 1, "loss": 1.0, "valid/repeat/recall@20": 0.5}]},
        "chosen": "valid/repeat/recall@20",
        "step": 1,
        "about": {"sections": {"repeat": 7}, "rows": {"model": {"repeat": estimate}}},
        "story": None,
        "newcomer": None,
        "vectors": None,
        "labels": (),
        "label_name": "",
        "titles": (),
        "pieces": {},
        "problems": (),
    }
    return ListeningRun(**given | changes)


def test_a_run_that_was_tested_on_repeats_alone_has_a_table_and_no_chart():
    text = page(make_run())
    assert "repeat (7)" in text and "By the age of the track" not in text
    assert "One listener" not in text and "A new track" not in text


def test_the_page_repeats_how_its_cases_were_chosen():
    shown = Shown(0, "Song & <b>", "today")
    story = Story("u<1>", "", "Chosen so: by <lot>.", 3, [shown], [shown])
    newcomer = Newcomer(shown, "Chosen so: by & by.", [("u", "", "x", True)], 0.25, "its words")
    text = page(make_run(story=story, newcomer=newcomer))
    assert "it is known by its words alone" in text
    assert "Chosen so: by &lt;lot&gt;." in text and "Chosen so: by &amp; by." in text
    assert "the first 25% of all listeners" in text
    assert "What speaks for a track" not in text, "there are no reasons"
    reasons = Shown(0, "Song", "today", [("its sound", 1.25)])
    text = page(make_run(story=Story("u", "", "", 3, [shown], [reasons])))
    assert "What speaks for a track" in text and "its sound +1.2" in text


class Scores:
    """Fixed queries and vectors: a recommender without parts, or with some of them."""

    def __init__(self, log, sound=None):
        random = np.random.default_rng(1)
        self._queries = random.standard_normal((log.n_users, 4)).astype(np.float32)
        self.vectors = random.standard_normal((log.n_items, 4)).astype(np.float32)
        self.bias = random.standard_normal(log.n_items).astype(np.float32)
        if sound is not None:
            self.parts = lambda columns: {"own": self.vectors} | ({"sound": self.vectors} if sound else {})

    def queries(self, users, histories):
        return self._queries[users]

    def boosted(self, boost):
        return self

    def log_share(self, queries, vectors, bias, catalogue_bias):
        return queries @ vectors.T + bias


def make_narrator(log, **options):
    """The last play of each listener is the test; all else is training."""
    last = np.zeros(len(log), bool)
    last[log.indptr[1:] - 1] = True
    split = types.SimpleNamespace(train=log.where(~last), valid=log.where(last & ~last), test=log.where(last))
    setup = types.SimpleNamespace(
        data=log, split=split, train=split.train, config=types.SimpleNamespace(data={"name": "made in memory"})
    )
    return Narrator(setup, Scores(log, **options), [f"Song {track}" for track in range(log.n_items)])


def test_recommendations_are_the_best_of_what_is_out_and_new_to_the_listener_in_any_blocks(monkeypatch):
    log = make_listening(n_users=60)
    narrator = make_narrator(log)
    whole = narrator.story()
    user = int(whole.listener)
    recommender, now_ms = Scores(log), np.delete(log.times, log.indptr[1:] - 1).max()
    scores = recommender.vectors @ recommender.queries(np.array([user]), None)[0] + recommender.bias
    scores[log.row(user)[:-1]] = -np.inf
    scores[log.released_ms > now_ms] = -np.inf
    assert [shown.track for shown in whole.recommended] == np.argsort(-scores)[:RECOMMENDED].tolist()
    assert [shown.hit for shown in whole.recommended].count(True) == int("with 1" in whole.chosen) == 1
    assert re.match(r"Chosen so: of the \d+ listeners with 6 plays", whole.chosen)
    monkeypatch.setattr(story_module, "BLOCK_BYTES", 3 * 4 * log.n_items)
    assert dataclasses.asdict(narrator.story()) == dataclasses.asdict(whole)


def test_of_many_listeners_some_are_looked_at_and_that_is_said(monkeypatch):
    log = make_listening(n_users=60)
    fit = int((log.lengths >= 7).sum())
    monkeypatch.setattr(story_module, "MOST_LISTENERS", 10)
    story = make_narrator(log).story()
    assert f"of 10 listeners, evenly spaced among the {fit} with 6 plays or more" in story.chosen


@pytest.mark.parametrize(("sound", "known_by"), [(True, "its sound and its words"), (False, "its words")])
def test_a_new_track_is_known_by_what_there_is_of_it(sound, known_by):
    log = make_listening(n_users=60, sound=sound)
    log.items[log.indptr[1:] - 1] = 19
    log.released_ms[19] = log.times.max()
    assert make_narrator(log, sound=sound).newcomer().known_by == known_by
