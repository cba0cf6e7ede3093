"""`mu` as it is typed: help at once, and every wrong call told what would be right."""

import contextlib
import os
import re
import signal
import subprocess
import sys

import pytest

import mu.cli
from mu.cli import COMMANDS, main
from mu.commands.flags import CommandParser
from tests.helpers.processes import environment, run, run_python


def call(capsys, *argv):
    """(exit status, stdout, stderr) of `mu ARGV...`, in this process."""
    try:
        status = main(list(argv))
    except SystemExit as stop:  # argparse leaves this way
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err


def test_mu_alone_says_what_there_is(capsys):
    status, out, _ = call(capsys)
    assert status == 2
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", out, re.MULTILINE)
    for word in ("--help", "-h", "help"):
        assert call(capsys, word) == (0, out, "")


def test_version(capsys):
    assert call(capsys, "--version") == (0, f"{mu.__version__}\n", "")


@pytest.mark.parametrize(
    ("typo", "meant"), [("trian", "train"), ("recomend", "recommend"), ("quick-start", "quickstart")]
)
def test_an_unknown_command_suggests(capsys, typo, meant):
    status, out, err = call(capsys, typo)
    assert (status, out) == (2, "")
    assert f"no command {typo!r} (did you mean {meant!r}?)" in err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(capsys, command):
    status, out, _ = call(capsys, command, "--help")
    assert status == 0
    assert out.startswith(f"usage: mu {command} ")
    assert f"mu {command} " in out.partition("\n")[2], "no example"
    for line in out.splitlines():
        assert len(line) <= 120


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_flag_is_refused(capsys, command):
    """All of them, each with the nearest, and before a flag that is missing."""
    status, _, err = call(capsys, command, "--no_such_flag", "--hepl", "-x", "--trsut=a")
    assert status == 2
    words = "unknown flags --no_such_flag, --hepl (did you mean --help?), -x, --trsut (did you mean --trust?)"
    err = re.sub(r"flag \(did you mean --\w+\?\)", "flag", err)
    assert err == f"mu {command}: error: {words}. `mu {command} --help` says how to call it\n"  # one line, no usage


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        ("quickstart --size=huge", 2, "--size"),
        ("import none.csv --output=log", 1, "none.csv"),
        ("import none.csv", 2, "--output"),
        ("import-audio none --output=clips", 1, "none"),
        ("import-audio none", 2, "--output"),
        ("train --config=none.py", 2, "--workdir"),
        ("train --config=none.py --workdir=run", 2, "there is no config"),
        ("evaluate none", 1, "none holds no run"),
        ("evaluate none --ks=5", 2, "--output"),
        ("evaluate none --ks=five --output=here", 2, "--ks: 'five'"),
        ("crossvalidate --config=none.py --folds=0 --workdir=runs", 2, "--folds=0"),
        ("crossvalidate --config=none.py --folds=2 --seeds=a --workdir=runs", 2, "--seeds: 'a'"),
        ("crossvalidate --config=none.py --folds=2 --workdir=runs", 2, "there is no config"),
        ("compare none other", 1, "none"),
        ("compare none other --samples=0", 2, "--samples=0"),
        ("recommend none --user=a", 1, "none holds no run"),
        ("recommend none", 2, "--user"),
        ("recommend none --user=a --k=0", 2, "--k=0"),
        ("compare none other --seed=-1", 2, "--seed=-1; it must be at least 0"),
        ("evaluate none --ks=5,0 --output=here", 2, "--ks[1]=0; it must be at least 1"),
        ("crossvalidate --config=none.py --folds=2 --seeds=0,-1 --workdir=runs", 2, "--seeds[1]=-1; it must be"),
        ("probe none --library=x --classes=c --folds=f --trials=0 --bootstrap_samples=-1", 2, "--trials=0; it must be"),
        ("quickstart --seed=-1", 2, "--seed=-1; it must be at least 0"),
        ("world --output=world --threads=0", 2, "--threads=0; it must be at least 1"),
        ("import plays.csv --output=log --min_play_s=nan --k_core=-1", 2, "k_core is -1; it must be at least 0"),
        ("embed none none --output=vectors", 1, "none"),
        ("embed none", 2, "--output=DIR"),
        ("import-weights musicnn out --package=none.whl", 1, "there is no none.whl"),
        ("import-weights musicnn", 2, "OUTPUT"),
        ("transcribe none.wav --weights=none", 1, "none"),
        ("transcribe none.wav", 2, "--weights"),
        ("similar none a.wav", 1, "no embeddings at none"),
        ("similar none", 2, "RECORDING"),
        ("duplicates none --threshold=.9", 1, "no embeddings at none"),
        ("duplicates none", 2, "--threshold=COSINE; or --works=COLUMN"),
        ("duplicates none --threshold=2", 2, "--threshold=2.0"),
        ("world-music --output=none --works=0", 2, "works"),
        ("probe none", 2, "--library, --folds"),
        ("report none", 1, "none"),
        ("report", 2, "RUN"),
        ("world --size=huge --output=world", 2, "--size"),
        ("world --output=file", 1, "file"),
    ],
)
def test_exit_codes_of_wrong_calls(capsys, monkeypatch, tmp_path, argv, status, words):
    """1 where the data or the run say no, 2 where the call or the config is wrong; standard output stays empty."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    code, out, err = call(capsys, *argv.split())
    assert (code, out) == (status, "")
    assert f"mu {argv.split()[0]}" in err and words in err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ("import plays.csv --outptu=log --usr=u", "--outptu (did you mean --output?), --usr (did you mean --user?)"),
        ("import-audio music --sotre --output=a", "unknown flag --sotre (did you mean --store?)"),
        ("train --cnofig=a.py --workdir=run", "unknown flag --cnofig (did you mean --config?)"),
        (
            "train --config=a.py --workdir=run --confg.seed=8",
            "--confg.seed (did you mean --config.seed?)",
        ),
        ("probe a --bootstrap-samples=10", "--bootstrap-samples (did you mean --bootstrap_samples?)"),
        ("recommend run --user=a --repeats=perhaps", "--repeats is a switch; it takes no value, or yes or no"),
    ],
)
def test_a_misspelt_flag_is_named_with_the_nearest(capsys, argv, words):
    status, out, err = call(capsys, *argv.split())
    assert (status, out) == (2, "") and words in err


def test_switches_take_the_usual_words():
    parser = CommandParser("x", "Does x.", "")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--level", type=float)
    parser.add_argument("words", nargs="*")
    for word, expected in {"Yes": True, "1": True, "FALSE": False, "off": False}.items():
        flags = parser.parse([f"--store={word}", "--level", "-60", "--", "--store=x"])
        assert (flags.store, flags.level, flags.words) == (expected, -60.0, ["--store=x"])


def test_help_is_instant():
    """No command's help pays for what the command itself will need: said by modules, not by a clock."""
    loaded = run_python(
        "import contextlib, io, sys, mu.cli\n"
        "for name in mu.cli.COMMANDS:\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "        mu.cli.main([name, '--help'])\n"
        "print(*sys.modules)"
    ).split()
    heavy = {"jax", "flax", "optax", "orbax", "grain", "numba", "scipy", "matplotlib", "tensorflow_datasets"}
    assert heavy & {name.partition(".")[0] for name in loaded} == set()


