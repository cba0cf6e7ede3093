"""Where compiled programs are kept, and that a run does without a place for them."""

import logging
import os

import jax
import pytest

from mu.run.build import use_compilation_cache


@pytest.fixture
def chosen(monkeypatch):
    """The folder that is chosen in an environment, None for none."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}

    def choose(**environment):
        for name in ("MU_CACHE", "XDG_CACHE_HOME", "HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        jax.config.update("jax_compilation_cache_dir", None)
        use_compilation_cache()
        return jax.config.jax_compilation_cache_dir

    yield choose
    for name, value in before.items():
        jax.config.update(name, value)


def test_the_folder_is_the_first_that_is_named(chosen, tmp_path):
    assert chosen(MU_CACHE=tmp_path / "a", XDG_CACHE_HOME=tmp_path / "b", HOME=tmp_path) == str(tmp_path / "a/jax")
    assert chosen(XDG_CACHE_HOME=tmp_path / "b", HOME=tmp_path) == str(tmp_path / "b/mu/jax")
    assert chosen(HOME=tmp_path) == str(tmp_path / ".cache/mu/jax")
    assert chosen(MU_CACHE="", XDG_CACHE_HOME="", HOME=tmp_path) == str(tmp_path / ".cache/mu/jax")


def test_without_a_place_nothing_is_kept_and_the_log_says_so(chosen, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.INFO, "mu"):
        assert chosen(HOME=tmp_path / "file") is None
        assert "Compiled programs are not kept" in caplog.text and "MU_CACHE" in caplog.text
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # a user without an entry in /etc/passwd
        caplog.clear()
        assert chosen() is None and "this user has no home" in caplog.text
    assert not os.path.exists("~")
