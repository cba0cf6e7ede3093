"""`mu report`: the page of a run on audio holds what it should, fetches nothing, escapes all, is the same twice."""

import base64
import hashlib
import html
import io
import itertools
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import markupsafe
import numpy as np
import polars as pl
import pytest
import soundfile

from mu.commands import report
from mu.config.base import base
from mu.config.resolve import build, resolve
from mu.evals.results import load, save
from mu.files import read_json
from mu.report.audio import Sounds
from mu.report.page import Head, render, script_hash
from tests.helpers.audio_files import write
from tests.helpers.chromium import BROWSER, needs_browser
from tests.helpers.tiny_runs import train

RATE_HZ = 8000
# A folder and a file in it, and a class: what a library may hold.
HOSTILE = "x<script>alert(1)</script>&\"'.wav"
BELLS = 'bells <b>&"'
# Elements that have no content, hence no end tag.
VOID = {"meta", "br", "col"}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """24 clips of three classes in three folds of eight, as `mu import-audio` describes them; the second is HOSTILE."""
    folder = tmp_path_factory.mktemp("library")
    generator = np.random.default_rng(0)
    rows = []
    for clip in range(24):
        name = HOSTILE if clip == 1 else f"clip{clip}.wav"
        seconds, pitch_hz = 0.3 + 0.03 * clip, 200.0 * (1 + clip % 3)
        t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        sound = 0.4 * np.sin(2 * np.pi * pitch_hz * t) + 0.02 * generator.standard_normal(len(t))
        file = write(folder / "audio" / name, sound.astype(np.float32), RATE_HZ)
        rows.append(
            {
                "clip": name,
                "file": name,
                "content_hash": hashlib.sha256(file.read_bytes()).hexdigest(),
                "duration_s": len(t) / RATE_HZ,
                "sample_rate_hz": RATE_HZ,
                "kind": (BELLS, "drum", "flute")[clip % 3],
                "mood": ["calm"] if clip % 2 else ["calm", "odd"] if clip % 4 else ["odd"],
                "pitch_hz": pitch_hz + clip,
                "loud": float(generator.random()),
                "part": clip // 8,
            }
        )
    pl.DataFrame(rows).write_parquet(folder / "clips.parquet")
    (folder / "card.json").write_text(json.dumps({"root": str(folder / "audio")}))
    return folder


def config_of(library, **data):
    config = base()
    config.data = {
        "name": "mu.data.clips.clips:load",
        "path": str(library),
        "sample_rate_hz": RATE_HZ,
        "classes": ("kind",),
        "tags": ("mood",),
        "numbers": ("pitch_hz", "loud"),
        **data,
    }
    config.split = {"name": "mu.data.clips.folds:by_column", "column_name": "part", "fold": 0}
    config.batches = {"name": "mu.data.batches.clips:ClipBatches", "clips_per_batch": 4, "crop_s": 0.32}
    config.model = {"name": "mu.models.audio_encoder:AudioEncoder", "size": "xs", "n_mels": 16}
    config.task = {"name": "mu.tasks.clip_targets:ClipTargets"}
    config.evals = {"clips": {"name": "mu.evals.protocols.clips:ClipPrediction", "bootstrap_samples": 60}}
    config.recommender = {"name": "mu.inference.clips:ClipPredictor"}
    config.best = {"metric": "valid/clips/kind/accuracy", "patience": None}
    config.baselines = {}
    config.update(total_steps=3, evaluate_every_steps=2, log_every_steps=1)
    return resolve(config)