def test_a_reader_who_has_gone_ends_a_command_without_a_traceback():
    """As `head` does, once it has read enough."""
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "mu", "--help"], stdout=writing, stderr=subprocess.PIPE, env=environment(), check=False
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (141, b"")


WAITS = """
import time
from mu.interrupts import Interrupts

def saves(argv):
    with Interrupts() as interrupts, interrupts.noting():
        print("works", flush=True)
        while interrupts.signal is None:
            time.sleep(0.001)
        print("saves", flush=True)
        time.sleep(600)

def cleans(argv):
    with Interrupts():
        try:
            print("works", flush=True)
            time.sleep(600)
        finally:
            print("cleans", flush=True)
            time.sleep(600)

class Waits:
    def __del__(self):
        print("works", flush=True)
        time.sleep(600)

def ignores(argv):
    with Interrupts() as interrupts:
        Waits()
        interrupts.raise_noted()
"""


def started(folder, command):
    """A process of one of the commands above, once it works."""
    (folder / "waits.py").write_text(WAITS)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-m", "mu", f"waits:{command}"], cwd=folder, env=environment(), **pipes)
    assert process.stdout is not None and process.stdout.readline() == "works\n"
    return process


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("command", ["saves", "cleans"])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_the_process_without_a_word(tmp_path, command, second):
    """The process ends by the signal, so a shell shows 130 or 143."""
    with started(tmp_path, command) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None and process.stdout.readline() == f"{command}\n"
        process.send_signal(second)
        assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == -second


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_that_python_ignores_is_said_in_one_line(tmp_path):
    with started(tmp_path, "ignores") as process:
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "mu waits:ignores: interrupted\n")
    assert process.returncode == 130


def test_a_process_without_standard_output_runs(monkeypatch):
    """As a service may be started: Python then has no `sys.stdout`, and what is printed goes nowhere."""
    monkeypatch.setattr(sys, "stdout", None)
    assert mu.cli.main(["--version"]) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows removes no folder that a process is in")
