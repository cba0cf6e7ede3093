"""Workers of an import, and its journal: a crash is put down to its file, and a killed import goes on where it was."""

import dataclasses
import functools
import json
import operator
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from mu.data.clips.importing import run, scan, sources, workers
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from tests.helpers.audio_files import DyingFiles, sound, write
from tests.helpers.audio_imports import ONE, contents, ledger_of
from tests.helpers.processes import environment


def test_a_crash_of_the_decoder_is_put_down_to_its_file(tmp_path, monkeypatch):
    root = tmp_path / "root"
    for number in range(8):
        name = {3: "dies", 5: "raises"}.get(number, "good")
        write(root / f"{number} {name}.wav", sound(0.1, 8000, seed=number), 8000)
    source = sources.open_source(str(root))
    dying = dataclasses.replace(source, reader=DyingFiles(str(root)))
    monkeypatch.setattr(run, "open_source", lambda *_, **options: dying)
    card = import_audio(str(root), tmp_path / "out", AudioImportOptions(workers=1))
    assert card["clips"] == 6
    assert [(entry["file"], entry["reason"]) for entry in ledger_of(tmp_path / "out")] == [
        ("3 dies.wav", "the decoder crashed (SIGABRT)"),
        ("5 raises.wav", "ZeroDivisionError: a decoder with another bug"),
    ]


def test_what_the_machine_failed_at_is_tried_again(tmp_path, monkeypatch, here):
    """Want of memory, a disk's error, a permission: of a good file, in spite of all, nothing is known for ever."""
    root, out = tmp_path / "root", tmp_path / "out"
    for name in "abcd":
        write(root / f"{name}.wav", sound(0.1, 8000, seed=ord(name)), 8000)
    hash_file = scan.hash_file

    def failing(path):
        if path.endswith("a.wav"):
            raise PermissionError(13, "Permission denied")
        return hash_file(path)

    def flaky(function, tasks, n, **_):
        for task in tasks:
            reason = {"b.wav": "MemoryError: ", "c.wav": "a bug"}.get(task[0])
            yield task, workers.Failed(reason, task[0] == "b.wav") if reason else function(task)

    with monkeypatch.context() as patch:
        patch.setattr(scan, "hash_file", failing)
        patch.setattr(workers, "run", flaky)
        import_audio(str(root), out, ONE)
    assert [(entry["file"], entry["reason"]) for entry in ledger_of(out)] == [
        ("a.wav", "it cannot be read (Permission denied)"),
        ("b.wav", "MemoryError: "),
        ("c.wav", "a bug"),
    ]
    seen = []
    card = import_audio(str(root), out, ONE, progress=lambda *args: seen.append(args[1:3]))
    assert seen == [(2, 4), (3, 4), (4, 4)] and card["clips"] == 3
    assert [entry["file"] for entry in ledger_of(out)] == ["c.wav"]


def test_a_worker_says_whether_the_machine_may_have_failed(tmp_path):
    tasks = [functools.partial(open, tmp_path / "nothing"), functools.partial(divmod, 1, 0)]
    tasks += [functools.partial(signal.raise_signal, number) for number in (signal.SIGKILL, signal.SIGABRT)]
    found = {answer.reason.split(":")[0]: answer.transient for _, answer in workers.run(operator.call, tasks, 1)}
    assert found == {
        "FileNotFoundError": True,
        "ZeroDivisionError": False,
        "the decoder crashed (SIGKILL)": True,
        "the decoder crashed (SIGABRT)": False,
    }


def test_a_worker_that_hangs_is_replaced():
    """The task behind the one that hangs is done by another process; those that are quick never notice."""
    tasks = [functools.partial(time.sleep, seconds) for seconds in (0, 600, 0, 0, 0)]
    answers = list(workers.run(operator.call, tasks, 1, limit_s=1.0))
    reason = "it took more than 1 s, and its process was ended"
    assert sorted((task.args[0], answer) for task, answer in answers if answer is None) == [(0, None)] * 4
    assert [(task.args[0], answer) for task, answer in answers if answer] == [(600, workers.Failed(reason, True))]


