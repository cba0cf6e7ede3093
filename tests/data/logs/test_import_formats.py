"""Formats of logs: all of them give the same log, and another package's is used by its path."""

import numpy as np
import pytest

from mu.data.logs.importing import formats
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import load
from mu.data.options import OptionError
from tests.helpers.log_files import (
    ITEMS,
    ROWS,
    check_rows_log,
    write_csv,
    write_gz,
    write_jsonl,
    write_parquet,
    write_recbole,
)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("log.csv", write_csv),
        ("log.csv.gz", write_gz),
        ("log.tsv", lambda path: write_csv(path, delimiter="\t")),
        ("log.jsonl", write_jsonl),
        ("log.parquet", write_parquet),
        ("log.inter", write_recbole),
    ],
)
def test_every_format_gives_the_same_log(tmp_path, name, write):
    card = import_log([write(tmp_path / name)], tmp_path / "out")
    check_rows_log(tmp_path / "out")
    assert (card["users"], card["tracks"], card["events"], card["rows_in"]) == (2, 3, 6, 6)
    assert card["inputs"][0]["name"] == name and len(card["inputs"][0]["sha256"]) == 64


def test_many_files_are_one_log_in_their_order(tmp_path):
    first = write_csv(tmp_path / "1.csv", ROWS[:2])
    second = write_jsonl(tmp_path / "2.jsonl", ROWS[2:5])
    third = write_parquet(tmp_path / "3.parquet", ROWS[5:])
    import_log([first, second, third], tmp_path / "out")
    check_rows_log(tmp_path / "out")


def test_lists(tmp_path):
    (tmp_path / "log.txt").write_text("b x y x\n\na y\nc\n")
    card = import_log([str(tmp_path / "log.txt")], tmp_path / "out", LogImportOptions(format="lists"))
    log = load(tmp_path / "out")
    assert log.indptr.tolist() == [0, 3, 4] and log.items.tolist() == [0, 1, 0, 1]
    assert log.times.tolist() == [0, 1, 2, 3] and log.weights.tolist() == [1] * 4
    assert log.users["user"].to_list() == ["b", "a"] and log.tracks["track"].to_list() == ["x", "y"]
    assert card["time_unit"] == "order"


def test_parts(tmp_path):
    for part, text in (("train", "1 5 6\n2 7\n"), ("valid", "1 7\n"), ("test", "3 5\n2 8\n")):
        (tmp_path / part).write_text(text)
    files = {part: [str(tmp_path / part)] for part in ("train", "valid", "test")}
    import_log([], tmp_path / "out", LogImportOptions(format="lists"), **files)
    log = load(tmp_path / "out")
    assert log.parts is not None
    assert log.indptr.tolist() == [0, 3, 5, 6]
    assert log.items.tolist() == [0, 1, 2, 2, 3, 0] and log.parts.tolist() == [0, 0, 1, 0, 2, 2]


