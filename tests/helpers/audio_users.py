"""A small model of sound and listeners on a small log, for tests of what is computed with a trained one."""

import jax.numpy as jnp
import numpy as np
from flax import nnx

from mu.data.batches.listening import ListeningBatches
from mu.models.audio_user import AudioUser
from mu.tasks.next_play import NextPlay
from tests.helpers.listening_logs import DAY_MS, RATE_HZ, make_listening

# Tracks 15 to 19 come out two days before the log ends, and so on, to two days after it.
LOG = make_listening()
LOG.released_ms[15:] = LOG.end_ms + np.arange(-2, 3) * DAY_MS
DIM = 8


def make_parts():
    """(model, batches, task): crops of 0.2 s, so that a track of 0.5 s has three tiles."""
    batches = make_batches(LOG)
    task = NextPlay(data=LOG)
    audio = {"size": "xs", "n_mels": 16, "dropout": 0.0}
    model = AudioUser(
        audio=audio,
        dim=DIM,
        dropout=0.0,
        hash_size=64,
        event_columns={"context": 2},
        sample_rate_hz=RATE_HZ,
        outputs={},
        rngs=nnx.Rngs(0),
    )
    model.age[...] = jnp.linspace(0.2, -0.2, len(model.age))
    return model, batches, task


def make_batches(log):
    """Batches of a log as `make_parts` has them."""
    return ListeningBatches(log, window=6, rows=4, negatives=5, clips=4, crop_s=0.2, sparse=False, seed=0)


def split(model):
    """(graph, values) of a model."""
    graph, state = nnx.split(model)
    return graph, nnx.to_pure_dict(state)
