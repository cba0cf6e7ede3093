"""Tiles and the table of recommenders: values in order, the best in bold, ties marked, the references beside them."""

import numpy as np
import pytest

from mu.evals.leaders import leaders
from mu.evals.result import Result
from mu.report.comparison_table import comparison_table
from mu.report.page import environment
from mu.report.tiles import tiles
from tests.helpers.chromium import browser, needs_browser
from tests.helpers.comparisons import compared, half_ones, play_result, user_result

N = 400
FEW, MORE, MOST = half_ones(N, 40), half_ones(N, 120), half_ones(N, 240)


def shuffled(values):
    return np.random.default_rng(0).permutation(values)


@pytest.fixture(scope="module")
def users():
    """The model is best by recall and level with 'mine' by ndcg."""
    return compared(
        {
            "model": user_result(recall=MOST, ndcg=shuffled(MORE)),
            "popularity": user_result(recall=FEW, ndcg=FEW),
            "mine <b>": user_result(recall=MORE, ndcg=MORE),
        },
        published={"LightGCN++": {"recall@10": 0.2}, "BPR": {"ndcg@10": 0.5, "recall@10": 0.05}},
    )


@pytest.fixture(scope="module")
def plays():
    def result(known, new, old):
        return play_result({"discovery": known, "repeat": old, "day 0": new}, counts={"plays": 3 * N})

    return compared(
        {
            "model": result(MORE, MOST, FEW),
            "oracle": result(MOST, MORE, MOST),
            "item_knn": result(shuffled(MORE), 0 * MOST, MOST),
        }
    )


def test_rows_are_in_the_order_of_the_main_metric_and_published_rows_among_them(users):
    table = comparison_table(users)
    assert [row.name for row in table.rows] == [
        "the model",
        "mine <b>",
        "LightGCN++, published",
        "popularity",
        "BPR, published",
    ]
    assert [title for title, _ in table.header] == ["recall@10", "ndcg@10"]
    recall, ndcg = zip(*([cell.value for cell in row.cells] for row in table.rows), strict=True)
    assert recall == ("0.600", "0.300", "0.200", "0.100", "0.050") and ndcg == ("0.300", "0.300", "", "0.100", "0.500")


def test_the_best_is_marked_and_what_is_level_with_it(users, plays):
    marks = {row.name: [cell.mark for cell in row.cells] for row in comparison_table(users).rows}
    assert marks["the model"] == ["best", "best"] and marks["mine <b>"] == ["", "level"]
    assert marks["popularity"] == marks["BPR, published"] == ["", ""]
    marks = {row.name: [cell.mark for cell in row.cells] for row in comparison_table(plays).rows}
    assert marks["the model"] == ["best", "", "best"] and marks["ItemKNN"] == ["level", "best", ""]
    assert marks["the oracle"] == ["", "", ""], "a reference is not the best, whatever it has"


def test_how_to_read_says_what_the_table_has(users, plays):
    of_users, of_plays = comparison_table(users), comparison_table(plays)
    assert "over 400 users." in of_users.how_to_read and "Published rows" in of_users.how_to_read
    assert "300 users, whose plays are drawn together" in of_plays.how_to_read and "oracle" in of_plays.how_to_read
    assert of_plays.header[0] == ("known tracks", "recall@20, 400 plays")


def test_leaders_are_by_value_and_ties_by_pairs():
    results = {
        "a": user_result(recall=MORE, ndcg=FEW),
        "b": user_result(recall=shuffled(MORE), ndcg=MOST),
        "c": user_result(recall=FEW, ndcg=np.full(N, np.nan)),
    }
    found = leaders(results, ["ndcg@10", "recall@10"], samples=200)
    assert list(found) == ["ndcg@10", "recall@10"]
    assert (found["recall@10"].best, found["recall@10"].level) == ("a", ("b",))
    assert (found["ndcg@10"].best, found["ndcg@10"].level) == ("b", ()), "what is not defined is not level"
    assert leaders({"c": results["c"]}, ["ndcg@10"], samples=200)["ndcg@10"].best == ""
    with_oracle = {"oracle": user_result(recall=MOST, ndcg=MOST), **results}
    assert leaders(with_oracle, ["ndcg@10", "recall@10"], samples=200) == found, "the oracle is no contestant"


