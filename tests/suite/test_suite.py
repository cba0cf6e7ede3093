"""`mu probe --suite`: known answers on made-up sounds, each task once, and what is refused."""

import pytest
from sklearn.metrics import accuracy_score

from mu.commands.probe import main
from mu.commands.world_music import main as world_music
from mu.evals.results import load
from mu.files import read_json
from mu.suite import music, run
from mu.suite.table import markdown_table, suite_text
from mu.suite.task import missing_data
from tests.helpers.suites import CLIPS, FOLDS, SOUNDS, make_data

OWN = "tests.helpers.suites"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """All tests share the import."""
    return tmp_path_factory.mktemp("work")


def call(data, workdir, encoder="Bands", *flags, suite=f"{OWN}:TASKS"):
    """The status of the command, whatever way it ends."""
    name = encoder if ":" in encoder or "/" in encoder or encoder.islower() else f"{OWN}:{encoder}"
    words = [name, f"--suite={suite}", f"--data={data}", f"--workdir={workdir}", "--bootstrap_samples=50", *flags]
    try:
        return main(words)
    except SystemExit as stop:
        return stop.code


def test_one_command_gives_the_table(data, workdir, tmp_path, capsys):
    assert call(data, workdir, "Bands", f"--output={tmp_path}") == 0
    printed = capsys.readouterr().out
    assert "kind/accuracy" in printed and "numbers/pearson" in printed and f"{CLIPS} recordings" in printed
    assert "may know these clips" in printed  # what an encoder of one's own has learnt from is not known
    kind, hz = read_json(tmp_path / "suite.json")["rows"]
    assert kind["value"] == 1.0 and kind["clips"] == CLIPS and set(kind["folds"].values()) == {1.0}
    assert hz["value"] > 0.9 and hz["low"] <= hz["value"] <= hz["high"] and len(hz["folds"]) == FOLDS
    # scikit-learn says the same of the predictions that are kept.
    kept = load(tmp_path / "linear" / "kind" / "seed0").results["model"]
    truth = kept.arrays[next(name for name in kept.truth)]
    scores = next(array for name, array in kept.arrays.items() if name not in kept.truth and array.ndim == 2)
    assert accuracy_score(truth, scores.argmax(axis=1)) == kind["value"]


def test_what_hears_nothing_is_at_chance(data, workdir, tmp_path):
    assert call(data, workdir, "Deaf", f"--output={tmp_path}", "--only=kind") == 0
    (row,) = read_json(tmp_path / "suite.json")["rows"]
    assert row["value"] <= 1 / 3 + 1e-9


def test_a_task_that_is_done_is_not_run_again(data, workdir, tmp_path, monkeypatch, capsys):
    probed = []

    def counted(*arguments):
        probed.append(1)
        if len(probed) == 2:
            raise KeyboardInterrupt
        return run_probe(*arguments)

    run_probe = run.probe
    monkeypatch.setattr(run, "probe", counted)
    assert call(data, workdir, "Bands", f"--output={tmp_path}") == 130
    assert "goes on from here" in capsys.readouterr().err and not (tmp_path / "suite.json").exists()
    assert call(data, workdir, "Bands", f"--output={tmp_path}") == 0
    assert len(probed) == 3
    first = (tmp_path / "suite.json").read_text()
    assert call(data, workdir, "Bands", f"--output={tmp_path}") == 0
    assert len(probed) == 3 and (tmp_path / "suite.json").read_text() == first
    assert call(data, workdir, "Bands", f"--output={tmp_path}", "--only=kind", "--bootstrap_samples=60") == 0
    assert len(probed) == 4  # other intervals


@pytest.mark.parametrize(
    ("encoder", "suite", "status", "message"),
    [
        ("mel_meen", f"{OWN}:TASKS", 1, "no encoder 'mel_meen' (did you mean 'mel_mean'?)"),
        ("runs/none", f"{OWN}:TASKS", 1, "no encoder 'runs/none'"),
        ("NoEncoder", f"{OWN}:TASKS", 1, "without sample_rate_hz, tile_samples, at_once, vectors"),
        ("NUMBER", f"{OWN}:TASKS", 1, "is a int; it must be a class or a function"),
        ("Bendy", f"{OWN}:TASKS", 1, "has no 'Bendy'"),
        ("AlwaysNaN", f"{OWN}:TASKS", 1, "gives infinities or no numbers for noise"),
        ("OfAnotherDim", f"{OWN}:TASKS", 1, "its dim says (2, 5)"),
        ("NotANumber", f"{OWN}:TASKS", 1, "recordings have no embedding, the first is"),
        ("OtherWidth", f"{OWN}:TASKS", 1, "gives a vector of shape (2,); its dim says (4,)"),
        ("Bands", f"{OWN}:ONE_CLASS", 1, "task kind: column 'same' holds 1 classes"),
        ("Bands", f"{OWN}:NO_METRIC", 1, "no metric 'kind/acuracy'"),
        ("Bands", f"{OWN}:TWICE", 1, "two tasks of the name 'kind'"),
        ("Bands", f"{OWN}:NUMBER", 1, "it takes a sequence of mu.suite.task:Task"),
        ("Bands", f"{OWN}:TASK", 2, "has no 'TASK' (did you mean"),
        ("Bands", "musik", 2, "there is no such suite (did you mean 'music'?)"),
        ("Bands", f"{OWN}:TASKS --only=kinds", 2, "no such task (did you mean 'kind'?)"),
        ("Bands", f"{OWN}:TASKS --head=linear --seeds=0,1", 2, "the linear probe has one optimum"),
    ],
)
def test_bad_input_is_refused(data, workdir, tmp_path, capsys, encoder, suite, status, message):
    suite, *flags = suite.split()
    assert call(data, workdir, encoder, f"--output={tmp_path / 'out'}", *flags, suite=suite) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "suite.json").exists()