def test_a_current_folder_that_is_gone_is_said(capsys, monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for name in ("train", "recommend", "package.module:function"):
        assert main([name, "run"]) == 1
        assert capsys.readouterr().err.startswith(f"mu {name}: the current folder has been removed")


def test_python_m_mu():
    assert run(sys.executable, "-m", "mu", "--version") == f"{mu.__version__}\n"


# ---- mu train: whatever cannot be run is refused before anything runs


@pytest.fixture
def config_file(tmp_path):
    path = tmp_path / "experiment.py"
    path.write_text(
        "from mu.config.base import base, parse_arg\n"
        "def get_config(arg=None):\n"
        "    arg = parse_arg(arg, smoke=False, dim=64)\n"
        "    config = base()\n"
        f"    config.data.path = {str(tmp_path / 'log')!r}\n"
        "    config.model.dim = arg.dim\n"
        "    return config\n"
    )
    return path


@pytest.mark.parametrize(
    ("arg", "flag", "words"),
    [
        ("", "--config.model.dims=128", ["config.model has no key 'dims'", "did you mean 'dim'"]),
        ("", "--config.total_step=5", ["config has no key 'total_step'", "did you mean 'total_steps'"]),
        ("", "--config.evaluations.ks=5", ["no key 'evaluations'", "did you mean 'evals'"]),
        ("", "--config.model.dim=wide", ["config.model.dim='wide'; it takes a whole number"]),
        ("", "--config.total_steps=1.5", ["config.total_steps='1.5'", "it takes a whole number"]),
        ("", "--config.model.name=mu.models.sasrec:SASRek", ["has no 'SASRek'", "did you mean 'SASRec'"]),
        ("", "--config.model.name=mu.models.sasrek:SASRec", ["no module 'mu.models.sasrek'"]),
        (":dims=8", "--config.seed=1", ["no argument 'dims'", "did you mean 'dim'"]),
        (":dim=wide", "--config.seed=1", ["dim='wide'; it takes a whole number"]),
    ],
)
def test_train_refuses(capsys, tmp_path, config_file, arg, flag, words):
    status, out, err = call(capsys, "train", f"--config={config_file}{arg}", f"--workdir={tmp_path / 'run'}", flag)
    assert (status, out) == (2, "")
    assert err.startswith("mu train: ")
    for word in words:
        assert word in err
    assert not (tmp_path / "run").exists()


def test_train_without_its_files(capsys, tmp_path, config_file):
    workdir = f"--workdir={tmp_path / 'run'}"
    status, _, err = call(capsys, "train", f"--config={tmp_path / 'none.py'}", workdir)
    assert status == 2 and "there is no config" in err
    empty = tmp_path / "empty.py"
    empty.write_text("")
    status, _, err = call(capsys, "train", f"--config={empty}", workdir)
    assert status == 2 and "has no get_config" in err
    status, _, err = call(capsys, "train", f"--config={config_file}", workdir)
    assert status == 1 and "no log at" in err and "mu import" in err
    status, _, err = call(capsys, "train", f"--config={config_file}", workdir, "--model.dim=3")
    assert status == 2 and "unknown flag --model.dim (did you mean --config.model.dim?)" in err


def test_train_does_not_begin_after_a_ctrl_c_that_python_ignored(capsys, monkeypatch, tmp_path, config_file):
    """It came while modules were imported."""

    def interrupted():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("mu.training.memory.keep_freed_memory", interrupted)
    monkeypatch.setattr("mu.train.train", lambda *_: pytest.fail("it began"))
    status, out, err = call(capsys, "train", f"--config={config_file}", f"--workdir={tmp_path / 'run'}")
    assert (status, out, err) == (130, "", "mu train: interrupted\n")


@pytest.mark.parametrize("error", ["MemoryError('EASE needs 9 GB')", "MemoryError()"])
def test_a_command_that_does_not_fit_into_memory_says_so(capsys, monkeypatch, tmp_path, config_file, error):
    """As if the error came from mu: the user's own code has its traceback."""
    names = {}
    exec(compile(f"def full(*_, **__): raise {error}", mu.cli.__file__, "exec"), names)
    monkeypatch.setattr("mu.train.train", names["full"])
    status, out, err = call(capsys, "train", f"--config={config_file}", f"--workdir={tmp_path / 'run'}")
    line = "EASE needs 9 GB" if "EASE" in error else "there is not enough memory"
    assert (status, out, err) == (1, "", f"mu train: {line}\n")


def test_print_config_shows_what_a_flag_sets(capsys, tmp_path, config_file):
    flags = ["--config.model.dim=128", "--config.total_steps", "7", "--print_config"]
    status, out, _ = call(capsys, "train", f"--config={config_file}:smoke", f"--workdir={tmp_path / 'run'}", *flags)
    assert status == 0
    assert '"dim": 128' in out and '"total_steps": 7' in out


@pytest.mark.parametrize("command", ["evaluate", "recommend"])
def test_a_folder_without_a_run_says_how_to_make_one(capsys, tmp_path, command):
    flags = ["--user=a"] if command == "recommend" else []
    status, _, err = call(capsys, command, str(tmp_path), *flags)
    assert status == 1
    assert f"mu {command}: {tmp_path} holds no run" in err and "mu train" in err
