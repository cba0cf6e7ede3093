"""mu in processes that are stricter or stranger than a user's: the same numbers, and no traceback.

One script (`tests.helpers.whole_day`) imports a log, trains, evaluates, recommends and takes features of sound.
"""

import json
import os
import sys

import numpy as np
import pytest

from tests.helpers.processes import ROOT, environment, run

STRICT = {
    "JAX_NUMPY_RANK_PROMOTION": "raise",
    "JAX_NUMPY_DTYPE_PROMOTION": "strict",
    "JAX_DEBUG_NANS": "1",
    "STRICT_NUMPY": "1",
    "PYTHONWARNINGS": "error",
}
X64 = {"JAX_ENABLE_X64": "1", "JAX_NUMPY_RANK_PROMOTION": "raise", "JAX_NUMPY_DTYPE_PROMOTION": "strict"}
STRANGE = {
    "LC_ALL": "tr_TR.UTF-8",
    "TZ": "Asia/Kolkata",
    "PYTHONHASHSEED": "7",
    "PYTHONOPTIMIZE": "1",
    "COLUMNS": "20",
    "PYTHONWARNINGS": "error",
    "HOME": "/dev/null",
}
LOOSENED = ("JAX_COMPILATION_CACHE_DIR", "XDG_CACHE_HOME", "MU_CACHE", "NUMBA_CACHE_DIR")


def whole_day(folder, *parts, without=(), **variables):
    """The numbers of the script in an environment with these variables."""
    paths = environment() | variables
    env = {name: value for name, value in paths.items() if name not in without}
    out = run(sys.executable, "-m", "tests.helpers.whole_day", folder, *parts, cwd=ROOT, env=env)
    return json.loads(out.splitlines()[-1])


def assert_close(found, expected):
    """Numbers up to the rounding of other programs; words as they are."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_close(found[name], value)
        elif name == "recommend":
            assert found[name][:-10] == value[:-10]  # the scores have two digits, and may be rounded either way
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-4, err_msg=name)


def test_plays_in_a_strict_environment_give_the_same_numbers(tmp_path):
    """Those of the usual one, written down; JAX looks for NaN after every program, NumPy raises its warnings."""
    found = whole_day(tmp_path / "strict", "plays", **STRICT)["plays"]
    np.testing.assert_allclose(found["train"][:2], [3.29574, 3.28039], atol=1e-4)
    np.testing.assert_allclose(found["evaluate"], [0.172982, 0.169897], atol=1e-5)


@pytest.mark.slow
def test_strict_and_strange_environments_give_the_same_numbers(tmp_path):
    expected = whole_day(tmp_path / "usual")
    assert_close(whole_day(tmp_path / "strict", **STRICT), expected)
    assert_close(whole_day(tmp_path / "x64", **X64), expected)
    old = os.umask(0o077)
    try:
        found = whole_day(tmp_path / "strange", "plays", without=LOOSENED, **STRANGE)
        assert_close(found, {"plays": expected["plays"]})
    finally:
        os.umask(old)
