"""Importing a library: what is measured, what is wrong with which file, and that nothing stops or changes it."""

import contextlib
import dataclasses
import functools
import json
import operator
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import psutil
import pyloudnorm
import pytest
import soundfile

from mu.audio import io
from mu.data.clips import clips
from mu.data.clips.importing import folder_source, run, scan, sources, workers
from mu.data.clips.importing.faults import ORDER, faults_of
from mu.data.clips.importing.loudness import Loudness, k_weighting
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.data.clips.importing.scan import Facts
from mu.data.options import OptionError
from tests.helpers.audio_files import FORMATS, DyingFiles, cut, sound, write
from tests.helpers.processes import environment, run_python

ONE = AudioImportOptions(workers=1)
OWN = ["clip", "file", "content_hash", "duration_s", "sample_rate_hz", "channels", "peak", "loudness_lufs"]


@pytest.fixture
def here(monkeypatch):
    """The work of the workers in this process: the same calls, without a second's wait for each to start."""
    monkeypatch.setattr(workers, "run", lambda function, tasks, n, **_: ((task, function(task)) for task in tasks))


def ledger_of(folder):
    return [json.loads(line) for line in (folder / "faults.jsonl").read_text().splitlines()]


def contents(folder):
    """The result, byte by byte; the journal and the card's name for the source are no part of it."""
    return {name: (folder / name).read_bytes() for name in ("clips.parquet", "faults.jsonl")}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A folder with a good clip in each format and every fault a file can have."""
    root = tmp_path_factory.mktemp("library")
    for seed, (name, (_, _, rate)) in enumerate(FORMATS.items()):
        write(root / "good" / f"{name}.{name}", sound(0.6, rate, channels=1 + seed % 2, seed=seed), rate)
    x = sound(0.5, 16000, seed=9)
    (root / "bad").mkdir()
    (root / "bad" / "empty.wav").write_bytes(b"")
    (root / "bad" / "noise.mp3").write_bytes(b"not a frame " * 300)
    (root / "bad" / "music.m4a").write_bytes(b"\0\0\0\x20ftypM4A " * 20)
    write(root / "bad" / "nothing.wav", x[:0], 16000)
    cut(write(root / "bad" / "cut.flac", sound(2.0, 16000, seed=8), 16000), 0.5)
    cut(write(root / "bad" / "cut.ogg", sound(2.0, 16000, seed=8), 16000), 0.6)
    cut(write(root / "bad" / "cut.wav", sound(2.0, 16000, seed=8), 16000), 0.6)
    cut(write(root / "bad" / "cut.mp3", sound(2.0, 16000, seed=8), 16000), 0.6)
    write(root / "bad" / "silent.wav", 5e-5 * x, 16000, subtype="FLOAT")
    write(root / "bad" / "nan.wav", np.where(np.arange(len(x))[:, None] == 5, np.nan, x), 16000, subtype="FLOAT")
    write(root / "odd" / "clipped.wav", np.clip(9 * x, -1, 1), 16000)
    write(root / "odd" / "offset.wav", x + 0.03, 16000)
    write(root / "odd" / "flac.wav", x, 16000, format="FLAC")
    (root / "twice.wav").write_bytes((root / "good" / "wav.wav").read_bytes())
    (root / "cover.jpg").write_bytes(b"jpg")
    (root / "good" / "._wav.wav").write_bytes(b"what one system leaves on another's disk")
    return root


@pytest.fixture(scope="module")
def imported(library, tmp_path_factory):
    folder = tmp_path_factory.mktemp("imported") / "out"
    seen = []
    card = import_audio(str(library), folder, AudioImportOptions(workers=2), progress=lambda *args: seen.append(args))
    return folder, card, seen


def test_good_clips_are_measured(library, imported):
    folder, card, _ = imported
    clips = pl.read_parquet(folder / "clips.parquet")
    assert clips.columns == [*OWN, "label"]
    assert clips["clip"].to_list() == sorted(
        [f"good/{name}.{name}" for name in FORMATS] + ["odd/clipped.wav", "odd/flac.wav", "odd/offset.wav"]
    )
    assert clips["file"].to_list() == clips["clip"].to_list()
    assert set(clips["label"]) == {"good", "odd"}
    for row in clips.iter_rows(named=True):
        x, rate = io.read(library / row["file"], mono=False)
        assert (row["channels"], row["sample_rate_hz"]) == (len(x), rate)
        assert row["duration_s"] == x.shape[1] / rate and row["peak"] == np.abs(x).max()
        assert row["content_hash"] == scan.hash_file(str(library / row["file"]))
        meter = pyloudnorm.Meter(rate, filter_class="DeMan")  # the filters of the standard, exactly
        assert row["loudness_lufs"] == pytest.approx(meter.integrated_loudness(x.T.astype(float)), abs=0.1)
    assert card["clips"] == len(clips) and card["root"] == str(library)
    assert (folder / card["root_from_here"] / clips["file"][0]).is_file()
    assert card == json.loads((folder / "card.json").read_text(), object_hook=_with_tuples)
    assert sorted(path.name for path in folder.iterdir()) == [
        ".import.lock",
        "card.json",
        "clips.parquet",
        "faults.jsonl",
        "scan.jsonl",
    ]


def _with_tuples(value):
    return {key: tuple(one) if key in ("keep", "drop") else one for key, one in value.items()}


def test_every_fault_is_in_the_ledger(imported):
    folder, card, _ = imported
    entries = ledger_of(folder)
    assert entries == sorted(entries, key=lambda entry: (entry["file"], ORDER.index(entry["fault"])))
    found = {(entry["file"], entry["fault"]): entry["done"] for entry in entries}
    assert found == {
        ("bad/cut.flac", "truncated"): "left out",
        ("bad/cut.mp3", "truncated"): "left out",
        ("bad/cut.ogg", "truncated"): "left out",
        ("bad/cut.wav", "truncated"): "left out",
        ("bad/empty.wav", "zero_length"): "left out",
        ("bad/music.m4a", "undecodable"): "left out",
        ("bad/nan.wav", "not_finite"): "left out",
        ("bad/noise.mp3", "undecodable"): "left out",
        ("bad/nothing.wav", "zero_length"): "left out",
        ("bad/silent.wav", "silent"): "left out",
        ("odd/clipped.wav", "clipped"): "kept",
        ("odd/flac.wav", "wrong_extension"): "kept",
        ("odd/offset.wav", "dc_offset"): "kept",
        ("twice.wav", "duplicate"): "left out",
    }
    reasons = {entry["file"]: entry["reason"] for entry in entries}
    assert reasons["twice.wav"] == "the same bytes as good/wav.wav"
    assert "s of 2.00 s can be decoded" in reasons["bad/cut.mp3"] and "s of 2.00 s" in reasons["bad/cut.flac"]
    assert "64,000 bytes" in reasons["bad/cut.wav"] and "Ogg page" in reasons["bad/cut.ogg"]
    assert reasons["odd/flac.wav"] == "it is FLAC (PCM_16), not wav"
    assert card["faults"]["truncated"] == {"left out": 4} and card["faults"]["clipped"] == {"kept": 1}
    assert card["ignored_files"] == {".jpg": 1, ".wav": 1} and card["listed"] == 19


def test_progress_counts_every_clip(imported):
    _, _, seen = imported
    assert [one[1:3] for one in seen] == [(done, 19) for done in range(20)]
    assert seen[-1][3] == "13 with faults"  # a duplicate shows at the end only


def test_workers_and_repeats_change_nothing(library, imported, tmp_path):
    folder, _, _ = imported
    import_audio(str(library), tmp_path / "out", ONE)
    assert contents(tmp_path / "out") == contents(folder)
    seen = []
    import_audio(str(library), tmp_path / "out", ONE, progress=lambda *args: seen.append(args))
    assert seen == [("scanning", 19, 19, "")] and contents(tmp_path / "out") == contents(folder)


def test_options_judge_what_was_measured(library, imported, tmp_path, here):
    """Nothing is scanned again for another threshold."""
    folder, _, _ = imported
    out = tmp_path / "out"
    out.mkdir()
    (out / "scan.jsonl").write_bytes((folder / "scan.jsonl").read_bytes())
    seen = []
    options = AudioImportOptions(
        keep=("silent", "duplicate", "truncated"), drop=("clipped",), silent_dbfs=-100, workers=1
    )
    card = import_audio(str(library), out, options, progress=lambda *args: seen.append(args))
    assert len(seen) == 1
    assert "silent" not in card["faults"] and card["faults"]["clipped"] == {"left out": 1}
    clips = pl.read_parquet(out / "clips.parquet")
    assert {"bad/silent.wav", "bad/cut.flac", "twice.wav"} <= set(clips["clip"])
    assert "odd/clipped.wav" not in clips["clip"]
    part = clips.filter(clip="bad/cut.flac").row(0, named=True)
    assert 0.2 < part["duration_s"] < 1.5
    frames = round(part["duration_s"] * 16000)
    assert sum(map(len, io.blocks(library / part["file"], frames=frames))) == frames


def test_new_changed_and_removed_files(tmp_path, here):
    root, out = tmp_path / "root", tmp_path / "out"
    for name in "abc":
        write(root / f"{name}.wav", sound(0.1, 8000, seed=ord(name)), 8000)
    import_audio(str(root), out, ONE)
    first = pl.read_parquet(out / "clips.parquet")
    write(root / "b.wav", sound(0.2, 8000, seed=7), 8000)
    write(root / "d.wav", sound(0.1, 8000, seed=8), 8000)
    (root / "a.wav").unlink()
    seen = []
    import_audio(str(root), out, ONE, progress=lambda *args: seen.append(args[1:3]))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    clips = pl.read_parquet(out / "clips.parquet")
    assert clips["clip"].to_list() == ["b.wav", "c.wav", "d.wav"] and clips["label"].to_list() == [None] * 3
    assert clips.row(1) == first.row(2) and clips["duration_s"].to_list() == [0.2, 0.1, 0.1]


def test_a_table_of_files(tmp_path, here):
    for name in ("1", "2", "3"):
        write(tmp_path / "sound" / f"{name}.flac", sound(0.1, 8000, seed=int(name)), 8000)
    table = pl.DataFrame(
        {
            "path": ["sound/3.flac", "./sound/1.flac", None, "sound/gone.flac", str(tmp_path / "sound" / "2.flac")],
            " label": ["x", "y", "x", "x", None],
            "fold": [1, 2, 3, 4, 5],
        }
    )
    table.write_csv(tmp_path / "meta.csv")
    table.write_csv(tmp_path / "meta.tsv", separator="\t")
    table.write_parquet(tmp_path / "meta.parquet")
    tables = []
    for extension in ("csv", "tsv", "parquet"):
        out = tmp_path / extension
        card = import_audio(str(tmp_path / f"meta.{extension}"), out, AudioImportOptions(file_column="path", workers=1))
        tables.append(contents(out)["clips.parquet"])
        assert card["attributes"] == ["label", "fold"] and card["faults"] == {"missing": {"left out": 2}}
        assert {entry["file"] for entry in ledger_of(out)} == {"sound/gone.flac", f"row 3 of meta.{extension}"}
    assert tables[0] == tables[1] == tables[2]
    clips = pl.read_parquet(out / "clips.parquet")
    assert clips.select("clip", "label", "fold").rows() == [
        ("sound/1.flac", "y", 2),
        ("sound/2.flac", None, 5),
        ("sound/3.flac", "x", 1),
    ]
    options = AudioImportOptions(file_column="path", workers=1, on_error="stop")
    with pytest.raises(ValueError, match=r"missing \(.*\)\. Mend or remove the file"):
        import_audio(str(tmp_path / "meta.csv"), tmp_path / "csv", options)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ("file,label\na.wav,x\n./a.wav,y\n", {}, r"rows 1 and 2 of .*meta.csv both name a.wav"),
        ("filename,label\na.wav,x\n", {}, r"no column 'file' \(did you mean 'filename'\?\); say --file_column"),
        ("file,peak\na.wav,x\n", {}, "has a column 'peak', and so has the table of clips"),
        ("file\n../a.wav\n", {}, "row 1 of .* is not below .*; say --root=DIR"),
        ("file\nb.wav\n", {}, r"none of the files in .*meta.csv lies below .* \(the first is 'b.wav'\); say --root"),
        ("file,label\n", {}, "names no file"),
        ("file\na.wav\n", {"root": "nowhere"}, "--root=nowhere: there is no such folder"),
        ("file\na.wav\n", {"data_dir": "x"}, "--data_dir means nothing for .*meta.csv, a table"),
        ("file\na.wav,1,2\nb", {}, "meta.csv cannot be read"),
        ("file,x, x\na.wav,1,2\n", {}, "has columns 'x' and ' x', which differ by blanks only; rename one"),
    ],
)
def test_tables_that_make_no_sense(tmp_path, rows, options, message, here):
    write(tmp_path / "a.wav", sound(0.1, 8000), 8000)
    (tmp_path / "meta.csv").write_text(rows)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        import_audio(str(tmp_path / "meta.csv"), tmp_path / "out", AudioImportOptions(**options))
    assert not (tmp_path / "out").exists()


OF_ANOTHER_PACKAGE = """
import polars as pl
from mu.data.clips.importing.source import files_source

