"""What tests do where compiled code is switched off (`NUMBA_DISABLE_JIT=1`): loops take a thousand times as long."""

import numba
import pytest

JIT_OFF = bool(numba.config.DISABLE_JIT)  # pyright: ignore[reportAttributeAccessIssue]


def needs_jit(reason):
    """A mark: without compiled code the test is skipped, for this reason."""
    return pytest.mark.skipif(JIT_OFF, reason=f"the JIT is off: {reason}")
