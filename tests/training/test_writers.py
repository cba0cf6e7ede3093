"""What is logged: lines that survive a kill, TensorBoard events, and a clock that says where time went."""

import json
import struct

import pytest

from mu.training import clock as clocks
from mu.training.clock import Clock
from mu.training.writers import JsonLines, TensorBoard


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_lines_are_there_at_once_and_survive(tmp_path):
    writer = JsonLines(tmp_path, 0)
    writer.write(1, {"loss": 0.5, "grad_norm": 2.0})
    assert lines(tmp_path) == [{"step": 1, "loss": 0.5, "grad_norm": 2.0}]
    writer.close()
    writer = JsonLines(tmp_path, 1)
    writer.write(2, {"loss": 0.25})
    writer.close()
    assert [line["step"] for line in lines(tmp_path)] == [1, 2]


@pytest.mark.parametrize(("step", "kept"), [(0, []), (2, [1, 2]), (3, [1, 2, 3, 3]), (9, [1, 2, 3, 3, 4])])
def test_a_run_taken_up_drops_what_came_after_and_what_is_half_written(tmp_path, step, kept):
    text = "".join(json.dumps({"step": s, "loss": 1.0}) + "\n" for s in (1, 2, 3, 3, 4))
    (tmp_path / "metrics.jsonl").write_text(text + '{"step": 5, "lo')
    JsonLines(tmp_path, step).close()
    assert [line["step"] for line in lines(tmp_path)] == kept


def test_tensorboard_events(tmp_path):
    """Read back from the event file: records of length, checksum, event, checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2", reason="needs the extra 'tensorboard'")
    writer = TensorBoard(tmp_path, 4)
    writer.write(5, {"loss": 0.5, "valid/ndcg@10": 0.25})
    writer.write(6, {"loss": 0.125})
    writer.close()
    (file,) = (tmp_path / "tensorboard").iterdir()
    data, found = file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        event = event_pb2.Event.FromString(data[12 : 12 + length])
        found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
        data = data[16 + length :]
    # tensorboardX writes _ for the @ of a metric.
    assert found == [(5, "loss", 0.5), (5, "valid/ndcg_10", 0.25), (6, "loss", 0.125)]


def test_the_clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(clocks.time, "perf_counter", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    clock = Clock(step=10, last_step=30)
    passes(7.0)  # the first step's compilation
    clock.begin(11)
    assert clock.report(11, examples=0.0) == {}
    with clock.waiting():
        passes(1.0)
    passes(3.0)
    with clock.paused():  # an evaluation
        passes(50.0)
    assert clock.report(15, examples=200.0) == {
        "step_ms": 1000.0,
        "examples_per_s": 50.0,
        "data_wait_share": 0.25,
        "left_s": 15.0,
    }
    passes(1.0)
    assert clock.report(16, examples=0.0)["data_wait_share"] == 0.0
