"""The copy for training, TFDS data sets as a source, mirdata as a source."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mu.audio import io
from mu.data.clips.importing import results, scan, store_writer, workers
from mu.data.clips.importing.options import AudioImportOptions
from mu.data.clips.importing.run import import_audio
from mu.data.clips.store import open_store
from mu.files import read_json
from tests.helpers.audio_files import sound, write
from tests.helpers.processes import run_python


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Four clips, short and long, of several rates, and a table about them."""
    root = tmp_path_factory.mktemp("clips")
    write(root / "short.wav", sound(0.5, 8000, seed=1), 8000)
    write(root / "stereo.flac", sound(1.3, 44100, channels=2, seed=2), 44100)
    long = np.tile(sound(1.0, 8000, seed=3), (70, 1)) * np.linspace(0.1, 1, 70 * 8000, dtype=np.float32)[:, None]
    write(root / "long.wav", long, 8000)
    write(root / "music.mp3", sound(2.0, 22050, seed=4), 22050)
    pl.DataFrame(
        {
            "file": ["short.wav", "stereo.flac", "long.wav", "music.mp3"],
            "label": ["a", "b", None, "ü"],
            "fold": [1, None, 3, 4],
            "tempo": [120.5, 90.0, None, 60.25],
            "live": [True, False, None, True],
            "tags": [["rock", "live"], [], None, ["a|b", "ü"]],
            "bars": [[1, 2], None, [3], []],
        }
    ).write_parquet(root / "meta.parquet")
    return root


