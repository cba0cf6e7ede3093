"""`mu report A B C`: runs beside each other, refused where they share no test; the table as CSV and LaTeX."""

import csv
import dataclasses
import io
import re

import numpy as np
import pytest

from mu.commands import report
from mu.evals.compare import compare
from mu.evals.results import load, save
from mu.report.compared_runs import read_runs, together
from mu.report.comparison import comparison_of
from mu.report.comparison_page import compared_runs, comparison_page
from mu.report.config_differences import config_differences
from mu.report.difference_table import difference_table
from mu.report.numbers import signed, signed_interval
from mu.report.table_files import latex
from tests.helpers.chromium import browser, needs_browser
from tests.helpers.comparisons import half_ones, play_result, user_result, write_run

N = 400
LOW, HIGH = half_ones(N, 80), half_ones(N, 240)
SHUFFLED = np.random.default_rng(0).permutation(HIGH)
PUBLISHED = {"LightGCN++ & co_1": {"recall@10": 0.5}}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """'b' is best and level with 'c <i>'; 'a' is behind; ItemKNN is the same in all, popularity is not."""
    folder = tmp_path_factory.mktemp("runs")
    models = {"a": LOW, "b": HIGH, "c <i>": SHUFFLED}
    for at, (name, recall) in enumerate(models.items()):
        results = {
            "model": user_result(recall=recall, ndcg=recall / 2),
            "popularity": user_result(recall=half_ones(N, 40 + at), ndcg=LOW / 4),
            "item_knn": user_result(recall=half_ones(N, 60), ndcg=LOW / 4),
        }
        write_run(folder / name, results, seed=at, published=PUBLISHED if name == "a" else None)
    return folder


def called(*arguments):
    return report.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "new" / "comparison.html"
    assert called(*(runs / name for name in ("a", "b", "c <i>")), f"--output={file}") == 0
    return file


def test_the_best_run_is_held_against_the_others(runs):
    compared = compared_runs(read_runs([runs / "a", runs / "b", runs / "c <i>"]))
    assert compared.subject == str(runs / "b") and set(compared.rivals) == {str(runs / "a"), str(runs / "c <i>")}
    names = set(compared.results) - {str(runs / name) for name in ("a", "b", "c <i>")}
    assert names == {"item_knn", *(f"popularity of {runs / name}" for name in ("a", "b", "c <i>"))}


def test_the_page_has_the_verdict_all_rows_and_what_differs(page):
    text = page.read_text()
    words = re.sub(r"<[^>]+>", " ", text.partition("</style>")[2])
    assert re.search(r"/b is level with \S+/c &lt;i&gt; \(recall@10 0.600 .* and above \S+/a \(0.200", words)
    assert "no baseline" not in words and "every baseline" not in words
    assert "LightGCN++ &amp; co_1, published" in words
    assert "What differs in the configs" in words and re.search(r"seed\s+0\s+1\s+2", words)
    assert "<i>" not in text


def test_runs_without_a_common_metric_are_refused(tmp_path, capsys):
    """Each pair of them has one, or there is no value in it."""
    columns = ({"recall": LOW, "ndcg": LOW}, {"recall": LOW, "mrr": LOW}, {"ndcg": LOW, "mrr": LOW})
    for name, values in zip("ijk", columns, strict=True):
        write_run(tmp_path / name, {"model": user_result(**values)})
    assert called(*(tmp_path / name for name in "ijk"), f"--output={tmp_path / 'page.html'}") == 1
    assert "have no metric in common" in capsys.readouterr().err
    for name in "mn":
        write_run(tmp_path / name, {"model": user_result(recall=np.full(N, np.nan))})
    assert called(tmp_path / "m", tmp_path / "n", f"--output={tmp_path / 'page.html'}") == 1
    assert "has no value in any metric" in capsys.readouterr().err


def test_differences_are_those_of_mu_compare(runs):
    compared = compared_runs(read_runs([runs / "a", runs / "b"]))
    table = difference_table(compared, str(runs / "a"), [str(runs / "b")], 200, 0)
    row = compare(str(runs / "a"), str(runs / "b"), samples=200)["metrics"]["recall@10"]
    ((name, (recall, *_)),) = table.rows
    assert (name, table.base, recall.clear) == (str(runs / "b"), str(runs / "a"), True)
    assert recall.value == signed(row["difference"], 3)
    assert recall.interval == signed_interval(row["low"], row["high"], 3)


