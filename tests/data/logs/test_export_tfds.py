"""A log as a TFDS data set: TFDS itself reads it, and its import is the equal log."""

import shlex
import sys

import numpy as np
import polars as pl
import pytest

from mu.commands.export_tfds import main
from mu.commands.import_log import main as import_main
from mu.data.logs.exporting import tfds_writer
from mu.data.logs.exporting.play_order import import_order
from mu.data.logs.importing.options import LogImportOptions
from mu.data.logs.importing.run import import_log
from mu.data.logs.interactions import Interactions, load

OPTIONS = LogImportOptions(
    weight="count",
    finished="end",
    event_columns=("device", "place"),
    track_attributes=("artist", "year"),
    user_attributes=("country",),
    event_numbers=("volume",),
    track_features=("tempo",),
)


def plays(n, seed):
    """Plays in no order, with many equal times."""
    random = np.random.default_rng(seed)
    tracks = random.integers(0, 30, n)
    users = random.integers(0, 8, n)
    return pl.DataFrame(
        {
            "user": [f"u{user}" for user in users],
            "track": tracks,
            "time": random.integers(1_600_000_000, 1_600_000_000 + n // 4, n),
            "count": random.integers(1, 9, n) / 2,
            "end": random.choice(["1", "0", ""], n),
            "device": random.choice(["phone", "", "web|tv"], n),
            "place": random.choice(list("abcdefgh"), n),
            "title": [f"Å {track}" if track % 7 else None for track in tracks],
            "artist": [f"artist {track % 5}" for track in tracks],
            "year": [1990 + int(track) if track % 3 else None for track in tracks],
            "volume": [None if at % 5 == 0 else at / 7 for at in range(n)],
            "tempo": [None if track % 4 == 0 else 90.1 + track for track in tracks],
            "country": ["se" if user % 2 else None for user in users],
        }
    )


def imported(folder, frame, options=OPTIONS):
    frame.write_csv(folder / "log.csv")
    import_log([str(folder / "log.csv")], folder / "log", options)
    return load(folder / "log")


def there_and_back(folder, capsys, *flags):
    """The log that the printed command imports from what `mu export-tfds` wrote."""
    assert main([str(folder / "log"), f"--output={folder / 'tfds'}", *flags]) == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("Back again: mu import ")
    words = [word.replace("--output=DIR", f"--output={folder / 'back'}") for word in shlex.split(command)]
    assert import_main(words) == 0
    return load(folder / "back")


def assert_equal(log, other):
    assert log.hash() == other.hash() and log.card["time_unit"] == other.card["time_unit"]
    for mine, others in ((log.tracks, other.tracks), (log.users, other.users)):
        assert mine.equals(others.select(mine.columns)) and len(mine.columns) == len(others.columns)


@pytest.mark.parametrize("seed", range(3))
def test_the_import_of_an_export_is_the_equal_log(tmp_path, capsys, seed):
    log = imported(tmp_path, plays(300, seed))
    assert_equal(log, there_and_back(tmp_path, capsys))


def test_a_log_without_times_and_weights(tmp_path, capsys):
    log = imported(tmp_path, plays(100, 0).select("user", "track"), LogImportOptions())
    assert_equal(log, there_and_back(tmp_path, capsys, "--name=my_log"))


def test_a_log_whose_rule_dropped_the_first_play_of_a_device(tmp_path, capsys, caplog):
    """Its vocabulary keeps the value; the other values are in order of first appearance, and so is the export."""
    rows = [("w", "z", "tv"), ("u", "x", "phone"), ("v", "y", "phone"), ("v", "x", "web"), ("u", "y", "car")]
    frame = pl.DataFrame(rows, schema=["user", "track", "device"], orient="row").with_row_index("time", 1_600_000_000)
    log = imported(tmp_path, frame, LogImportOptions(k_core=2, event_columns=("device",)))
    assert len(log) == 4 and log.vocabulary("device") == ["tv", "phone", "web", "car"]
    assert import_order(log)[1] is True
    tfds_writer.export_tfds(log, tmp_path / "other")
    assert "1 values of device without plays are in no record" in caplog.text
    back = there_and_back(tmp_path, capsys)
    assert back.vocabulary("device") == ["phone", "web", "car"]
    assert (back.columns["device"] + 1).tolist() == log.columns["device"].tolist()
    assert back.items.tolist() == log.items.tolist() and back.times.tolist() == log.times.tolist()
    assert back.users.equals(log.users) and back.tracks.equals(log.tracks)


def test_parts_are_splits(tmp_path, capsys):
    files = {}
    for at, part in enumerate(("train", "valid", "test")):
        plays(80, at).write_csv(tmp_path / f"{part}.csv")
        files[part] = [str(tmp_path / f"{part}.csv")]
    import_log([], tmp_path / "log", OPTIONS, **files)
    log = load(tmp_path / "log")
    back = there_and_back(tmp_path, capsys)
    assert_equal(log, back)
    assert log.parts is not None and back.parts is not None and log.parts.tolist() == back.parts.tolist()


def test_tfds_reads_it_alone(tmp_path, monkeypatch, caplog):
    tfds = pytest.importorskip("tensorflow_datasets")
    monkeypatch.setattr(tfds_writer, "SHARD_RECORDS", 64)
    log = imported(tmp_path, plays(150, 4))
    exported = tfds_writer.export_tfds(log, tmp_path / "tfds")
    assert "no record" not in caplog.text
    builder = tfds.builder_from_directory(str(exported.folder))
    assert builder.info.splits["train"].num_examples == 150 and len(builder.info.splits["train"].filenames) == 3
    records = list(tfds.data_source("plays", data_dir=str(tmp_path / "tfds"), split="train"))
    assert sorted(record["time"] for record in records) == sorted(log.times.tolist())
    assert {record["track"].decode() for record in records} == {str(track) for track in log.tracks["track"]}
    assert not {"tensorflow", "torch"} & set(sys.modules)


def test_logs_whose_ids_are_not_by_appearance(tmp_path, caplog):
    """User 0 has track 1 alone and user 1 both, so no order of plays numbers them so."""
    indptr, items = np.array([0, 1, 2]), np.array([1, 1], np.int32)
    log = Interactions(indptr, items, np.array([5, 6]), np.ones(2, np.float32), n_items=2, card={"time_unit": "ms"})
    assert import_order(log)[1] is False
    tfds_writer.export_tfds(log, tmp_path)
    assert (
        "an import numbers them otherwise" in caplog.text and "1 tracks without plays are in no record" in caplog.text
    )


def test_refusals(tmp_path, capsys):
    imported(tmp_path, plays(20, 0))
    command = [str(tmp_path / "log"), f"--output={tmp_path / 'tfds'}"]
    assert main(command) == 0 and main(command) == 1
    assert "add --overwrite to replace it" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert main([*command, "--name=my log"]) == 1 and "letters, digits" in capsys.readouterr().err
    (tmp_path / "tfds" / "other").mkdir()
    assert main([*command, "--name=other", "--overwrite"]) == 1 and "something else" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), f"--output={tmp_path}"]) == 1 and "make one with" in capsys.readouterr().err
    clash = plays(20, 0).rename({"artist": "weight"})
    (tmp_path / "two").mkdir()
    options = LogImportOptions(weight="none", track_attributes=("weight",))
    imported(tmp_path / "two", clash, options)
    assert main([str(tmp_path / "two" / "log"), f"--output={tmp_path / 'two'}"]) == 1
    assert "several columns called 'weight'" in capsys.readouterr().err
