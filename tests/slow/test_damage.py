"""The commands on damaged folders: exit status 1 or 2, three lines at the most, and the file by its name."""

import contextlib
import io
import shutil

import numpy as np
import pytest

from mu.cli import main
from mu.data.clips.clips import load as load_clips
from tests.helpers.damage import KINDS, check_all, damaged, files_below
from tests.helpers.embeddings import imported
from tests.helpers.tiny_runs import tiny_config, train, write_log

pytestmark = pytest.mark.slow
UNREAD = ("metrics.jsonl", "table.txt", "commit_success.txt")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A log, a run on it, and the same run again to compare with."""
    folder = tmp_path_factory.mktemp("slow")
    log = write_log(folder)
    train(tiny_config(log, total_steps=6), folder / "run")
    shutil.copytree(folder / "run", folder / "other")
    return folder


def called(*words):
    """(status, standard output, standard error) of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(word) for word in words])
    return status, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    ("below", "words"),
    [
        ("log", ("recommend", "{run}", "--user=u3")),
        ("run", ("recommend", "{run}", "--history=t1,t2")),
        ("run/checkpoints", ("evaluate", "{run}", "--output={run}/again")),
        ("run/evaluation", ("compare", "{run}", "{folder}/other")),
    ],
    ids=["a log", "a run", "its checkpoints", "its evaluation"],
)
def test_commands(places, below, words):
    words = [word.format(run=places / "run", folder=places) for word in words]
    good, files = called(*words), files_below(places / below, *UNREAD)
    assert good[0] == 0, good
    refused = 0
    for path in files:
        for kind in KINDS:
            with damaged(path, kind, files) as differs:
                if not differs:
                    continue
                status, out, err = called(*words)
                if status == 0:  # a file that this command does not read
                    assert out == good[1], f"{kind} {path}: other numbers in silence"
                    continue
                refused += 1
                lines = [line for line in err.splitlines() if line.startswith(f"mu {words[0]}:")]
                assert status in (1, 2) and len(lines) == 1 and path.name in lines[0], f"{kind} {path}: {err}"
    assert refused > 8
    assert called(*words)[:2] == good[:2]


def test_a_library_and_its_store(tmp_path):
    folder = imported(tmp_path, {"a": 1.0, "b": 40.0, "c": 2.0}, store=True, store_rate_hz=16_000)

    def use(place):
        clips = load_clips(place, sample_rate_hz=16_000)
        return [float(np.abs(clips.waveform(row)).sum()) for row in range(len(clips))]

    assert check_all(folder, use, unread=("faults.jsonl", "scan.jsonl", "key", ".import.lock")) > 20
