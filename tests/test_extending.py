"""docs/extending.md is run: its code becomes a package of its own, which is used as the page says."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mu.cli import main
from mu.config.base import ConfigError
from mu.config.overrides import load
from mu.config.resolve import resolve
from mu.evals.results import load as load_evaluation
from mu.files import read_json
from tests.helpers.audio_clips import PITCHES_HZ, RATE_HZ, tiny_audio_config
from tests.helpers.audio_files import write
from tests.helpers.tiny_runs import N_TRACKS, logged, make_log, train, weights_of

PAGE = Path(__file__).resolve().parents[1] / "docs" / "extending.md"
KINDS = (
    *("Model", "Task", "Baseline", "Metric", "Evaluator", "Event column", "Experiment"),
    *("Log format", "Audio source", "Augmentation", "Command"),
)


def blocks():
    """Section of the page -> (file that its code is, the code)."""
    found = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        for name, code in re.findall(r"```python\n# (\S+)\n(.*?)```", section, re.DOTALL):
            found[section.partition("\n")[0]] = name, code
    return found


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The folder of the user's package, which can be imported during a test."""
    for name, code in blocks().values():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "my_package"
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


def test_each_kind_has_at_most_fifteen_lines_of_code():
    assert tuple(blocks()) == KINDS
    assert PAGE.read_text(encoding="utf-8").count("```python") == len(KINDS)
    for name, code in blocks().values():
        assert sum(bool(line.strip()) for line in code.splitlines()) <= 15, name


def test_a_range_of_ones_own_is_held_before_anything_runs(package):
    with pytest.raises(ConfigError, match=r"^config.task.margin=-1; it must be at least 0$"):
        (package / "margins.py").write_text(
            "from my_package.tasks import Hinge\n"
            "from mu.ranges import NonNegative\n"
            "class Margin(Hinge):\n"
            "    def __init__(self, margin: NonNegative): ...\n"
        )
        config = load(str(package / "experiment.py"))
        config.task = {"name": "my_package.margins:Margin", "margin": -1}
        resolve(config)
    with pytest.raises(ConfigError, match=r"^config.model.dim=0; it must be at least 1$"):
        load(str(package / "experiment.py"), {"model.name": "my_package.models:LastPlay", "model.dim": "0"})


def test_plays_from_a_format_to_an_evaluation(package, tmp_path, capsys):
    """Format, event column, model, task, baseline, metric, evaluator and command, in one run."""
    rows = [
        f"u{user}|t{(7 * user + play) % N_TRACKS}|{1_500_000_000 + 1000 * user + play}|{('phone', 'radio')[play % 2]}"
        for user in range(30)
        for play in range(6 + user % 5)
    ]
    (tmp_path / "plays.pipes").write_text("\n".join(rows) + "\n")
    flags = ["--format=my_package.pipes:pipes", "--event_columns=device", f"--output={tmp_path / 'log'}"]
    assert main(["import", str(tmp_path / "plays.pipes"), *flags]) == 0
    capsys.readouterr()
    assert main(["my_package.command:main", str(tmp_path / "log")]) == 0
    assert capsys.readouterr().out == f"{len(rows)} plays\n"

    steps = {"total_steps": "4", "evaluate_every_steps": "2", "log_every_steps": "1"}
    config = load(str(package / "experiment.py"), {"data.path": str(tmp_path / "log"), "batches.rows": "8", **steps})
    train(config, tmp_path / "run")
    lines = logged(tmp_path / "run")
    names = {name for line in lines for name in line if name.startswith("valid/")}
    assert names == {f"valid/ranking/{name}@{k}" for name in ("recall", "f1") for k in (10, 20)} | {
        "valid/first_track/hit"
    }
    # The device's vectors start at 0: they move where the column reaches the model.
    device = next(array for name, array in weights_of(tmp_path / "run").items() if "device" in name)
    assert np.abs(device[1:3]).min(axis=1).all() and not device[3:].any()
    ranking = load_evaluation(tmp_path / "run", "ranking")
    assert list(ranking.rows) == ["model", "transitions"]
    # Everyone goes round the catalogue, so what followed a track before follows it again.
    first = load_evaluation(tmp_path / "run", "first_track").results["transitions"]
    assert first.values()["hit"] > 0.5 and len(first) == 30


def test_sound_from_a_source_to_an_augmented_task(package, tmp_path, monkeypatch):
    """Audio source and augmentation, in one run."""
    names = [f"{pitch}-{take}.wav" for take in range(8) for pitch in PITCHES_HZ]
    for number, name in enumerate(names):
        t = np.arange(RATE_HZ // 2) / RATE_HZ
        tone = 0.3 * np.sin(2 * np.pi * PITCHES_HZ[name.partition("-")[0]] * t + number)
        write(tmp_path / name, tone.astype(np.float32), RATE_HZ)
    (tmp_path / "mine.m3u").write_text("\n".join(["#EXTM3U", *names]) + "\n")
    flags = ["--source=my_package.playlists:find", "--workers=1", f"--output={tmp_path / 'clips'}"]
    assert main(["import-audio", str(tmp_path / "mine.m3u"), *flags]) == 0

    from my_package.coarse import Coarse

    calls, waveform = [], Coarse.waveform
    monkeypatch.setattr(Coarse, "waveform", lambda *args: calls.append(args[0].levels) or waveform(*args))
    config = tiny_audio_config(
        data={
            "name": "mu.data.clips.clips:load",
            "path": str(tmp_path / "clips"),
            "sample_rate_hz": RATE_HZ,
            "classes": ("label",),
        },
        split__stratify="label",
        task__augment={"name": "my_package.coarse:Coarse", "bits": 4, "polarity": True},
        best__metric="valid/clips/label/accuracy",
        total_steps=2,
        evaluate_every_steps=2,
    )
    train(config, tmp_path / "run")
    assert set(calls) == {8.0}
    augment = read_json(tmp_path / "run" / "config.json")["task"]["augment"]
    assert augment == {"name": "my_package.coarse:Coarse", "bits": 4, "polarity": True}


@pytest.mark.usefixtures("package")
def test_the_baseline_gives_a_listener_without_plays_no_scores():
    from my_package.baselines import Transitions

    log = make_log()
    baseline, played = Transitions().fit(log), np.diff(log.indptr) > 0
    assert not played.all()
    scores = baseline.scores(np.arange(len(played)), log)
    last = log.items[log.indptr[1:][played] - 1]
    np.testing.assert_array_equal(scores[played], baseline.counts[last])
    assert not scores[~played].any()
    nobody = np.flatnonzero(~played)  # their histories hold no plays at all
    np.testing.assert_array_equal(baseline.scores(nobody, log.take(nobody)), np.zeros((len(nobody), N_TRACKS)))


def test_what_cannot_be_found_is_refused(package, capsys):
    for path, words in (
        ("my_package.command:mian", "'my_package.command:mian': my_package.command has no 'mian' (did you mean 'main'"),
        ("my_package.commands:main", "there is no module 'my_package.commands'"),
    ):
        assert main([path]) == 2
        assert words in capsys.readouterr().err
