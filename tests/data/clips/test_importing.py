"""Importing a library: what is measured, what is wrong with which file, and that nothing stops or changes it."""

import json

import numpy as np
import polars as pl
import pyloudnorm
import pytest

from mu.audio import io
from mu.data.clips.importing import scan
from mu.data.clips.importing.faults import ORDER
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from tests.helpers.audio_files import FORMATS, cut, sound, write
from tests.helpers.audio_imports import ONE, contents, ledger_of

OWN = ["clip", "file", "content_hash", "duration_s", "sample_rate_hz", "channels", "peak", "loudness_lufs"]


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
    saved = json.loads((folder / "card.json").read_text(), object_hook=_with_tuples)
    assert len(saved.pop("sha256")) == 64 and card == saved
    assert sorted(path.name for path in folder.iterdir()) == [
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
    assert "frames of MP3, there are" in reasons["bad/cut.mp3"]
    assert "the header says 32,000 samples, there are" in reasons["bad/cut.flac"]
    assert "64,000 bytes" in reasons["bad/cut.wav"] and "Ogg page" in reasons["bad/cut.ogg"]
    assert reasons["odd/flac.wav"] == "it is FLAC (PCM_16), not wav"
    assert card["faults"]["truncated"] == {"left out": 4} and card["faults"]["clipped"] == {"kept": 1}
    assert card["ignored_files"] == {"._* (macOS)": 1, ".jpg": 1} and card["listed"] == 19


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": ("silence",)}, "--keep=silence: there is no such fault; there are missing"),
        ({"drop": ("loud",)}, "--drop=loud: there is no such fault"),
        ({"keep": ("undecodable",)}, "there is no sound to keep"),
        ({"keep": ("silent",), "drop": ("silent",)}, "both name silent"),
        ({"on_error": "go"}, "on_error"),
        ({"workers": 0}, "workers is 0"),
        ({"timeout_s": 0.0}, "timeout_s is 0"),
        ({"silent_dbfs": 3.0}, "silent_dbfs is 3.0"),
        ({"store_rate_hz": 0}, "store_rate_hz is 0"),
        (
            {"silent_dbfs": float("nan"), "workers": 0},
            "(?s)workers is 0;.*silent_dbfs is nan; it must be a finite number",
        ),
        ({"workers": True}, "workers is True; it takes int | None"),
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
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["scan.jsonl"]


def test_stop_names_the_file_and_keeps_what_is_known(library, tmp_path, here):
    with pytest.raises(ValueError, match=r"bad/cut.flac: truncated \(the header says 32,000 samples, there are"):
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
