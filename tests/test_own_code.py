"""An exception of the user's own code keeps its traceback; mu's refusals are one line."""

import importlib.util

import numpy as np
import pytest

from mu.cli import main
from mu.config.base import ConfigError
from mu.console import explained
from mu.evals.result import Result, Statistic
from mu.names import closest
from mu.own_code import traceback_of_own_code

OWN = """\
import json
import numpy as np
from mu.config.base import ConfigError
from mu.names import locate


def adds():
    return np.arange(2) + np.arange(3)


def reads(text="{"):
    return json.loads(text)


def refuses():
    raise ConfigError("config.data: no")


def asks_mu():
    return locate("nothing")


def calls(function):
    return function()
"""


@pytest.fixture
def own(tmp_path):
    """A module of the user's own."""
    (tmp_path / "own_module.py").write_text(OWN)
    spec = importlib.util.spec_from_file_location("own_module", tmp_path / "own_module.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def raised(call, *arguments):
    with pytest.raises(Exception) as caught:
        call(*arguments)
    return caught.value


def test_the_traceback_begins_in_own_code_and_ends_with_the_error(own):
    for call, words in ((own.adds, "operands could not be broadcast"), (own.reads, "Expecting property name")):
        lines = traceback_of_own_code(raised(call)).splitlines()
        assert lines[0].startswith("Traceback") and words in lines[-1]
        shown = next(line for line in lines if line.startswith("  File"))
        assert "test_own_code.py" in shown  # the tests are no part of mu either
    assert explained(raised(own.adds)).startswith("your own code raised this\nTraceback")


def test_a_config_that_cannot_be_compiled_is_shown_with_its_line(tmp_path, capsys):
    for name, content in (("broken.py", b"def get_config(arg=None:\n"), ("bytes.py", b"name = '\xff'\n")):
        (tmp_path / name).write_bytes(content)
        assert main(["train", f"--config={tmp_path / name}", f"--workdir={tmp_path / 'run'}"]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f'mu train: your own code raised this\n  File "{tmp_path / name}", line 1')
        assert "SyntaxError" in said.splitlines()[-1] and "importlib" not in said
    assert not (tmp_path / "run").exists()


def test_refusals_of_mu_are_one_line_wherever_they_come_from(own):
    for error in (raised(own.refuses), raised(own.asks_mu), ConfigError("no"), ValueError("never raised")):
        assert traceback_of_own_code(error) is None
        assert explained(error) == str(error)


def test_the_cause_of_an_error_of_mu_may_be_own_code(own):
    """As where mu says which metric failed."""
    result = Result(
        unit="clip",
        units=np.arange(2),
        arrays={"truth": np.arange(2)},
        statistics={"f1": Statistic("tests.test_own_code:broken", ("truth",))},
    )
    assert "in broken" in traceback_of_own_code(raised(result.summary, 2, 0))


def broken(truth, weights):
    """A metric that fails."""
    return truth[:1] @ weights.T[:0]


@pytest.mark.parametrize("body", ["np.arange(2) + np.arange(3)", "{}['key']", "None.attribute", "open('nowhere')"])
def test_a_command_shows_it(tmp_path, capsys, body):
    (tmp_path / "config.py").write_text(f"import numpy as np\n\n\ndef get_config(arg=None):\n    return {body}\n")
    assert main(["train", f"--config={tmp_path / 'config.py'}", f"--workdir={tmp_path / 'run'}"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "mu train: your own code raised this" and said[1].startswith("Traceback")
    assert "config.py" in said[2] and body in said[3]


def test_a_fault_of_mu_is_no_own_code():
    assert traceback_of_own_code(raised(closest, None, [], 1)) is None
