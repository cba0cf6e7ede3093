"""Clips, their folds and their batches: what is in a part, and what a batch holds, is a function of little."""

import dataclasses
import functools
import json
import os
import shutil
import types
from typing import Any

import jax
import numpy as np
import polars as pl
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from mu.audio import io
from mu.data.batches.clips import ClipBatches
from mu.data.clips import clips
from mu.data.clips import folds as clip_splits
from mu.data.clips.importing import store_writer
from mu.data.clips.importing.scan import Files
from mu.data.crops import CropReader, tile_starts
from mu.inference.pooling import read_tiles
from mu.run.evaluation import held_out_loss
from tests.helpers.audio_clips import RATE_HZ, load_tones, make_clips
from tests.helpers.audio_files import sound, write


def ids(part):
    return set(part.table["clip"])


# ---- folds


@pytest.mark.parametrize("fold", range(4))
def test_folds_by_column_test_one_value_and_validate_with_the_next(fold):
    whole = make_clips()
    split = clip_splits.by_column(whole, column_name="speaker", fold=fold, group="speaker")
    speakers = [set(part.table["speaker"]) for part in (split.train, split.valid, split.test)]
    names = [f"speaker{number}" for number in range(4)]
    assert speakers[2] == {names[fold]} and speakers[1] == {names[(fold + 1) % 4]}
    assert speakers[0] == set(names) - speakers[1] - speakers[2]
    assert len(split.train) + len(split.valid) + len(split.test) == len(whole)


def test_folds_written_as_text_come_in_numerical_order():
    whole = make_clips()
    numbers = pl.Series("fold", np.arange(len(whole)) % 12 - 1)
    typed, written = (
        dataclasses.replace(whole, table=whole.table.with_columns(fold)) for fold in (numbers, numbers.cast(pl.String))
    )
    splits = [clip_splits.by_column(clips, column_name="fold", fold=3) for clips in (typed, written)]
    assert set(splits[1].test.table["fold"]) == {"2"} and set(splits[1].valid.table["fold"]) == {"3"}
    assert splits[0].hash == splits[1].hash


def test_hashed_folds_cover_every_clip_once_and_keep_groups_and_strata():
    whole = make_clips()
    tested = [clip_splits.by_hash(whole, n_folds=4, fold=fold, stratify="pitch").test for fold in range(4)]
    assert sorted(clip for part in tested for clip in part.table["clip"]) == sorted(whole.table["clip"])
    for part in tested:
        assert part.table["pitch"].value_counts()["count"].to_list() == [4, 4, 4]
    grouped = clip_splits.by_hash(whole, n_folds=4, fold=0, group="speaker")
    assert set(grouped.test.table["speaker"]) & set(grouped.train.table["speaker"]) == set()


def test_folds_do_not_depend_on_the_order_of_the_table():
    whole = make_clips()
    turned = whole.take(np.arange(len(whole))[::-1])
    for fold in range(3):
        one, other = (clip_splits.by_hash(part, n_folds=3, fold=fold) for part in (whole, turned))
        assert ids(one.test) == ids(other.test) and ids(one.valid) == ids(other.valid)


def test_the_hash_names_the_outcome():
    whole = make_clips()
    first, again, other = (clip_splits.by_hash(whole, n_folds=4, fold=fold).hash for fold in (0, 0, 1))
    assert first == again != other
    changed = make_clips(seed=1)
    assert clip_splits.by_hash(changed, n_folds=4, fold=0).hash != first


def test_given_parts_are_kept_and_validation_is_taken_from_training():
    whole = make_clips()
    names = ["test" if at % 4 == 0 else "train" for at in range(len(whole))]
    table = whole.table.with_columns(pl.Series("split", names))
    whole = clips.Clips(table, RATE_HZ, whole.targets, whole.root, whole.store, whole.store_rows)
    split = clip_splits.predefined(whole, valid_share=0.25)
    assert len(split.test) == 12 and len(split.valid) == 9 and set(split.valid.table["split"]) == {"train"}
    # As when the rule was called 'given': results measured on such a split stay comparable.
    assert split.hash == "58fb9188bde4c5842a51c15908ede9cf1b650f68a03638ae6271d9eb9093e2fd"


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_clips_without_a_group_are_no_group_of_their_own(missing):
    """'None' is no artist: in folds of artists such clips would stay together, in the bootstrap they would be one."""
    whole = make_clips()
    values = [float(at % 8) for at in range(len(whole))]
    values[5] = missing
    whole = dataclasses.replace(whole, table=whole.table.with_columns(pl.Series("artist", values, strict=False)))
    for make in (
        functools.partial(clip_splits.by_hash, n_folds=3, fold=0, group="artist"),
        functools.partial(clip_splits.by_hash, n_folds=3, fold=0, stratify="artist"),
        functools.partial(clip_splits.by_column, column_name="artist", fold=0),
        functools.partial(clip_splits.by_column, column_name="fold", fold=0, group="artist"),
        functools.partial(clip_splits.predefined, column_name="artist"),
    ):
        with pytest.raises(ValueError, match=r"clip 'clip005.wav' has no 'artist' \(1 of 48 have none\): fill"):
            make(whole)


