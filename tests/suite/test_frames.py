"""Beats and onsets: annotations are read as they are, and clicks are all found."""

import numpy as np
import pytest

from mu.suite import frames
from mu.suite.frames import EventTask, event_rows, instants
from tests.helpers.audio_files import write


@pytest.fixture
def clicks(tmp_path):
    """A click every half second, and its annotation as two players give it."""
    times = np.arange(0.5, 5.0, 0.5)
    generator = np.random.default_rng(0)
    x = (1e-4 * generator.standard_normal(round(5.5 * frames.SAMPLE_RATE_HZ))).astype(np.float32)
    for time in times:
        burst = 0.2 * generator.standard_normal(1000) * np.exp(-np.arange(1000) / 200)
        x[round(time * frames.SAMPLE_RATE_HZ) :][:1000] += burst.astype(np.float32)
    write(tmp_path / "clicks.wav", x, frames.SAMPLE_RATE_HZ)
    (tmp_path / "one.csv").write_text("number,time\n" + "".join(f"{n},{time}\n" for n, time in enumerate(times)))
    (tmp_path / "two.csv").write_text("number,time\n" + "".join(f"{n},{time + 0.01}\n" for n, time in enumerate(times)))
    (tmp_path / "none.csv").write_text("# nothing\n")
    return tmp_path


@pytest.mark.parametrize("event", ["beats", "onsets"])
def test_clicks_are_found(clicks, event):
    files = ("one.csv",) if event == "beats" else ("one.csv", "two.csv")
    (row,) = event_rows(clicks, [EventTask("clicks", event, "clicks.wav", files, column=1, skipped=1)])
    assert row["annotated"] == 9  # players within 30 ms are one onset
    assert row["value"] > 0.9


def test_annotations_that_are_not_there_are_named(clicks):
    with pytest.raises(FileNotFoundError, match="task x: there is no annotation"):
        instants(EventTask("x", "beats", "clicks.wav", ("three.csv",)), clicks)
    with pytest.raises(ValueError, match=r"task x: none\.csv hold no instants"):
        instants(EventTask("x", "beats", "clicks.wav", ("none.csv",)), clicks)


def test_real_annotations(data_dir):
    counts = [len(instants(task, data_dir)) for task in frames.TASKS]
    assert counts == [4, 24, 15, 53, 6, 59]
