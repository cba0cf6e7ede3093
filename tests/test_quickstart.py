"""`mu quickstart` in small: it runs without TensorFlow and PyTorch, says what it found, and can be run again."""

import json

import jax
import pytest

from mu.cli import main
from mu.commands import quickstart
from mu.evals.saving import load_evaluation
from tests.processes import run_python

# Runs `mu ARGV...` where the two cannot be imported, and look as if they were not installed.
BLOCKED = """
import sys
sys.modules.update(tensorflow=None, torch=None)
from mu.cli import main
status = main(sys.argv[1:])
assert "tensorflow_datasets" not in sys.modules
sys.exit(status)
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """(workdir, stdout) of a first run."""
    folder = tmp_path_factory.mktemp("quickstart")
    out = run_python(BLOCKED, "quickstart", "--size=tiny", "--workdir=here", cwd=folder)
    return folder / "here", out


def test_one_table_beside_the_ceiling(tiny):
    folder, out = tiny
    results = load_evaluation(folder / "run").results
    assert set(results) == {"model", "popularity", "item_knn", "oracle"}
    means = {name: result.means()["hr@10"] for name, result in results.items()}
    assert means["oracle"] > max(means["model"], means["item_knn"], means["popularity"])
    for name, mean in means.items():
        assert f"\n{name}" in out and f"{mean:.4f} [" in out


def test_fits_a_screen_and_names_what_is_there(tiny):
    folder, out = tiny
    lines = out.splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 120
    for path in ("world", "log", "run", "config.py"):
        assert f"here/{path}" in out and (folder / path).exists()
    assert "Recommended to listener-" in out and " is played next" in out


def test_the_log_came_the_way_of_any_other(tiny):
    folder, _ = tiny
    card = json.loads((folder / "log" / "card.json").read_text())
    assert card["rows_in"] == 5000 and card["inputs"][0]["name"] == "plays.csv"
    assert card["events"] == 5000 - card["rows_dropped"]["repeats"]


def test_again_shows_the_same_and_trains_nothing(tiny, capsys, monkeypatch):
    folder, out = tiny
    monkeypatch.chdir(folder.parent)
    metrics = (folder / "run" / "metrics.jsonl").read_bytes()
    assert quickstart.main(["--size=tiny", "--workdir=here"]) == 0
    again = capsys.readouterr().out
    assert "is complete" in again and "First step" not in again
    assert (folder / "run" / "metrics.jsonl").read_bytes() == metrics

    def results(text):  # from the table's head to the last recommendation
        return text[text.index("hr@10") : text.index("Done in")]

    assert results(again) == results(out)


def test_another_world_in_the_same_place_is_refused(tiny, capsys):
    folder, _ = tiny
    for flag in ("--seed=1", "--size=small"):
        argv = ["--size=tiny", f"--workdir={folder}", flag]
        assert quickstart.main(argv) == 2
        assert "holds a world of --size=tiny --seed=0" in capsys.readouterr().err


def test_what_it_says_to_try_can_be_run(tiny, capsys, monkeypatch):
    """The commands of the last lines, read from the output, in the folder they were printed in."""
    folder, out = tiny
    monkeypatch.chdir(folder.parent)
    tries = [line.split()[1:] for line in out[out.index("Try next:") :].splitlines() if line.startswith("  mu ")]
    commands = {words[0]: words for words in tries}
    assert set(commands) == {"recommend", "train", "compare", "import"}
    commands["train"] += ["--config.model.dim=16", "--config.total_steps=10"]
    with jax.numpy_dtype_promotion("standard"):  # optax.adam multiplies a float with a count
        for name in ("recommend", "train", "compare"):
            assert main(commands[name]) == 0, capsys.readouterr().err