@pytest.fixture(scope="module")
def stored(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("stored") / "out"
    card = import_audio(str(table / "meta.parquet"), out, AudioImportOptions(store=True, store_rate_hz=8000, workers=2))
    assert card["store"] == "store"
    return out


def int16(x):
    return np.clip(np.rint(x * 32768), -32768, 32767).astype(np.int16)


def test_the_store_holds_what_is_decoded(table, stored):
    store = open_store(stored / "store")
    clips = pl.read_parquet(stored / "clips.parquet")
    assert len(store) == 4 and store.sample_rate_hz == 8000
    assert store.clips.to_list() == clips["clip"].to_list() == ["long.wav", "music.mp3", "short.wav", "stereo.flac"]
    for row, clip in enumerate(store.clips):
        expected = int16(io.read(table / clip, sample_rate_hz=8000)[0])
        assert store.frames[row] == len(expected)
        whole = store.waveform(row)
        assert whole.dtype == np.int16
        np.testing.assert_array_equal(whole, expected)
    # Samples of 16 bits at the same rate are as they were.
    np.testing.assert_array_equal(store.waveform(0), io.read(table / "long.wav")[0] * 32768)


def test_the_same_clips_make_the_same_bytes(table, stored, tmp_path, here):
    """In other processes, any number of them, in whatever order: records, tables and cards."""
    out = tmp_path / "out"
    import_audio(str(table / "meta.parquet"), out, AudioImportOptions(store=True, store_rate_hz=8000))
    files = {path.relative_to(stored) for path in stored.rglob("*") if path.is_file()}
    assert len([path for path in files if "array_record" in path.name]) == 1
    changing = {".import.lock", "scan.jsonl", "card.json"}  # the order in which scans end; where the folder lies
    for path in files - {Path(name) for name in changing}:
        assert (out / path).read_bytes() == (stored / path).read_bytes(), path
    cards = [read_json(folder / "card.json") for folder in (out, stored)]
    assert [card.pop("root_from_here") for card in cards] and cards[0] == cards[1]


def test_lists_stay_lists_in_the_store(table, stored, tmp_path, here):
    import tensorflow_datasets as tfds

    data = tfds.builder_from_directory(str(stored / "store" / "clips" / "1.0.0")).as_data_source("train")
    found = {one["clip"].decode(): ([tag.decode() for tag in one["tags"]], list(one["bars"])) for one in data}
    assert found == {
        "short.wav": (["rock", "live"], [1, 2]),
        "stereo.flac": ([], []),
        "long.wav": ([], [3]),
        "music.mp3": (["a|b", "ü"], []),
    }
    import_audio(
        "tfds:clips", tmp_path / "again", AudioImportOptions(data_dir=str(stored / "store"), sample_rate_hz=8000)
    )
    again = pl.read_parquet(tmp_path / "again" / "clips.parquet")
    assert again["tags"].dtype == pl.List(pl.String) and ["a|b", "ü"] in again["tags"].to_list()


def test_parts_of_the_store(stored):
    store = pickle.loads(pickle.dumps(open_store(stored / "store")))
    whole = store.waveform(0)
    record = store_writer.RECORD_S * 8000
    for start in (0, 5, record - 3, record, 2 * record - 1, len(whole) - 4):
        for n in (1, 10, record, 2 * record, 10**9):
            np.testing.assert_array_equal(store.waveform(0, start, n), whole[start : start + n])
    assert len(store.waveform(0, len(whole))) == len(store.waveform(0, 0, 0)) == 0
    with pytest.raises(IndexError, match="row is 4; the store has 4"):
        store.waveform(4)
    with pytest.raises(ValueError, match="start_frame is -1"):
        store.waveform(0, -1)
    with pytest.raises(FileNotFoundError, match="mu import-audio --store"):
        open_store(stored)


def test_plain_tfds_reads_the_store(table, stored):
    """In a process that has nothing of mu, and no TensorFlow."""
    code = """
import sys, numpy as np, tensorflow_datasets as tfds
builder = tfds.builder_from_directory(sys.argv[1])
data = builder.as_data_source("train")
for record in data:
    print(record["clip"].decode(), record["start_frame"], record["audio"].dtype, len(record["audio"]),
          int(np.abs(record["audio"].astype(int)).sum()), *map(record.get, ("label", "fold", "tempo", "live")))
assert builder.info.splits["train"].num_examples == len(data) and "8000 Hz" in builder.info.description
assert "tensorflow" not in sys.modules and "mu" not in sys.modules
"""
    said = run_python(code, stored / "store" / "clips" / "1.0.0").splitlines()
    rows = [line.split(" ") for line in said]
    assert [(row[0], int(row[1]), int(row[3])) for row in rows[:3]] == [
        ("long.wav", 0, 256000),
        ("long.wav", 256000, 256000),
        ("long.wav", 512000, 48000),
    ]
    assert {row[2] for row in rows} == {"int16"}
    assert rows[0][5:] == ["None", "3", "None", "None"]
    assert rows[3][5:] == [str("ü".encode()), "4", "60.25", "True"]
    assert rows[5][5:] == ["b'b'", "None", "90.0", "False"]
    sums = np.abs(int16(io.read(table / "short.wav")[0]).astype(int)).sum()
    assert rows[4][:5] == ["short.wav", "0", "int16", "4000", str(sums)]


def test_a_store_that_was_interrupted_goes_on(table, tmp_path, monkeypatch, here):
    monkeypatch.setattr(store_writer, "SHARD_BYTES", 5_000)
    options = AudioImportOptions(store=True, store_rate_hz=8000)
    out = tmp_path / "out"

    def interrupt(stage, done, total, note):
        if stage == "writing the store" and done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_audio(str(table / "meta.parquet"), out, options, progress=interrupt)
    assert not (out / "card.json").exists() and not (out / "store").exists()
    shards = sorted((out / "store.part").rglob("*.array_record-*"))
    assert len(shards) == 2
    before = [shard.stat().st_mtime_ns for shard in shards]
    seen = []
    import_audio(str(table / "meta.parquet"), out, options, progress=lambda *args: seen.append(args[:2]))
    assert seen[:2] == [("scanning", 4), ("writing the store", 2)]
    shards = sorted((out / "store").rglob("*.array_record-*"))
    assert len(shards) == 4 and [shard.stat().st_mtime_ns for shard in shards[:2]] == before
    assert open_store(out / "store").frames.tolist() == [560000, 16000, 4000, 10400]
    assert not (out / "store.part").exists()
    import_audio(str(table / "meta.parquet"), tmp_path / "unbroken", options)
    for path in (path.relative_to(out) for path in (out / "store").rglob("*") if path.is_file()):
        assert (out / path).read_bytes() == (tmp_path / "unbroken" / path).read_bytes()
    seen.clear()
    import_audio(str(table / "meta.parquet"), out, options, progress=lambda *args: seen.append(args[:2]))
    assert seen == [("scanning", 4)]  # a store of these clips is there


def test_a_store_belongs_to_its_clips(tmp_path, here):
    root, out = tmp_path / "root", tmp_path / "out"
    write(root / "x" / "a.wav", sound(0.1, 8000), 8000)
    import_audio(str(root), out, AudioImportOptions(store=True, store_rate_hz=8000))
    card = import_audio(str(root), out)
    assert card["store"] == "store" and len(open_store(out / "store")) == 1
    write(root / "x" / "b.wav", sound(0.1, 8000, seed=1), 8000)
    before = (out / "clips.parquet").read_bytes()
    with pytest.raises(ValueError, match=r"holds other clips than there are now: say --store"):
        import_audio(str(root), out)
    assert (out / "clips.parquet").read_bytes() == before
    import_audio(str(root), out, AudioImportOptions(store=True, store_rate_hz=4000))
    store = open_store(out / "store")
    assert len(store) == 2 and store.sample_rate_hz == 4000 and store.frames.tolist() == [400, 400]


def test_what_a_record_cannot_hold(tmp_path, here):
    write(tmp_path / "a.wav", sound(0.1, 8000), 8000)
    for column, values, message in (
        ("tags", [[["x"], ["y"]]], r"the attribute 'tags' is List\(List"),
        ("tags", [{"x": 1}], "the attribute 'tags' is Struct"),
        ("audio", ["x"], "the attribute 'audio' has the name of a record's own feature"),
    ):
        pl.DataFrame({"file": ["a.wav"], column: values}).write_parquet(tmp_path / "meta.parquet")
        with pytest.raises(ValueError, match=message):
            import_audio(str(tmp_path / "meta.parquet"), tmp_path / message[:24], AudioImportOptions(store=True))
        import_audio(str(tmp_path / "meta.parquet"), tmp_path / message[:24])  # the table holds them


def test_what_is_no_number_is_silence_in_the_store(tmp_path, here):
    x = sound(0.1, 8000)
    x[5:8, 0] = np.nan, np.inf, -np.inf
    write(tmp_path / "root" / "a.wav", x, 8000, subtype="FLOAT")
    options = AudioImportOptions(store=True, store_rate_hz=8000, keep=("not_finite",))
    import_audio(str(tmp_path / "root"), tmp_path / "out", options)
    found = open_store(tmp_path / "out" / "store").waveform(0)
    assert found[5:8].tolist() == [0, 32767, -32768]
    np.testing.assert_array_equal(found[8:], int16(x[8:, 0]))


def test_a_worker_of_the_store_is_given_one_shard_at_a_time(table, tmp_path, monkeypatch):
    """Rows of a shard are megabytes: a second task would wait in the line, and the sender with it."""
    given = {}

    def run(function, tasks, n, *, ahead=2, limit_s=None):
        given[type(function).__name__] = ahead
        return ((task, function(task)) for task in tasks)

    monkeypatch.setattr(workers, "run", run)
    import_audio(str(table / "meta.parquet"), tmp_path / "out", AudioImportOptions(store=True, store_rate_hz=8000))
    assert given == {"partial": 2, "ShardWriter": 1}


def test_a_source_without_clips(tmp_path):
    with pytest.raises(ValueError, match="nothing holds no clips"):
        results.write(tmp_path, "nothing", None, pl.DataFrame(), [], AudioImportOptions(), 1, None)


def test_a_file_that_changes_behind_the_scan(tmp_path, monkeypatch, here):
    write(tmp_path / "root" / "a.wav", sound(1.0, 8000), 8000)
    apply_faults = results.apply_faults

    def change(*arguments):
        write(tmp_path / "root" / "a.wav", sound(0.5, 8000), 8000)
        return apply_faults(*arguments)

    monkeypatch.setattr(results, "apply_faults", change)
    with pytest.raises(ValueError, match=r"a.wav has 8,000 samples at 16000 Hz, and had 16,000 when it was scanned"):
        import_audio(str(tmp_path / "root"), tmp_path / "out", AudioImportOptions(store=True))
    assert not (tmp_path / "out" / "card.json").exists()


# TFDS as a source. TFDS makes no `Audio` feature without TensorFlow, so features.json gets it as TFDS would write it.

AUDIO = "tensorflow_datasets.core.features.audio_feature.Audio"


def write_tfds(folder, stored, records, **audio):
    """A data set whose feature `audio` is stored as `stored` and described by `audio` (None: as it is stored)."""
    import tensorflow_datasets as tfds
    from array_record.python.array_record_module import ArrayRecordWriter

    label = tfds.features.ClassLabel(names=["no", "yes"])
    features = tfds.features.FeaturesDict({"audio": stored, "label": label, "speaker": tfds.features.Text()})
    folder.mkdir(parents=True)
    splits = []
    for split, part in (("train", records[:3]), ("test", records[3:])):
        template = tfds.core.ShardedFileTemplate(
            data_dir=folder, dataset_name="words", split=split, filetype_suffix="array_record"
        )
        writer = ArrayRecordWriter(str(folder / f"words-{split}.array_record-00000-of-00001"), "group_size:1")
        for record in part:
            writer.write(features.serialize_example(record))
        writer.close()
        lengths = {"shard_lengths": [len(part)], "num_bytes": 1}
        splits.append(tfds.core.SplitInfo(name=split, filename_template=template, **lengths))
    tfds.folder_dataset.write_metadata(data_dir=str(folder), features=features, split_infos=splits, check_data=False)
    if audio:
        path = folder / "features.json"
        content = json.loads(path.read_text())
        content["featuresDict"]["features"]["audio"] = {"pythonClassName": AUDIO, "audio": audio}
        path.write_text(json.dumps(content))


def words(convert):
    rng = np.random.default_rng(0)
    lengths = [8000, 4000, 6000, 5000]
    return [
        {"audio": convert(rng.integers(-9000, 9000, n)), "label": i % 2, "speaker": f"s{i}"}
        for i, n in enumerate(lengths)
    ]


def test_tfds_with_integers(tmp_path, here):
    import tensorflow_datasets as tfds

    records = words(lambda x: x.astype(np.int64))
    shape = {"shape": {"dimensions": ["-1"]}, "dtype": "int64", "encoding": "NONE", "sampleRate": "8000"}
    folder = tmp_path / "words" / "1.0.0"
    write_tfds(folder, tfds.features.Tensor(shape=(None,), dtype=np.int64), records, **shape)
    options = AudioImportOptions(data_dir=str(tmp_path), store_rate_hz=8000)
    card = import_audio("tfds:words", tmp_path / "out", options)
    clips = pl.read_parquet(tmp_path / "out" / "clips.parquet")
    assert clips["clip"].to_list() == ["test/0", "train/0", "train/1", "train/2"]
    assert clips["file"].to_list() == [None] * 4 and card["root"] is None
    assert clips.select("split", "label", "speaker").rows() == [
        ("test", "yes", "s3"),
        ("train", "no", "s0"),
        ("train", "yes", "s1"),
        ("train", "no", "s2"),
    ]
    assert clips["duration_s"].to_list() == [0.625, 1.0, 0.5, 0.75]
    assert clips["peak"][1] == np.abs(records[0]["audio"]).max() / 32768
    store = open_store(tmp_path / "out" / "store")
    for row, record in enumerate([records[3], *records[:3]]):
        np.testing.assert_array_equal(store.waveform(row), record["audio"])
    card = import_audio("tfds:words:1.0.0#test", tmp_path / "test", options)
    assert card["clips"] == 1
    for name, message in (
        ("tfds:words#tests", r"no such split \(did you mean 'test'\?\); it has: train, test"),
        ("tfds:wordz", r"not in .*did you mean 'words'\?\); it holds: words. Say --data_dir"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            import_audio(name, tmp_path / "no", options)
    with pytest.raises(ValueError, match="--sample_rate_hz=16000, but tfds:words says 8000"):
        import_audio("tfds:words", tmp_path / "no", AudioImportOptions(data_dir=str(tmp_path), sample_rate_hz=16000))


def test_tfds_with_floats_of_an_unknown_rate(tmp_path, here):
    import tensorflow_datasets as tfds

    records = words(lambda x: (np.stack([x, x // 2], 1) / 32768).astype(np.float32))
    stored = tfds.features.Tensor(shape=(None, 2), dtype=np.float32)
    write_tfds(tmp_path / "words" / "1.0.0", stored, records)
    with pytest.raises(ValueError, match="does not say its sampling rate: say --sample_rate_hz=HZ"):
        import_audio("tfds:words", tmp_path / "out", AudioImportOptions(data_dir=str(tmp_path)))
    options = AudioImportOptions(data_dir=str(tmp_path), sample_rate_hz=16000, store_rate_hz=8000)
    import_audio("tfds:words", tmp_path / "out", options)
    clips = pl.read_parquet(tmp_path / "out" / "clips.parquet")
    assert clips["channels"].to_list() == [2] * 4 and clips["duration_s"].to_list() == [0.3125, 0.5, 0.25, 0.375]
    mono = records[0]["audio"].mean(axis=1)
    expected = int16(io.resample(mono, 16000, 8000))
    np.testing.assert_array_equal(open_store(tmp_path / "out" / "store").waveform(1), expected)


def test_tfds_with_files_in_records_and_faults(tmp_path, here):
    import tensorflow_datasets as tfds

    records = words(lambda x: x)
    for number, record in enumerate(records):
        path = write(tmp_path / f"{number}.flac", record["audio"] / 32768, 8000)
        record["audio"] = path.read_bytes()
    records[1]["audio"] = b"not audio"
    records[2]["audio"] = records[0]["audio"]
    stored = tfds.features.Tensor(shape=(), dtype=np.object_)
    described = {"shape": {"dimensions": ["-1"]}, "dtype": "int64", "fileFormat": "flac", "lazyDecode": True}
    write_tfds(tmp_path / "words" / "1.0.0", stored, records, **described)
    card = import_audio("tfds:words", tmp_path / "out", AudioImportOptions(data_dir=str(tmp_path), store_rate_hz=8000))
    assert card["faults"] == {"undecodable": {"left out": 1}, "duplicate": {"left out": 1}}
    store = open_store(tmp_path / "out" / "store")
    assert store.clips.to_list() == ["test/0", "train/0"]
    np.testing.assert_array_equal(store.waveform(1), io.read(tmp_path / "0.flac")[0] * 32768)


def test_tfds_integers_beyond_16_bits(tmp_path, here):
    import tensorflow_datasets as tfds

    records = words(lambda x: x.astype(np.int32))
    records[0]["audio"][7] = 40000
    write_tfds(tmp_path / "words" / "1.0.0", tfds.features.Tensor(shape=(None,), dtype=np.int32), records)
    options = AudioImportOptions(data_dir=str(tmp_path), sample_rate_hz=8000, on_error="stop")
    with pytest.raises(ValueError, match=r"train/0: undecodable \(samples of int32 reach beyond 16 bits\)"):
        import_audio("tfds:words", tmp_path / "out", options)


def test_a_store_can_be_imported(stored, tmp_path, here):
    """The circle closes; names that the table of clips needs are kept apart."""
    options = AudioImportOptions(data_dir=str(stored / "store"), sample_rate_hz=8000, store_rate_hz=8000)
    import_audio("tfds:clips", tmp_path / "out", options)
    clips = pl.read_parquet(tmp_path / "out" / "clips.parquet")
    assert clips["record_start_frame"].to_list() == [0, 256000, 512000, 0, 0, 0]
    assert clips["record_clip"].to_list() == ["long.wav"] * 3 + ["music.mp3", "short.wav", "stereo.flac"]
    assert clips["label"].to_list() == [None] * 3 + ["ü", "a", "b"]


# mirdata as a source: a data set of its own, made of mirdata's classes.


@pytest.fixture
def mirdata(tmp_path, monkeypatch):
    mirdata = pytest.importorskip("mirdata")
    from mirdata import core

    class Track(core.Track):
        """A track of the data set."""

        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.audio_path = self.get_path("audio")
            self.beats_path = self.get_path("beats")
            self.genre = self._track_metadata["genre"]

        @property
        def audio(self):
            raise AssertionError("nobody asked for the sound")

        @core.cached_property
        def beats(self):
            raise AssertionError("nobody asked for the beats")

    class Dataset(core.Dataset):
        """The data set."""

        def __init__(self, data_home=None, version="default"):
            indexes = {"default": "1", "1": core.Index(filename="tiny.json")}
            super().__init__(data_home, version, "tiny", Track, indexes=indexes)
            self.index_path = str(tmp_path / "tiny.json")

        @core.cached_property
        def _metadata(self):
            return {name: {"genre": "x", "bpm": 100 + i, "peak": 7, "beats": [1, 2]} for i, name in enumerate("ab")}

    module = type(sys)("mirdata.datasets.tiny")
    module.Dataset = Dataset
    monkeypatch.setitem(sys.modules, "mirdata.datasets.tiny", module)
    monkeypatch.setattr(mirdata, "DATASETS", [*mirdata.DATASETS, "tiny"])
    return mirdata


def test_mirdata(tmp_path, here, mirdata):
    root = tmp_path / "home"
    options = AudioImportOptions(data_dir=str(root))
    with pytest.raises(FileNotFoundError, match=r"mirdata:tiny is not in .*home .*\.download\(\)"):
        import_audio("mirdata:tiny", tmp_path / "out", options)
    paths = {"a": "audio/a.wav", "b": "audio/b.wav"}
    tracks = {name: {"audio": [path, None], "beats": [f"{name}.beats", None]} for name, path in paths.items()}
    (tmp_path / "tiny.json").write_text(json.dumps({"version": "1", "tracks": tracks}))
    for seed, path in enumerate(paths.values()):
        write(root / path, sound(0.1, 8000, seed=seed), 8000)
    card = import_audio("mirdata:tiny", tmp_path / "out", options)
    clips = pl.read_parquet(tmp_path / "out" / "clips.parquet")
    assert clips["clip"].to_list() == list(paths.values()) and card["root"] == str(root)
    assert clips.select("track_id", "genre", "bpm", "track_peak").rows() == [("a", "x", 100, 7), ("b", "x", 101, 7)]
    with pytest.raises(ValueError, match=r"have no 'audio' \(did you mean 'audio_path'\?\); say --file_column"):
        import_audio("mirdata:tiny", tmp_path / "no", AudioImportOptions(data_dir=str(root), file_column="audio"))
    with pytest.raises(ValueError, match=r"no data set 'tinny' \(did you mean 'tiny'\?\)"):
        import_audio("mirdata:tinny", tmp_path / "no", options)


def test_mirdata_that_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mirdata", None)
    with pytest.raises(ValueError, match=r"mirdata:orchset needs mirdata \(.*\): pip install 'mu-music\[mirdata\]'"):
        import_audio("mirdata:orchset", tmp_path / "out")


def test_facts_survive_the_journal():
    """Every field of a line has a type there."""
    assert {field.type for field in scan.dataclasses.fields(scan.Facts)} == {str, int, float, bool, float | None}
