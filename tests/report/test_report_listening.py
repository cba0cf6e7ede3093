"""Parts of the page of a run on plays: the chart by age, whom it tells of, and what it leaves out."""

import re

import numpy as np
import pytest

import mu.report.listening_run
from mu.evals.result import Estimate, Result
from mu.evals.results import save
from mu.files import write_json
from mu.report import user_page as user_page_module
from mu.report.categories import category_chart
from mu.report.charts import Frame
from mu.report.cold_start import cold_start_track
from mu.report.explanation import Explanation
from mu.report.listening import page
from mu.report.listening_run import (
    ColdStartListener,
    ColdStartTrack,
    ListeningRun,
    Row,
    Sections,
    UserPage,
    read_listening_run,
)
from mu.report.page import environment
from mu.report.read import RunFacts
from mu.report.split_log import SplitLog
from mu.report.user_page import RECOMMENDED, median_place, user_page
from tests.helpers.listening_logs import make_listening

SERIES = {
    "model": [(0.5, 0.4, 0.6), (0.2, 0.1, 0.3), (0.4, 0.3, 0.8)],
    "chance": [(0.1, 0.0, 0.2), None, (0.0, 0.0, 0.0)],
}
FRAME = Frame()


def paths(chart, kind):
    """The points of each path of a class, [(x, y), ...]."""
    lines = [path.d for path in chart.paths if re.fullmatch(rf"{kind} s\d+", path.style)]
    return [[tuple(map(float, pair)) for pair in re.findall(r"(-?[\d.]+) (-?[\d.]+)", one)] for one in lines]


def test_means_stand_as_high_as_they_are_and_beside_each_other():
    chart = category_chart(SERIES, ["new <1>", "old", "known"], "recall@20", "its label")
    drawn = environment().from_string('{% from "charts.html" import chart %}{{ chart(one) }}').render(one=chart)
    assert drawn.count("new &lt;1&gt;") == 1 and "its label" in drawn and "recall@20" in drawn
    lines, step = paths(chart, "line"), (FRAME.right - FRAME.left) / 3
    assert [len(line) for line in lines] == [3, 2], "a gap where there is no mean"
    height, top = FRAME.bottom - FRAME.top, 0.8 * 1.05
    for line, points in zip(lines, SERIES.values(), strict=True):
        for (x, y), (place, (mean, _, _)) in zip(
            line, ((place, one) for place, one in enumerate(points) if one is not None), strict=True
        ):
            assert y == pytest.approx(FRAME.bottom - mean / top * height, abs=0.06)
            assert FRAME.left + place * step < x < FRAME.left + (place + 1) * step
    assert lines[0][0][0] < lines[1][0][0]


