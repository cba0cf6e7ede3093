"""Probes: known answers on made-up features, nothing of a group leaks, and what `mu probe` says and refuses."""

import functools
import json

import numpy as np
import polars as pl
import pytest

from mu.baselines.linear import chosen_linear
from mu.baselines.mlp import chosen_mlp
from mu.commands.probe import main
from mu.data import embeddings as table
from mu.data.clips.targets import ClassTarget, NumberTarget, TagTarget
from mu.embedding.probe import linear_of_few
from mu.embedding.probe_fitting import few_shot, out_of_fold
from mu.evals.protocols.probes import few_shot_accuracy, probe_result
from mu.evals.results import load
from mu.files import read_json

N, GROUPS, FOLDS = 240, 24, 4
NAMES = ("blue", "green", "red")
GROUP = np.arange(N) % GROUPS
FOLD = GROUP % FOLDS
CLIPS = [f"clip{number}" for number in range(N)]
HEADS = {"linear": chosen_linear, "mlp": functools.partial(chosen_mlp, hidden=32)}


def classes(values):
    return ClassTarget(NAMES, np.asarray(values, np.int32))


def blobs(spread, seed=0):
    """(features [N, 8], classes [N]): three clouds, of every class some in every group."""
    generator = np.random.default_rng(seed)
    told = generator.permuted(np.arange(N) % 3)
    return generator.standard_normal((3, 8))[told] * 3 + spread * generator.standard_normal((N, 8)), told


def measured(features, target, head, folds=FOLD, groups=GROUP, name="colour"):
    predicted = out_of_fold(features, {name: target}, folds, groups, HEADS[head])
    result = probe_result(predicted, {name: target}, folds, groups, CLIPS, "artist")
    return {metric: (value, low, high) for metric, value, low, high in result.summary(200)}


@pytest.mark.parametrize("head", HEADS)
def test_separable_classes_are_all_told(head):
    features, told = blobs(0.1)
    found = measured(features, classes(told), head)
    assert found["colour/accuracy"][0] == found["colour/f1"][0] == found["colour/roc_auc"][0] == 1.0


@pytest.mark.parametrize(
    "head", [pytest.param(head, marks=pytest.mark.slow if head == "mlp" else ()) for head in HEADS]
)
def test_random_classes_are_told_by_chance(head):
    generator = np.random.default_rng(1)
    found = measured(generator.standard_normal((N, 8)), classes(generator.integers(0, 3, N)), head)
    assert found["colour/accuracy"][1] < 1 / 3 < found["colour/accuracy"][2]
    assert found["colour/roc_auc"][1] < 0.55 and found["colour/roc_auc"][2] > 0.45


