"""The user's own modules in a run: found with what they import, and known again when they have changed."""

import importlib
import sys

import pytest

from mu.run.own_modules import changed_modules, own_modules


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Writes modules, {file: text}, and imports some of them; they are forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(files, *imported):
        for file, text in files.items():
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(text)
        importlib.invalidate_caches()
        for name in imported:
            importlib.import_module(name)

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_module_with_what_lies_beside_it_and_a_package_with_its_parts(modules):
    files = {"own_model.py": "import own_layer", "own_layer.py": "", "own_other.py": "", "own_pack/part.py": ""}
    modules({**files, "own_pack/__init__.py": "from own_pack import part"}, "own_model", "own_pack")
    config = {
        "model": {"name": "own_model:Model"},
        "writers": ("own_pack.part:Writer",),
        "baselines": {"a": {"b": [1]}},
    }
    hashes = own_modules(config)
    assert list(hashes) == ["own_layer", "own_model", "own_pack", "own_pack.part"]
    assert all(value.startswith("sha256 ") for value in hashes.values())
    modules({"own_layer.py": "# other"})
    assert changed_modules(hashes, own_modules(config)) == ["own_layer"]
    assert changed_modules(hashes, {**hashes, "new": "sha256 0"}) == []


def test_the_parts_of_mu_are_none_and_an_installed_package_has_a_version():
    config = {"model": {"name": "mu.models.sasrec:SASRec"}, "optimizer": {"name": "optax:adam"}, "path": "C:folder"}
    assert own_modules(config) == {}
    assert own_modules({"writers": ["numpy:save"]})["numpy"].startswith("numpy ")