def test_three_tiles_with_the_best_baseline_and_what_is_above(users, plays):
    known, new, old = tiles(plays)
    assert [known.title, new.title, old.title] == ["known tracks", "day of release", "repeats"]
    assert (known.value, known.outcome, known.baseline, known.baseline_value) == (
        "0.300",
        "level with",
        "ItemKNN",
        "0.300",
    )
    assert (known.reference, known.reference_value, known.units) == ("the oracle", "0.600", "400 plays")
    assert (new.outcome, old.outcome) == ("above", "below")
    recall, ndcg = tiles(users)
    assert (recall.title, recall.metric, recall.baseline) == ("recall@10", "", "mine <b>")
    assert (recall.reference, recall.reference_value) == ("LightGCN++, published", "0.200")
    assert (ndcg.reference, ndcg.outcome) == ("BPR, published", "level with")


def test_every_tile_says_which_target_it_is_of():
    columns = {"genre/accuracy": MOST, "genre/f1": MORE, "mood/accuracy": MOST}
    found = tiles(compared({"model": Result("clip", np.arange(N), columns)}))
    assert [(tile.title, tile.metric) for tile in found] == [
        ("genre", "accuracy"), ("mood", "accuracy"), ("genre", "f1")
    ]  # fmt: skip


def test_a_tile_of_a_model_alone():
    (tile,) = tiles(compared({"model": user_result(recall=MOST)}))
    assert (tile.value, tile.outcome, tile.baseline, tile.reference) == ("0.600", "", "", "")


def test_metrics_of_lists_are_no_headline():
    columns = {"recall@10": MORE, "novelty@10": MOST * 9, "recall@20": MOST}
    result = Result("user", np.arange(N), columns, descriptive=("novelty@10",))
    found = tiles(compared({"model": result}))
    assert [tile.title for tile in found] == ["recall@10", "recall@20"]


@pytest.fixture(scope="module")
def page(users, plays, tmp_path_factory):
    """Tiles and tables of both, as a page has them."""
    text = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <style>{% include "page.css" %}{% include "comparison.css" %}</style>
    {% from "tiles.html" import tiles %}{% from "comparison_table.html" import comparison_table %}
    {% for one, table in parts %}{{ tiles(one) }}{{ comparison_table(table) }}{% endfor %}"""
    parts = [(tiles(one), comparison_table(one)) for one in (users, plays)]
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_text(environment().from_string(text).render(parts=parts))
    return file


def test_names_are_escaped(page):
    assert "mine &lt;b&gt;" in page.read_text() and "<b>" not in page.read_text()


@needs_browser
def test_tables_are_cards_on_a_phone_and_keep_their_first_column_elsewhere(page, tmp_path):
    with browser(tmp_path) as tab:
        for width in (390, 800, 1280):
            for scheme in ("light", "dark"):
                tab.open(page, width=width, scheme=scheme)
                assert tab.tell("document.documentElement.scrollWidth <= innerWidth"), width
                cells = "[...document.querySelectorAll('.comparison td, .tile dd')]"
                assert tab.tell(f"{cells}.filter(one => one.scrollWidth > one.clientWidth + 1).length") == 0
            style = "getComputedStyle(document.querySelector('.comparison tbody th')).position"
            assert tab.tell(style) == ("static" if width == 390 else "sticky")
            shown = "getComputedStyle(document.querySelector('.comparison thead')).display"
            assert (tab.tell(shown) == "none") == (width == 390)
        assert tab.said == []
