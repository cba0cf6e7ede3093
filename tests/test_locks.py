"""One writer: who comes second is refused, what dead processes left is taken over, and nothing stays behind."""

import json
import os
import signal
import subprocess
import sys

import pytest

from mu.locks import FOLDER_LOCK, Lock, Locked, beside, rewriting, rewriting_file, writing
from tests.helpers.processes import environment

HOLDS = """
import sys, time
from mu.locks import writing

def main(argv):
    with writing(argv[0]):
        print("has it", flush=True)
        time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Starts a command in another process that writes a folder; returns the process once it has the lock."""
    (tmp_path / "holds.py").write_text(HOLDS)
    processes = []

    def start(folder):
        argv = [sys.executable, "-m", "mu", "holds:main", str(folder)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(argv, cwd=tmp_path, env=environment(), **pipes))
        assert processes[-1].stdout.readline() == "has it\n"
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def left(path, **changes):
    """A lock's file as a process leaves it that is killed, with `changes` to what it says."""
    path.unlink(missing_ok=True)
    lock = Lock(path)
    lock.acquire()
    said = json.loads(path.read_text())
    lock.release()
    path.write_text(json.dumps(said | changes))


def test_a_folder_has_one_writer_and_nothing_stays_behind(tmp_path):
    with writing(tmp_path / "a" / "b") as folder:
        (folder / "file").write_text("")
        with pytest.raises(Locked, match=rf"{os.getpid()} on .* since .*; wait until it has ended"), writing(folder):
            pytest.fail("two writers")
        assert sorted(os.listdir(folder)) == [FOLDER_LOCK, "file"]
    assert os.listdir(tmp_path / "a" / "b") == ["file"]


def test_a_folder_that_was_made_for_nothing_is_gone(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "a" / "b"):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
    (tmp_path / "there").mkdir()
    with writing(tmp_path / "there"):
        pass
    assert os.listdir(tmp_path) == ["there"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(NotADirectoryError, match="file"), writing(folder):
            pytest.fail("it was written")
    assert (tmp_path / "file").read_text() == "kept" and os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_another_process_is_named_and_its_death_lets_the_lock_go(tmp_path, holder):
    process = holder(tmp_path / "run")
    with pytest.raises(Locked) as refused, writing(tmp_path / "run"):
        pytest.fail("two writers")
    assert f"process {process.pid} on " in str(refused.value) and "holds:main" in str(refused.value)
    process.kill()
    process.wait()
    assert os.listdir(tmp_path / "run") == [FOLDER_LOCK]
    with writing(tmp_path / "run"):
        pass
    assert os.listdir(tmp_path / "run") == []


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_lock(tmp_path, holder, number):
    process = holder(tmp_path / "run")
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("", "mu holds:main: interrupted\n")
    assert process.returncode == 128 + number and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "changes",
    [{}, {"process": 999_999_999}, {"host": "container"}, {"boot": "an earlier one"}],
    ids=["the number of this process", "another process", "another container", "before the machine was started again"],
)
def test_what_a_dead_process_left_is_taken_over(tmp_path, changes):
    left(tmp_path / FOLDER_LOCK, **changes)
    with writing(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b'{"process": 1', b"\xff\x00", b"[]", b'{"process": 1}'])
def test_a_lock_that_was_cut_off_is_taken_over(tmp_path, content):
    (tmp_path / FOLDER_LOCK).write_bytes(content)
    with writing(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_a_process_of_another_host_is_believed(tmp_path):
    """The file system may not tell its lock here: only a person knows whether it still runs."""
    path = tmp_path / FOLDER_LOCK
    left(path, host="elsewhere", boot="another")
    for wait in (False, True):
        with pytest.raises(Locked, match=r"on elsewhere .*no longer runs, remove .*\.mu\.lock"):
            Lock(path).acquire(wait)
    assert path.exists()


@pytest.mark.skipif(os.name == "nt", reason="flock of POSIX")
def test_where_a_file_system_has_no_locks_the_file_is_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr("mu.locks._lock", lambda file: None)
    left(tmp_path / FOLDER_LOCK, process=os.getppid())
    with pytest.raises(Locked, match=f"process {os.getppid()} on "), writing(tmp_path):
        pytest.fail("two writers")
    left(tmp_path / FOLDER_LOCK, process=999_999_999)
    with writing(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_a_replaced_folder_has_one_writer(tmp_path):
    def nothing():
        pass

    with rewriting(tmp_path / "new" / "out", nothing) as folder:
        (folder / "a").write_text("1")
        with pytest.raises(Locked, match="out is being written"), rewriting(tmp_path / "new" / "out", nothing):
            pytest.fail("two writers")
        with pytest.raises(Locked):
            beside(tmp_path / "new" / "out").acquire()
    assert os.listdir(tmp_path / "new") == ["out"] and os.listdir(tmp_path / "new" / "out") == ["a"]
    with pytest.raises(ZeroDivisionError), rewriting(tmp_path / "other" / "out", lambda: 1 / 0):
        pytest.fail("it was written")
    assert os.listdir(tmp_path) == ["new"]


def test_a_replaced_file_has_one_writer(tmp_path):
    page = tmp_path / "new" / "page.html"
    with pytest.raises(ZeroDivisionError), rewriting_file(page):
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == []
    with rewriting_file(page) as partial:
        partial.write_text("old")
    with rewriting_file(page) as partial:
        partial.write_text("new")
        assert page.read_text() == "old"
        with pytest.raises(Locked, match=r"page\.html is being written"), rewriting_file(page):
            pytest.fail("two writers")
    assert page.read_text() == "new" and os.listdir(page.parent) == ["page.html"]


@pytest.mark.skipif(os.name == "nt", reason="processes of POSIX")
def test_half_a_file_of_a_dead_process_is_removed_and_that_of_a_living_one_stays(tmp_path):
    dead, living = tmp_path / ".page[1].html.999999999.partial", tmp_path / f".page[1].html.{os.getppid()}.partial"
    own, other = tmp_path / ".notes.partial", tmp_path / ".other.999999999.partial"
    for path in (dead, living, own, other):
        path.write_text("half")
    with rewriting_file(tmp_path / "page[1].html") as partial:
        partial.write_text("whole")
    assert not dead.exists() and living.exists() and own.exists() and other.exists()
    with writing(tmp_path):
        pass
    assert living.exists() and own.exists() and not other.exists()
