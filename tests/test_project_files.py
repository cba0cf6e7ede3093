"""Files about the project: versions agree, and what is checked elsewhere can be run here."""

import re
import tomllib
from pathlib import Path

import pytest
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
    assert named == {"lint", "types", "workflows", "docs", "test", "test-newest", "quickstart", "notebook"}
    assert named <= targets
    of_check = set(re.findall(r"^step ([\w-]+)", text(".ci/run"), re.M))
    assert of_check == named - {"workflows", "test-newest"}, "CONTRIBUTING.md says so"


def test_the_install_page_names_every_extra():
    extras = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
    (table,) = re.findall(r"^\| extra \|.*?(?=\n\n)", text("docs/install.md"), re.M | re.S)
    assert set(re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines()))) == set(extras)


@pytest.mark.parametrize("page", ("README.md", "CONTRIBUTING.md", "SECURITY.md", "kernels/README.md"))
def test_links_of_pages_outside_the_site_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text(page))
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_versions_of_the_changelog_have_a_date_and_the_usual_sections():
    versions = re.findall(r"^## (.+)$", text("CHANGELOG.md"), re.M)
    released = [version for version in versions if version != "Unreleased"]
    assert versions[0] in ("Unreleased", released[0])
    assert versions[0] == "Unreleased" or released[0].startswith(f"{__version__} - ")
    for version in released:
        assert re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", version)
        section = text("CHANGELOG.md").partition(f"## {version}\n")[2].partition("\n## ")[0]
        kinds = re.findall(r"^### (.+)$", section, re.M)
        assert kinds and set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