def test_folds_that_leak_or_are_none_are_refused():
    whole = make_clips()
    with pytest.raises(ValueError, match="speaker 'speaker0' is in two parts"):
        clip_splits.by_column(whole, column_name="fold", fold=0, group="speaker")
    with pytest.raises(ValueError, match="no column 'singer'"):
        clip_splits.by_column(whole, column_name="singer", fold=0)
    with pytest.raises(ValueError, match=r"fold=4; the column 'fold' names 4 folds"):
        clip_splits.by_column(whole, column_name="fold", fold=4)
    twice = whole.take(np.array([0, 0, 1, 2, 3]))
    twice = dataclasses.replace(twice, table=twice.table.with_columns(fold=pl.Series([2, 0, 1, 2, 2])))
    with pytest.raises(ValueError, match=r"content_hash '0+' is in two parts"):
        clip_splits.by_column(twice, column_name="fold", fold=0)


# ---- clips


def test_taking_and_merging_keep_everything_in_step():
    whole = make_clips()
    first, second = whole.take(np.arange(10)), whole.take(np.arange(10, 48))
    together = first.merged(second)
    assert together.hash() == whole.hash()
    np.testing.assert_array_equal(together.waveform(20), whole.waveform(20))
    assert first.targets["pitch"].names == whole.targets["pitch"].names


def write_table(folder, **columns):
    table = {"clip": ["a", "b", "c"], "file": ["a", "b", "c"], "content_hash": ["1", "2", "3"], "duration_s": [1.0] * 3}
    pl.DataFrame(table | columns).write_parquet(folder / "clips.parquet")
    (folder / "card.json").write_text('{"root": "."}')


def test_targets_of_a_table(tmp_path):
    write_table(
        tmp_path, genre=["rock", "pop", None], mood=["calm|sad", "", None], joy=[1.0, None, 3.0], power=[1, 2, 3]
    )
    found = clips.load(
        tmp_path, sample_rate_hz=100, classes=("genre",), tags=("mood",), numbers=("joy", "power")
    ).targets
    assert found["genre"].names == ("pop", "rock") and found["genre"].values.tolist() == [1, 0, -1]
    assert found["mood"].names == ("calm", "sad")
    np.testing.assert_array_equal(found["mood"].values, [[1, 1], [np.nan] * 2, [np.nan] * 2])
    assert found["numbers"].known.tolist() == [True, False, True]


def test_text_is_read_as_the_numbers_it_holds(tmp_path):
    """A table of CSV holds text: the targets are those of a table of Parquet with numbers, bit for bit."""
    written = {"joy": ["0.1", None, " 1e5 "], "power": ["1", "", "-3"], "fold": ["10", "9", "-1"]}
    typed = {"joy": [0.1, None, 1e5], "power": [1, None, -3], "fold": [10, 9, -1]}
    read = []
    for columns in (written, typed):
        write_table(tmp_path, **columns)
        read.append(clips.load(tmp_path, sample_rate_hz=100, classes=("fold",), numbers=("joy", "power")))
    assert read[0].targets["fold"].names == read[1].targets["fold"].names == ("-1", "9", "10")
    np.testing.assert_array_equal(read[0].targets["numbers"].values, read[1].targets["numbers"].values)
    assert read[0].hash() == read[1].hash()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"classes": ("style",)}, "no column 'style'; there is: clip, file"),
        ({"classes": ("one",)}, "holds 1 classes"),
        ({"numbers": ("genre",)}, r"'genre', row 0 \(clip 'a'\) holds 'rock'; numbers are needed \(3 of 3"),
        ({"numbers": ("year",)}, r"'year', row 2 \(clip 'c'\) holds '19x'; numbers are needed \(1 of 3"),
        ({"numbers": ("flag",)}, "column 'flag' holds Boolean such as True; numbers are needed"),
        ({"tags": ("empty",)}, "holds no tags"),
        ({"numbers": ("empty",)}, "column 'empty' holds no numbers: it is empty"),
        ({"numbers": ("null",)}, "column 'null' holds no numbers: it is empty"),
        ({"classes": ("numbers",), "numbers": ("duration_s",)}, "there would be two targets 'numbers'"),
        ({"classes": ("genre",), "tags": ("genre",)}, "there would be two targets 'genre'"),
        ({"root": "/no/such/place"}, "no longer at /no/such/place: say where with data.root"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, arguments, message):
    columns = {"genre": ["rock", "pop", "pop"], "one": ["x"] * 3, "empty": [""] * 3, "numbers": ["x", "y", "y"]}
    columns |= {"year": ["1", None, "19x"], "flag": [True, None, False]}
    write_table(tmp_path, **columns, null=pl.Series([None] * 3, dtype=pl.String))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        clips.load(tmp_path, sample_rate_hz=100, **arguments)


