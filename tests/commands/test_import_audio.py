"""`mu import-audio` as a user runs it."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import polars as pl
import psutil
import pytest

from mu.commands.import_audio import main
from mu.data.clips.importing import workers
from mu.data.clips.store import open_store
from tests.helpers.audio_files import sound, write
from tests.helpers.processes import environment


@pytest.fixture
def here(monkeypatch):
    """The work of the workers in this process."""
    monkeypatch.setattr(workers, "run", lambda function, tasks, n, **_: ((task, function(task)) for task in tasks))


@pytest.fixture
def library(tmp_path):
    root = tmp_path / "music"
    for seed, name in enumerate(("rock/a.wav", "rock/b.flac", "jazz/c.ogg")):
        write(root / name, sound(0.5, 16000, seed=seed), 16000)
    write(root / "jazz" / "loud.wav", np.clip(20 * sound(0.5, 16000, seed=5), -1, 1), 16000)
    (root / "rock" / "again.wav").write_bytes((root / "rock" / "a.wav").read_bytes())
    write(root / "rock" / "quiet.wav", np.zeros((4000, 1)), 16000)
    (root / "rock" / "broken.mp3").write_bytes(b"x" * 1000)
    (root / "notes.txt").write_text("x")
    return root


def test_imports_and_says_what_it_found(library, tmp_path, capsys, here):
    out = tmp_path / "out"
    assert main([str(library), f"--output={out}"]) == 0
    said, err = capsys.readouterr()
    assert f"4 clips, 0.00 h, of 7 files of audio in {out}" in said and err == ""
    for line in ("undecodable: 1 left out", "silent: 1 left out", "duplicate: 1 left out", "clipped: 1 kept"):
        assert line in said
    assert f"which and why is in {out}/faults.jsonl" in said and "1 other files were passed over" in said
    assert pl.read_parquet(out / "clips.parquet")["label"].to_list() == ["jazz", "jazz", "rock", "rock"]


def test_flags_reach_the_import(library, tmp_path, here):
    out = tmp_path / "out"
    flags = ["--keep=silent,duplicate", "--drop=clipped", "--store", "--store_rate_hz=8000", "--workers=1"]
    assert main([str(library), f"--output={out}", *flags]) == 0
    card = json.loads((out / "card.json").read_text())
    assert card["options"] == {"keep": ["silent", "duplicate"], "drop": ["clipped"], "silent_dbfs": -80.0}
    assert card["clips"] == 5 and len(open_store(out / "store")) == 5
    assert main([str(library), f"--output={out}", "--silent_dbfs=-3", "--store"]) == 0
    assert pl.read_parquet(out / "clips.parquet")["clip"].to_list() == ["jazz/loud.wav"]
    table = tmp_path / "table.csv"
    table.write_text("path,mood\nrock/a.wav,glad\n")
    flags = ["--file_column=path", f"--root={library}"]
    assert main([str(table), f"--output={tmp_path / 'table'}", *flags]) == 0
    assert pl.read_parquet(tmp_path / "table" / "clips.parquet")["mood"].to_list() == ["glad"]


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["nowhere", "--output=out"], "there is no folder or table nowhere", 1),
        (["music", "--output=music/out"], "lies inside music", 1),
        (["music", "--output=out", "--keep=quiet"], "--keep=quiet: there is no such fault; there are missing", 2),
        (["music", "--output=out", "--on_error=stop"], "Mend or remove the file", 1),
        (["music/rock/broken.mp3", "--output=out"], "a table ends in .csv", 1),
        (["tfds:nothing", "--output=out", "--data_dir=music"], "tfds:nothing is not in music", 1),
        (
            ["music", "--output=out", "--source=nowhere:find"],
            "--source='nowhere:find': there is no module 'nowhere'",
            2,
        ),
        (["music", "--output=out", "--file_column=x"], "--file_column means nothing for music, a folder", 2),
    ],
)
def test_errors_are_one_line(library, tmp_path, capsys, monkeypatch, here, arguments, message, status):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == status
    err = capsys.readouterr().err
    assert err.startswith("mu import-audio: ") and message in err and err.count("\n") == 1


def test_help_and_wrong_calls(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert "examples:" in text and "--store_rate_hz" in text and "mirdata:gtzan_genre" in text
    assert all(len(line) <= 120 for line in text.splitlines())
    for wrong in (["music"], ["music", "--output=x", "--wrokers=2"], ["music", "--output=x", "--on_error=go"]):
        with pytest.raises(SystemExit, match="2"):
            main(wrong)


INTERRUPTED = """
import os, signal, sys

if __name__ == "__main__":
    import psutil
    from mu.commands.import_audio import main
    from mu.data.clips.importing import journal

    append, lines = journal.Journal.append, []

    def append_and_wait(self, *arguments):
        append(self, *arguments)
        lines.append(arguments)
        if len(lines) == 3:
            children = psutil.Process().children()
            print("workers", *(one.pid for one in children if "spawn_main" in str(one.cmdline())), flush=True)
            os.killpg(os.getpgrp(), int(sys.argv[1]))  # as a terminal does: to the workers too

    journal.Journal.append = append_and_wait
    sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_leaves_in_order_and_goes_on(library, tmp_path, capsys, here, number):
    script, out = tmp_path / "interrupted.py", tmp_path / "out"
    script.write_text(INTERRUPTED)
    command = [sys.executable, str(script), str(int(number)), str(library), f"--output={out}", "--workers=2"]
    options = {"capture_output": True, "text": True, "check": False, "start_new_session": True}
    done = subprocess.run(command, env=environment(), **options)
    assert done.returncode == 130, done.stderr
    assert done.stderr == "mu import-audio: interrupted; the same command goes on from here\n"
    (pids,) = (line.split()[1:] for line in done.stdout.splitlines() if line.startswith("workers "))
    assert len(pids) == 2 and not any(psutil.pid_exists(int(pid)) for pid in pids)
    assert sorted(path.name for path in out.iterdir()) == ["scan.jsonl"]
    assert main([str(library), f"--output={out}"]) == 0
    assert "3 of 7 clips are known from an earlier scan" in capsys.readouterr().err


def test_as_a_process(library, tmp_path):
    """By its module, as `mu import-audio` runs it, workers and all."""
    command = [sys.executable, "-m", "mu.commands.import_audio", str(library), f"--output={tmp_path / 'out'}"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "4 clips" in done.stdout and done.stderr == ""
