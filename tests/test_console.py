"""What a person reads of long work and of errors."""

import errno
import time

from rich.console import Console

from mu import console
from mu.console import Progress, bold_is_shown, explained, printable, terminal_width, working


def test_an_error_of_the_system_says_where_what_and_what_to_do():
    full = OSError(errno.ENOSPC, "No space left on device", "/full/a.npy")
    assert explained(full) == "/full/a.npy: No space left on device; free some space there, or choose another folder"
    assert explained(FileNotFoundError(errno.ENOENT, "No such file", "a")) == "a: No such file"
    for error in (OSError("there is no log"), ValueError("x"), OSError(errno.ENOSPC, "No space")):
        assert explained(error) == str(error)


def test_time_left_is_the_most_where_work_may_end_sooner(monkeypatch):
    lines, now = [], [0.0]
    monkeypatch.setattr(console, "say", lines.append)
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    for may_end_sooner in (False, True):
        progress = Progress(may_end_sooner)
        for done in (0, 10):
            now[0] += 20.0
            progress.update("train", done, 40)
    assert lines == ["train 10/40, 1 min 00 s left", "train 10/40, at most 1 min 00 s left"]


def test_names_of_files_in_errors_and_lines_cannot_steer_the_terminal(capsys, monkeypatch):
    monkeypatch.setattr(console, "_console", console.Console(stderr=True))
    for error in (ValueError("a\x1b[2J.wav: silent"), FileNotFoundError(errno.ENOENT, "No such file", "a\x1b[2J")):
        assert "a\ufffd[2J" in explained(error) and "\x1b" not in explained(error)
    console.say("a\x1b[2J.wav")
    assert capsys.readouterr().err == "a\ufffd[2J.wav\n"


def test_titles_of_others_cannot_steer_the_terminal():
    assert printable("a\x1b[2Jb\x07\r\u202ec\x9b") == "a\ufffd[2Jb\ufffd\ufffd\ufffdc\ufffd"
    for text in ("two\nlines\tof", "héllo 音楽 שלום", "\U0001f469\u200d\U0001f52c", ""):
        assert printable(text) == text


def test_long_work_is_announced_and_short_work_is_not(capsys, monkeypatch):
    monkeypatch.setattr("mu.console.LONG_S", 0.05)
    monkeypatch.setattr("mu.console._console", Console(stderr=True))
    with working("opening the log"):
        pass
    time.sleep(0.15)
    assert capsys.readouterr().err == ""
    with working("opening the log"):
        time.sleep(0.3)
    assert capsys.readouterr().err == "Opening the log ...\n"


def test_of_work_inside_of_work_one_line_is_said_at_a_time(capsys, monkeypatch):
    monkeypatch.setattr("mu.console.LONG_S", 0.2)
    monkeypatch.setattr("mu.console._console", Console(stderr=True))
    with working("starting"), working("opening the run"):
        time.sleep(0.5)
    assert capsys.readouterr().err == "Opening the run ...\n"
    with working("starting"):
        with working("opening the run"):
            pass
        time.sleep(0.5)
        with working("opening the log"):
            time.sleep(0.5)
        time.sleep(0.5)
    assert capsys.readouterr().err == "Starting ...\nOpening the log ...\n"


def test_where_standard_output_is_no_terminal_there_is_neither_width_nor_bold(monkeypatch):
    assert terminal_width() is None and not bold_is_shown()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert terminal_width() == 77 and bold_is_shown()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not bold_is_shown()