@pytest.fixture(scope="module")
def run(library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    train(config_of(library), folder)
    # A baseline's answers, beside the model's.
    found = load(folder)
    save(found.folder, found.results | {"guess": found.results["model"]}, found.card, samples=60)
    return folder


def called(*arguments):
    return report.main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def page(run):
    assert called(run) == 0
    return (run / "report.html").read_text(encoding="utf-8")


def copied(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


class Parsed(HTMLParser):
    """Elements, with a check that all are closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.words = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def all(self, name):
        return [attributes for found, attributes in self.elements if found == name]

    @property
    def text(self):
        """All words, with single spaces between them."""
        return " ".join("".join(self.words).split())


def decoded(address):
    """(kind, bytes) of a `data:` address."""
    kind, content = re.fullmatch(r"data:([a-z/]+);base64,([A-Za-z0-9+/=]+)", address).groups()
    return kind, base64.b64decode(content, validate=True)


# ---- the page


def test_the_page_has_its_parts(page, run):
    found = Parsed(page)
    assert found.all("html") == [{"lang": "en"}] and page.startswith("<!doctype html>")
    for words in (
        "Result", "Training", "kind: one of 3 classes", "mood: any of 2 tags", "numbers: 2 predicted", "Confusions",
        "Each class", "Each tag", "Each number", "Predicted and true", "Hardest clips", "Nearest neighbours",
        "Map of the test clips", "Config", "kind/accuracy", "guess", "ROC-AUC", "average precision", "R²", "recall",
        "by_column (column_name part, fold 0)", "clip7.wav", BELLS,
    ):  # fmt: skip
        assert words in found.text, words
    row = load(run).rows["model"]["kind/accuracy"]
    assert f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]" in found.text
    assert read_json(run / "config.json")["model"]["size"] == "xs" and '"size": "xs"' in found.text
    assert len(page) < 6e6


def test_links_lead_somewhere_and_ids_are_unique(page):
    found = Parsed(page)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = {link["href"].removeprefix("#") for link in found.all("a")}
    assert targets <= set(ids) and len(targets) > 8  # the sections, and clips from the map


def test_pictures_and_players_say_what_they_are_without_being_seen(page):
    found = Parsed(page)
    for name, attributes in found.elements:
        if name == "audio":
            assert attributes["aria-label"] and "controls" in attributes
        if name == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"
        if attributes.get("class") == "scroll":
            assert attributes["tabindex"] == "0" and attributes["aria-label"]
    levels = [int(name[1]) for name, _ in found.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), levels


def test_sounds_and_pictures_are_inside_and_decode(page, library):
    found = Parsed(page)
    lengths = set(pl.read_parquet(library / "clips.parquet")["duration_s"].head(8).to_list())
    players = found.all("audio")
    assert len(players) == 3 * 8 + 4 * 5
    for player in players:
        kind, content = decoded(player["src"])
        sound, rate = soundfile.read(io.BytesIO(content))
        assert kind == "audio/mpeg" and rate == 16_000
        assert any(abs(len(sound) / rate - length) < 1.5 / rate for length in lengths)
        assert f"{len(sound) / rate:.2f} s" in player["aria-label"]
        assert 0.2 < np.abs(sound).max() < 0.6
    images = found.all("image")
    assert len(images) == len(players)
    for image in images:
        kind, content = decoded(image["href"])
        assert kind == "image/png" and content.startswith(b"\x89PNG\r\n\x1a\n")


def test_nothing_is_fetched_and_nothing_runs(page):
    found = Parsed(page)
    names = {name for name, _ in found.elements}
    assert len(found.all("script")) == 1 and found.all("script") == [{}], "its own, which the policy allows by its hash"
    assert not names & {"link", "iframe", "object", "embed", "form", "base", "img"}
    for _, attributes in found.elements:
        assert not any(key.startswith("on") for key in attributes)
        for key in ("src", "href", "data", "action", "poster", "srcset"):
            assert attributes.get(key, "#").startswith(("#", "data:audio/mpeg;", "data:image/png;"))
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.S)
    assert "url(" not in style and "@import" not in style
    assert "://" not in page
    policy = [meta["content"] for meta in found.all("meta") if "http-equiv" in meta]
    assert policy == [
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; script-src '{script_hash()}'"
    ]


def test_names_from_a_library_are_text(page):
    found = Parsed(page)
    assert HOSTILE in found.text and str(markupsafe.escape(HOSTILE)) in page
    assert page.count("<script") == 1 and "<b>" not in page
    labels = [attributes.get("aria-label", "") for _, attributes in found.elements]
    assert any(HOSTILE in label for label in labels)


def test_the_same_run_gives_the_same_bytes(page, run, tmp_path):
    moved = shutil.copytree(run, tmp_path / "first")  # elsewhere, under the same name
    assert called(moved, f"--output={tmp_path / 'new' / 'page.html'}") == 0
    assert (tmp_path / "new" / "page.html").read_text(encoding="utf-8") == page


def test_a_seed_of_a_cross_validation_is_a_run_too(run, tmp_path):
    seed = tmp_path / "folds" / "seed0"
    shutil.copytree(run, seed / "fold0")
    shutil.copytree(run, seed / "fold1", ignore=shutil.ignore_patterns("checkpoints"))
    found = load(run).results
    about = {"config": "experiments/x.py:<y>", "changes": {}, "folds": 2, "part": "test", "seed": 0, "split": "pooled"}
    save(seed / "evaluation" / "clips", found, about, samples=60)
    assert called(seed) == 0
    words = Parsed((seed / "report.html").read_text(encoding="utf-8")).text
    assert "folds/seed0" in words and "experiments/x.py:<y>" in words and "2 folds pooled" in words
    assert "in the space of the model of fold 0" in words and "Validation: clips/kind/accuracy" in words
    assert "Dashed: step" not in words
    row = {"value": 0.5, "low": 0.25, "high": 0.75, "seeds": {"0": 0.4, "3": 0.6}, "std": 0.14, "folds": [0.1, 0.9]}
    rows = {name: dict.fromkeys(found["model"].names, row) for name in found}
    document = {"seeds": [0, 3], "folds": 2, "evaluations": {"clips": rows}, "over": {"clips": "recordings"}}
    (seed.parent / "crossvalidation.json").write_text(json.dumps(document))
    assert called(seed.parent) == 0
    whole = Parsed((seed.parent / "report.html").read_text(encoding="utf-8")).text
    assert "2 seeds of 2 folds; shown: seed 0" in whole and "All seeds and folds" in whole
    assert "mean over seedsstdseed 0seed 3" in whole and "0.500 [0.250, 0.750]0.1400.4000.600" in whole
    assert "of the model in each fold, mean over seeds: 0.100, 0.900." in whole


def test_of_several_evaluations_one_is_named(page, run, tmp_path, capsys):
    folder = shutil.copytree(run, tmp_path / "first")
    found = load(run)
    save(folder / "evaluation" / "again", {"model": found.results["model"]}, found.card, samples=60)
    assert called(folder) == 1
    assert "holds the evaluations again, clips: choose one by --eval=NAME" in capsys.readouterr().err
    assert called(folder, "--eval=clips") == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == page
    assert called(folder, "--eval=again") == 0
    again = Parsed((folder / "report.html").read_text(encoding="utf-8")).text
    assert "guess" in Parsed(page).text and "guess" not in again


# ---- what is missing


def test_clips_that_are_gone_are_named_and_the_page_is_made(run, library, tmp_path, capsys):
    there = shutil.copytree(library, tmp_path / "library")
    (there / "audio" / "clip3.wav").unlink()
    (there / "audio" / "clip4.wav").write_bytes(b"no sound at all")
    folder = copied(run, tmp_path)
    config = read_json(folder / "config.json")
    config["data"] |= {"path": str(there), "root": str(there / "audio")}
    (folder / "config.json").write_text(json.dumps(config))
    assert called(folder) == 0
    complaints = capsys.readouterr().err.splitlines()
    assert len(complaints) == 2 and "clip3.wav" in complaints[0] and "there is no such file" in complaints[0]
    found = Parsed((folder / "report.html").read_text(encoding="utf-8"))
    assert "2 clips can no longer be read" in found.text and "Its sound cannot be read." in found.text
    assert len(found.all("audio")) == 3 * 6 + 4 * 5 and "6 test clips in the space of" in found.text


def test_without_the_library_the_numbers_remain(run, tmp_path, capsys):
    folder = copied(run, tmp_path)
    config = read_json(folder / "config.json")
    config["data"]["root"] = str(tmp_path / "nowhere")
    (folder / "config.json").write_text(json.dumps(config))
    assert called(folder) == 0
    complaint = capsys.readouterr().err
    assert "the audio of" in complaint and f"no longer at {tmp_path / 'nowhere'}" in complaint
    found = Parsed((folder / "report.html").read_text(encoding="utf-8"))
    assert "Without sound, spectrograms, neighbours and map" in found.text and not found.all("audio")
    assert "Hardest clips" in found.text and "Map of the test clips" not in found.text


def test_a_config_that_cannot_be_run_is_no_gap_in_the_page(run, tmp_path, capsys):
    folder = copied(run, tmp_path)
    config = read_json(folder / "config.json")
    config["model"]["name"] = "mu.models.audio_encoder:AudioEncode"
    (folder / "config.json").write_text(json.dumps(config))
    assert (
        called(folder, f"--output={tmp_path / 'page.html'}") == 2
        and "has no 'AudioEncode' (did you mean 'AudioEncoder'?)" in capsys.readouterr().err
    )
    assert not (tmp_path / "page.html").exists()


def test_without_checkpoint_and_log_the_sound_remains(run, tmp_path, capsys):
    folder = copied(run, tmp_path)
    shutil.rmtree(folder / "checkpoints")
    (folder / "metrics.jsonl").unlink()
    assert called(folder) == 0
    assert "Without neighbours and map" in capsys.readouterr().err
    found = Parsed((folder / "report.html").read_text(encoding="utf-8"))
    assert len(found.all("audio")) == 24 and "The run has logged nothing" in found.text


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (None, "there is no run"),
        ({}, "holds no run (config.json is missing); make one with `mu train`"),
        ({"config.json": "{}"}, "has no evaluation: let `mu train` reach its end"),
        ({"config.json": "{}", "evaluation/x/evaluation.json": '{"unit": "note"}'}, "is over notes; pages are of user"),
    ],
)
def test_what_is_no_run_on_audio_is_refused(tmp_path, capsys, files, words):
    folder = tmp_path / "given"
    for name, content in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    if files is not None:
        folder.mkdir(exist_ok=True)
    assert called(folder) == 1
    output, complaint = capsys.readouterr()
    assert output == "" and complaint.startswith("mu report: ") and words in complaint
    assert not (folder / "report.html").exists()


# ---- in a browser

# Waits for every player to know its length, then writes what it measured where --dump-dom shows it.
MEASURE = """
const frame = document.querySelector('iframe');
frame.onload = async () => {
  const page = frame.contentDocument, players = [...page.querySelectorAll('audio')];
  await Promise.all(players.map(player => new Promise(done => {
    if (player.readyState > 0) done();
    player.onloadedmetadata = player.onerror = done;
  })));
  const found = {wide: page.documentElement.scrollWidth, inside: page.documentElement.clientWidth,
                 lengths: players.map(player => player.duration)};
  document.body.dataset.found = JSON.stringify(found);
};
frame.srcdoc = document.querySelector('template').dataset.page;
"""


def browsed(file, profile):
    """(document, console lines) after chromium has opened a file."""
    done = subprocess.run(
        [
            BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--enable-logging=stderr",
            f"--user-data-dir={profile}", "--virtual-time-budget=20000", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@needs_browser
def test_a_browser_has_no_complaints_and_nothing_overflows_a_phone(page, tmp_path):
    wrapper = tmp_path / "wrapper.html"
    wrapper.write_text(
        "<!doctype html><meta charset=utf-8><body><iframe width=390 height=800></iframe>"
        f'<template data-page="{html.escape(page)}"></template><script>{MEASURE}</script>',
        encoding="utf-8",
    )
    shown, console = browsed(wrapper, tmp_path / "profile")
    assert console == []
    measured = json.loads(html.unescape(re.search(r'data-found="([^"]*)"', shown)[1]))
    assert measured["wide"] <= measured["inside"] <= 390
    assert len(measured["lengths"]) == 44 and all(0.25 < length < 0.6 for length in measured["lengths"])


@needs_browser
def test_a_complaint_would_be_seen(tmp_path):
    file = tmp_path / "fetching.html"
    page = render(Head("t"), [], [])
    file.write_text(page.replace("<main>", '<main><img src="data:text/plain,x"><script>1</script>'))
    assert browsed(file, tmp_path / "profile")[1]


def test_a_piece_is_the_middle_of_a_long_clip(library):
    clips = build(config_of(library).data)
    sounds = Sounds(clips)
    whole, part = sounds.piece("clip23.wav", 10.0), sounds.piece("clip23.wav", 0.25)
    assert whole.span == "0.99 s" and part.span == "seconds 0.4 to 0.6 of 1.0"
    assert len(part.audio) == 2000 and part.start_s == pytest.approx((0.99 - 0.25) / 2)
    start = round(part.start_s * RATE_HZ)
    np.testing.assert_array_equal(part.audio, whole.audio[start : start + 2000])
    assert sounds.piece("elsewhere.wav", 1.0) is None
    assert sounds.lost == {"elsewhere.wav": "it is no longer in the table of clips"}
    assert not Sounds(None) and Sounds(None).piece("x", 1.0) is None
