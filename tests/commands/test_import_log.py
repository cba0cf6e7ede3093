"""`mu import` as a user runs it."""

import argparse
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import pytest

from mu.commands.flags import add_flags, take_options
from mu.commands.import_log import main
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.interactions import load
from mu.data.options import OptionError, check_options, option

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments):
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")])
    return [sys.executable, "-m", "mu.commands.import_log", *map(str, arguments)], os.environ | {"PYTHONPATH": path}


def test_imports_and_prints_a_summary(tmp_path, capsys):
    (tmp_path / "log.csv").write_text("user_id,song,ts\na,x,3\na,y,1\nb,x,2\n")
    assert main([str(tmp_path / "log.csv"), f"--output={tmp_path / 'out'}"]) == 0
    out, err = capsys.readouterr()
    assert "3 plays of 2 users and 2 tracks" in out and "times were read as s" in out
    assert "user=user_id, track=song, time=ts (guessed from the header" in err
    assert load(tmp_path / "out").items.tolist() == [1, 0, 0]
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    assert str(tmp_path) not in json.dumps(card)


def test_bad_rows_are_counted_and_errors_are_one_line(tmp_path, capsys):
    (tmp_path / "log.csv").write_text("user,track\na,x\na\nb,x\n")
    arguments = [str(tmp_path / "log.csv"), f"--output={tmp_path / 'out'}"]
    assert main(arguments) == 1
    err = capsys.readouterr().err
    assert "log.csv, line 3" in err and "--on_error=skip" in err and "Traceback" not in err
    assert main([*arguments, "--on_error=skip"]) == 0
    assert "dropped by bad: 1" in capsys.readouterr().out
    assert main([*arguments, "--on_error=skip"]) == 1
    assert "--overwrite" in capsys.readouterr().err
    assert main([*arguments, "--on_error=skip", "--overwrite"]) == 0
    assert main(["nothing.csv", "--output=x"]) == 1
    assert main(["--output=x"]) == 2
    assert main([*arguments, "--overwrite", "--k_core=-1"]) == 2


def test_every_option_is_a_flag_with_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(LogImportOptions):
        assert f"--{field.name} " in text
        assert field.metadata["help"].split(";")[0].split("(")[0][:30].strip() in text


@dataclasses.dataclass
class Sample:
    size: int = option(3, "of it", group="first")
    share: float = option(0.5, "of all", group="first", metavar="F")
    names: tuple[str, ...] = option((), "of them", group="second")
    kind: Literal["a", "b"] = option("a", "of both", group="second")
    quick: bool = option(False, "or slow", group="first")
    path: str | None = option(None, "to it", group="second")


def test_flags_have_the_types_of_their_fields(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument("--other", default=1)
    add_flags(parser, Sample)
    flags = vars(parser.parse_args(["--size=4", "--share=.25", "--names=x,,y", "--kind=b", "--quick", "--path=1"]))
    assert Sample(**take_options(Sample, flags)) == Sample(4, 0.25, ("x", "y"), "b", True, "1") and flags == {
        "other": 1
    }
    assert Sample(**take_options(Sample, vars(parser.parse_args([])))) == Sample()
    for wrong in ("--size=x", "--kind=c"):
        with pytest.raises(SystemExit, match="2"):
            parser.parse_args([wrong])
    with pytest.raises(OptionError, match="kind is 'c'; it takes one of a, b"):
        check_options(Sample(kind="c"))  # pyright: ignore
    assert "invalid choice: 'c'" in capsys.readouterr().err


def test_flags_reach_the_import(tmp_path):
    for part, text in (("train", "1 5 6 7\n2 5 6\n"), ("test", "1 6\n2 7\n")):
        (tmp_path / part).write_text(text)
    files = [f"--{part}={tmp_path / part}" for part in ("train", "test")]
    assert main(["--format=lists", *files, f"--output={tmp_path / 'out'}", "--min_history=4"]) == 0
    log = load(tmp_path / "out")
    assert log.n_users == 1 and log.parts is not None and log.parts.tolist() == [0, 0, 0, 2]


def test_help(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert "examples:" in text and "--k_core" in text and "recbole" in text
    with pytest.raises(SystemExit, match="2"):
        main(["log.csv", "--outptu=x"])


WAITS_AFTER_WRITING = """
import sys, time
from mu.commands.import_log import main
from mu.data.logs.importing.first_pass import FirstPass

append = FirstPass._append

def append_and_wait(*arguments):
    append(*arguments)
    time.sleep(600)

FirstPass._append = append_and_wait
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_process_leaves_nothing(tmp_path, number):
    """The signal comes while plays are being written: the process waits there, so that it cannot be through before."""
    log = tmp_path / "log.jsonl"
    log.write_text('{"user": 1, "track": 2, "time": 3}\n' * 100)
    arguments, environment = command(log, f"--output={tmp_path / 'out'}")
    waiting = [sys.executable, "-c", WAITS_AFTER_WRITING, *arguments[arguments.index(str(log)) :]]
    process = subprocess.Popen(waiting, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while not any(tmp_path.glob(".out*/sort/users")) and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 130, (out, err)
    assert "interrupted; nothing was written" in err
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_as_a_process(tmp_path):
    (tmp_path / "log.txt").write_text("1 5 6\n2 5\n")
    arguments, environment = command(tmp_path / "log.txt", "--format=lists", f"--output={tmp_path / 'out'}")
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 plays of 2 users and 2 tracks" in done.stdout
    assert len(load(tmp_path / "out")) == 3
