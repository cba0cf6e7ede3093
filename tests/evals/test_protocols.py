"""The evaluators that a config names: what they make of a split, and of what they are given to measure."""

import types

import numpy as np
import pytest

from mu.data.clips.folds import by_hash
from mu.data.clips.targets import ClassTarget
from mu.data.logs.splits import leave_one_out
from mu.evals.predictions import predictions_of
from mu.evals.protocols.clips import ClipPrediction
from mu.evals.protocols.play_events import plays_of
from mu.evals.protocols.plays import PlayEvaluator, PlayRanking
from mu.evals.protocols.ranking import Ranking, RankingEvaluator
from mu.evals.protocols.ratings import RatingPrediction
from tests.evals.test_ranking import Given
from tests.helpers.audio_clips import make_clips
from tests.helpers.rating_clips import load_rated_clips, write_ratings
from tests.helpers.tiny_runs import N_TRACKS, N_USERS, make_log


@pytest.fixture(scope="module")
def split():
    return leave_one_out(make_log())


@pytest.mark.parametrize(
    ("part", "options", "sees", "masks"),
    [
        ("valid", {}, False, False),
        ("test", {}, True, True),
        ("test", {"test_sees_valid": False}, False, True),
        ("test", {"test_masks_valid": False}, True, False),
    ],
)
def test_ranking_is_that_of_the_parts_of_a_split(split, part, options, sees, masks):
    table = np.random.default_rng(0).random((N_USERS, N_TRACKS))
    seen = split.train.seen()
    by_hand = RankingEvaluator(
        getattr(split, part).seen(),
        split.train.merged(split.valid) if sees else split.train,
        seen.union(split.valid.seen()) if masks else seen,
        split.train.counts() > 0,
    )
    expected, recommenders = by_hand.run(Given(table)), [Given(table), Given(table)]
    evaluator = Ranking(split=split, train=split.train, part=part, **options)
    assert evaluator.names == ["recall@10", "recall@20", "ndcg@10", "ndcg@20"]
    result = evaluator.run(recommenders[0])
    for name, column in expected.columns.items():
        np.testing.assert_array_equal(result.columns[name], column)
    assert result.same == {"split": split.hash, **expected.same}
    by_hand.run(recommenders[1])
    for ours, theirs in zip(recommenders[0].blocks, recommenders[1].blocks, strict=True):
        assert ours[0].tolist() == theirs[0].tolist() and ours[1] == theirs[1]


def test_a_refit_knows_the_tracks_of_the_validation_part():
    split = leave_one_out(make_log(n_tracks=300))
    model = Given(np.zeros((N_USERS, 300)))
    for train in (split.train, split.train.merged(split.valid)):
        found = Ranking(split=split, train=train, part="test").run(model)
        unseen = train.counts()[split.test.items] == 0
        assert found.counts["cold targets"] == unseen.sum() > 0
        assert (found.columns["recall@20"] == 0).sum() >= unseen.sum()


def test_lists_know_popularity_of_training_and_groups_by_a_column(split):
    table = np.tile(split.train.counts(), (N_USERS, 1))
    names = ("novelty", "artist_exposure")
    evaluator = Ranking(split=split, train=split.train, part="test", ks=(5,), list_metrics=names, groups="track")
    values = evaluator.run(Given(table)).values()
    assert list(values) == evaluator.names == ["recall@5", "ndcg@5", "novelty@5", "artist_exposure@5"]
    rare = evaluator.run(Given(-table)).values()
    assert values["novelty@5"] < rare["novelty@5"] and 0 < values["artist_exposure@5"] < 1
    with pytest.raises(ValueError, match="groups='artist': the tracks have the columns track"):
        Ranking(split=split, train=split.train, part="test", list_metrics=names, groups="artist")


def test_lists_know_what_tracks_are_like_from_a_column_or_a_file(split, tmp_path):
    table, names = np.random.default_rng(0).random((N_USERS, N_TRACKS)), ("intra_list_diversity",)
    np.save(tmp_path / "alike.npy", np.ones((N_TRACKS, 3), np.float32))

    def diversity(vectors):
        options = {"ks": (5,), "metrics": (), "list_metrics": names, "vectors": vectors}
        result = Ranking(split=split, train=split.train, part="test", **options).run(Given(table))
        return result.values()["intra_list_diversity@5"], result.same["vectors of tracks"]

    (apart, one), (alike, other) = diversity("track"), diversity(str(tmp_path / "alike.npy"))
    assert apart == pytest.approx(1) and alike == pytest.approx(0) and one != other
    np.save(tmp_path / "short.npy", np.ones((3, 3), np.float32))
    (tmp_path / "text.npy").write_text("no array", encoding="utf-8")
    for vectors, message in (
        (None, "needs the vectors of the tracks: .* vectors='tags'"),
        ("tags", "vectors='tags' is neither a file PATH.npy nor a column of the tracks, which have track"),
        ("none.npy", "there is no such file"),
        (str(tmp_path / "short.npy"), r"holds float32 \(3, 3\); it must be finite floats \[40, D\]"),
        (str(tmp_path / "text.npy"), "is not what numpy.save writes"),
    ):
        with pytest.raises(ValueError, match=message):
            diversity(vectors)


