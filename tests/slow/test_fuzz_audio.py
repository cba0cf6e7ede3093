"""Mutated files of sound: three readers that agree, and a scan that puts each file in one place."""

import os
import random

import numpy as np
import polars as pl
import pytest

from mu.audio import io
from mu.audio.files import AudioError
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from tests.conftest import resident_bytes
from tests.helpers.audio_files import FORMATS, sound, write
from tests.helpers.audio_imports import ledger_of
from tests.helpers.mutations import BYTES, mutated
from tests.helpers.trials import seeds, trial

pytestmark = pytest.mark.slow
GROWTH_BYTES = 800 << 20
N = 60
OPTIONS = AudioImportOptions(workers=1, timeout_s=20)


def good(folder, extension):
    """Three tenths of a second of sound in one channel, and as much in two."""
    rate = FORMATS[extension][2]
    return [
        write(folder / f"{channels}.{extension}", sound(0.3, rate, channels), rate).read_bytes() for channels in (1, 2)
    ]


def outcome(function, *arguments, **options):
    """(what it returns, None) or (None, the reason of its AudioError)."""
    try:
        return function(*arguments, **options), None
    except AudioError as error:
        return None, error.reason


def check_readers(path, generator):
    """`probe`, `read`, `blocks` and a part of the file say the same, or refuse it for the same reason."""
    header, no_header = outcome(io.probe, path)
    whole, unread = outcome(io.read, path, mono=False)
    frames = generator.choice([700, 4096])
    pieces, broken = outcome(lambda: list(io.blocks(path, mono=False, block_frames=frames)))
    assert (whole is None) == (pieces is None), f"read: {unread}; blocks: {broken}"
    if header is None:
        assert unread == broken == no_header
        return False
    if whole is None:
        assert unread == broken
        return False
    x, rate = whole
    assert rate == header.sample_rate_hz and x.shape[0] == header.channels and x.shape[1] <= header.frames
    joined = np.concatenate(pieces, axis=1) if pieces else np.zeros((header.channels, 0), np.float32)
    np.testing.assert_array_equal(joined, x)
    seconds = x.shape[1] / rate
    if seconds > 0.01:
        start_s = generator.uniform(0, seconds * 0.9)
        piece, _ = outcome(io.read, path, start_s=start_s, duration_s=0.05)
        assert piece is None or len(piece[0]) <= round((start_s + 0.05) * rate) - round(start_s * rate)
    return True


@pytest.mark.parametrize("extension", FORMATS)
def test_readers_and_scan(tmp_path, extension):
    library, sources, memory, n_read = tmp_path / "library", good(tmp_path, extension), resident_bytes(), 0
    library.mkdir()
    paths = {seed: library / f"{seed:04}.{extension}" for seed in seeds(N)}
    for seed, path in paths.items():
        generator = random.Random(f"{extension} {seed}")
        path.write_bytes(mutated(generator.choice(sources), generator, BYTES))
    (library / f"00.{extension}").write_bytes(sources[0])  # the first: another of the same bytes is the duplicate
    import_audio(str(library), tmp_path / "out", OPTIONS)
    clips = pl.read_parquet(tmp_path / "out" / "clips.parquet")["file"].to_list()
    ledger = ledger_of(tmp_path / "out")
    assert f"00.{extension}" in clips
    left_out = {entry["file"] for entry in ledger if entry["done"] == "left out"}
    ended = {entry["file"]: entry["reason"] for entry in ledger if "process" in entry["reason"]}
    for seed, path in paths.items():
        with trial(seed, path):
            assert (clips.count(path.name) == 1) != (path.name in left_out), "neither or both in clips and ledger"
            assert path.name not in ended, ended[path.name]
            n_read += check_readers(path, random.Random(seed))
    assert n_read or len(paths) < 20
    assert resident_bytes() - memory < GROWTH_BYTES


@pytest.mark.skipif(os.name == "nt", reason="pipes and links of POSIX")
def test_what_is_no_file(tmp_path):
    """Pipes, links to devices and to nothing, folders with the name of a file, and side-cars: no scan waits."""
    library = tmp_path / "library"
    write(library / "good.wav", sound(0.3, 44100), 44100)
    os.mkfifo(library / "pipe.wav")
    (library / "zero.wav").symlink_to("/dev/zero")
    (library / "gone.wav").symlink_to(library / "nothing")
    (library / "loop.wav").symlink_to(library / "loop.wav")
    (library / "folder.wav").mkdir()
    (library / "._good.wav").write_bytes(b"\0\5\x16\7" + b"\0" * 100)
    (library / "empty.wav").write_bytes(b"")
    names = sorted(path.name for path in library.iterdir())
    (tmp_path / "table.csv").write_text("file\n" + "".join(f"library/{name}\n" for name in names))
    for seed, source in enumerate((library, tmp_path / "table.csv")):
        with trial(seed, limit_s=90):
            import_audio(str(source), tmp_path / f"out{seed}", OPTIONS)
        clips = pl.read_parquet(tmp_path / f"out{seed}" / "clips.parquet")["file"].to_list()
        assert [name.rpartition("/")[2] for name in clips] == ["good.wav"]
        named = [entry["file"].rpartition("/")[2] for entry in ledger_of(tmp_path / f"out{seed}")]
        assert len(named) == len(set(named)) and set(named) <= set(names)
        if seed:
            assert set(named) == set(names) - {"good.wav"}
        for name in names:
            if name not in ("good.wav", "folder.wav"):
                with trial(seed), pytest.raises(AudioError):
                    io.read(library / name)
