"""Files about the project: versions agree, and what is checked elsewhere can be run here."""

import re
import tomllib
from pathlib import Path

import yaml

from mu import __version__

ROOT = Path(__file__).resolve().parents[1]


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_has_the_version():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["version"] == __version__
    assert citation["license"] == tomllib.loads(text("pyproject.toml"))["project"]["license"]


def test_jobs_of_the_workflow_are_targets_of_the_makefile():
    workflow = yaml.safe_load(text(".github/workflows/ci.yml"))
    targets = set(re.findall(r"^([\w-]+):", text("Makefile"), re.M))
    named = set()
    for job in workflow["jobs"].values():
        runs = [step["run"] for step in job["steps"] if "run" in step]
        assert runs == ["make ${{ matrix.target }}"]
        matrix = job["strategy"]["matrix"]
        named |= set(matrix.get("target", ())) | {row["target"] for row in matrix.get("include", ())}
    assert named == {"lint", "types", "workflows", "docs", "test", "test-newest"}
    assert named <= targets
