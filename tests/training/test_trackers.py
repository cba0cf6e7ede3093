"""Weights & Biases and MLflow, offline: of a run that broke off and went on they hold what metrics.jsonl holds."""

import json
import logging
import sys

import pytest

from mu.files import read_json, write_json
from mu.training.mlflow_writer import MLflow
from mu.training.wandb_writer import WeightsAndBiases
from tests.helpers.tiny_runs import TIMES, Breaking, tiny_config, train, write_log

WRITERS = (
    "mu.training.wandb_writer:WeightsAndBiases",
    "mu.training.mlflow_writer:MLflow",
    "tests.helpers.tiny_runs:Breaking",
)
# Both packages warn of what they import.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


def sent_to_wandb(folder):
    """(step, name, value) of all rows in the files that `wandb sync` would send, in order."""
    import wandb
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore[reportAttributeAccessIssue]

    wandb.teardown()  # as the end of a process does: files are whole from then on
    rows = []
    for file in sorted((folder / "wandb").glob("offline-run-*/*.wandb")):
        for content in records(file.read_bytes()):
            record = Record.FromString(content)
            if record.HasField("history"):
                row = {(one.key or one.nested_key[0]): json.loads(one.value_json) for one in record.history.item}
                rows += [(row["_step"], name, value) for name, value in row.items() if not name.startswith("_")]
    return rows


def records(data):
    """The records of a log of LevelDB after a header of 7 bytes: blocks of 32 KiB with parts of records."""
    at, parts = 7, b""
    while at + 7 <= len(data):
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        if kind == 0 or 32_768 - at % 32_768 < 7:  # the rest of a block is filling
            at += 32_768 - at % 32_768
            continue
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield parts
            parts = b""


def sent_to_mlflow(folder):
    """(step, name, value) of all metrics of the run, in order of name."""
    import mlflow

    note = read_json(folder / "mlflow.json")
    client = mlflow.MlflowClient(tracking_uri=note["tracking_uri"])
    names = client.get_run(note["run_id"]).data.metrics
    return [(one.step, name, one.value) for name in names for one in client.get_metric_history(note["run_id"], name)]


def logged(folder):
    """{(step, name): value} of metrics.jsonl."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {(line["step"], name): value for line in lines for name, value in line.items() if name != "step"}


def fail():
    raise OSError("no space left")


def test_a_run_that_breaks_off_and_goes_on(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, logger="mu")
    log = write_log(tmp_path)
    config, folder = tiny_config(log, writers=WRITERS), tmp_path / "run"
    monkeypatch.setattr(Breaking, "at", 8)  # after the checkpoint at step 6
    monkeypatch.setattr(Breaking, "what", staticmethod(fail))
    with pytest.raises(OSError, match="no space left"):
        train(config, folder)
    train(tiny_config(log, writers=WRITERS[:2]), folder)
    # What a clock measured is of the first time: steps 7 and 8 were taken twice.
    expected = {key: value for key, value in logged(folder).items() if key[1] not in TIMES}
    assert {step for step, _ in expected} == set(range(1, 13)) and any("@" in name for _, name in expected)
    for sent, mapped in (
        (sent_to_wandb(folder), str),
        (sent_to_mlflow(folder), lambda name: name.replace("@", "_at_")),
    ):
        keys = [(step, name) for step, name, _ in sent]
        assert len(set(keys)) == len(keys)  # none comes twice
        assert (12, "step_ms") in keys
        found = {(step, name): value for step, name, value in sent if name not in TIMES}
        assert found == {(step, mapped(name)): value for (step, name), value in expected.items()}
    ids = read_json(folder / "wandb.json")["id"], read_json(folder / "mlflow.json")["run_id"]
    assert f"MLflow: run {ids[1]} at file://" in caplog.text and f"-{ids[0]}" in caplog.text


@pytest.fixture
def folder(tmp_path):
    write_json(tmp_path / "config.json", {"seed": 1, "model": {"dim": 8, "name": "x" * 900}, "baselines": {}})
    return tmp_path


def test_names_of_one_step_that_come_apart(folder):
    """Killed between the loss and the metrics of an evaluation: the rest is sent, the loss not again."""
    for kind, sent in ((WeightsAndBiases, sent_to_wandb), (MLflow, sent_to_mlflow)):
        writer = kind(folder, 0)
        writer.write(1, {"loss": 0.5})
        writer.write(2, {"loss": 0.25})
        writer.close()
        writer = kind(folder, 1)
        writer.write(2, {"loss": 0.125})
        writer.write(2, {"valid/recall": 1.0})
        writer.write(3, {"loss": 0.0625})
        writer.close()
        assert sorted(sent(folder)) == [
            (1, "loss", 0.5),
            (2, "loss", 0.25),
            (2, "valid/recall", 1.0),
            (3, "loss", 0.0625),
        ]


def test_the_config_and_a_run_that_begins_anew(folder):
    import mlflow

    first = MLflow(folder, 0)
    first.close()
    note = read_json(folder / "mlflow.json")
    run = mlflow.MlflowClient(tracking_uri=note["tracking_uri"]).get_run(note["run_id"])
    assert run.data.params == {"seed": "1", "model.dim": "8", "model.name": "x" * 500, "baselines": "{}"}
    assert (run.info.run_name, run.info.status) == (folder.name, "FINISHED")
    MLflow(folder, 0).close()
    assert read_json(folder / "mlflow.json")["run_id"] != note["run_id"]


def test_a_store_without_the_run(folder):
    write_json(folder / "mlflow.json", {"tracking_uri": "x", "run_id": "0" * 32})
    with pytest.raises(
        ValueError, match=r"MLflow at file:.*not found; if the run is to begin anew there, delete .*mlflow.json"
    ):
        MLflow(folder, 3)


def test_weights_and_biases_without_a_key(folder, monkeypatch):
    import wandb
    from wandb.errors import UsageError

    def refuses(**options):
        raise UsageError("No API key configured")

    monkeypatch.setattr(wandb, "init", refuses)
    with pytest.raises(ValueError, match=r"begins no run \(No API key.*`wandb login`, or set WANDB_MODE=offline"):
        WeightsAndBiases(folder, 0)


@pytest.mark.parametrize(("kind", "package"), [(WeightsAndBiases, "wandb"), (MLflow, "mlflow")])
def test_a_missing_package_is_named_with_the_line_that_installs_it(folder, monkeypatch, kind, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=rf"config.writers: .* needs {package} .*pip install 'mu-music\[{package}\]'"):
        kind(folder, 0)
