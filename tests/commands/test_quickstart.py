"""`mu quickstart` in small: it runs without TensorFlow and PyTorch, says what it found, and can be run again."""

import json
import re

import numpy as np
import pytest

from mu.cli import main
from mu.commands import quickstart
from tests.helpers.audio_files import write
from tests.helpers.chromium import browser, needs_browser
from tests.helpers.doc_commands import blocks
from tests.helpers.pages import LEAST_CONTRAST, OVERFLOWING
from tests.helpers.processes import ROOT, run_python

# Runs `mu ARGV...` where the two cannot be found, as if they were not installed.
BLOCKED = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name in ("tensorflow", "torch") else self.finder.find_spec(name, path, target)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path[:] = map(Without, sys.meta_path)
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


def evaluation(folder):
    return json.loads((folder / "run" / "evaluation" / "plays" / "evaluation.json").read_text())


def test_one_table_beside_the_ceiling(tiny):
    folder, out = tiny
    rows = evaluation(folder)["rows"]
    ladder = {"popularity", "markov", "item_knn", "sequential_rules", "pctm", "ease"}
    others = {"random", "artist_popularity", "content_of_model", "model_unboosted"}
    assert set(rows) == {"model", "oracle", *ladder, *others}
    found = {name: row["discovery/recall@20"]["value"] for name, row in rows.items()}
    assert found["oracle"] > max(value for name, value in found.items() if name != "oracle")
    for name, mean in found.items():
        (line,) = (line for line in out.splitlines() if line.startswith(f"{name} "))
        assert f"{mean:.3f}".removeprefix("0") in line


def test_fits_a_screen_and_names_what_is_there(tiny):
    folder, out = tiny
    lines = out.splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 135
    for path in ("world", "log", "run", "config.py", "report.html"):
        assert f"here/{path}" in out and (folder / path).exists()
    page = (folder / "report.html").read_text()
    assert "Open here/report.html: a verdict, results, three listeners with sound, a new track." in out
    assert len(re.findall(r'<input type="radio" name="listener"', page)) == 3


def test_the_log_came_the_way_of_any_other_and_knows_what_nobody_played(tiny):
    folder, _ = tiny
    card = json.loads((folder / "log" / "card.json").read_text())
    assert card["rows_in"] == card["events"] == 5000 and card["inputs"][0]["name"] == "plays.csv"
    assert card["tracks"] == 300 and card["tracks_without_plays"] > 0
    assert card["outcomes"]


def test_again_shows_the_same_and_trains_nothing(tiny, capsys, monkeypatch):
    folder, out = tiny
    monkeypatch.chdir(folder.parent)
    metrics = (folder / "run" / "metrics.jsonl").read_bytes()
    assert quickstart.main(["--size=tiny", "--workdir=here"]) == 0
    again = capsys.readouterr().out
    assert "is complete" in again and "First step" not in again
    assert (folder / "run" / "metrics.jsonl").read_bytes() == metrics

    def results(text):
        return text[text.index("recall@20, plays") : text.index("All learnt from")]

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
    assert set(commands) == {"recommend", "train", "import"}
    commands["train"] += ["--config.total_steps=10"]
    for name in ("recommend", "train"):
        assert main(commands[name]) == 0, capsys.readouterr().err


def test_a_new_recording_finds_listeners_and_a_listener_new_recordings(tiny, capsys, tmp_path, monkeypatch):
    folder, _ = tiny
    monkeypatch.chdir(folder.parent)
    t = np.arange(3 * 16000) / 16000
    for name, pitch_hz in (("low", 110.0), ("high", 880.0)):
        write(tmp_path / "new" / f"{name}.wav", (0.3 * np.sin(2 * np.pi * pitch_hz * t)).astype(np.float32), 16000)
    run = str(folder / "run")
    assert (
        main(["recommend", run, f"--audio={tmp_path / 'new' / 'low.wav'}", "--about=tags=calm|dark", "--k=3", "--json"])
        == 0
    )
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 3 and all("listener-" in row["user"] for row in rows)
    shares = [row["times_mean"] for row in rows]
    assert shares == sorted(shares, reverse=True) and shares[0] >= 1.0
    assert main(["import-audio", str(tmp_path / "new"), f"--output={tmp_path / 'clips'}"]) == 0
    assert main(["embed", run, str(tmp_path / "clips"), f"--output={tmp_path / 'vectors'}"]) == 0
    capsys.readouterr()
    assert main(["recommend", run, "--user=listener-00007", f"--embeddings={tmp_path / 'vectors'}"]) == 0
    out = capsys.readouterr().out
    assert "low.wav" in out and "high.wav" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--audio=nowhere.wav"], "nowhere.wav"),
        (
            ["--audio=nowhere.wav", "--about=mood=sad"],
            "'mood' is no column=value of tracks that this run's",
        ),
        (["--user=listener-99999"], "no listener 'listener-99999'"),
        (["--user=listener-00007", "--embeddings=nowhere"], "nowhere"),
    ],
)
def test_a_recording_that_cannot_be_recommended_is_refused(tiny, capsys, monkeypatch, words, message):
    folder, _ = tiny
    monkeypatch.chdir(folder.parent)
    assert main(["recommend", str(folder / "run"), *words]) == 1
    assert message in capsys.readouterr().err