def test_a_folder_without_clips(tmp_path):
    with pytest.raises(FileNotFoundError, match="mu import-audio"):
        clips.load(tmp_path, sample_rate_hz=100)
    write_table(tmp_path)
    (tmp_path / "card.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"card.json: the import was interrupted; give the same `mu"):
        clips.load(tmp_path, sample_rate_hz=100)


def test_the_audio_is_found_from_the_import_or_else_where_it_was(tmp_path):
    """Both may have moved together, through links too, or the import alone; and who hears nothing needs no audio."""
    (tmp_path / "one" / "audio").mkdir(parents=True)
    (tmp_path / "one" / "import").mkdir()
    write_table(tmp_path / "one" / "import")
    card = {"root": str(tmp_path / "one" / "audio"), "root_from_here": "../audio"}
    (tmp_path / "one" / "import" / "card.json").write_text(json.dumps(card))

    def found(folder):
        return clips.load(folder, sample_rate_hz=100).root.resolve()

    assert found(tmp_path / "one" / "import") == tmp_path / "one" / "audio"
    (tmp_path / "alone" / "deeper").mkdir(parents=True)
    shutil.copytree(tmp_path / "one" / "import", tmp_path / "alone" / "deeper" / "import")
    assert found(tmp_path / "alone" / "deeper" / "import") == tmp_path / "one" / "audio"
    os.rename(tmp_path / "one", tmp_path / "two")
    os.symlink(tmp_path / "two" / "import", tmp_path / "link")
    assert found(tmp_path / "link") == tmp_path / "two" / "audio"
    with pytest.raises(FileNotFoundError, match=r"no longer at .*deeper/import/../audio: say where with data.root=DIR"):
        found(tmp_path / "alone" / "deeper" / "import")
    assert len(clips.load(tmp_path / "alone" / "deeper" / "import", sample_rate_hz=100, audio=False)) == 3


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050])
def test_clips_are_as_long_as_the_resampler_makes_them(tmp_path, rate_hz):
    """Of any length, resampled from a file or read from a store, to the sample."""
    lengths = [4410, 4411, 4412, 5003, 44100]
    for number, length in enumerate(lengths):
        write(tmp_path / f"{number}.wav", sound(length / 44100, 44100, seed=number), 44100)
    frames = np.array([io.read(tmp_path / f"{number}.wav", sample_rate_hz=rate_hz)[0].size for number in range(5)])
    table = pl.DataFrame({"clip": [f"{number}.wav" for number in range(5)], "duration_s": np.array(lengths) / 44100})
    table = table.with_columns(file="clip", sample_rate_hz=44100)
    whole = clips.Clips(table, rate_hz, {}, tmp_path, None, np.arange(5))
    np.testing.assert_array_equal(whole.lengths, frames)
    plan = store_writer.plan_store(table, [], "x", rate_hz, Files(str(tmp_path)))
    np.testing.assert_array_equal(plan.clips["store_frames"], frames)
    assert [len(whole.waveform(number)) for number in range(5)] == frames.tolist()
    part = dataclasses.replace(whole, first_s=0.105)
    np.testing.assert_array_equal(part.lengths, np.minimum(frames, round(0.105 * rate_hz)))


# ---- batches


def test_a_batch_is_a_function_of_seed_and_step():
    batches = [ClipBatches(load_tones(), clips_per_batch=8, crop_s=0.2, crops=2, seed=seed) for seed in (0, 0, 1)]
    rows = np.arange(8)
    first, again, other = (one.batch(rows, 3) for one in batches)
    np.testing.assert_array_equal(first["audio"], again["audio"])
    assert (first["audio"] != other["audio"]).any() and (first["audio"] != batches[0].batch(rows, 4)["audio"]).any()
    assert first["audio"].shape == (8, 2, 800) and first["audio"].dtype == np.float32
    assert (first["audio"][:, 0] != first["audio"][:, 1]).any()


def test_crops_are_parts_of_their_clips_and_short_clips_are_filled_up():
    whole = load_tones()
    batch = ClipBatches(whole, clips_per_batch=8, crop_s=0.8, seed=0).batch(np.arange(48), 0)
    lengths = whole.lengths
    np.testing.assert_array_equal(batch["samples"][:, 0], np.minimum(lengths, 3200))
    for clip in range(48):
        samples = int(batch["samples"][clip, 0])
        crop, audio = batch["audio"][clip, 0], whole.waveform(clip)
        windows = np.lib.stride_tricks.sliding_window_view(audio, samples)
        assert (windows == crop[:samples]).all(axis=1).any()
        assert not crop[samples:].any()
    np.testing.assert_array_equal(batch["pitch"], whole.targets["pitch"].values)


def test_an_epoch_may_come_to_each_clip_several_times():
    batches = ClipBatches(load_tones(), crop_s=0.2, repeats=3, seed=0)
    assert batches.n_examples == 144
    np.testing.assert_array_equal(batches.batch(np.array([50]), 0)["pitch"], batches.batch(np.array([2]), 0)["pitch"])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), st.integers(1, 120))
def test_tiles_cover_every_sample_and_never_leave_the_clip(lengths, tile):
    owners, starts = tile_starts(np.array(lengths), tile)
    for clip, length in enumerate(lengths):
        covered = np.zeros(length, bool)
        for start in starts[owners == clip]:
            assert start >= 0 and (start + tile <= length or start == 0)
            covered[start : start + tile] = True
        assert covered.all()


def test_tiles_of_a_clip_do_not_depend_on_the_others():
    whole = load_tones()
    reader = CropReader(round(0.3 * RATE_HZ))

    def tiles_of(part, at_once):
        tiles = {}
        for row, tile in read_tiles(reader, part, part.lengths, np.arange(len(part)), at_once):
            tiles.setdefault(part.table["clip"][row], []).append(tile.audio[0])
        return tiles

    everything = tiles_of(whole, 16)
    for name, tiles in tiles_of(whole.take(np.array([5, 40, 7])), 4).items():
        np.testing.assert_array_equal(tiles, everything[name])


@pytest.mark.parametrize("option", [{"crop_s": 0.0}, {"crops": 0}, {"clips_per_batch": 0}, {"repeats": 0}])
def test_batches_of_nothing_are_refused(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        ClipBatches(load_tones(), seed=0, **option)


def test_crops_of_mere_silence_are_refused():
    """Of clips of up to 1.2 s."""
    assert ClipBatches(load_tones(), crop_s=2.0, seed=0).crop_samples == 8000
    for crop_s, words in (
        (3.0, "crop_s=3.0 is more than twice the longest recording, 1.2 s"),
        (1e-5, "not one sample"),
    ):
        with pytest.raises(ValueError, match=words):
            ClipBatches(load_tones(), crop_s=crop_s, seed=0)


class PitchNumber:
    """A task: the loss of a clip is the number of its pitch."""

    def loss(self, model, rows, batch, key):
        return batch["pitch"].astype(np.float32), batch["weights"]


def test_clips_that_fill_up_a_batch_count_nothing_in_the_loss():
    """13 clips in batches of 8: each counts once, though every batch has the same shape."""
    whole = load_tones(13)
    batches = ClipBatches(whole, clips_per_batch=8, crop_s=0.2, seed=0)
    run: Any = types.SimpleNamespace(batches=batches, task=PitchNumber(), model=nnx.graphdef(nnx.Dict()))
    state = {"params": {"model": {}, "tables": {}}, "stats": {}, "tables": {}}
    with jax.transfer_guard("disallow"):
        assert held_out_loss(run)(state, whole) == pytest.approx(whole.targets["pitch"].values.mean())
