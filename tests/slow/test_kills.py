"""Commands that are killed while they write: nothing, the old or the whole is there, and again gives what it would."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.helpers.audio_clips import tiny_audio_config
from tests.helpers.embeddings import SECONDS, imported
from tests.helpers.processes import environment
from tests.helpers.tiny_runs import tiny_config, train, write_log
from tests.helpers.trials import seeds, trial

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE_S = 120
# Of an import of audio and of embeddings: what a later call goes on from; it holds clocks, and is no result.
JOURNALS = ("scan.jsonl",)


class Place(NamedTuple):
    """What the commands read, made once."""

    folder: Path
    log: Path
    user_run: Path
    clip_run: Path
    library: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kills")
    log = write_log(folder)
    train(tiny_config(log, total_steps=6), folder / "user_run")
    train(tiny_audio_config(total_steps=2, evaluate_every_steps=2), folder / "clip_run")
    return Place(folder, log, folder / "user_run", folder / "clip_run", imported(folder / "library", SECONDS))


# Name -> the words behind `mu`; {out} is what they write, and exists at first where the name says over.
COMMANDS = {
    "import": "import {folder}/plays.csv --output={out}",
    "import over": "import {folder}/plays.csv --output={out} --overwrite",
    "import-audio": "import-audio {library}/../audio --output={out} --workers=1",
    "import-audio --store": "import-audio {library}/../audio --output={out} --workers=1 --store",
    "embed": "embed {clip_run} {library} --output={out} --trust=tests",
    "evaluate": "evaluate {user_run} --output={out}",
    "evaluate over": "evaluate {user_run} --output={out}",
    "report": "report {clip_run} --output={out} --trust=tests",
    "world": "world --size=tiny --output={out}",
}

REFUSING = ("import", "world")  # a folder that is there


def start(words):
    return subprocess.Popen(
        [sys.executable, "-m", "mu", *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(words):
    process = start(words)
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output


def contents(path):
    """Names below a folder -> their bytes; {'': bytes} of a file, {} of nothing."""
    if path.is_file():
        return {"": path.read_bytes()}
    files = (one for one in sorted(path.rglob("*")) if one.is_file() and one.name not in JOURNALS)
    return {str(one.relative_to(path)): one.read_bytes() for one in files}


def is_whole(path):
    """Whether the folder says that it is finished; a page always does."""
    return path.is_file() or (path / "card.json").is_file() or (path / "world.json").is_file()


def seen(folder):
    """The entries below a folder, two levels deep, and their sizes: by which a command is seen to write."""
    return {str(one): one.stat().st_mtime_ns for one in [*folder.glob("*"), *folder.glob("*/*")] if one.exists()}


def wait_for_a_change(process, folder, before):
    while process.poll() is None and seen(folder) == before:
        time.sleep(0.0005)


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(place, tmp_path, name):
    words = COMMANDS[name]
    over = name.endswith(" over")

    def words_to(out):
        return words.format(out=out, **place._asdict()).split()

    def prepare(folder):
        folder.mkdir()
        if over:
            finish(words_to(folder / "out"))
            if name == "import over":  # another log
                other = folder / "other.csv"
                other.write_text("user,track\na,b\n")
                finish(["import", str(other), f"--output={folder / 'out'}", "--overwrite"])
                other.unlink()
        return folder / "out"

    good = prepare(tmp_path / "good")
    before = seen(good.parent)
    process = start(words_to(good))
    wait_for_a_change(process, good.parent, before)
    began = time.monotonic()
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    writing_s, expected = time.monotonic() - began, contents(good)
    for seed in seeds(2):
        generator = random.Random(f"{name} {seed}")
        out = prepare(tmp_path / f"killed{seed}")
        old = contents(out)
        with trial(seed, out.parent, limit_s=3 * PATIENCE_S):
            number = SIGNALS[(seed + list(COMMANDS).index(name)) % len(SIGNALS)]
            before = seen(out.parent)
            process = start(words_to(out))
            wait_for_a_change(process, out.parent, before)
            time.sleep(generator.uniform(0, writing_s))
            process.send_signal(number)
            output, _ = process.communicate(timeout=PATIENCE_S)
            found = contents(out)
            # One that comes when all is done, while Python leaves, ends the process itself.
            ended = {0, -number} if number == signal.SIGKILL or found == expected else {0, 128 + number}
            assert process.returncode in {*ended, 128 + number}, output
            assert "Traceback" not in output, output
            assert found in ({}, old, expected) or not is_whole(out), "neither nothing, the old nor the whole is there"
            if name not in REFUSING or found != expected:
                finish(words_to(out))
            assert contents(out) == expected
            assert sorted(os.listdir(out.parent)) == sorted(os.listdir(good.parent)), "something stayed behind"
