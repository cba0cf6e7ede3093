"""Disks that are full or read-only: one line with the path and what to do, exit code 1, nothing half-written."""

import contextlib
import os
import shutil
import subprocess

import numpy as np
import pytest

from mu.cli import main
from tests.helpers.audio_files import write

pytestmark = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() != 0 or shutil.which("mount") is None, reason="mounts a small disk: root only"
)


@pytest.fixture
def disk(tmp_path):
    """Mounts a disk with these options; returns where."""
    place = tmp_path / "disk"
    place.mkdir()
    with contextlib.ExitStack() as stack:

        def mount(options):
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=False)
            if done.returncode:
                pytest.skip("nothing can be mounted here")
            stack.callback(subprocess.run, ["umount", place], check=True)
            return place

        yield mount


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    plays = (f"u{play % 599},t{play % 41},{1_500_000_000 + play}" for play in range(7000))
    (folder / "plays.csv").write_text("\n".join(["user,track,time", *plays]))
    for number in range(20):
        tone = 0.3 * np.sin(np.arange(800) / (5 + number))
        write(folder / "library" / f"{number:0200d}.wav", tone.astype(np.float32), 8000)
    return folder


COMMANDS = {
    "import": "import {inputs}/plays.csv --output={disk}/a/out",
    "import-audio": "import-audio {inputs}/library --output={disk}/a/out --workers=1",
    "world": "world --size=tiny --output={disk}/a/out",
}


@pytest.mark.parametrize(
    ("command", "size", "left"),
    # A disk of one page takes nothing; 144 KiB end in the import's temporary files, 200 KiB in an array that is mapped.
    [
        ("import", "4k", []),
        ("import", "144k", []),
        ("import", "200k", []),
        ("import-audio", "4k", ["a/out/scan.jsonl"]),
        ("world", "4k", []),
    ],
)
def test_a_full_disk(disk, inputs, capfd, command, size, left):
    place = disk(f"size={size}")
    assert main(COMMANDS[command].format(inputs=inputs, disk=place).split()) == 1
    out, err = capfd.readouterr()
    (line,) = err.splitlines()
    assert out == "" and line.startswith(f"mu {command}: {place}/a/") and "; free some space there" in line
    assert [str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()] == left


@pytest.mark.parametrize("command", [*COMMANDS, "quickstart"])
def test_a_disk_that_cannot_be_written(disk, inputs, capfd, command):
    place = disk("ro,size=16k")
    call = COMMANDS.get(command, "quickstart --workdir={disk}/a/out")
    assert main(call.format(inputs=inputs, disk=place).split()) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.startswith(f"mu {command}: {place}/a") and err.count("\n") == 1
    assert err.endswith(": Read-only file system; choose a folder that can be written\n")
