"""What belongs together, from the import to folds, intervals and probes."""

import json

import polars as pl
import pytest

from mu.commands.import_audio import main
from mu.data.clips import clips as clip_tables
from mu.data.clips import folds
from mu.data.clips.importing.groups import group_column
from mu.data.options import OptionError
from mu.evals.protocols.clips import ClipPrediction
from tests.helpers.audio_files import sound, write

RATE_HZ = 8000


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"freesound_clip_id": ["7", "7", "8"]}, "freesound_clip_id"),
        ({"album": ["a", "a", "b"], "artist": ["x", "x", "y"], "genre": ["g", "g", "h"]}, "artist"),
        ({"artist": ["x", None, "x"], "album": ["a", "a", "b"]}, "album"),  # not known of all
        ({"recording_id": ["1", "2", "3"]}, None),  # of each its own
        ({"artist": ["x", "x", "x"]}, None),  # nothing to tell apart
        ({"genre": ["g", "g", "h"]}, None),
    ],
)
def test_the_column_is_found_by_its_name_and_values(columns, expected):
    assert group_column(pl.DataFrame({"clip": ["1", "2", "3"], **columns}), None) == expected


def test_a_column_that_is_asked_for_must_be_there_and_whole():
    clips = pl.DataFrame({"clip": ["1", "2"], "singer": ["a", None], "artist": ["x", "x"]})
    assert group_column(clips, "artist") == "artist"
    with pytest.raises(OptionError, match=r"--group=sniger: .* \(did you mean 'singer'\?\)"):
        group_column(clips, "sniger")
    with pytest.raises(OptionError, match="1 clips have no singer, '2' among them"):
        group_column(clips, "singer")


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A table of eight files that were cut from four recordings; the folds keep them together, and `cut` does not."""
    folder = tmp_path_factory.mktemp("groups")
    rows = []
    for number in range(8):
        write(folder / f"{number}.wav", sound(0.2, RATE_HZ, seed=number), RATE_HZ)
        tape = number // 2
        rows.append((f"{number}.wav", "ab"[number % 2], f"0{tape}", f"singer{tape % 2}", tape, number % 4))
    names = ["file", "class", "freesound_clip_id", "singer", "fold", "cut"]
    pl.DataFrame(rows, schema=names, orient="row").write_csv(folder / "meta.csv")
    return folder / "meta.csv"


def imported(table, output, *flags):
    assert main([str(table), f"--output={output}", "--workers=1", *flags]) == 0
    return clip_tables.load(output, sample_rate_hz=RATE_HZ, classes=("class",))


def test_a_misspelt_column_is_refused_before_anything_is_scanned(table, tmp_path, capsys):
    assert main([str(table), f"--output={tmp_path / 'clips'}", "--group=sniger"]) == 2
    assert "--group=sniger: the clips have no such column (did you mean 'singer'?)" in capsys.readouterr().err
    assert not (tmp_path / "clips").exists()


def test_folds_and_intervals_keep_together_what_the_import_found(table, tmp_path, capsys):
    clips = imported(table, tmp_path / "clips")
    assert clips.group == "freesound_clip_id"
    assert "clips with the same freesound_clip_id belong together (4 groups)" in capsys.readouterr().out
    card = json.loads((tmp_path / "clips" / "card.json").read_text())
    assert (card["group"], card["groups"]) == ("freesound_clip_id", 4)
    for split in (
        folds.by_hash(clips, n_folds=4, fold=0),
        folds.by_column(clips, column_name="fold", fold=0),
    ):
        assert len(split.test) == 2 and split.test.table["freesound_clip_id"].n_unique() == 1
    words = (
        "the import says that clips with the same freesound_clip_id belong together; group=content_hash keeps single"
    )
    with pytest.raises(ValueError, match=words):
        folds.by_column(clips, column_name="cut", fold=0)
    split = folds.by_column(clips, column_name="cut", fold=0, group="content_hash")
    assert split.test.table["cut"].to_list() == ["0", "0"]
    split = folds.by_hash(clips, n_folds=3, fold=0)
    evaluator = ClipPrediction(split=split, part="test")
    tapes = split.test.table["freesound_clip_id"].to_list()
    assert (evaluator._cluster, evaluator._clusters) == ("freesound_clip_id", tapes)
    alone = ClipPrediction(split=split, part="test", group="content_hash")
    assert alone._cluster == "recording" and len(set(alone._clusters)) == len(split.test)


def test_the_user_says_what_belongs_together(table, tmp_path, capsys):
    assert imported(table, tmp_path / "clips", "--group=singer").group == "singer"
    assert "the same singer belong together (2 groups)" in capsys.readouterr().out
    assert imported(table, tmp_path / "clips", "--group=content_hash").group == "content_hash"
    assert main([str(table), f"--output={tmp_path / 'clips'}", "--group=sniger"]) == 2
    assert "did you mean 'singer'" in capsys.readouterr().err
