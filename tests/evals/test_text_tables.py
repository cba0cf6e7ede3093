"""Tables of results as text: within a width, the best in bold, and what is level with it marked."""

import numpy as np
import pytest

from mu.evals.result import Result
from mu.evals.table import ResultTable
from mu.evals.text_tables import column_blocks, text_table, wrapped_table

ROWS = [["", "one", "two", "three"], ["first", "1.5", "22.5", "3"], ["second", "10.5", "2", "33333"]]


def test_columns_are_aligned():
    assert text_table(ROWS).splitlines() == [
        "         one   two  three",
        "-------------------------",
        "first    1.5  22.5      3",
        "second  10.5     2  33333",
    ]


@pytest.mark.parametrize("width", [1, 12, 13, 19, 20, 25, 26, 200])
def test_blocks_hold_every_column_once_and_fit(width):
    blocks = column_blocks(ROWS, width)
    assert [place for block in blocks for place in block[1:]] == [1, 2, 3] and all(block[0] == 0 for block in blocks)
    lines = text_table(ROWS, width=width).splitlines()
    if width >= 13:  # the first column, and the widest
        assert max(map(len, lines)) <= width
    assert ("" in lines) == (width < 25)


def test_sentences_are_wrapped_and_numbers_are_not():
    rows = [["rank", "why"], ["1", "its sound and who else plays it"], ["22", "its age"]]
    lines = wrapped_table(rows, [1], 20).splitlines()
    assert max(map(len, lines)) <= 20 and lines[0] == "rank  why"
    assert " ".join(line[6:] for line in lines[2:]) == "its sound and who else plays it its age"
    assert wrapped_table(rows, [1], None).splitlines()[2] == "   1  its sound and who else plays it"


def test_bold_is_an_escape_code_around_the_cell_and_nothing_without():
    assert "\x1b" not in text_table(ROWS)
    line = text_table(ROWS, bold={(1, 2)}).splitlines()[2]
    assert "\x1b[1m22.5\x1b[0m" in line and line.count("\x1b[1m") == 1


def results():
    """100 users: 'model' is clearly the best by recall, 'knn' level with it by ndcg; the oracle is above all."""
    random = np.random.default_rng(0)
    hard = random.random(100)

    def one(recall, ndcg):
        noise = 0.1 * random.standard_normal((2, 100))
        return Result(
            unit="user", units=np.arange(100), columns={"recall": hard + recall + noise[0], "ndcg": ndcg + noise[1]}
        )

    return {"model": one(0.5, 0.5), "knn": one(0.3, 0.5), "popularity": one(0.0, 0.0), "oracle": one(0.9, 0.9)}


def test_what_is_level_with_the_best_is_marked():
    table = str(ResultTable(results()))
    rows = {line.split()[0]: line for line in table.splitlines()[2:6]}
    assert "=" not in rows["popularity"] + rows["oracle"]
    level = [name for name in ("model", "knn") if rows[name].endswith("]=")]
    assert len(level) == 1 and sum(row.count("=") for row in rows.values()) == 1, "by ndcg, of two the lower"
    assert "= behind a value: level with the best of its column" in table
    page = ResultTable(results())._repr_html_()
    assert page.count("<b>") == 2 and page.count(" =<br>") == 1


def test_without_a_rival_nothing_is_marked():
    one = {name: result for name, result in results().items() if name in ("model", "oracle")}
    assert "=" not in str(ResultTable(one)) and "\x1b" not in ResultTable(one).text(80, bold=True)


def test_the_best_is_bold_on_a_terminal_and_the_width_is_kept():
    table = ResultTable(results())
    lines = table.text(46, bold=True).splitlines()
    bold = [line for line in lines if line.startswith(("model", "knn", "popularity", "oracle")) and "\x1b[1m" in line]
    assert bold and not any(line.startswith("oracle") for line in bold)
    assert max(map(len, table.text(46).splitlines()[:-3])) <= 46


@pytest.mark.parametrize("width", [80, 120, 160])
def test_sections_fit_any_terminal_and_are_whole_in_a_file(width):
    columns = {f"day {day}/recall": np.arange(100) % 2 for day in range(30)}
    table = ResultTable({"model": Result(unit="user", units=np.arange(100), columns=columns)})
    assert max(map(len, table.text(width).splitlines()[:-1])) <= width
    assert str(table).count("model") == 1
