"""No path is a pattern: what is read is the file that was named, whatever its name; and tables of text as written."""

import json
import os

import numpy as np
import polars as pl
import pytest

from mu.data import embeddings, tables
from mu.data.clips import clips
from mu.data.clips.importing.run import import_audio
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.ratings.reading import read_ratings
from tests.helpers.audio_files import sound, write
from tests.helpers.audio_imports import ONE
from tests.helpers.embeddings import PLAN
from tests.helpers.log_files import ROWS, check_rows_log, write_csv, write_jsonl, write_parquet, write_recbole

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")

NAME = "a[1]*? %41 é\n"
DECOY = "a1xy %41 é\n"  # which NAME matches, taken as a pattern; NAME itself it does not


@pytest.fixture
def both(tmp_path):
    """Calls `make(path, is_named)` for files and folders of NAME and of DECOY; returns that of NAME in NAME."""

    def write_both(make, extension=""):
        for folder in (NAME, DECOY):
            (tmp_path / folder).mkdir(exist_ok=True)
            for name in (NAME, DECOY):
                make(tmp_path / folder / f"{name}{extension}", folder == name == NAME)
        return tmp_path / NAME / f"{NAME}{extension}"

    return write_both


def test_tables_are_read_by_name(both):
    def frame(is_named):
        return pl.DataFrame({"named" if is_named else "decoy": [1]})

    path = both(lambda path, is_named: frame(is_named).write_parquet(path), ".parquet")
    assert tables.read_parquet(path).equals(frame(True)) and tables.scan_parquet(path).collect().equals(frame(True))
    assert tables.parquet_columns(path) == ["named"]
    path = both(lambda path, is_named: frame(is_named).write_csv(path), ".csv")
    assert tables.read_csv(path).columns == ["named"]


def test_the_home_folder_is_no_part_of_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    pl.DataFrame({"here": [1]}).write_csv(tmp_path / "~" / "a.csv")
    assert tables.read_csv("~/a.csv").columns == ["here"]


@pytest.mark.parametrize(
    ("write_log", "extension"),
    [(write_csv, ".csv"), (write_jsonl, ".jsonl"), (write_parquet, ".parquet"), (write_recbole, ".inter")],
)
def test_logs_are_read_by_name(both, write_log, extension):
    log = both(lambda path, is_named: write_log(path, ROWS if is_named else ROWS[:2]), extension)
    table = both(
        lambda path, is_named: pl.DataFrame(
            {"track": ["30", "10", "20"], "artist": ["X", "Y", "Z"] if is_named else ["decoy"] * 3}
        ).write_parquet(path),
        ".tracks.parquet",
    )
    import_log([str(log)], log.parent / "log", LogImportOptions(track_table=str(table)))
    check_rows_log(log.parent / "log", ids=False)
    assert tables.read_parquet(log.parent / "log" / "tracks.parquet")["artist"].to_list() == ["X", "Y", "Z"]


@pytest.mark.parametrize("extension", [".csv", ".parquet"])
def test_clips_are_read_by_name(both, extension, here):
    """Source, journal and result of an import; the second import of a folder goes on from its journal."""

    def make(path, is_named):
        label = "named" if is_named else "decoy"
        write(path.parent / "a.wav", sound(0.1, 8000), 8000)
        table = pl.DataFrame({"file": ["a.wav"], "label": [label]})
        table.write_csv(path) if extension == ".csv" else table.write_parquet(path)
        out = path.with_suffix("")
        if label == "decoy":
            out.mkdir(exist_ok=True)
            table.rename({"file": "clip"}).write_parquet(out / "clips.parquet")
            (out / "scan.jsonl").write_text(json.dumps({"clip": "decoy"}) + "\n")

    source = both(make, extension)
    output = source.with_suffix("")
    for _ in range(2):
        import_audio(str(source), output, ONE)
        assert clips.load(output, sample_rate_hz=8000).table.select("clip", "label").rows() == [("a.wav", "named")]


@pytest.mark.parametrize("extension", [".csv", ".parquet"])
def test_ratings_are_read_by_name(both, extension):
    def make(path, is_named):
        table = pl.DataFrame({"track": ["x"], "liked": ["1" if is_named else "0"]})
        table.write_csv(path) if extension == ".csv" else table.write_parquet(path)

    ratings = read_ratings(
        both(make, extension), {"x": 0}, clip_column="track", labels=("liked",), categories=(), numbers=()
    )
    assert ratings.labels.tolist() == [[1.0]]


def test_embeddings_are_read_by_name(both):
    def make(folder, is_named):
        folder.mkdir()
        table = pl.DataFrame(
            {"row": [0], "content_hash": ["named" if is_named else "decoy"], "clip": ["x"], "duration_s": [1.0]}
        )
        card = PLAN | {"clips": 1, "embeddings": 1, "faults": 0}
        embeddings.write(folder, iter([np.ones((1, 3), np.float32)]), (1, 3), table, (), card)

    assert embeddings.load(both(make)).table["content_hash"].to_list() == ["named"]


def test_text_stays_as_it_is_written(tmp_path):
    (tmp_path / "a.csv").write_text('id,title\n007,"a, ""b"""\n1e5,\n')
    (tmp_path / "a.tsv").write_text('id\ttitle\n007\t"a\n2020-01-01\t12" mix\n')
    assert tables.read_csv(tmp_path / "a.csv").rows() == [("007", 'a, "b"'), ("1e5", None)]
    assert tables.read_csv(tmp_path / "a.tsv", "\t").rows() == [("007", '"a'), ("2020-01-01", '12" mix')]


def test_empty_and_repeated_names_of_columns(tmp_path):
    (tmp_path / "a.csv").write_text(",a,a,,a_2\n1,2,3,4,5\n")
    assert tables.read_csv(tmp_path / "a.csv").columns == ["column_1", "a", "a_3", "column_4", "a_2"]
    assert tables.distinct_names(["column_2", "", " "]) == ["column_2", "column_3", "column_4"]
    assert tables.distinct_names(["a", "a", "a_2", " a", "a ", "a"]) == ["a", "a_3", "a_2", " a", "a ", "a_4"]


def test_a_first_line_of_separators_takes_no_minutes():
    """Each name is looked up once: a quarter of a million of one name."""
    n = 1 << 18
    assert tables.distinct_names(["a"] * n)[-1] == f"a_{n}"
    assert tables.distinct_names([""] * n)[-1] == f"column_{n}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a,b\n1,2\n3,caf\xe9\n", r"line 3, column b: 'caf\\xe9' is no UTF-8"),
        (b"", "cannot be read: empty CSV$"),
        (b"a,b\n1,2,3\n", "cannot be read: found more fields than defined in 'Schema'$"),
    ],
)
def test_damaged_text_is_named_by_file_line_and_column(tmp_path, data, message):
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(ValueError, match=f"a.csv.*{message}") as caught:
        tables.read_csv(tmp_path / "a.csv")
    assert "\n" not in str(caught.value)
