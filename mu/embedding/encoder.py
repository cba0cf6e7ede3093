"""A run's encoder as a function of audio alone, and the hash that names it."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

from mu.data.clips.clips import Clips
from mu.inference.pooling import TILES
from mu.run.build import Run
from mu.run.restore import restore
from mu.training.state import weights


class Encoder:
    """Tiles of audio to clip vectors; a tile's vector is a function of that tile alone, bit for bit.

    A batch always has one shape, and XLA's programs for the CPU then give a row the same bits wherever it lies and
    whatever lies beside it. That is their habit, not their promise, so it is tried once with noise; an encoder that
    does not keep to it encodes its tiles one after the other inside the program (on a CPU up to 80 % slower).

    Args:
      graph, params: of a model that gives 'clip' [B, D] of 'audio' [B, N] and 'samples' [B].
      sample_rate_hz: of the audio.
      tile_samples: N.

    Raises:
      ValueError: the model gives no 'clip', or no finite one.

    Attributes:
      dim: D.
      noise_vector: float32 [D], the vector of a tile of noise.
      alone: whether tiles are encoded one after the other.
    """

    def __init__(self, graph: nnx.GraphDef, params: Any, *, sample_rate_hz: int, tile_samples: int):
        self.sample_rate_hz, self.tile_samples = sample_rate_hz, tile_samples
        self._params = jax.device_put(params)

        def encode(params: Any, audio: jax.Array, samples: jax.Array) -> jax.Array:
            found = nnx.merge(graph, params)({}, {"audio": audio, "samples": samples})
            if "clip" not in found:
                raise ValueError(f"the model gives {', '.join(found)}, and no 'clip' to keep of a recording")
            return found["clip"].astype("float32")

        def encode_alone(params: Any, audio: jax.Array, samples: jax.Array) -> jax.Array:
            return jax.lax.map(lambda tile: encode(params, tile[0][None], tile[1][None])[0], (audio, samples))

        self._encode = jax.jit(encode)
        self.noise_vector = self.vectors(*_noise(1, tile_samples))[0]
        if not np.isfinite(self.noise_vector).all():
            raise ValueError("the encoder's weights give infinities or no numbers: nothing can be embedded with them")
        self.dim = len(self.noise_vector)
        self.alone = not self._keeps_rows_apart()
        if self.alone:
            self._encode = jax.jit(encode_alone)

    def vectors(self, audio: np.ndarray, samples: np.ndarray) -> np.ndarray:
        """float32 [n, D] of up to `TILES` tiles.

        Args:
          audio: float32 [n, N].
          samples: int32 [n], how many of the N are sound; the rest is filling.
        """
        missing = TILES - len(audio)
        audio, samples = np.pad(audio, ((0, missing), (0, 0))), np.pad(samples, (0, missing))
        return np.asarray(self._encode(self._params, audio, samples))[: TILES - missing]

    def _keeps_rows_apart(self) -> bool:
        audio, samples = _noise(TILES, self.tile_samples)
        together = self.vectors(audio, samples)
        turned = self.vectors(audio[::-1], samples[::-1])[::-1]
        few = self.vectors(audio[:3], samples[:3])
        return bool((together == turned).all() and (together[:3] == few).all())


def of_run(workdir: str | os.PathLike[str]) -> tuple[Encoder, dict[str, Any]]:
    """The encoder of a run, with its best weights (of a moving average where it keeps one), and its card.

    The card is what JSON can say: 'hash' (`encoder_hash`), 'noise_vector' (first numbers of the vector of a tile of
    noise: where they differ, the code does), 'run', 'step', 'commit' (that trained it), 'model', 'sample_rate_hz',
    'tile_samples', 'tile_s'.

    Raises:
      FileNotFoundError: there is no run, or none with an evaluated checkpoint.
      ValueError: it is not a run on audio; or its data have changed.
    """
    restored = restore(workdir)
    setup, state, step = restored.run, restored.state, restored.step
    encoder = of_setup(setup, state)
    rate, tile = encoder.sample_rate_hz, encoder.tile_samples
    card = {
        "hash": hash_of(setup, state),
        "noise_vector": [round(float(number), 4) for number in encoder.noise_vector[:8]],
        "run": str(workdir),
        "step": step,
        "commit": json.loads((Path(workdir) / "run.json").read_text())["commit"],
        "model": _options(setup),
        "sample_rate_hz": rate,
        "tile_samples": tile,
        "tile_s": tile / rate,
    }
    return encoder, card


def of_setup(setup: Run, state: Mapping[str, Any]) -> Encoder:
    """The encoder of a run that is restored already (`mu.run.restore.restore`).

    Raises:
      ValueError: it is not a run on audio.
    """
    graph, params = _hearing(setup, state)
    return Encoder(graph, params, sample_rate_hz=setup.data.sample_rate_hz, tile_samples=setup.batches.crop_samples)


def hash_of(setup: Run, state: Mapping[str, Any]) -> str:
    """`encoder_hash` of a run that is restored already: what its embeddings are known by.

    Raises:
      ValueError: it is not a run on audio.
    """
    _, params = _hearing(setup, state)
    return encoder_hash(_options(setup), setup.data.sample_rate_hz, setup.batches.crop_samples, params)


def _options(setup: Run) -> dict[str, Any]:
    """The model's, as JSON has them."""
    return json.loads(json.dumps(setup.config.model.to_dict()))


def _hearing(setup: Run, state: Mapping[str, Any]) -> tuple[nnx.GraphDef, Any]:
    """(graph, params) of what hears: the model of a run on clips, the audio encoder of one on plays."""
    params = jax.device_get(weights(state)[0])
    if isinstance(setup.data, Clips):
        return setup.model, params
    encoder = getattr(nnx.merge(setup.model, params), "audio", None)
    if encoder is None:
        raise ValueError(
            f"a run of {setup.config.model.name} on {type(setup.data).__name__} hears nothing: it has nothing to embed "
            "with"
        )
    graph, found = nnx.split(encoder)
    return graph, nnx.to_pure_dict(found)


def encoder_hash(model: Mapping[str, Any], sample_rate_hz: int, tile_samples: int, params: Any) -> str:
    """sha256 over all that an embedding depends on: the model's options (the front end's are among them), the rate,
    the tiles' length, and every weight with its name, shape and type."""
    digest = hashlib.sha256(json.dumps([model, sample_rate_hz, tile_samples], sort_keys=True).encode())
    for path, array in jax.tree.leaves_with_path(params):  # in order of names
        array = np.asarray(array)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _noise(n: int, tile_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Tiles of different levels and lengths."""
    random = np.random.default_rng(0)
    level = 10.0 ** random.uniform(-3, 0, (n, 1))
    audio = (random.standard_normal((n, tile_samples)) * level).astype(np.float32)
    return audio, random.integers(tile_samples // 4 + 1, tile_samples + 1, n).astype(np.int32)