@pytest.mark.parametrize("head", HEADS)
def test_who_somebody_is_tells_nothing_of_what_is_told_of_others(head):
    """Features that name the group, and a class that is the group's: known by heart where groups are in all folds."""
    generator = np.random.default_rng(2)
    told = classes(generator.permuted(np.arange(GROUPS) % 3)[GROUP])
    features = np.eye(GROUPS)[GROUP] + 0.01 * generator.standard_normal((N, GROUPS))
    apart = measured(features, told, head)["colour/accuracy"]
    each = np.arange(N)
    together = measured(features, told, head, folds=np.arange(N) // GROUPS % FOLDS, groups=each)["colour/accuracy"]
    assert apart[0] < 0.5 and together[0] > 0.95


@pytest.mark.parametrize("head", HEADS)
def test_tags_and_numbers(head):
    """Three directions that are told by their sign, or by how far."""
    generator = np.random.default_rng(3)
    features = generator.standard_normal((N, 6))
    hidden = features @ generator.standard_normal((6, 3))
    tags = TagTarget(("loud", "fast", "old"), (hidden > 0).astype(np.float32))
    tags.values[::7] = np.nan  # not known of all
    found = measured(features, tags, head, name="tags")
    assert found["tags/roc_auc"][0] > 0.97 and found["tags/average_precision"][0] > 0.97
    numbers = NumberTarget(("bpm", "year", "db"), (hidden * [30, 10, 3] + [120, 1980, -20]).astype(np.float32))
    found = measured(features, numbers, head, name="numbers")
    assert found["numbers/pearson"][0] > 0.97 and found["numbers/r2"][0] > 0.93


def test_few_examples_do_less_than_many_and_as_many_as_needed_do_all():
    features, told = blobs(0.05)
    given = {"shots": (1, 2), "trials": 6, "seed": 0, "learn": linear_of_few}
    right = few_shot(features, classes(told), FOLD, GROUP, **given)
    np.testing.assert_array_equal(right[0] >= 0, np.arange(6)[:, None] % FOLDS == FOLD)
    assert set(right[right >= 0].tolist()) == {1}
    features, told = blobs(3.0)
    given |= {"shots": (1, 4, 16), "trials": 20}
    right = few_shot(features, classes(told), FOLD, GROUP, **given)
    found = few_shot_accuracy(right, GROUP, 100)
    one, four, sixteen = (value for value, _, _ in found)
    assert right.shape == (3, 20, N) and 1 / 3 < one < four - 0.05 < sixteen - 0.1
    assert all(low < value < high for value, low, high in found)
    assert one == pytest.approx(np.mean([trial[trial >= 0].mean() for trial in right[0]]))
    np.testing.assert_array_equal(few_shot(features, classes(told), FOLD, GROUP, **given), right)
    np.testing.assert_array_equal(  # draws are nested, and do not depend on what else is asked for
        few_shot(features, classes(told), FOLD, GROUP, **given | {"shots": (4,), "trials": 7}), right[1:2, :7]
    )


def test_few_examples_of_the_right_folds_and_classes():
    """What is drawn, seen by a probe that remembers it: k known clips of each class, none of the tested fold."""
    told = classes(np.where(np.arange(N) % 10 == 0, -1, np.arange(N) % 3))
    seen = []

    class Remembers:
        def predict(self, features):
            seen[-1] += (features[:, 0].astype(int),)
            return np.zeros((len(features), 3), np.float32)

    def learn(features, target, groups):
        rows = features[:, 0].astype(int)
        np.testing.assert_array_equal(target.values, told.values[rows])
        np.testing.assert_array_equal(groups, GROUP[rows])
        assert target.names == NAMES
        seen.append((rows,))
        return Remembers()

    rows = np.arange(N, dtype=np.float64)[:, None]
    few_shot(rows, told, FOLD, GROUP, shots=(1, 5), trials=5, seed=3, learn=learn)
    for number, (drawn, tested) in enumerate(seen):
        fold = number // 2 % FOLDS
        k = (1, 5)[number % 2]
        np.testing.assert_array_equal(np.bincount(told.values[drawn]), [k, k, k])
        assert len(set(drawn.tolist())) == 3 * k and (FOLD[drawn] != fold).all()
        np.testing.assert_array_equal(tested, np.flatnonzero((fold == FOLD) & (told.values >= 0)))
    assert len(seen) == 10 and set(seen[0][0]) < set(seen[1][0])


def test_folds_that_measure_nothing_are_refused():
    features, told = blobs(1.0)
    target = classes(told)
    with pytest.raises(ValueError, match="group 0 is in folds 0 and 1: what is learnt would be tested"):
        measured(features, target, "linear", folds=np.arange(N) // GROUPS % 2)
    with pytest.raises(ValueError, match="nothing to test on"):
        measured(features, target, "linear", folds=np.zeros(N, int))
    target.values[FOLD != 2] = -1
    with pytest.raises(ValueError, match="outside fold 2 no clip has a known 'colour'"):
        measured(features, target, "linear")
    with pytest.raises(ValueError, match=r"class '\w+' has \d+ clips outside fold 0: 60 shots are more than there are"):
        few_shot(features, classes(told), FOLD, GROUP, shots=(1, 60), trials=1, seed=0, learn=linear_of_few)
    with pytest.raises(ValueError, match="trials is 0"):
        few_shot(features, classes(told), FOLD, GROUP, shots=(1,), trials=0, seed=0, learn=linear_of_few)
    with pytest.raises(ValueError, match="fold 0 has no clip whose class is known"):
        few_shot(features, target, FOLD, GROUP, shots=(1,), trials=1, seed=0, learn=linear_of_few)


@pytest.fixture
def library(tmp_path):
    """(folder of an import with labels, folder of embeddings of its clips); of the first there is none, being gone."""
    features, told = blobs(1.0)
    hashes = [f"{number:064x}" for number in range(N)]
    rows = {
        "clip": CLIPS,
        "file": CLIPS,
        "content_hash": hashes,
        "duration_s": np.ones(N),
        "colour": np.array(NAMES)[told],
        "tags": ["warm" if name == 2 else "cold|dark" if name else "cold" for name in told],
        "heat": told.astype(np.float64),
        "artist": [f"artist{number:02d}" for number in GROUP],
        "fold": FOLD,
        "album": [None if number == 4 else str(number) for number in range(N)],
    }
    for folder in ("library", "embeddings"):
        (tmp_path / folder).mkdir()
    pl.DataFrame(rows).write_parquet(tmp_path / "library" / "clips.parquet")
    (tmp_path / "library" / "card.json").write_text(json.dumps({"root": "/nowhere"}))
    embed(tmp_path / "embeddings", features[1:].astype(np.float32), hashes[1:], hashes[0])
    return tmp_path / "library", tmp_path / "embeddings"


def embed(folder, vectors, hashes, faulty):
    rows = {"row": range(len(hashes)), "content_hash": hashes, "clip": hashes, "duration_s": 1.0}
    fault = {"file": "x", "fault": "missing", "reason": "gone", "done": "left out", "content_hash": faulty}
    card = {
        "encoder": {"hash": "e" * 64, "run": "runs/x", "step": 3, "commit": None, "sample_rate_hz": 16000},
        "dim": 8,
        "library": "data/x",
        "clips": len(hashes),
        "embeddings": len(hashes),
    }
    table.write(folder, [vectors], vectors.shape, pl.DataFrame(rows), [fault], card)


def call(library, *flags, folds="fold"):
    """The status of `mu probe`, whatever way it ends."""
    try:
        return main([str(library[1]), f"--library={library[0]}", f"--folds={folds}", "--bootstrap_samples=20", *flags])
    except SystemExit as stop:
        return stop.code


def test_the_command_measures_all_it_is_told_and_saves_it(library, tmp_path, capsys):
    flags = ("--classes=colour", "--tags=tags", "--numbers=heat", "--group=artist", "--shots=1,8", "--trials=4")
    assert call(library, *flags, f"--output={tmp_path / 'out'}") == 0
    printed = capsys.readouterr().out
    assert "1 clips are left out" in printed and "239 clips" in printed and "24 artists" in printed
    assert "4 folds by fold, groups by artist" in printed and "(runs/x, step 3)" in printed
    document = read_json(tmp_path / "out" / "probe.json")
    values = {row["metric"]: row["value"] for row in document["rows"]}
    assert values["colour/accuracy"] > 0.95 and values["tags/roc_auc"] > 0.95 and values["numbers/pearson"] > 0.9
    one, eight = document["few_shot"]["colour"]
    assert (one["shots"], eight["shots"]) == (1, 8) and one["accuracy"] < eight["accuracy"] <= eight["high"]
    evaluation = load(tmp_path / "out" / "seed0")
    assert (
        evaluation.results["model"].values() == pytest.approx(values) and evaluation.card["encoder"]["hash"] == "e" * 64
    )
    assert evaluation.results["model"].clusters is not None
    assert set(evaluation.results["model"].clusters) == {f"artist{number:02d}" for number in range(GROUPS)}
    assert "/accuracy" in printed and "examples a class" in printed and "bootstrap interval over 24 artists." in printed
    assert "calibrated fold by fold" in printed


def test_the_command_deals_folds_and_takes_several_seeds(library, tmp_path, capsys):
    flags = ("--classes=colour", "--group=artist", "--head=mlp", "--seeds=0,1", f"--output={tmp_path / 'out'}")
    assert call(library, *flags, folds="3") == 0
    assert "mean over seeds" in capsys.readouterr().out
    document = read_json(tmp_path / "out" / "probe.json")
    assert document["seeds"] == [0, 1] and all(len(row["seeds"]) == 2 for row in document["rows"])
    assert document["rows"][0]["value"] == pytest.approx(np.mean(document["rows"][0]["seeds"]))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["probe.json", "seed0", "seed1"]


def test_embeddings_of_other_clips_are_refused(library, tmp_path, capsys):
    clips = pl.read_parquet(library[0] / "clips.parquet")
    other = pl.col("content_hash").str.replace("^0000", "ffff")
    clips = clips.with_columns(content_hash=pl.when(pl.col("fold") == 1).then(other).otherwise("content_hash"))
    clips.write_parquet(library[0] / "clips.parquet")
    assert call(library, "--classes=colour") == 1
    said = capsys.readouterr().err
    assert "60 of the 240 clips" in said and "these are embeddings of data/x" in said and "and 57 more" in said
    assert clips.filter(pl.col("fold") == 1)["content_hash"][0] in said and "mu embed runs/x" in said


@pytest.mark.parametrize(
    ("flags", "folds", "status", "message"),
    [
        ("--classes=color", "fold", 1, "no column 'color' (did you mean 'colour'?)"),
        ("--classes=colour --group=artiste", "fold", 1, "no column 'artiste' (did you mean 'artist'?)"),
        ("--classes=colour", "folds", 1, "no column 'folds' (did you mean 'fold'?)"),
        ("--classes=colour --group=artist", "colour", 1, "what is learnt would be tested"),
        ("--classes=colour --group=artist", "2", 1, "need at least 3"),
        ("--classes=colour --group=artist", "30", 1, "24 values of 'artist' cannot fill 30 folds"),
        ("--numbers=colour", "fold", 1, "numbers are needed"),
        ("--classes=colour --shots=1000", "fold", 1, "1000 shots are more than there are"),
        ("--group=artist", "fold", 2, "--classes, --tags or --numbers"),
        ("--numbers=heat --shots=1", "fold", 2, "--shots draws examples of --classes"),
        ("--classes=colour --shots=1 --head=mlp", "fold", 2, "--shots draws examples of --classes"),
        ("--classes=colour --shots=0,1", "fold", 2, "must be at least 1"),
        ("--classes=colour --shots=2,2", "fold", 2, "different whole numbers"),
        ("--classes=colour --seeds=0,1", "fold", 2, "one seed is enough"),
        ("--classes=colour --trials=0", "fold", 2, "must be at least 1"),
        ("--classes=colour --seeds=a", "fold", 2, "'a'; it takes different whole numbers, such as 1,2,4"),
        ("--classes=colour --group=album", "fold", 1, "clip 'clip4' has no 'album' (1 of 239 have none): fill it in"),
    ],
)
def test_wrong_calls(library, capsys, flags, folds, status, message):
    assert call(library, *flags.split(), folds=folds) == status
    assert message in capsys.readouterr().err


def test_what_is_not_there(library, tmp_path, capsys):
    assert call((tmp_path / "nothing", library[1]), "--classes=colour") == 1
    assert "make them with `mu import-audio`" in capsys.readouterr().err
    assert call((library[0], tmp_path / "nothing"), "--classes=colour") == 1
    assert "make them with `mu embed`" in capsys.readouterr().err