def test_two_evaluations_are_chosen_by_name(runs, tmp_path, capsys):
    for name in ("a", "b"):
        write_run(tmp_path / name, {"model": user_result(recall=LOW)})
        write_run(tmp_path / name, {"model": user_result(auc=HIGH)}, evaluation="rated")
    pair = tmp_path / "a", tmp_path / "b"
    assert called(*pair, f"--output={tmp_path / 'p.html'}") == 1
    assert "share the evaluations ranking, rated: choose one by --eval=NAME" in capsys.readouterr().err
    assert not (tmp_path / "p.html").exists()
    assert called(*pair, "--eval=rated", f"--output={tmp_path / 'p.html'}") == 0
    assert "auc@10" in (tmp_path / "p.html").read_text()


def test_runs_that_share_no_test_are_refused_with_what_differs(runs, tmp_path, capsys):
    other = user_result(recall=LOW)
    write_run(tmp_path / "x", {"model": other.take(np.arange(100))})
    assert called(runs / "a", tmp_path / "x", f"--output={tmp_path / 'p.html'}") == 1
    error = capsys.readouterr().err
    assert "cannot be compared" in error and "300 only in A, 0 only in B, 100 in both" in error
    write_run(tmp_path / "plays", {"model": play_result({"discovery": LOW})}, evaluation="plays")
    assert called(runs / "a", tmp_path / "plays", f"--output={tmp_path / 'p.html'}") == 1
    assert "share no evaluation" in capsys.readouterr().err
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a", "a/"], 1, "is given twice"),
        (["a", "nothing"], 1, "there is no run"),
        (["a", "--table=x.pdf"], 2, "must end in .csv or .tex"),
        ([], 2, "required: RUN"),
    ],
)
def test_mistakes_are_one_line(runs, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(runs)
    try:
        assert called(*arguments) == code
    except SystemExit as exit:
        assert exit.code == code
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (runs / "comparison.html").exists()


def test_several_runs_are_written_here_where_no_output_is_said(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert called(runs / "a", runs / "b") == 0
    assert capsys.readouterr().out.startswith("Written to comparison.html (")
    assert (tmp_path / "comparison.html").is_file()


def test_metrics_that_one_run_lacks_are_left_out(tmp_path):
    write_run(tmp_path / "a", {"model": user_result(recall=LOW, ndcg=LOW)})
    write_run(tmp_path / "b", {"model": user_result(recall=HIGH)})
    results, _ = together(read_runs([tmp_path / "a", tmp_path / "b"]))
    assert [result.names for result in results.values()] == [["recall@10"]] * 2


def test_a_folder_called_as_a_row_is_told_from_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = {"model": user_result(recall=LOW), "popularity": user_result(recall=HIGH)}
    for name in ("popularity", "model"):
        write_run(tmp_path / name, rows)
    results, _ = together(read_runs(["popularity", "model"]))
    assert list(results) == ["./popularity", "./model", "popularity"]


@pytest.mark.parametrize("names", [("model", "model_unboosted"), ("model",)])
def test_a_boost_is_one_where_the_model_is_measured_without_it_too(tmp_path, names):
    save(tmp_path, {name: user_result(recall=LOW) for name in names}, {"new_release_boost": 0.0}, samples=20)
    compared = comparison_of(load(tmp_path), PUBLISHED)
    assert compared.boost == (0.0 if len(names) == 2 else None) and compared.published == PUBLISHED


def test_config_differences_are_leaves_in_order_and_specs_of_other_names_one_row():
    model = {"name": "x.y:Model", "dim": 8, "inner": {"a": 1}}
    one = {"a": 1, "title": "One", "model": model, "same": [1, 2], "baselines": {"b": {"name": "x:B"}}, "policy": None}
    other = {
        **one,
        "title": "Other",
        "published": {"p": {"mrr": 0.1}},
        "model": {**model, "dim": 16, "inner": {"a": 2}, "heads": 2},
        "baselines": {"b": {"name": "x:C", "k": 3}, "c": {"name": "x:D"}},
        "policy": {"name": "x:boost", "metric": "m"},
    }
    assert config_differences([one, other]) == [
        ("model.dim", ["8", "16"]),
        ("model.inner.a", ["1", "2"]),
        ("model.heads", ["absent", "2"]),
        ("baselines.b", ["B", "C (k 3)"]),
        ("baselines.c", ["absent", "D"]),
        ("policy", ["null", "boost (metric m)"]),
    ]
    assert config_differences([one, one]) == []


def test_a_csv_table_has_every_metric_with_its_interval(runs, tmp_path):
    file = tmp_path / "t.csv"
    assert called(runs / "a", f"--table={file}") == 0
    assert not (runs / "a" / "report.html").exists(), "the table alone"
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    assert [(row["row"], row["metric"]) for row in rows] == [
        *((name, metric) for name in ("model", "popularity", "item_knn") for metric in ("recall@10", "ndcg@10")),
        ("LightGCN++ & co_1, published", "recall@10"),
    ]
    model = rows[0]
    assert float(model["value"]) == pytest.approx(0.2) and int(model["units"]) == N
    assert float(model["low"]) < 0.2 < float(model["high"])
    assert (rows[-1]["value"], rows[-1]["low"], rows[-1]["units"]) == ("0.5", "", "")


def test_a_latex_table_is_that_of_the_page_and_whole(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(runs)
    file = tmp_path / "t.tex"
    assert called("a", "b", "c <i>", f"--table={file}") == 0
    lines = file.read_text().splitlines()
    assert lines[1] == r"\begin{tabular}{lrr}" and lines[-2:] == [r"\bottomrule", r"\end{tabular}"]
    body = [line for line in lines if line.endswith(r"\\")]
    assert all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in body), "as many cells as columns"
    assert all(line.count("{") == line.count("}") for line in lines)
    assert any(line.startswith(r"LightGCN++ \& co\_1, published & 0.500 &  \\") for line in body)
    bold, level = (next(line for line in body if sign in line) for sign in (r"\textbf{0.600}", r"0.600$^\approx$"))
    assert {bold.partition(" & ")[0], level.partition(" & ")[0]} == {"b", r"c \textless{}i\textgreater{}"}


def test_page_and_table_are_of_runs_that_were_read_once(runs, tmp_path, monkeypatch):
    read = []

    def reading(places, evaluation):
        read.append(list(places))
        return read_runs(places, evaluation)

    monkeypatch.setattr("mu.interface.pages.read_runs", reading)
    files = [tmp_path / "page.html", tmp_path / "table.csv"]
    places = [runs / name for name in ("a", "b", "c <i>")]
    assert called(*places, f"--output={files[0]}", f"--table={files[1]}") == 0
    assert len(read) == 1 and all(file.stat().st_size for file in files)
    apart = [tmp_path / "alone.html", tmp_path / "alone.csv"]
    assert called(*places, f"--output={apart[0]}") == 0 and called(*places, f"--table={apart[1]}") == 0
    assert [file.read_bytes() for file in apart] == [file.read_bytes() for file in files]


def test_signs_of_latex_are_escaped():
    assert latex("50%_a&b#{c}$\\~^") == (r"50\%\_a\&b\#\{c\}\$\textbackslash{}\textasciitilde{}\textasciicircum{}")


@needs_browser
def test_nothing_is_cut_off_at_any_width(page, tmp_path):
    cut = """[...document.querySelectorAll('h1, h2, p, td, th, li')].filter(one => {
      const box = one.getBoundingClientRect(), holder = one.closest('.scroll');
      return box.right > innerWidth + 1 && !holder;
    }).length"""
    with browser(tmp_path) as tab:
        for width in (390, 800, 1280, 1600):
            for scheme in ("light", "dark"):
                tab.open(page, width=width, scheme=scheme)
                assert tab.tell("document.documentElement.scrollWidth <= innerWidth"), width
                assert tab.tell(cut) == 0, width
        assert tab.said == []


def test_runs_whose_metrics_are_no_shares_have_a_page_without_a_chart(tmp_path):
    for at, name in enumerate("ab"):
        results = {"model": user_result(gain=-half_ones(N, 20 + at)), "popularity": user_result(gain=-LOW)}
        write_run(tmp_path / name, results)
    page = comparison_page(read_runs([tmp_path / "a", tmp_path / "b"]))
    assert "Paired differences" in page and 'aria-label="The runs in' not in page


def test_of_runs_that_only_describe_lists_none_is_best(tmp_path):
    for at, name in enumerate("ab"):
        result = dataclasses.replace(user_result(novelty=half_ones(N, 20 + at)), descriptive=("novelty@10",))
        write_run(tmp_path / name, {"model": result, "popularity": result})
    runs = read_runs([tmp_path / "a", tmp_path / "b"])
    assert compared_runs(runs).subject == str(tmp_path / "a")
    assert "describe lists and do not say which are better" in comparison_page(runs)