def find(name, root="."):
    table = pl.read_ndjson(name)
    files = table["where"].to_list()
    return files_source(table.drop("where"), files, root=root, name=name, identity=f"lines {name}")
"""


def test_a_source_of_another_package(tmp_path, monkeypatch, here):
    (tmp_path / "line_source.py").write_text(OF_ANOTHER_PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path / "a.wav", sound(0.1, 8000), 8000)
    (tmp_path / "clips.lines").write_text('{"where": "a.wav", "mood": "glad"}\n')
    options = {"source": "line_source:find", "workers": 1}
    out = tmp_path / "out"
    import_audio(str(tmp_path / "clips.lines"), out, AudioImportOptions(**options, root=str(tmp_path)))
    assert pl.read_parquet(out / "clips.parquet").select("clip", "mood").rows() == [("a.wav", "glad")]
    with pytest.raises(OptionError, match=r"--data_dir means nothing for .*clips\.lines, line_source:find"):
        import_audio(str(tmp_path / "clips.lines"), out, AudioImportOptions(**options, data_dir="x"))
    with pytest.raises(OptionError, match=r"--source='line_source:fund': line_source has no 'fund'"):
        import_audio("x", out, AudioImportOptions(source="line_source:fund"))


def test_sources_and_outputs_that_make_no_sense(tmp_path, here):
    root = tmp_path / "root"
    with pytest.raises(FileNotFoundError, match=r"there is no folder or table .*root"):
        import_audio(str(root), tmp_path / "out")
    (root / "docs").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"there is no audio below .*root \(it is empty\); audio is .wav"):
        import_audio(str(root), tmp_path / "out")
    (root / "docs" / "a.txt").write_text("a")
    with pytest.raises(ValueError, match=r"no audio below .*root \(1 .txt\)"):
        import_audio(str(root), tmp_path / "out")
    with pytest.raises(ValueError, match=r"a table ends in .csv, .tsv, .parquet"):
        import_audio(str(root / "docs" / "a.txt"), tmp_path / "out")
    write(root / "a.wav", sound(0.1, 8000), 8000)
    for inside in (root, root / "out", root / ".." / "root" / "x"):
        with pytest.raises((ValueError, FileExistsError), match=r"lies inside|something else"):
            import_audio(str(root), inside)
    assert not (root / "out").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="is not a folder"):
        import_audio(str(root), tmp_path / "file")
    with pytest.raises(FileExistsError, match="holds something else than an import of audio"):
        import_audio(str(root), root.parent)
    with pytest.raises(ValueError, match=r"--root means nothing for .*, a folder"):
        import_audio(str(root), tmp_path / "out", AudioImportOptions(root="x"))
    import_audio(str(root), tmp_path / "out", ONE)
    write(tmp_path / "other" / "a.wav", sound(0.1, 8000), 8000)
    with pytest.raises(FileExistsError, match=r"import of another source \(folder .*root\); choose another --output"):
        import_audio(str(tmp_path / "other"), tmp_path / "out")
    (tmp_path / "mine").mkdir()
    for mine in ("my own notes\n", "without an end", '{"notes": 1}\n', "[1]\n", "{}\n"):
        (tmp_path / "mine" / "scan.jsonl").write_text(mine)
        with pytest.raises(FileExistsError, match=r"scan.jsonl is no journal of an import"):
            import_audio(str(root), tmp_path / "mine")
        assert (tmp_path / "mine" / "scan.jsonl").read_text() == mine
    with (
        run.Journal(tmp_path / "out", f"folder {root}", {}),
        pytest.raises(FileExistsError, match="is being written by another process"),
    ):
        import_audio(str(root), tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": ("silence",)}, "--keep=silence: there is no such fault; there are missing"),
        ({"drop": ("loud",)}, "--drop=loud: there is no such fault"),
        ({"keep": ("undecodable",)}, "there is no sound to keep"),
        ({"keep": ("silent",), "drop": ("silent",)}, "both name silent"),
        ({"on_error": "go"}, "on_error"),
        ({"workers": 0}, "workers is 0"),
        ({"silent_dbfs": 3.0}, "silent_dbfs is 3.0"),
        ({"store_rate_hz": 0}, "store_rate_hz is 0"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(ValueError, match=message):
        AudioImportOptions(**options)


def test_no_good_clip_is_an_error(tmp_path, here):
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "a.wav").write_bytes(b"")
    (tmp_path / "root" / "b.wav").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"no clip of .* is good: 1 undecodable, 1 zero_length. The first: a.wav"):
        import_audio(str(tmp_path / "root"), tmp_path / "out", ONE)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".import.lock", "scan.jsonl"]


def test_stop_names_the_file_and_keeps_what_is_known(library, tmp_path, here):
    with pytest.raises(ValueError, match=r"bad/cut.flac: truncated \(.* s of 2.00 s can be decoded"):
        import_audio(str(library), tmp_path / "out", AudioImportOptions(workers=1, on_error="stop"))
    assert "bad/cut.flac" in (tmp_path / "out" / "scan.jsonl").read_text()
    with pytest.raises(ValueError, match=r"bad/cut.flac: truncated"):  # known, and still bad
        import_audio(str(library), tmp_path / "out", AudioImportOptions(workers=1, on_error="stop"))


def test_stop_at_a_duplicate(tmp_path, here):
    x = sound(0.1, 8000)
    for name in ("a", "b"):
        write(tmp_path / "root" / f"{name}.wav", x, 8000)
    with pytest.raises(ValueError, match=r"b.wav: duplicate \(the same bytes as a.wav\)"):
        import_audio(str(tmp_path / "root"), tmp_path / "out", AudioImportOptions(workers=1, on_error="stop"))


def test_names_that_no_table_can_hold(tmp_path, here):
    root = tmp_path / "root"
    write(root / "é 音.wav", sound(0.1, 8000), 8000)
    os.symlink(root / "nowhere.wav", root / "link.wav")
    os.symlink(root, root / "again")  # a folder that holds itself
    os.symlink("loop.wav", root / "loop.wav")
    try:
        os.rename(write(root / "x.wav", sound(0.1, 8000), 8000), os.fsencode(root) + b"/\xff.wav")
    except OSError:
        pytest.skip("this file system has no such names")
    import_audio(str(root), tmp_path / "out", ONE)
    assert pl.read_parquet(tmp_path / "out" / "clips.parquet")["clip"].to_list() == ["é 音.wav"]
    assert [(entry["file"], entry["fault"]) for entry in ledger_of(tmp_path / "out")] == [
        ("\\xff.wav", "undecodable"),
        ("link.wav", "missing"),
        ("loop.wav", "undecodable"),
    ]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_folder_has_its_real_name_in_whatever_order_it_is_listed(tmp_path, monkeypatch, backwards):
    root = tmp_path / "root"
    write(root / "real" / "deep" / "a.wav", sound(0.1, 8000), 8000)
    write(tmp_path / "outside" / "b.wav", sound(0.1, 8000), 8000)
    for link, target in (("a link", "real"), ("0", "real/deep"), ("x", "../outside"), ("w", "../outside")):
        os.symlink(target, root / link)
    scandir = os.scandir

    @contextlib.contextmanager
    def listed(folder):
        with scandir(folder) as entries:
            yield sorted(entries, key=lambda entry: entry.name, reverse=backwards)

    monkeypatch.setattr(folder_source.os, "scandir", listed)
    found = folder_source.find(str(root)).attributes
    assert found.rows() == [("real/deep/a.wav", "real"), ("w/b.wav", "w")]


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

    def flaky(function, tasks, n):
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


def test_the_audio_is_found_through_links(tmp_path, here):
    write(tmp_path / "root" / "a.wav", sound(0.1, 8000), 8000)
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    os.symlink(tmp_path / "deep" / "deeper", tmp_path / "link")
    import_audio(str(tmp_path / "root"), tmp_path / "link" / "out", ONE)
    card = json.loads((tmp_path / "link" / "out" / "card.json").read_text())
    assert card["root_from_here"] == "../../../root"
    assert len(clips.load(tmp_path / "link" / "out", sample_rate_hz=8000).waveform(0)) == 800


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


# Faults and measures by themselves.


def test_thresholds_of_faults():
    def found(**facts):
        good = {"container": "WAV", "codec": "PCM_16", "sample_rate_hz": 8000, "channels": 1, "peak": 0.5}
        good |= {"frames": 8000, "promised_frames": 8000, "clip": "a.wav"}
        return [fault for fault, _ in faults_of(Facts(**good | facts))]

    assert found() == []
    assert found(peak=1e-4) == ["silent"] and found(peak=1.01e-4) == []
    assert found(full_scale_share=1.1e-3) == ["clipped"] and found(full_scale_share=1e-3) == []
    assert found(dc_offset=0.011) == ["dc_offset"] and found(dc_offset=0.01) == []
    assert found(frames=7999) == ["truncated"]
    mp3 = {"container": "MP3", "clip": "a.mp3"}
    assert found(**mp3, frames=8000 - 2304) == [] and found(**mp3, frames=8000 - 2305) == ["truncated"]
    assert found(clip="a.MP3") == ["wrong_extension"] and found(clip="a") == [] and found(clip="a.WAV") == []
    assert found(container="OGG", codec="VORBIS", clip="a.opus") == ["wrong_extension"]
    assert found(frames=0, promised_frames=0) == ["zero_length"] and found(frames=0) == ["truncated"]
    assert found(finite=False, stopped="gave up") == ["truncated", "not_finite"]


@pytest.mark.parametrize("name", FORMATS)
def test_any_damage_is_a_fault_and_no_exception(tmp_path, name):
    whole = write(tmp_path / f"a.{name}", sound(0.3, FORMATS[name][2]), FORMATS[name][2]).read_bytes()
    rng = np.random.default_rng(0)
    for seed in range(12):
        content = bytearray(whole[: rng.integers(1, len(whole))] if seed % 2 else whole)
        for at in rng.integers(0, len(content), 1 + 5 * seed):
            content[at] = rng.integers(256)
        (tmp_path / f"b.{name}").write_bytes(content)
        facts = scan.scan_file(str(tmp_path), f"b.{name}")
        assert facts.error or facts.frames or faults_of(facts)


def loudness(x, rate, block=1 << 16):
    meter = Loudness(rate, len(x))
    for start in range(0, x.shape[1], block):
        meter.add(x[:, start : start + block])
    return meter.lufs()


def test_loudness_known_answers():
    """The standard's own: coefficients at 48 kHz; a sine of 997 Hz at full scale in one channel is at -3.01 LUFS."""
    np.testing.assert_allclose(
        k_weighting(48000),
        [
            [1.53512485958697, -2.69169618940638, 1.19839281085285, 1, -1.69065929318241, 0.73248077421585],
            [1, -2, 1, 1, -1.99004745483398, 0.99007225036621],
        ],
        rtol=0,
        atol=1e-12,
    )
    sine = np.sin(2 * np.pi * 997 * np.arange(48000 * 5) / 48000)
    assert loudness(sine[None], 48000) == pytest.approx(-3.01, abs=0.01)
    assert loudness(np.stack([sine, sine]), 48000) == pytest.approx(0.0, abs=0.01)
    assert loudness(np.stack([0 * sine] * 3 + [sine] + [0 * sine] * 2), 48000) is None  # low frequencies do not count
    # Gating: silence and quiet passages do not lower it.
    with_pause = np.concatenate([sine, np.zeros(48000 * 20), 0.01 * sine])
    assert loudness(with_pause[None], 48000) == pytest.approx(-3.01, abs=0.2)
    assert loudness(np.zeros((1, 48000)), 48000) is None
    assert loudness(sine[None, :19199], 48000) is None and loudness(sine[None, :19200], 48000) is not None
    assert loudness(np.zeros((4, 48000)), 48000) is None and loudness(np.ones((1, 9000)), 2000) is None


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (11025, 2), (22050, 2), (44100, 5), (96000, 1)])
def test_loudness_beside_pyloudnorm(rate, channels):
    rng = np.random.default_rng(rate)
    x = 0.1 * rng.standard_normal((channels, 6 * rate)) * np.repeat([1.0, 0.02, 0.5], 2 * rate)
    ours = loudness(x, rate)
    exact = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(x.T)
    assert ours == pytest.approx(exact, abs=0.01)
    if rate >= 22050:  # its default filters are near those of the standard at high rates only
        assert ours == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(x.T), abs=0.1)
    assert loudness(x, rate, block=997) == pytest.approx(ours, abs=1e-9)


def test_a_long_file_takes_little_memory(tmp_path):
    """Four minutes of two channels are 85 MB as float32; the process may grow by a quarter of that."""
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 44100, 2, format="WAV", subtype="PCM_16") as file:
        for seed in range(4):
            file.write(np.repeat(sound(1.0, 44100, 2, seed), 60, axis=0))
    grown = run_python(
        "import sys, resource\nfrom mu.data.clips.importing.scan import scan_file\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "scan_file(sys.argv[1], sys.argv[2])\nbefore = peak()\n"
        "facts = scan_file(sys.argv[1], sys.argv[3])\nprint((peak() - before) / 1024, facts.frames)",
        tmp_path,
        write(tmp_path / "short.wav", sound(5.0, 44100, 2), 44100).name,
        path.name,
    ).split()
    assert int(grown[1]) == 240 * 44100 and float(grown[0]) < 21