def test_workers_that_die_once_get_another_chance(tmp_path):
    """Killed from outside, say for want of memory: the task is not to blame."""
    tasks = [functools.partial(divmod, number, 3) for number in range(9)]
    answers = []
    for task, answer in workers.run(operator.call, tasks, 2):
        answers.append((task.args[0], answer))
        if len(answers) == 3:
            for child in psutil.Process().children():
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
    assert sorted(answers) == [(number, divmod(number, 3)) for number in range(9)]
    assert not [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


def test_workers_that_cannot_start_end_the_run(tmp_path):
    script = tmp_path / "no_guard.py"
    script.write_text("from mu.data.clips.importing import workers\nlist(workers.run(print, [1], 1))\n")
    done = subprocess.run([sys.executable, script], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "a worker process could not be started (exit status 1)" in done.stderr


def test_journals_of_before_there_were_transient_errors_are_read(tmp_path, here):
    write(tmp_path / "root" / "a.wav", sound(0.1, 8000), 8000)
    import_audio(str(tmp_path / "root"), tmp_path / "out", ONE)
    journal = tmp_path / "out" / "scan.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line.pop("transient", None)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    seen = []
    import_audio(str(tmp_path / "root"), tmp_path / "out", ONE, progress=lambda *args: seen.append(args[1]))
    assert seen == [1]


KILLED = """
import os, signal, sys
from mu.data.clips.importing import journal
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio

journal.FLUSH_EVERY = 5
append, lines = journal.Journal.append, []

def append_and_die(self, *arguments):
    append(self, *arguments)
    lines.append(arguments)
    if len(lines) == 12:
        self.flush()
        with open(os.path.join(sys.argv[2], "scan.jsonl"), "ab") as file:
            file.write(b'{"clip": "half a li')
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))

journal.Journal.append = append_and_die
if __name__ == "__main__":
    import psutil
    print(flush=True)
    import_audio(sys.argv[1], sys.argv[2], AudioImportOptions(workers=2))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_killed_and_resumed_equals_never_killed(tmp_path, here, caplog):
    root = tmp_path / "root"
    for number in range(30):
        write(root / f"{number % 3}" / f"{number}.flac", sound(0.1, 8000, seed=number), 8000)
    (tmp_path / "killed.py").write_text(KILLED)
    out = tmp_path / "out"
    command = [sys.executable, str(tmp_path / "killed.py"), str(root), str(out), "SIGKILL"]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    children = set()
    while process.poll() is None:
        try:
            children |= set(psutil.Process(process.pid).children())
        except psutil.NoSuchProcess:
            break
        time.sleep(0.1)
    _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err
    assert len(children) >= 2
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, "workers outlived the process that they worked for"
    assert sorted(path.name for path in out.iterdir()) == [".import.lock", "scan.jsonl"]
    assert (out / "scan.jsonl").read_bytes().endswith(b'"half a li')
    seen = []
    with caplog.at_level("INFO"):
        import_audio(str(root), out, ONE, progress=lambda *args: seen.append(args[1]))
    assert seen[0] == 12 and "12 of 30 clips are known from an earlier scan" in caplog.messages
    import_audio(str(root), tmp_path / "whole", ONE)
    assert contents(out) == contents(tmp_path / "whole")


def test_a_journal_of_other_versions_is_begun_again(tmp_path, monkeypatch, here):
    write(tmp_path / "root" / "a.wav", sound(0.1, 8000), 8000)
    import_audio(str(tmp_path / "root"), tmp_path / "out", ONE)
    monkeypatch.setattr(scan, "VERSION", 0)
    seen = []
    import_audio(str(tmp_path / "root"), tmp_path / "out", ONE, progress=lambda *args: seen.append(args[1]))
    assert seen == [0, 1]