def test_tfds_without_tensorflow(tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    from array_record.python.array_record_module import ArrayRecordWriter

    types = {"user": tfds.features.Text(), "track": np.int64, "weight": np.float32}
    features = tfds.features.FeaturesDict({**types, "at": {"time": np.int64}, "title": tfds.features.Text()})
    folder = tmp_path / "plays" / "1.0.0"
    folder.mkdir(parents=True)
    splits = []
    for split, rows in (("train", ROWS[:4]), ("test", ROWS[4:])):
        template = tfds.core.ShardedFileTemplate(
            data_dir=folder, dataset_name="plays", split=split, filetype_suffix="array_record"
        )
        path = folder / f"plays-{split}.array_record-00000-of-00001"
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for user, track, time, weight, title in rows:
            row = {"user": user, "track": int(track), "weight": weight, "at": {"time": time}, "title": title}
            writer.write(features.serialize_example(features.encode_example(row)))
        writer.close()
        splits.append(
            tfds.core.SplitInfo(name=split, shard_lengths=[len(rows)], num_bytes=1, filename_template=template)
        )
    tfds.folder_dataset.write_metadata(data_dir=str(folder), features=features, split_infos=splits, check_data=False)
    options = LogImportOptions(data_dir=str(tmp_path), time="at/time")
    import_log([], tmp_path / "out", options, train=["tfds:plays#train"], test=["tfds:plays#test"])
    log = check_rows_log(tmp_path / "out")
    assert log.parts is not None and log.parts.tolist() == [0, 2, 0, 2, 0, 0]
    with pytest.raises(ValueError, match=r"no such split \(did you mean 'test'\?\); it has"):
        import_log(["tfds:plays#tets"], tmp_path / "no", options)
    with pytest.raises(ValueError, match="playz: no such data set"):
        import_log(["tfds:playz"], tmp_path / "no", options)


def test_encoding(tmp_path):
    source = write_csv(tmp_path / "log.csv", encoding="latin-1")
    import_log([source], tmp_path / "out", LogImportOptions(encoding="latin-1"))
    check_rows_log(tmp_path / "out")
    with pytest.raises(ValueError, match="does not contain ASCII"):
        LogImportOptions(encoding="utf-16")


def test_columns_of_a_file_without_a_header(tmp_path):
    (tmp_path / "u.data").write_text("1\t5\t100\n1\t6\t50\n")
    import_log(
        [str(tmp_path / "u.data")], tmp_path / "out", LogImportOptions(format="tsv", columns=("user", "item", "ts"))
    )
    assert load(tmp_path / "out").times.tolist() == [50_000, 100_000]


PIPES = """
import numpy as np
import polars as pl
from mu.data.logs.importing.formats import RowBatch

class Pipes:
    def header(self, source, options):
        return ["user", "track", "time"]

    def batches(self, source, wanted, options):
        names = self.header(source, options)
        frame = pl.read_csv(source.name, separator="|", has_header=False, new_columns=names, infer_schema=False)
        yield RowBatch(frame.select(wanted), lines=np.arange(1, len(frame) + 1), bad=[], done=1.0)

pipes = Pipes()
nothing = 7
"""


def test_a_format_of_another_package_is_chosen_by_its_path(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "a_package_of_mine.py").write_text(PIPES)
    (tmp_path / "log.pipes").write_text("".join(f"{user}|{track}|{time}\n" for user, track, time, *_ in ROWS))
    options = LogImportOptions(format="a_package_of_mine:pipes")
    card = import_log([str(tmp_path / "log.pipes")], tmp_path / "out", options)
    assert load(tmp_path / "out").items.tolist() == ITEMS and card["options"]["format"] == "a_package_of_mine:pipes"
    for format, message in (
        ("csw", r"format is 'csw' \(did you mean 'csv'\?\); it must be one of csv, tsv, .* package.module:attribute"),
        ("a_package_of_nobody:pipes", "--format='a_package_of_nobody:pipes': there is no module 'a_package_of_nobody'"),
        ("a_package_of_mine:pipe", r"a_package_of_mine has no 'pipe' \(did you mean 'pipes'\?\)"),
        ("a_package_of_mine:nothing", "is no LogFormat: it needs the functions `header` and `batches`"),
        ("tfds", "name the data set as tfds:NAME"),
    ):
        with pytest.raises(OptionError, match=message):
            LogImportOptions(format=format)


@pytest.mark.parametrize("name", formats.FORMATS)
def test_built_in_formats_are_in_the_same_table(name):
    assert isinstance(formats.load_format(name), formats.LogFormat)


REAL = [
    ("s3rec/Beauty.txt.gz", "lists", (22_363, 12_101, 198_502)),
    ("s3rec/LastFM.txt", "lists", (1_090, 3_646, 52_551)),
    ("ml-100k/ml-100k.inter.gz", None, (943, 1_682, 100_000)),
    ("lastfm_hetrec2011/user_artists.dat.gz", None, (1_892, 17_632, 92_834)),
]


@pytest.mark.parametrize(("name", "format", "counts"), REAL)
def test_real_logs(data_dir, tmp_path, name, format, counts):
    table = data_dir / "lastfm_hetrec2011" / "artists.dat.gz" if "hetrec" in name else None
    options = LogImportOptions(format=format, track_table=str(table) if table else None)
    card = import_log([str(data_dir / name)], tmp_path / "out", options)
    assert (card["users"], card["tracks"], card["events"]) == counts
    log = load(tmp_path / "out")
    if table:
        titles = dict(log.tracks.select("track", "title").iter_rows())
        assert titles[51] == "Duran Duran" and log.tracks["title"].null_count() == 0
    if name.startswith("ml"):
        assert log.tracks.row(0, named=True)["title"] == "Kolya" and "age" in log.users.columns


@pytest.mark.parametrize(
    ("folder", "end", "users", "tracks", "parts"),
    [
        ("gowalla", ".txt.gz", 29_858, 40_981, (810_128, 0, 217_242)),
        ("lightgcnpp_lastfm", ".txt", 1_885, 17_388, (64_315, 9_143, 18_321)),
    ],
)
def test_real_logs_in_parts(data_dir, tmp_path, folder, end, users, tracks, parts):
    names = ("train", "valid", "test")
    files = {name: [str(data_dir / folder / (name + end))] for name, n in zip(names, parts, strict=True) if n}
    card = import_log([], tmp_path / "out", LogImportOptions(format="lists"), **files)
    assert (card["users"], card["tracks"]) == (users, tracks)
    codes = load(tmp_path / "out").parts
    assert codes is not None and tuple(np.bincount(codes, minlength=3)) == parts
