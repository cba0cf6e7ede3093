"""Directions, nearest recordings and duplicates: against NumPy, on vectors with known answers, and as commands."""

import json
import shutil

import numpy as np
import polars as pl
import pytest
import soundfile

from mu.commands import duplicates as duplicates_command
from mu.commands import similar as similar_command
from mu.data.embeddings import Embeddings, load
from mu.embedding import pairs as pairs_module
from mu.embedding.directions import Directions
from mu.embedding.pairs import Pairs, groups_of, pair_recall, pairs_above, threshold_at
from mu.embedding.run import embed
from mu.embedding.similar import row_of, similar
from mu.embedding.works import works_of
from tests.helpers.chromium import browser, needs_browser
from tests.helpers.embeddings import SECONDS


def unit(rng, n, dim):
    vectors = rng.standard_normal((n, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def embeddings_of(vectors):
    names = [f"{row}.wav" for row in range(len(vectors))]
    columns = {"row": range(len(vectors)), "content_hash": names, "clip": names, "duration_s": [1.0] * len(vectors)}
    return Embeddings(vectors, pl.DataFrame(columns), (), {})


def test_directions_are_centred_scaled_and_of_length_one():
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((50, 4)) * [1, 100, 1e-3, 0] + [5, -1e4, 0, 0.1]).astype(np.float32)
    of_library = Directions.of(vectors)
    directions = of_library(vectors)
    z = (vectors - vectors.mean(0, np.float64)) / np.where([1, 1, 1, 0], vectors.std(0, dtype=np.float64), np.inf)
    np.testing.assert_allclose(directions, z / np.linalg.norm(z, axis=1, keepdims=True), rtol=1e-5, atol=1e-6)
    # Another unit of a number changes nothing; nor does the mean of the library have a direction.
    np.testing.assert_allclose(Directions.of(vectors * 8)(vectors * 8), directions, atol=1e-5)
    assert not of_library(vectors.mean(0, np.float64)[None]).any()
    with pytest.raises(ValueError, match="those of the library have 4 numbers"):
        of_library(vectors[:, :3])
    vectors[7, 2] = np.nan
    with pytest.raises(ValueError, match="1 of 50 vectors hold NaN or infinity, the first is row 7"):
        Directions.of(vectors)
    with pytest.raises(ValueError, match="no embeddings"):
        Directions.of(vectors[:0])


def test_the_nearest_are_those_of_a_sort_of_all_cosines():
    vectors = np.random.default_rng(1).standard_normal((300, 12)).astype(np.float32) + 3
    directions = Directions.of(vectors)(vectors).astype(np.float64)
    for query in (0, 17, 299):
        cosines = directions @ directions[query]
        cosines[query] = -np.inf
        matches = similar(embeddings_of(vectors), query, 7)
        assert [match.clip for match in matches] == [f"{row}.wav" for row in np.argsort(-cosines)[:7]]
        np.testing.assert_allclose([match.cosine for match in matches], np.sort(cosines)[:-8:-1], atol=1e-5)
    # The vector of a recording of the library finds itself first.
    assert similar(embeddings_of(vectors), vectors[17], 1)[0].clip == "17.wav"
    assert similar(embeddings_of(vectors[:1]), 0, 5) == []


@pytest.mark.parametrize("threshold", [-1.0, 0.3, 0.95])
def test_all_pairs_above_a_threshold(monkeypatch, threshold):
    monkeypatch.setattr(pairs_module, "BLOCK", 7)
    rng = np.random.default_rng(2)
    vectors = unit(rng, 60, 5)
    vectors[30:40], vectors[5] = vectors[:10], 0  # equal, and like nothing
    exact = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    wanted = {
        (i, j) for i in range(60) for j in range(i + 1, 60) if exact[i, j] >= threshold and i not in (5, 35) and j != 35
    }
    vectors[35] = 0
    pairs = pairs_above(vectors, threshold)
    assert set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == {
        pair for pair in wanted if 5 not in pair
    }
    assert (np.diff(pairs.cosines) <= 0).all()
    np.testing.assert_allclose(pairs.cosines, exact[pairs.first, pairs.second], atol=1e-12)


@pytest.mark.parametrize("rate", [0.5, 0.01, 1e-3])
@pytest.mark.parametrize("most", [2000, 40])
def test_the_threshold_merges_as_many_different_recordings_as_it_may(monkeypatch, rate, most):
    monkeypatch.setattr(pairs_module, "MOST_QUERIES", most)
    monkeypatch.setattr(pairs_module, "BLOCK", 16)
    vectors = unit(np.random.default_rng(3), 100, 6)
    works = np.arange(100) // 2
    works[90:] = -1
    threshold = threshold_at(vectors, rate, works)
    rows = np.arange(100) if most == 2000 else np.sort(np.random.default_rng(0).choice(100, 40, replace=False))
    cosines = (vectors.astype(np.float64) @ vectors.T.astype(np.float64))[rows]
    different = (works[rows, None] != works) & (works[rows, None] >= 0) & (works >= 0)
    merged = (cosines[different] >= threshold).mean()
    below = (cosines[different] >= threshold - 3e-5 - np.diff(np.sort(cosines[different])).max()).sum()
    assert merged <= rate and below > int(rate * different.sum())
    with pytest.raises(ValueError, match=r"less than one of the [\d,]+ pairs of different recordings"):
        threshold_at(vectors, 1e-9, works)
    with pytest.raises(ValueError, match="no two recordings are known to be different"):
        threshold_at(vectors, rate, np.zeros(100, np.int64))


def test_recall_counts_pairs_of_works():
    works = np.array([0, 0, 0, 1, 1, 2, -1])
    pairs = Pairs(np.array([0, 3, 0, 1]), np.array([1, 4, 5, 6]), np.array([0.9, 0.8, 0.7, 0.6]))
    found = pair_recall(pairs, works)
    assert (found.value, found.pairs, found.works) == (2 / 4, 4, 2)
    assert found.precision == 2 / 3  # of the pair with an unknown work nothing can be said
    assert found.low <= found.value <= found.high
    assert np.isnan(pair_recall(pairs, np.arange(7)).value)
    assert groups_of(pairs, 7).tolist() == [0, 0, 2, 3, 3, 0, 0]


def test_works_are_read_from_the_library_and_other_libraries_refused(whole, original, tmp_path):
    embeddings = load(whole)
    table = pl.read_parquet(original / "clips.parquet")
    moved = tmp_path / "library"
    moved.mkdir()
    work = ["x", "y", "x", None, "", "z", "y"]
    table.with_columns(pl.Series("work", work)).write_parquet(moved / "clips.parquet")
    works = works_of(embeddings, whole, "work", moved)
    by_clip = dict(zip(embeddings.table["clip"], works[embeddings.table["row"].to_numpy()].tolist(), strict=True))
    numbers = [by_clip[clip] for clip in table["clip"]]
    assert numbers == [0, 1, 0, -1, -1, 2, 1]
    with pytest.raises(ValueError, match=r"has no column 'wrok' \(did you mean 'work'\?\)"):
        works_of(embeddings, whole, "wrok", moved)
    table.with_columns(pl.lit("other").alias("clip"), pl.lit("a").alias("work")).write_parquet(moved / "clips.parquet")
    with pytest.raises(ValueError, match="is not the library of these embeddings"):
        works_of(embeddings, whole, "work", moved)
    with pytest.raises(FileNotFoundError, match="--library=DIR"):
        works_of(embeddings, whole, "work", tmp_path / "gone")


def test_a_file_is_found_like_the_clip_that_it_is(whole, original, tmp_path, capsys):
    """A copy of a recording has the vector of the recording, so that this comes first."""
    for name in ("b", "d"):  # several tiles
        shutil.copy(original.parent / "audio" / f"{name}.wav", tmp_path / "new.wav")
        assert similar_command.main([str(whole), str(tmp_path / "new.wav"), "--k=3", "--json"]) == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert lines[0]["clip"] == f"{name}.wav" and lines[0]["cosine"] == pytest.approx(1.0, abs=1e-5)
        assert [line["rank"] for line in lines] == [1, 2, 3]
    assert similar_command.main([str(whole), "b.wav", "--k=20"]) == 0
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2 + len(SECONDS) - 1 and "b.wav" not in out


@needs_browser
def test_the_page_plays_the_recordings(whole, tmp_path, capsys, original):
    page = tmp_path / "new" / "page.html"
    assert similar_command.main([str(whole), "b.wav", "--k=2", f"--page={page}"]) == 0
    assert f"Written to {page}" in capsys.readouterr().out
    with browser(tmp_path / "profile") as shown:
        shown.open(page)
        assert shown.tell("document.querySelectorAll('audio').length") == 3
        assert shown.tell("document.querySelector('h1').textContent") == "Like b.wav"
        assert not shown.said
    shutil.copy(original.parent / "audio" / "d.wav", tmp_path / "new.wav")
    assert similar_command.main([str(whole), str(tmp_path / "new.wav"), "--k=1", f"--page={page}"]) == 0
    assert page.read_text().count("<audio") == 2


def test_what_cannot_be_asked_says_why(whole, tmp_path, capsys):
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 4000)
    (tmp_path / "words.wav").write_text("no sound")
    for recording, message in (
        ("B.wav", "the library has no recording 'B.wav' (did you mean 'b.wav'?)"),
        (str(tmp_path / "none.wav"), "none.wav"),
        (str(tmp_path / "words.wav"), "words.wav"),
    ):
        assert similar_command.main([str(whole), recording]) == 1
        err = capsys.readouterr().err
        assert message in err and "Traceback" not in err
    for flags in (["--k=0"], ["--root=x"], [f"--page={tmp_path}"]):
        with pytest.raises(SystemExit, match="2"):
            similar_command.main([str(whole), "b.wav", *flags])
    with pytest.raises(ValueError, match="has no embedding: undecodable"):
        faults = ({"file": "bad.wav", "fault": "undecodable", "reason": "noise", "done": "", "content_hash": ""},)
        row_of(Embeddings(load(whole).vectors, load(whole).table, faults, {}), "bad.wav")


def test_duplicates_as_a_command(original, tmp_path, capsys, run):
    """Two copies at another level, and one byte by byte: vectors of a run on log-mel spectrograms barely move."""
    vectors = tmp_path / "vectors"
    embed(run, original, vectors)
    assert duplicates_command.main([str(vectors), "--threshold=-1", f"--output={tmp_path / 'new' / 'pairs.csv'}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("21 pairs in 1 groups, of 7 recordings") and "and 1 more" in out
    table = pl.read_csv(tmp_path / "new" / "pairs.csv")
    assert table.columns == ["cosine", "clip", "other", "group"] and len(table) == 21
    assert duplicates_command.main([str(vectors), "--works=clip", "--false_merge_rate=0.2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("4 pairs") and "No two recordings have the same clip" in out
    assert duplicates_command.main([str(vectors), "--works=clpi"]) == 1
    assert "did you mean 'clip'?" in capsys.readouterr().err
    for flags in (
        ["--threshold=2"],
        ["--false_merge_rate=0"],
        ["--threshold=.5", "--false_merge_rate=.1"],
        ["--library=x"],
    ):
        with pytest.raises(SystemExit, match="2"):
            duplicates_command.main([str(vectors), *flags])
