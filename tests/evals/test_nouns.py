"""Counts in words: singular, plural, and the names of columns as nouns."""

import numpy as np
import pytest

from mu.evals.nouns import counted, noun, plural
from mu.evals.result import Result, Statistic
from mu.evals.table import ResultTable


@pytest.mark.parametrize(
    ("column", "word"),
    [
        ("freesound_clip_id", "Freesound clip"),
        ("ytid", "YouTube video"),
        ("content_hash", "recording"),
        ("recording_id", "recording"),
        ("artist", "artist"),
        ("source_recording", "source recording"),
        ("id", "id"),
    ],
)
def test_a_column_is_what_its_values_stand_for(column, word):
    assert noun(column) == word


def test_counts_agree_with_their_nouns():
    assert [counted(n, "clip") for n in (0, 1, 1204)] == ["0 clips", "1 clip", "1,204 clips"]
    assert [plural(word) for word in ("class", "category", "play", "patch")] == [
        "classes", "categories", "plays", "patches"
    ]  # fmt: skip


def clips(truth, clusters):
    """Accuracy of two classes and correlation of a number, of clips of which some are not labelled."""
    n = len(truth)
    numbers = np.where(np.asarray(truth) < 0, np.nan, np.arange(n))[:, None]
    arrays = {"a/scores": np.eye(2)[np.zeros(n, int)], "a/truth": np.asarray(truth)}
    arrays |= {"b/scores": np.arange(n)[:, None] * 1.0, "b/truth": numbers}
    path = "mu.evals.metrics.clips"
    statistics = {
        "a/accuracy": Statistic(f"{path}.accuracy:accuracy", ("a/scores", "a/truth"), counted=f"{path}.counted:known"),
        "b/pearson": Statistic(f"{path}.pearson:pearson", ("b/scores", "b/truth")),
    }
    options = {"statistics": statistics, "arrays": arrays, "truth": ("a/truth", "b/truth")}
    return Result("clip", np.arange(n), cluster="freesound_clip_id", clusters=np.asarray(clusters), **options)


def test_a_metric_is_of_the_clips_whose_truth_is_known():
    result = clips([0, 1, 0, -1, -1, 1], ["x", "x", "y", "y", "z", "x"])
    for name in ("a/accuracy", "b/pearson"):
        assert result.n_units(name) == 4 and result.sampling(name)[0] == 2
    assert result.resampled == "3 Freesound clips"
    assert "6 clips; brackets: 95 % bootstrap interval over 3 Freesound clips, wider" in str(
        ResultTable({"model": result}, samples=10)
    )