def test_missing_data_are_named_with_where_they_come_from(tmp_path, capsys):
    assert call(tmp_path, tmp_path / "work", "mfcc", suite="music") == 1
    said = capsys.readouterr().err
    for task in music.TASKS:
        assert str(tmp_path / task.recordings.folder / task.recordings.table) in said
        assert task.recordings.origin in said
    assert not (tmp_path / "work").exists()


def test_the_data_have_what_the_music_suite_asks_for(data_dir):
    assert missing_data(music.TASKS, data_dir) == ""
    for task in music.TASKS:
        recordings, predicts = task.recordings, task.predicts
        table = run.pl.read_csv(data_dir / recordings.folder / recordings.table, infer_schema=False)
        table = table if recordings.prepare is None else recordings.prepare(table)
        wanted = {*predicts.classes, *predicts.numbers, *filter(None, [predicts.group, recordings.group])}
        wanted |= set() if predicts.folds.isdecimal() else {predicts.folds}
        assert wanted <= set(table.columns), task.name
        for name in predicts.classes:
            assert table[name].value_counts()["count"].min() >= 10, (task.name, name)
        if predicts.group and not predicts.folds.isdecimal():
            folds_of = run.pl.col(predicts.folds).n_unique().alias("folds")
            assert table.group_by(predicts.group).agg(folds_of)["folds"].max() == 1


ROW = {"folds": {"0": 0.5, "1": None}, "units": "9 recordings", "embedded_s": 1.0, "probed_s": 2.0}
ROWS = [
    {"task": "a", "metric": "m", "value": 0.75, "low": 0.5, "high": 1.0, **ROW},
    {"task": "b", "metric": "m", "value": 0.25, "low": None, "high": None, **ROW},
]


def test_tables():
    text = suite_text(ROWS, None)
    assert "0.750 [0.500, 1.000]" in text and "[unknown]" in text and "9 recordings" in text
    lines = markdown_table({"one": ROWS, "two": [{**ROWS[0], "value": 0.5}]}).splitlines()
    assert lines[0] == "| task | metric | drawn | one | two |"
    assert lines[2] == "| a | m | 9 recordings | **0.750** [0.500, 1.000] | 0.500 [0.500, 1.000] |"
    assert lines[3] == "| b | m | 9 recordings | **0.250** [unknown] |  |"
    assert len({line.count("|") for line in lines}) == 1


def test_the_folder_of_an_encoder_has_its_name_and_hash():
    assert run.slug({"run": "runs/my encoder/", "hash": "0123456789"}) == "my_encoder-01234567"
    assert run.slug({"run": "a.b:C", "hash": "0123456789"}) == "a.b_C-01234567"


def test_the_world_suite_on_what_the_command_writes(tmp_path, capsys):
    """A small set, all tasks that a small set allows; the versions of a work are found by their vectors."""
    words = [f"--output={tmp_path / 'data' / 'world_music'}", "--works=10", "--versions=2", "--track_duration=5"]
    assert world_music([*words, "--seed=1"]) == 0
    flags = ["--only=tempo,versions", f"--output={tmp_path / 'out'}"]
    assert call(tmp_path / "data", tmp_path / "work", "Bands", *flags, suite="world") == 0
    assert "versions" in capsys.readouterr().out
    rows = read_json(tmp_path / "out" / "suite.json")["rows"]
    (row,) = [row for row in rows if row["task"] == "versions"]
    assert 0 < row["low"] <= row["value"] <= row["high"] <= 1 and row["units"] == "10 works" and row["clips"] == 20
    kept = read_json(tmp_path / "out" / "linear" / "versions" / "retrieval.json")["average_precision"]
    assert len(kept) == 20 and sum(kept.values()) / 20 == pytest.approx(row["value"])


def test_the_world_suite_says_how_its_data_are_made(tmp_path, capsys):
    assert call(tmp_path, tmp_path / "work", "mfcc", suite="world") == 1
    assert "mu world-music --output=DATA/world_music" in capsys.readouterr().err


def test_a_library_of_another_table_is_not_taken_for_this_one(data, workdir, tmp_path):
    def quiet(*_):
        pass

    library = run.imported(SOUNDS, data, workdir, quiet)
    assert run.imported(SOUNDS, data, workdir, quiet) == library
    table = make_data(tmp_path) / "sounds" / "meta.csv"
    table.write_text(table.read_text().replace("low", "deep"))
    with pytest.raises(ValueError, match="was imported from another table"):
        run.imported(SOUNDS, tmp_path, workdir, quiet)
