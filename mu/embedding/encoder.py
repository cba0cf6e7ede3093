"""The audio encoder of a run, or a published one, and the hash that its embeddings are known by."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from mu.inference.clip_encoder import ClipEncoder
from mu.pretrained.folder import load
from mu.run.learnt import learnt_from
from mu.run.restore import TrainedRun, open_run


def of_run(workdir: str | os.PathLike[str]) -> tuple[ClipEncoder, dict[str, Any]]:
    """The encoder of a run, with its best weights (of a moving average where it keeps one), and its card.

    The card is JSON: 'hash' (`encoder_hash`), 'noise_vector' (first numbers of the vector of a tile of noise: where
    they differ, the code does), 'run', 'step', 'commit' (that trained it), 'model', 'sample_rate_hz', 'tile_samples',
    'tile_s', 'trained_on' (`mu.run.learnt`: config_sha256, split, targets, recordings).

    Raises:
      FileNotFoundError: there is no run, or none with an evaluated checkpoint.
      ValueError: it is not a run on audio; or its data have changed.
    """
    run = open_run(workdir)
    encoder, learnt = clip_encoder(run), learnt_from(workdir)
    rate, tile = encoder.sample_rate_hz, encoder.tile_samples
    card = {
        "hash": hash_of(run),
        "noise_vector": [round(float(number), 4) for number in encoder.noise_vector[:8]],
        "run": str(workdir),
        "step": run.step,
        "commit": run.provenance["commit"],
        "model": run.model_options,
        "sample_rate_hz": rate,
        "tile_samples": tile,
        "tile_s": tile / rate,
        "trained_on": {
            "config_sha256": learnt.config_sha256,
            "split": learnt.split,
            "targets": sorted(learnt.targets),
            "recordings": None if learnt.recordings is None else sorted(learnt.recordings),
        },
    }
    return encoder, card


# Tiles a batch of a published encoder on an accelerator; on a CPU one such tile is work for all cores.
PRETRAINED_AT_ONCE = 8


def of_pretrained(folder: str | os.PathLike[str]) -> tuple[ClipEncoder, dict[str, Any]]:
    """A published encoder (`mu.pretrained.folder`), and its card, which has the 'licence' of the weights, too.

    Its 'step' and 'commit' are None, and what it has learnt from is not known.

    Raises:
      FileNotFoundError: a file is missing.
      ValueError: the files are damaged, do not fit each other, or are of an encoder that is not known.
    """
    made = load(folder)
    rate, tile = made.sample_rate_hz, made.tile_samples
    at_once = 1 if jax.default_backend() == "cpu" else PRETRAINED_AT_ONCE
    encoder = ClipEncoder(made.graph, made.params, sample_rate_hz=rate, tile_samples=tile, at_once=at_once)
    card = {
        "hash": encoder_hash(made.options, rate, tile, made.params),
        "noise_vector": [round(float(number), 4) for number in encoder.noise_vector[:8]],
        "run": str(folder),
        "step": None,
        "commit": None,
        "model": made.options,
        "licence": made.licence,
        "sample_rate_hz": rate,
        "tile_samples": tile,
        "tile_s": tile / rate,
        "trained_on": {"recordings": None},
    }
    return encoder, card


def clip_encoder(run: TrainedRun) -> ClipEncoder:
    """The encoder of a run that is open already.

    Raises:
      ValueError: it is not a run on audio.
    """
    graph, params = run.audio_encoder()
    rate, tile = run.audio_format()
    return ClipEncoder(graph, params, sample_rate_hz=rate, tile_samples=tile)


def hash_of(run: TrainedRun) -> str:
    """`encoder_hash` of a run that is open already.

    Raises:
      ValueError: it is not a run on audio.
    """
    return encoder_hash(run.model_options, *run.audio_format(), run.audio_encoder()[1])


def encoder_hash(model: Mapping[str, Any], sample_rate_hz: int, tile_samples: int, params: Any) -> str:
    """sha256 over everything that an embedding depends on.

    Args:
      model: options of the model; those of the front end are among them.
      sample_rate_hz: of the audio.
      tile_samples: length of the tiles.
      params: every weight, with its name, shape and type.
    """
    digest = hashlib.sha256(json.dumps([model, sample_rate_hz, tile_samples], sort_keys=True).encode())
    for path, array in jax.tree.leaves_with_path(params):  # in order of names
        array = np.asarray(array)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