def test_the_page_holds_its_parts(tiny):
    folder, _ = tiny
    text = (folder / "report.html").read_text()
    for heading in ("Listeners", "A new track and its audience", "By the age of the track", "Details"):
        assert f">{heading}</h2>" in text
    for heading in ("All metrics", "Map of the tracks", "Training", "What was run", "Config", "Run it again"):
        assert f"<summary><h3>{heading}</h3>" in text
    assert text.count("<script") == 1 and text.count("<audio") >= 60 and "data:audio/mpeg;base64," in text
    assert len(text) < 6e6
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)


@needs_browser
def test_the_page_in_a_browser(tiny, tmp_path):
    """Wide and narrow, light and dark: nothing complains, rows play, words are legible, nothing hangs out."""
    folder, _ = tiny
    with browser(tmp_path) as window:
        for width in (390, 800, 1280, 1600):
            for scheme in ("light", "dark"):
                window.open(folder / "report.html", width=width, scheme=scheme)
                window.tell("document.querySelectorAll('details').forEach(one => (one.open = true))")
                assert window.tell(OVERFLOWING) == [], (width, scheme)
                assert window.tell(LEAST_CONTRAST) >= 4.5, (width, scheme)
        assert window.tell("[...document.querySelectorAll('svg.chart')].every(c => c.getAttribute('aria-label'))")
        assert window.tell("document.querySelectorAll('svg.chart text').length") > 10
        assert window.tell("document.querySelectorAll('.row audio').length") == window.tell(
            "document.querySelectorAll('.row button.play').length"
        )
        assert window.tell(ONE_AT_A_TIME) == [False, True]
        assert window.tell(PLAYED) > 0
        assert window.said == []


@needs_browser
def test_without_its_script_the_page_shows_the_same_and_plays(tiny, tmp_path):
    folder, _ = tiny
    text = (folder / "report.html").read_text(encoding="utf-8")
    bare = tmp_path / "bare.html"
    bare.write_text(re.sub(r"<script>.*?</script>", "", text, flags=re.S), encoding="utf-8")
    words = "document.querySelector('main').innerText"
    with browser(tmp_path) as window:
        window.open(folder / "report.html", width=390)
        shown = window.tell(words)
        window.open(bare, width=390)
        assert window.tell(words) == shown and window.tell(OVERFLOWING) == []
        visible = (
            "[...document.querySelectorAll('.panel:nth-of-type(1) audio')].map(one => one.getClientRects().length)"
        )
        players = window.tell(visible)
        assert len(players) > 20 and all(players)
        assert window.tell(PLAYED) > 0
        assert window.said == []


# Whether the first two players of rows play after their buttons were pressed one after the other.
ONE_AT_A_TIME = """(async () => {
  const rows = [...document.querySelectorAll('.row')].filter(row => row.querySelector('audio')).slice(0, 2);
  for (const row of rows) {
    row.querySelector('button').click();
    await new Promise(next => setTimeout(next, 300));
  }
  const playing = rows.map(row => !row.querySelector('audio').paused);
  rows.forEach(row => row.querySelector('audio').pause());
  return playing;
})()"""
# How far the players have come, the first and the last, each given ten seconds to begin.
PLAYED = """(async () => {
  const all = [...document.querySelectorAll('audio')];
  const places = [];
  for (const player of [all[0], all[all.length - 1]]) {
    await player.play();
    for (let tries = 0; tries < 100 && !player.currentTime; tries++) await new Promise(next => setTimeout(next, 100));
    places.push(player.currentTime);
    player.pause();
  }
  return Math.min(...places);
})()"""


def test_a_workdir_that_can_hold_no_checkpoint_is_refused_before_anything_is_made(tmp_path, capsys):
    assert main(["quickstart", f"--workdir={tmp_path / 'a[1]'}"]) == 2
    assert "because of [ in its name" in capsys.readouterr().err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("file", "words"), [("config.json", "holds another run"), ("thesis.tex", "holds thesis.tex")])
def test_a_folder_of_something_else_is_refused(tmp_path, capsys, file, words):
    (tmp_path / file).write_text("{}")
    assert main(["quickstart", f"--workdir={tmp_path}"]) == 2
    assert words in capsys.readouterr().err and [path.name for path in tmp_path.iterdir()] == [file]


def test_the_lines_of_the_readme_run(tiny, tmp_path, monkeypatch):
    folder, _ = tiny
    (tmp_path / "quickstart").symlink_to(folder)
    write(tmp_path / "new.wav", np.sin(np.arange(32_000) / 20).astype(np.float32) / 2, 16_000)
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    names = {}
    exec(compile(block.code, "README.md", "exec"), names)
    assert len(block.code.splitlines()) == 10
    assert len(names["log"]) > 1000 and names["run"].recommend("listener-00007", k=10).height == 10
