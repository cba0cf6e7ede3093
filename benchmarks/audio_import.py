"""How fast a library of sound is scanned, and that memory does not grow with it: 10,000 clips.

    python benchmarks/audio_import.py [--clips=10000] [--workers=N] [--json=FILE]

The library is made here (seeded): clips of 1 s, 22,050 Hz, mono, no two files alike; four in ten WAV, four FLAC, two
MP3 (those are 100 recordings under 2,000 tags: encoding takes longest). `mu import-audio` runs in a process of its own;
whenever it has done another twentieth, the resident memory of that process and of its workers is read. Beside it a
plain loop in one process: soundfile reads each file and its peak is taken, nothing else (no loudness, no hash, no
journal, no survival of bad files). Both read from the page cache.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

SECONDS, RATE = 1, 22050
MP3_RECORDINGS = 100
FORMATS = ("wav", "flac", "wav", "flac", "mp3")
SUBTYPES = {"wav": "PCM_16", "flac": "PCM_16", "mp3": "MPEG_LAYER_III"}
CHILD = """
import json, sys, time
if __name__ == "__main__":
    from mu.data.clips.importing.options import AudioImportOptions
    from mu.data.clips.importing.run import import_audio
    began = time.perf_counter()
    def progress(stage, done, total, note):
        if done % max(total // 20, 1) == 0:
            print(json.dumps([done, time.perf_counter() - began]), flush=True)
            sys.stdin.readline()  # until the memory has been read
    import_audio(sys.argv[1], sys.argv[2], AudioImportOptions(workers=int(sys.argv[3]) or None), progress=progress)
    print(json.dumps([-1, time.perf_counter() - began]), flush=True)
"""


def make_library(folder: Path, clips: int, seed: int) -> None:
    """Chords with noise, each at a place and level of its own in one long recording."""
    rng = np.random.default_rng(seed)
    n = SECONDS * RATE
    t = np.arange(40 * n) / RATE
    long = sum(np.sin(2 * np.pi * hz * t + 3 * np.sin(0.2 * hz * t / 50)) for hz in (196, 247, 294, 392)) / 8
    long += 0.02 * rng.standard_normal(len(t))
    encoded: list[bytes] = []
    for number in range(clips):
        extension = FORMATS[number % len(FORMATS)]
        start, level = rng.integers(0, len(long) - n), rng.uniform(0.2, 0.9)
        path = folder / f"{number % 20:02d}" / f"{number:06d}.{extension}"
        path.parent.mkdir(exist_ok=True)
        if extension != "mp3" or len(encoded) < MP3_RECORDINGS:
            soundfile.write(path, level * long[start : start + n], RATE, subtype=SUBTYPES[extension])
        if extension == "mp3":
            encoded += [path.read_bytes()] if len(encoded) < MP3_RECORDINGS else []
            path.write_bytes(encoded[number % len(encoded)] + f"TAG{number:030d}".encode().ljust(128, b"\0"))


def plain_loop(folder: Path) -> float:
    """Seconds in which soundfile reads every file, and NumPy takes its peak."""
    began = time.perf_counter()
    for path in sorted(folder.rglob("*.*")):
        x, _ = soundfile.read(path, dtype="float32")
        np.abs(x).max()
    return time.perf_counter() - began


def measure(folder: Path, output: Path, workers: int) -> list[dict[str, Any]]:
    """The import's progress: clips done, seconds, MB of the parent and of its workers together."""
    script = output.parent / "child.py"
    script.write_text(CHILD)
    command = [sys.executable, str(script), str(folder), str(output), str(workers)]
    rows = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None
        process = psutil.Process(child.pid)
        for line in child.stdout:
            done, seconds = json.loads(line)
            mine = [one for one in process.children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]
            memory = [one.memory_info().rss / 1e6 for one in (process, *mine)]
            rows.append({"clips": done, "s": seconds, "parent_mb": memory[0], "workers_mb": memory[1:]})
            child.stdin.write("\n")
            child.stdin.flush()
    if child.returncode:
        raise RuntimeError("the import failed")
    return rows


def main() -> None:
    """Prints the curve and the ratio; with --json=FILE also writes all numbers."""
    parser = argparse.ArgumentParser(description="Clips per second and memory of an import of audio.")
    parser.add_argument("--clips", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=0, help="default: one each processor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", metavar="FILE")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mu-audio-") as name:
        folder = Path(name) / "library"
        folder.mkdir()
        make_library(folder, flags.clips, flags.seed)
        loop_s = plain_loop(folder)
        rows = measure(folder, Path(name) / "out", flags.workers)
    end, curve = rows[-1], [row for row in rows if row["clips"] >= 0]
    print("   clips      s   parent MB   workers MB")
    for row in curve:
        workers = " ".join(f"{mb:5.0f}" for mb in row["workers_mb"])
        print(f"{row['clips']:>8,} {row['s']:6.1f}   {row['parent_mb']:9.0f}   {workers}")
    # From a tenth on everything is imported and every worker has seen each format.
    steady = [row["parent_mb"] + sum(row["workers_mb"]) for row in curve if row["clips"] >= flags.clips // 10]
    speed, sound = flags.clips / end["s"], flags.clips * SECONDS
    print(f"memory of all processes, from a tenth of the clips to the end: {steady[0]:.0f} to {steady[-1]:.0f} MB")
    print(f"{end['s']:.1f} s in all: {speed:,.0f} clips/s, {sound / end['s']:,.0f} s of sound a second")
    print(f"plain soundfile loop: {flags.clips / loop_s:,.0f} clips/s; the import is {loop_s / end['s']:.2f} x that")
    if flags.json:
        Path(flags.json).write_text(json.dumps({"clips": flags.clips, "loop_s": loop_s, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
