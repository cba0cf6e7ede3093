"""The page of a sweep: trials by value, and a chart of each parameter."""

import pytest

from mu.files import write_json
from mu.report.sweep import parameter_figure, sweep_page
from mu.report.sweep_words import read_sweep, table_rows, winner_lines


def trial(number, rate, dim, state="complete", value=None, **more):
    entries = {"step": 4, "evaluations": [[2, 0.1], [4, value]], "repeats": None, "duration_s": 75.0, "reason": ""}
    params = {"rate": rate, "dim": dim}
    return entries | {"number": number, "params": params, "state": state, "value": value} | more


@pytest.fixture
def document():
    trials = [
        trial(0, "0.0001", "8", value=0.25),
        trial(1, "0.01", "16", value=0.5),
        trial(2, "0.001", "16", state="stopped", value=0.3),
        trial(3, "0.001", "8", state="failed", reason="your own code\nValueError: <no>", step=None, duration_s=1.0),
        trial(4, "0.01", "16", value=0.5, repeats=1),
    ]
    level = {"winner": 1, "level": [0], "unit": "play", "n_units": 900, "resampled": "40 users"}
    difference = {"number": 0, "difference": 0.25, "low": -0.01, "high": 0.4, "p": 0.1}
    optimism = {"value": 0.5, "corrected": 0.48, "optimism": 0.02}
    return {
        "settings": {
            "config": "/x/experiment.py:a=1",
            "baseline": None,
            "log": None,
            "over": "rate=...;dim=8|16",
            "changes": {"seed": "1"},
            "sampler": "tpe",
            "seed": 0,
            "halving": True,
            "metric": None,
        },
        "space": {"rate": {"kind": "log", "low": 1e-4, "high": 1e-2}, "dim": {"texts": ["8", "16"]}},
        "config": {"model": {"dim": 8}},
        "metric": "valid/ranking/ndcg@10",
        "trials": trials,
        "summary": level | {"runner_up": difference, "optimism": optimism},
    }


def test_trials_are_in_order_of_their_value_and_say_how_they_ended(document):
    header, *rows = table_rows(document)
    assert header == ["trial", "rate", "dim", "valid/ranking/ndcg@10", "step", "time", ""]
    assert [row[0] for row in rows] == ["1", "4", "0", "2", "3"]
    assert rows[0][3:] == ["0.5000", "4", "1 min 15 s", ""] and rows[1][5:] == ["", "as trial 1"]
    assert (
        rows[2][3] == "0.2500="
        and rows[3][6] == "stopped at step 4"
        and rows[4][3:] == ["", "", "1 s", "ValueError: <no>"]
    )
    lines = winner_lines(document)
    assert lines[0] == "Best: trial 1, valid/ranking/ndcg@10 0.5000 on validation (rate=0.01, dim=16)."
    assert "paired over 900 plays of 40 users: level with it, as the interval holds 0." in lines[1]
    assert lines[2] == "= marks 1 trial level with the best." and "0.0200. On plays that had no part" in lines[3]
    assert winner_lines({**document, "summary": {}}) == ["No trial is complete."]


def test_a_parameter_has_a_dot_for_each_trial_that_has_a_value(document):
    rate, dim = (parameter_figure(document, key).chart for key in ("rate", "dim"))
    assert [tick.text for tick in rate.x_ticks] == ["0.0001", "0.001", "0.01"]
    assert [tick.text for tick in dim.x_ticks] == ["8", "16"] and len(dim.paths) == 4
    steps = [later.at - tick.at for tick, later in zip(rate.x_ticks, rate.x_ticks[1:], strict=False)]
    assert steps[0] == pytest.approx(steps[1])  # a logarithm
    assert rate.paths[-1].style == "dots solid s1" and rate.paths[-1].title == "trial 1: rate=0.01, 0.5000"
    assert [path.style for path in dim.paths].count("dots s2") == 1  # the one that was stopped


def test_the_page_escapes_what_it_shows_and_waits_for_the_end(document, tmp_path):
    write_json(tmp_path / "sweep.json", document)
    page = sweep_page(tmp_path)
    assert "&lt;no&gt;" in page and "<no>" not in page and "rate=...;dim=8|16" in page and "untouched" in page
    write_json(tmp_path / "sweep.json", {key: value for key, value in document.items() if key != "summary"})
    with pytest.raises(ValueError, match="has not ended: let `mu sweep` go on"):
        read_sweep(tmp_path)
