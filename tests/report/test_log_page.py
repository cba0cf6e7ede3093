"""`mu report` of a run on a log alone: listeners beside their recommendations, and the same page in a browser."""

import json
import shutil

import pytest

from mu.commands import report
from mu.evals.results import load
from mu.files import read_json
from mu.report.page import Head, render
from tests.helpers.chromium import browser, needs_browser
from tests.helpers.pages import LEAST_CONTRAST, OVERFLOWING
from tests.helpers.tiny_runs import tiny_config, train, write_log

BASELINES = {
    "popularity": {"name": "mu.baselines.popularity:Popularity"},
    "item_knn": {"name": "mu.baselines.item_knn:ItemKNN", "neighbours": 20},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    train(tiny_config(write_log(folder), model__dropout=0.2, baselines=BASELINES), folder / "on a log")
    return folder / "on a log"


@pytest.fixture(scope="module")
def page(run):
    assert report.main([str(run)]) == 0
    return run / "report.html"


def test_the_page_begins_with_listeners_and_ends_with_the_command(page, run):
    text = page.read_text(encoding="utf-8").partition("<main>")[2]
    parts = [
        "A typical listener", "Recommended", "ItemKNN would have shown", "Popularity would have shown",
        "Tracks near each other", "All metrics", "Map of the tracks", "Training", "What was run", "Config",
        "Run it again",
    ]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "Song 3, reprised" in text and "Artist 3" in text and "<audio" not in text
    for row in load(run).rows.values():
        assert all(f"{one.value:.3f}" in text for one in row.values())
    assert read_json(run / "config.json")["batches"]["name"] in text


def test_the_listeners_are_those_of_the_evaluation(page, run):
    text = page.read_text(encoding="utf-8")
    result = load(run).results["model"]
    values = result.columns["ndcg@10"]
    assert f"The ndcg@10 of {len(result):,} listeners is 0 for {(values == 0).sum()}" in text
    assert f"the model <b>{values.max():.3f}</b>" in text


def test_the_page_is_the_same_twice(page, run, tmp_path):
    assert report.main([str(run), f"--output={tmp_path / 'new' / 'again.html'}"]) == 0
    assert (tmp_path / "new" / "again.html").read_bytes() == page.read_bytes()


def test_a_folder_is_no_page(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        report.main([str(run), f"--output={tmp_path}"])
    assert left.value.code == 2
    assert f"--output={tmp_path} is a folder: give a file, such as {tmp_path}/report.html" in capsys.readouterr().err


def test_a_cross_validation_of_a_log_is_a_page_too(run, tmp_path):
    """That of its first seed; so is its table."""
    place = tmp_path / "seeds"
    shutil.copytree(run, place / "seed3" / "fold0")
    shutil.copytree(run / "evaluation", place / "seed3" / "evaluation")
    evaluation = load(run)
    values = {"value": 0.5, "low": 0.25, "high": 0.75, "seeds": {"3": 0.5}, "std": 0.0, "folds": [0.5]}
    rows = {name: dict.fromkeys(metrics, values) for name, metrics in evaluation.rows.items()}
    name = evaluation.folder.name
    document = {"seeds": [3], "folds": 1, "evaluations": {name: rows}, "over": {name: "users"}}
    (place / "crossvalidation.json").write_text(json.dumps(document))
    assert report.main([str(place)]) == 0
    text = (place / "report.html").read_text(encoding="utf-8")
    assert "A typical listener" in text and "1 seed; shown: seed 3" in text and "of the model in each fold" not in text
    assert report.main([str(place), f"--table={tmp_path / 'table.csv'}"]) == 0
    assert "item_knn" in (tmp_path / "table.csv").read_text().lower().replace("itemknn", "item_knn")


def test_evaluations_that_only_describe_lists_have_a_page(run, tmp_path, capsys):
    """Of lists' novelty, which each listener has, and of coverage alone, which is one number of all."""
    ranking = "mu.evals.protocols.ranking:Ranking"
    evals = {
        "lists": {"name": ranking, "metrics": (), "list_metrics": ("novelty", "coverage"), "ks": (5,)},
        "covered": {"name": ranking, "metrics": (), "list_metrics": ("coverage",), "ks": (5,)},
    }
    config = tiny_config(write_log(tmp_path), baselines=BASELINES, total_steps=2, evaluate_every_steps=2)
    with config.ignore_type(), config.unlocked():
        config.evals.update(evals)
    train(config, tmp_path / "run")
    for name in evals:
        assert report.main([str(tmp_path / "run"), f"--eval={name}"]) == 0
        assert "Without" not in capsys.readouterr().err
        text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
        assert "describe lists and do not say which are better" in text and "Map of the tracks" in text
        assert "A typical listener" not in text and "coverage@5" in text and "the best baseline" not in text


def test_without_the_log_the_numbers_remain_and_the_page_says_so(run, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "run")
    config = read_json(folder / "config.json")
    config["data"]["path"] = str(tmp_path / "nowhere")
    (folder / "config.json").write_text(json.dumps(config))
    assert report.main([str(folder)]) == 0
    assert "Without listeners, tracks and map: " in capsys.readouterr().err
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "Without listeners, tracks and map" in text and "All metrics" in text and "A typical listener" not in text


@needs_browser
def test_nothing_hangs_out_and_words_are_legible_at_any_width(page, tmp_path):
    with browser(tmp_path) as window:
        for width in (390, 800, 1280, 1600):
            for scheme in ("light", "dark"):
                window.open(page, width=width, scheme=scheme)
                window.tell("document.querySelectorAll('details').forEach(one => (one.open = true))")
                assert window.tell(OVERFLOWING) == [], (width, scheme)
                assert window.tell(LEAST_CONTRAST) >= 4.5, (width, scheme)
        assert window.said == []


@needs_browser
def test_tabs_work_without_a_script(page, tmp_path):
    shown = "[...document.querySelectorAll('.panel')].map(one => one.offsetParent !== null)"
    assert "<script" not in page.read_text(encoding="utf-8")
    with browser(tmp_path) as window:
        window.open(page)
        assert window.tell(shown) == [True, False, False]
        window.tell("document.querySelectorAll('.tablist label')[1].click()")
        assert window.tell(shown) == [False, True, False]
        assert window.said == []


@needs_browser
@pytest.mark.parametrize("sound", [False, True], ids=["without a script", "with its own"])
def test_a_script_that_is_not_the_page_s_own_is_blocked(tmp_path, sound):
    text = render(Head("on a log"), [], [], [], sound=sound)
    assert ("<script>" in text) == sound
    strange = tmp_path / "strange.html"
    strange.write_text(text.replace("<main>", "<script>document.title = 'changed'</script><main>"), encoding="utf-8")
    with browser(tmp_path) as window:
        window.open(strange)
        assert window.tell("document.title") == "on a log"
        assert any("Content Security Policy" in json.dumps(one) for one in window.said)
