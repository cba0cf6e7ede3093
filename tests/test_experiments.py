"""Every file of experiments/ makes a config, and the commands of its docstring are ones that there are."""

import ast
import re
from pathlib import Path

import pytest

from mu import cli
from mu.config.base import ConfigError
from mu.config.overrides import load

PATHS = sorted((Path(__file__).resolve().parents[1] / "experiments").glob("*.py"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize("smoke", [True, False], ids=["smoke", "whole"])
def test_resolves(path, smoke):
    config = load(f"{path}{':smoke' if smoke else ''}", {})
    assert config.total_steps > 0 and (not smoke or config.total_steps <= 50)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_commands_of_the_docstring_name_what_there_is(path):
    text = ast.get_docstring(ast.parse(path.read_text())).replace("\\\n", " ")
    commands = re.findall(r"^    mu (\S+)(.*)$", text, re.MULTILINE)
    for command, rest in commands:
        assert command in cli.COMMANDS, command
        for spec in re.findall(r"--config=(\S+)", rest):
            assert load(str(path.parents[1] / spec), {})
        if command == "crossvalidate":
            assert re.search(r"--folds=\d+", rest) and "--workdir=" in rest


@pytest.mark.parametrize("spec", ["esc10.py:task=contrastve", "emotify.py:target=emotions"])
def test_a_misspelt_choice_is_refused(spec):
    with pytest.raises(ConfigError, match="did you mean"):
        load(str(PATHS[0].parent / spec), {})
