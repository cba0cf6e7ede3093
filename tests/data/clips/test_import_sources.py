"""Sources of an import: folders, tables and a package's own, and those that make no sense."""

import contextlib
import json
import os

import polars as pl
import pytest

from mu.data.clips import clips
from mu.data.clips.importing import folder_source, run
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.data.options import OptionError
from tests.helpers.audio_files import sound, write
from tests.helpers.audio_imports import ONE, contents, ledger_of


def test_a_table_of_files(tmp_path, here):
    for name in ("1", "2", "3"):
        write(tmp_path / "sound" / f"{name}.flac", sound(0.1, 8000, seed=int(name)), 8000)
    table = pl.DataFrame(
        {
            "path": ["sound/3.flac", "./sound/1.flac", None, "sound/gone.flac", str(tmp_path / "sound" / "2.flac")],
            " label": ["x", "y", "x", "x", None],
            "fold": ["01", "1", "1e2", "4", "5"],
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
    table = pl.read_parquet(out / "clips.parquet")
    assert table.select("clip", "label", "fold").rows() == [
        ("sound/1.flac", "y", "1"),
        ("sound/2.flac", None, "5"),
        ("sound/3.flac", "x", "01"),
    ]
    with_classes = clips.load(out, sample_rate_hz=8000, classes=["fold"], audio=False)
    assert with_classes.targets["fold"].names == ("01", "1", "5")
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


@pytest.mark.skipif(os.name == "nt", reason="files of POSIX")
def test_what_is_no_file_is_in_the_ledger(tmp_path, here):
    """A pipe would be waited for, a device never ends: a table may name them, a folder hold them."""
    root = tmp_path / "root"
    write(root / "good.wav", sound(0.1, 8000), 8000)
    os.mkfifo(root / "pipe.wav")
    (root / "zero.wav").symlink_to("/dev/zero")
    (root / "gone.wav").symlink_to("nowhere")
    (root / "round.wav").symlink_to("round.wav")
    (root / "folder.wav").mkdir()
    names = ["good", "pipe", "zero", "gone", "round", "folder"]
    (root / "meta.csv").write_text("file\n" + "".join(f"{name}.wav\n" for name in names))
    import_audio(str(root / "meta.csv"), tmp_path / "table", ONE)
    faults = {entry["file"]: (entry["fault"], entry["reason"]) for entry in ledger_of(tmp_path / "table")}
    assert faults == {
        "pipe.wav": ("undecodable", "it is a pipe, not a file"),
        "zero.wav": ("undecodable", "it is a device, not a file"),
        "folder.wav": ("undecodable", "it is a folder"),
        "gone.wav": ("missing", "there is no such file"),
        "round.wav": ("missing", "there is no such file"),
    }
    card = import_audio(str(root), tmp_path / "folder", ONE)
    found = {entry["file"]: entry["fault"] for entry in ledger_of(tmp_path / "folder")}
    odd = {"pipe.wav": "undecodable", "zero.wav": "undecodable", "gone.wav": "missing", "round.wav": "undecodable"}
    assert found == odd and card["clips"] == 1


def test_what_other_systems_leave_is_counted(tmp_path, here):
    root = tmp_path / "root"
    for path in (
        *("rock/a.mp3", "rock/._a.mp3", "rock/~syncthing~b.mp3", "rock/.c.mp3", "rock/Thumbs.db", "rock/.DS_Store"),
        *("@eaDir/a.mp3", "__MACOSX/rock/._a.mp3", "rock/.AppleDouble/a.mp3", "rock/a.mp3~", "~/Take ~1~.mp3"),
    ):
        write(root / path if path.endswith(".mp3") else tmp_path / "x.mp3", sound(0.3, 16000, seed=len(path)), 16000)
        (root / path).write_bytes((root / path if path.endswith(".mp3") else tmp_path / "x.mp3").read_bytes())
    card = import_audio(str(root), tmp_path / "out", ONE)
    assert pl.read_parquet(tmp_path / "out" / "clips.parquet")["clip"].to_list() == ["rock/a.mp3", "~/Take ~1~.mp3"]
    assert ledger_of(tmp_path / "out") == []
    assert card["ignored_files"] == {
        ".* (hidden)": 2,
        "._* (macOS)": 1,
        ".AppleDouble/": 1,
        ".db": 1,
        ".mp3~": 1,
        "@eaDir/": 1,
        "__MACOSX/": 1,
        "~syncthing~* (temporary)": 1,
    }


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
        pytest.raises(FileExistsError, match="is being written by process"),
    ):
        import_audio(str(root), tmp_path / "out")


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


def test_the_audio_is_found_through_links(tmp_path, here):
    write(tmp_path / "root" / "a.wav", sound(0.1, 8000), 8000)
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    os.symlink(tmp_path / "deep" / "deeper", tmp_path / "link")
    import_audio(str(tmp_path / "root"), tmp_path / "link" / "out", ONE)
    card = json.loads((tmp_path / "link" / "out" / "card.json").read_text())
    assert card["root_from_here"] == "../../../root"
    assert len(clips.load(tmp_path / "link" / "out", sample_rate_hz=8000).waveform(0)) == 800
