"""What tests of inference share."""

import pytest

from tests.helpers.audio_users import make_parts


@pytest.fixture(scope="session")
def parts():
    """(model, batches, task) of a small model of sound and listeners; nobody changes it."""
    return make_parts()