def test_intervals_are_upright_from_low_to_high():
    chart = category_chart(SERIES, ["a", "b", "c"], "recall@20", "")
    (bars,) = (path.d for path in chart.paths if path.style == "line thin s0")
    height, top = FRAME.bottom - FRAME.top, 0.8 * 1.05
    drawn = [tuple(map(float, pair)) for pair in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", bars)]
    expected = [tuple(FRAME.bottom - end / top * height for end in one[1:]) for one in SERIES["model"]]
    np.testing.assert_allclose(drawn, expected, atol=0.06)


@pytest.mark.parametrize(
    ("hits", "place"),
    [([0, 3, 0, 1, 2], 4), ([0, 0], 0), ([0, 1, 1, 5], 2), ([4], 0), ([2, 0, 2, 2], 2), ([0, 1, 9], 1)],
)
def test_the_median_listener_of_those_with_any_hit(hits, place):
    assert median_place(np.array(hits)) == place


def make_run(**computed):
    facts = RunFacts(
        title="run",
        facts=[("Seed", "0")],
        config_text="{}",
        curves={"": [{"step": 1, "loss": 1.0, "valid/repeat/recall@20": 0.5, "valid/new: day 0/recall@20": 0.5}]},
        chosen="valid/repeat/recall@20",
        step=1,
        problems=(),
    )
    metrics = {"model": {"repeat/recall@20": Estimate("repeat/recall@20", 0.5, 0.4, 0.6)}}
    return ListeningRun(facts, metrics, {"repeat": 7}, None, Sections(**computed))


def test_a_run_that_was_tested_on_repeats_alone_has_a_table_and_no_chart():
    text = page(make_run())
    assert "repeat (7)" in text and "By the age of the track" not in text
    assert "One listener" not in text and "A new track" not in text
    assert "Validation, repeat" in text and "Validation, new" not in text


def test_what_the_evaluation_left_out_is_a_fact_and_no_section(tmp_path, monkeypatch):
    counts = {"plays": 9, "plays left out: played before in the test": 2, "repeat": 7}
    columns = {"repeat/recall@20": np.ones(7)}
    save(tmp_path, {"model": Result("play", np.arange(7), columns, counts=counts)}, {}, samples=5)
    write_json(tmp_path / "run.json", {"data_card": {"users": 3}})
    monkeypatch.setattr(mu.report.listening_run, "run_facts", lambda place, card, data, problems: data)
    run = read_listening_run(tmp_path, tmp_path, Sections(), ())
    assert run.counts == {"repeat": 7}
    assert run.facts["Measured"] == "7 of 9 plays, 2 left out: played before in the test"


def test_the_page_repeats_how_its_cases_were_chosen():
    row = Row(0, "Song & <b>", "today")
    listener = UserPage("u<1>", "", "Chosen so: by <lot>.", 3, [row], [row])
    cold_start = ColdStartTrack(row, "Chosen so: by & by.", [ColdStartListener("u", "", "x", True)], 0.25, "its tags")
    text = page(make_run(user_page=listener, cold_start=cold_start))
    assert "the model reads its tags alone" in text
    assert "Chosen so: by &lt;lot&gt;." in text and "Chosen so: by &amp; by." in text
    assert "the first 25% of all" in text
    assert "What speaks for a track" not in text, "there are no reasons"
    explained = Row(0, "Song", "today", [("its sound", 1.25)])
    text = page(make_run(user_page=UserPage("u", "", "", 3, [row], [explained])))
    assert "What speaks for a track" in text and "its sound +1.2" in text


class Scores:
    """Fixed queries and vectors: a recommender that has no time."""

    dot_product, time_aware = True, False

    def __init__(self, log):
        random = np.random.default_rng(1)
        self._queries = random.standard_normal((log.n_users, 4)).astype(np.float32)
        self.item_vectors = random.standard_normal((log.n_items, 4)).astype(np.float32)
        self._bias = random.standard_normal(log.n_items).astype(np.float32)

    def queries(self, users, histories, times_ms=None):
        return self._queries[users]

    def item_bias(self, times_ms=None):
        return self._bias


class TimeAwareScores(Scores):
    """The same as a recommender of new tracks."""

    time_aware = True

    def item_bias(self, times_ms=None):
        return self._bias if times_ms is None else np.repeat(self._bias[None], len(times_ms), axis=0)

    def with_policy(self, policy):
        return self

    def log_share(self, queries, vectors, bias, catalogue_bias):
        return queries @ vectors.T + bias


def split_log(log):
    """The last play of each listener is the test; all else is training."""
    last = np.zeros(len(log), bool)
    last[log.indptr[1:] - 1] = True
    train = log.where(~last)
    return SplitLog(log, train, log.where(last), train.end_ms, [f"Song {track}" for track in range(log.n_items)], ())


def page_of_median_listener(log):
    split = split_log(log)
    recommender = Scores(log)
    explanation = Explanation({}, recommender.item_bias(), split.released, log.tracks)
    return user_page(split, recommender, explanation)


def test_recommendations_are_the_best_of_what_is_out_and_new_to_the_listener():
    log = make_listening(n_users=60)
    whole = page_of_median_listener(log)
    user = int(whole.listener)
    recommender, now_ms = Scores(log), np.delete(log.times, log.indptr[1:] - 1).max()
    scores = recommender.item_vectors @ recommender.queries(np.array([user]), None)[0] + recommender.item_bias()
    scores[log.row(user)[:-1]] = -np.inf
    scores[log.released_ms > now_ms] = -np.inf
    assert [row.track for row in whole.recommended] == np.argsort(-scores)[:RECOMMENDED].tolist()
    assert [row.hit for row in whole.recommended].count(True) == int("with 1" in whole.chosen) == 1
    assert re.match(r"Chosen so: of the \d+ listeners with 6 plays", whole.chosen)


def test_of_many_listeners_some_are_looked_at_and_that_is_said(monkeypatch):
    log = make_listening(n_users=60)
    eligible = int((log.lengths >= 7).sum())
    monkeypatch.setattr(user_page_module, "MOST_LISTENERS", 10)
    chosen = page_of_median_listener(log).chosen
    assert f"of 10 listeners, evenly spaced among the {eligible} with 6 plays or more" in chosen


@pytest.mark.parametrize(("sound", "inputs"), [(True, "its sound and its attributes"), (False, "its attributes")])
def test_what_a_model_reads_of_a_new_track_is_what_there_is_of_it(sound, inputs):
    log = make_listening(n_users=60, sound=sound)
    log.items[log.indptr[1:] - 1] = 19
    log.released_ms[19] = log.times.max()
    track = cold_start_track(split_log(log), TimeAwareScores(log), reads_audio=sound)
    assert track.row.track == 19 and track.inputs == inputs
    scores = TimeAwareScores(log)._queries @ TimeAwareScores(log).item_vectors[19]
    assert [one.listener for one in track.listeners] == [str(user) for user in np.argsort(-scores)[:8]]


def test_reasons_are_the_largest_parts_beyond_those_of_the_mean_track():
    log = make_listening(n_users=60)
    released = np.ones(log.n_items, bool)
    parts = {"own": np.zeros((log.n_items, 1), np.float32), "sound": np.zeros((log.n_items, 1), np.float32)}
    parts["own"][3], parts["sound"][3] = 2.0, -1.0
    explanation = Explanation(parts, np.zeros(log.n_items, np.float32), released, log.tracks)
    (reasons,) = explanation.reasons(np.array([1.5], np.float32), np.array([3]))
    assert reasons == [("who else plays it", pytest.approx(3.0 * (1 - 1 / log.n_items)))], "0.05 and less is left out"
    assert Explanation({}, np.zeros(log.n_items), released, log.tracks).reasons(np.ones(1), np.array([3, 4])) == [
        [],
        [],
    ]
