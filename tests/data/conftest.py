"""What tests of data share."""

import pytest

from mu.data.clips.importing import workers


@pytest.fixture
def here(monkeypatch):
    """The work of the workers in this process: the same calls, without a second's wait for each to start."""
    monkeypatch.setattr(workers, "run", lambda function, tasks, n, **_: ((task, function(task)) for task in tasks))