def test_plays_are_those_of_a_part_of_a_split(split):
    log = split.train
    end_ms = int(log.times.max())
    released_ms = np.where(np.arange(N_TRACKS) < 30, -1, end_ms + 1)
    fields = {name: getattr(log, name) for name in ("n_items", "counts", "tracks")}
    train = types.SimpleNamespace(**fields, released_ms=released_ms, end_ms=end_ms)
    table = np.random.default_rng(0).random((N_USERS, N_TRACKS))
    for part, histories in (("valid", log), ("test", log.merged(split.valid))):
        evaluator = PlayRanking(split=split, train=train, part=part)
        by_hand = PlayEvaluator(plays_of(getattr(split, part)), histories, released_ms, end_ms, log.counts() > 0)
        ours, theirs = evaluator.run(Given(table)), by_hand.run(Given(table))
        assert ours.names == theirs.names == evaluator.names and ours.same == {"part": part, **theirs.same}
        for name, column in theirs.columns.items():
            np.testing.assert_array_equal(ours.columns[name], column)
    options = {"ks": (5,), "list_metrics": ("novelty", "artist_exposure", "intra_list_diversity")}
    lists = PlayRanking(split=split, train=train, part="test", groups="track", vectors="track", **options)
    found = lists.run(Given(table))
    assert set(lists.names) > {"lists/novelty@5", "lists/artist_exposure@5"} and "vectors of tracks" in found.same
    assert found.values()["lists/intra_list_diversity@5"] == pytest.approx(1)  # no track has another's label


class Truth:
    """Predicts every target as it is."""

    def predict(self, clips):
        return {
            name: np.eye(len(target.names), dtype=np.float32)[target.values]
            if isinstance(target, ClassTarget)
            else target.values
            for name, target in clips.targets.items()
        }


def test_clips_are_those_of_a_part_and_targets_those_of_the_task():
    split = by_hash(make_clips(), n_folds=4, fold=0, stratify="pitch")
    evaluator = ClipPrediction(split=split, part="test", outputs=("pitch", "tags"), group="speaker")
    assert evaluator.names[:2] == ["pitch/accuracy", "pitch/f1"] and not any(
        "numbers" in name for name in evaluator.names
    )
    result = evaluator.run(Truth())
    assert result.names == evaluator.names and result.units.tolist() == split.test.table["clip"].to_list()
    assert result.values()["pitch/accuracy"] == result.values()["tags/roc_auc"] == 1
    assert result.cluster == "speaker" and set(result.clusters) == set(split.test.table["speaker"])
    assert set(predictions_of(result)) == {"pitch", "tags"}
    short = ClipPrediction(split=split, part="valid", outputs=("numbers",), number_metrics=("r2",))
    assert short.names == ["numbers/r2"] and short.run(Truth()).values() == {"numbers/r2": pytest.approx(1)}
    assert ClipPrediction(split=split, part="test", outputs=()).names == []


def test_groups_that_clips_do_not_have_are_refused_before_anything_is_predicted(tmp_path):
    for evaluator, clips in ((ClipPrediction, make_clips()), (RatingPrediction, None)):
        clips = clips or load_rated_clips(write_ratings(tmp_path / "ratings.csv"))
        with pytest.raises(ValueError, match="'singer'"):
            evaluator(split=by_hash(clips, n_folds=4, fold=0), part="test", group="singer")


def test_ratings_are_those_of_the_clips_of_a_part(tmp_path):
    split = by_hash(load_rated_clips(write_ratings(tmp_path / "ratings.csv")), n_folds=4, fold=0)
    evaluator = RatingPrediction(split=split, part="test")

    class Right:
        def predict(self, clips):
            columns = enumerate(clips.label_names)
            return {name: clips.ratings.labels[:, [at]].astype(np.float32) for at, name in columns}

    result = evaluator.run(Right())
    assert result.names == evaluator.names and "liked/roc_auc" in evaluator.names
    assert result.values()["liked/roc_auc"] == 1 and result.unit == "rating"
    assert result.n_clusters == len(split.test) < len(result)


@pytest.mark.parametrize("evaluator", [Ranking, PlayRanking, ClipPrediction, RatingPrediction])
def test_other_parts_are_refused(split, evaluator):
    trained = {"train": split.train} if evaluator in (Ranking, PlayRanking) else {}
    with pytest.raises(ValueError, match="part is 'train'; it must be 'valid' or 'test'"):
        evaluator(split=split, part="train", **trained)
